"""Every word that a record may hold, with its meaning in Chinese and English.

The charter closes two lists: the harms that moderation may act on (`Category`) and the service
domains that a demand may belong to (`Domain`). They are enumerations and not tables, so that no
configuration can add a category for opinions, politics, religion, protest or criticism: adding
one is a change of this file, with its published rule, its tests and its review.

Neighbours: every storey above reads these words; nothing here reads anything.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class PostKind(StrEnum):
    """What the author wrote."""

    QUESTION = "question"
    ANSWER = "answer"
    COMMENT = "comment"


class Category(StrEnum):
    """The closed list of harms (charter, 1), and self-harm, which is referred and never a violation."""

    SPAM = "spam"
    SCAM = "scam"
    MALICIOUS_LINK = "malicious_link"
    HARASSMENT = "harassment"
    HATE = "hate"
    THREAT = "threat"
    SEXUAL = "sexual"
    DOXXING = "doxxing"
    ILLEGAL_GOODS = "illegal_goods"
    SELF_HARM = "self_harm"


HARMS: Final = tuple(category for category in Category if category is not Category.SELF_HARM)


class Verdict(StrEnum):
    """What the service answers about a post.

    Ordered by how much attention a person owes the post: publish < hold < remove < refer. Refer
    outranks remove, because a person in danger comes first and a machine never takes their post down.
    """

    PUBLISH = "publish"
    HOLD = "hold"
    REMOVE = "remove"
    REFER = "refer"

    @property
    def severity(self) -> int:
        """Place in the order, 0 (publish) to 3 (refer)."""
        return list(Verdict).index(self)


class PostState(StrEnum):
    """Where a post stands on its platform, as far as this service has decided."""

    PUBLISHED = "published"
    HELD = "held"
    REMOVED = "removed"
    REFERRED = "referred"
    DELETED = "deleted"


class ReasonSource(StrEnum):
    """What spoke for a verdict."""

    RULE = "rule"
    CLASSIFIER = "classifier"
    POLICY = "policy"
    BEHAVIOUR = "behaviour"
    """A rule that looks at how posts come, and not at what one says."""


class RuleState(StrEnum):
    """Whether a rule counts. In shadow it is judged with every post and changes no verdict."""

    ACTIVE = "active"
    SHADOW = "shadow"
    RETIRED = "retired"


class BacktestState(StrEnum):
    """How far a back-test has come."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class TaskState(StrEnum):
    """A place in a review queue."""

    OPEN = "open"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class Action(StrEnum):
    """What a person decided about a post."""

    PUBLISH = "publish"
    REMOVE = "remove"
    REFER = "refer"


class AppealState(StrEnum):
    """How far an objection has come."""

    OPEN = "open"
    UPHELD = "upheld"
    REVERSED = "reversed"


class SampleKind(StrEnum):
    """What a blind look is about."""

    REMOVED = "removed"
    """A removal by the machine."""
    PUBLISHED = "published"
    """A post that the machine published."""
    GOLDEN = "golden"
    """A post whose right answer is known."""


class SecondReason(StrEnum):
    """Why a removal needs a second officer."""

    RARE_CATEGORY = "rare_category"
    OPEN_DEMAND = "open_demand"
    WON_APPEAL = "won_appeal"
    BULK = "bulk"
    SAMPLED = "sampled"


class SecondState(StrEnum):
    """How far a second reading has come."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ReportState(StrEnum):
    """What became of a reader's report about a post."""

    OPEN = "open"
    UPHELD = "upheld"
    NOT_UPHELD = "not_upheld"
    CLOSED = "closed"
    """The post went before anybody decided."""


class Domain(StrEnum):
    """The published service domains (charter, 6). `NONE`: no department can act on it."""

    EDUCATION = "education"
    JOBS_WAGES = "jobs_wages"
    HOUSING = "housing"
    HEALTH = "health"
    COUNSELLING = "counselling"
    LAW = "law"
    RELATIONSHIPS = "relationships"
    VOLUNTEERING = "volunteering"
    STARTUPS = "startups"
    CAMPUS_LIFE = "campus_life"
    TRANSPORT = "transport"
    ENVIRONMENT = "environment"
    CONSUMER = "consumer"
    PLATFORM = "platform"
    NONE = "none"


class Tone(StrEnum):
    """How a post sounds. Kept per post for the window, never per author."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class DemandState(StrEnum):
    """How far a collective demand has come."""

    GATHERING = "gathering"
    PROPOSED = "proposed"
    VERIFIED = "verified"
    REJECTED = "rejected"
    CLOSED = "closed"


class CorrectionKind(StrEnum):
    """What a person does with a demand and its posts."""

    CONFIRM = "confirm"
    REJECT = "reject"
    SPLIT = "split"
    MERGE = "merge"
    MOVE = "move"
    RENAME = "rename"
    UNDO = "undo"


class SuggestionKind(StrEnum):
    """What the nightly run proposes about demands."""

    SPLIT = "split"
    MERGE = "merge"


class SuggestionState(StrEnum):
    """What became of a suggestion. One is outdated when its demands have changed meanwhile."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    OUTDATED = "outdated"


class ProbeAnswer(StrEnum):
    """What an officer says about a post that is read blind."""

    BELONGS = "belongs"
    NONE = "none"
    UNSURE = "unsure"


class Trend(StrEnum):
    """How the last week of a demand stands against what was to be expected."""

    RISING = "rising"
    STEADY = "steady"
    FALLING = "falling"
    UNKNOWN = "unknown"


class EventKind(StrEnum):
    """What may go up a level (charter, 5 and 6)."""

    COLLECTIVE_DEMAND = "collective_demand"
    NEED_SURGE = "need_surge"
    SAFETY_INCIDENT = "safety_incident"
    PLATFORM_INTEGRITY = "platform_integrity"


class EventState(StrEnum):
    """Where an event stands in its steps (workflows: concentrated demands and events)."""

    PROPOSED = "proposed"
    """Somebody, or the service, says that it is there; nobody has verified it."""
    VERIFIED = "verified"
    REPORTED = "reported"
    ACTING = "acting"
    FED_BACK = "fed_back"
    CLOSED = "closed"


class Step(StrEnum):
    """A step on the disposal record, in the order of the official workflow."""

    COLLECT = "collect"
    VERIFY = "verify"
    REPORT_UP = "report_up"
    ACT = "act"
    TELL_USERS = "tell_users"
    FEED_BACK_UP = "feed_back_up"
    FEED_BACK_USERS = "feed_back_users"
    NOTE = "note"
    FORM_OPENED = "form_opened"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    FIRST_RESPONSE = "first_response"
    SUBMITTED = "submitted"
    SENT_BACK = "sent_back"
    ASSIGNED = "assigned"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    PLANNED = "planned"
    INTERIM = "interim"
    HANDED_OVER = "handed_over"
    JOINED = "joined"
    RESULT = "result"
    REDO = "redo"
    REOPENED = "reopened"
    ARCHIVED = "archived"
    REMARK = "remark"
    CONSENT = "consent"
    REVOKED = "revoked"
    ATTACHED = "attached"


class CaseKind(StrEnum):
    """The two forms of the demand mechanism."""

    COLLECTIVE_DEMAND = "collective_demand"
    HELP_CASE = "help_case"


class CaseState(StrEnum):
    """Where a case stands in the five steps of the demand mechanism."""

    DRAFTED = "drafted"
    UNDER_REVIEW = "under_review"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    RESULT_GIVEN = "result_given"
    ARCHIVED = "archived"


class UnitPart(StrEnum):
    """What a unit does in a case."""

    LEAD = "lead"
    JOINT = "joint"


class ConsentItem(StrEnum):
    """What an author may let a help case pass on."""

    NAME = "name"
    CONTACT = "contact"


class Rating(StrEnum):
    """What an author says of a result 接受青年评价."""

    SOLVED = "solved"
    PARTLY = "partly"
    NOT_SOLVED = "not_solved"


class OrganisationKind(StrEnum):
    """A node in the tree of organisations."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    CAMPUS = "campus"
    DEPARTMENT = "department"


class Role(StrEnum):
    """What an account may do at its node and under it."""

    OFFICER = "officer"
    COORDINATOR = "coordinator"
    LEAD_UNIT = "lead_unit"
    PROVINCIAL_OFFICE = "provincial_office"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    CARE = "care"
    """A liaison officer who is trained for people in danger."""
    OPERATIONS = "operations"
    """The operations team 开发运维组: verifies, makes the first response, fills in the form."""
    STATION_MANAGER = "station_manager"
    """站点管理员: keeps a station's details and answers its bookings, and sees no post."""


class NoticeKind(StrEnum):
    """What a notice calls for."""

    REFERRAL_WAITING = "referral_waiting"


class KeyScope(StrEnum):
    """What an API key may do for its source."""

    POSTS_WRITE = "posts:write"
    POSTS_READ = "posts:read"
    APPEALS_WRITE = "appeals:write"
    REPORTS_WRITE = "reports:write"
    WEBHOOKS = "webhooks"
    ANSWERS_WRITE = "answers:write"
    BOOKINGS_WRITE = "bookings:write"


class MessageState(StrEnum):
    """A row of the outbox."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    WITHDRAWN = "withdrawn"
    GROUPED = "grouped"
    """It goes out with others, in the message that its row names."""
    SILENCED = "silenced"
    """Somebody asked for quiet; the row names the silence."""


class ChannelKind(StrEnum):
    """How a message reaches its receiver."""

    WEBHOOK = "webhook"
    MAIL = "mail"
    CHAT = "chat"
    INBOX = "inbox"


class Signing(StrEnum):
    """How a webhook is signed: by a secret that both sides hold, or by a key whose public half leaves."""

    HMAC = "hmac"
    ED25519 = "ed25519"


class Topic(StrEnum):
    """What a message is about; the `type` of a webhook."""

    POST_SCREENED = "post.screened"
    POST_DECIDED = "post.decided"
    STATEMENT_ISSUED = "statement.issued"
    APPEAL_DECIDED = "appeal.decided"
    REPORT_DECIDED = "report.decided"
    EVENT_REPORTED = "event.reported"
    DEMAND_UPDATED = "demand.updated"
    CASE_TOLD = "case.told"
    """What an office tells the authors of a case, and where each may rate the result."""
    CASE_ASSIGNED = "case.assigned"
    CASE_SHARED = "case.shared"
    """A name or a contact, with the author's consent, to the one unit that has the case."""
    CONSENT_ASKED = "consent.asked"
    CONSENT_REVOKED = "consent.revoked"
    INCIDENT_REPORTED = "incident.reported"
    """Immediate danger to several people. Goes only to offices that name this topic."""
    RULE_DEMOTED = "rule.demoted"
    CLOCK_CALLED = "clock.called"
    """Reply clocks are about to end, or have ended; several in one message."""
    QUESTION_HANDED = "question.handed"
    DUTY_REPORTED = "duty.reported"
    DUTY_GAP = "duty.gap"
    STATION_REFERRED = "station.referred"
    BOOKING_REQUESTED = "booking.requested"
    BOOKING_DECIDED = "booking.decided"
    REFERRAL_WAITING = "referral.waiting"
    WEBHOOK_TEST = "webhook.test"
    ALARM_ESCALATED = "alarm.escalated"
    DIGEST_WEEKLY = "digest.weekly"
    DIGEST_MONTHLY = "digest.monthly"


TO_PLATFORMS: Final = frozenset(
    {
        *(Topic.POST_SCREENED, Topic.POST_DECIDED, Topic.STATEMENT_ISSUED, Topic.APPEAL_DECIDED),
        *(Topic.REPORT_DECIDED, Topic.DEMAND_UPDATED, Topic.CASE_TOLD, Topic.CONSENT_ASKED),
        *(Topic.BOOKING_DECIDED, Topic.STATION_REFERRED),
    }
)
"""Topics that no office gets."""


@dataclass(frozen=True, slots=True)
class Words:
    """One meaning in the two languages of the service."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Clause:
    """The published rule that a removal or a hold under a category cites."""

    number: str
    name: Words
    rule: Words


def _clause(number: str, name: tuple[str, str], rule: tuple[str, str]) -> Clause:
    return Clause(number, Words(*name), Words(*rule))


CLAUSES: Final = MappingProxyType(
    {
        Category.SPAM: _clause(
            "C1",
            ("垃圾广告", "Spam and advertising"),
            (
                "不得发布与讨论无关的广告、引流或反复张贴的推销内容。",
                "No off-topic advertising, traffic-drawing or repeated promotion.",
            ),
        ),
        Category.SCAM: _clause(
            "C2",
            ("诈骗", "Scams and fraud"),
            (
                "不得以虚假身份、虚假回报或虚构事由骗取钱财、账号或个人信息。",
                "No obtaining of money, accounts or data by false identity, promise or story.",
            ),
        ),
        Category.MALICIOUS_LINK: _clause(
            "C3",
            ("恶意链接", "Malicious links"),
            (
                "不得张贴钓鱼、木马、仿冒网站或隐藏去向的危险链接。",
                "No links to phishing, malware, look-alike sites or disguised destinations.",
            ),
        ),
        Category.HARASSMENT: _clause(
            "C4",
            ("辱骂骚扰", "Harassment and insults"),
            (
                "不得辱骂、羞辱、纠缠具体的人，或号召他人围攻。",
                "No insulting, humiliating or pursuing a person, and no calling others to do so.",
            ),
        ),
        Category.HATE: _clause(
            "C5",
            ("群体仇恨", "Hate against a group"),
            (
                "不得因民族、地域、性别、性取向、残障、疾病、宗教等身份对群体进行贬损、非人化或排斥。",
                "No degrading, dehumanising or excluding of a group for what its members are.",
            ),
        ),
        Category.THREAT: _clause(
            "C6",
            ("威胁与煽动暴力", "Threats and incitement to violence"),
            (
                "不得威胁伤害他人，或煽动对人身、场所的暴力。",
                "No credible threat to hurt others and no incitement to violence.",
            ),
        ),
        Category.SEXUAL: _clause(
            "C7",
            ("色情低俗", "Sexual content"),
            (
                "不得发布色情内容、招嫖引诱或不受欢迎的性言论；任何将未成年人性化的内容一律禁止。",
                "No sexual content, solicitation or unwanted sexual remarks; minors are never sexualised.",
            ),
        ),
        Category.DOXXING: _clause(
            "C8",
            ("泄露他人信息", "Personal data of others"),
            (
                "不得公开、征集或交易他人的身份、住址、电话等个人信息。",
                "No publishing, soliciting or trading of other people's personal data.",
            ),
        ),
        Category.ILLEGAL_GOODS: _clause(
            "C9",
            ("违禁品与违法服务", "Illegal goods and services"),
            (
                "不得出售或提供毒品、武器、假证、考试作弊、赌博网站等违禁品与违法服务。",
                "No offers of drugs, weapons, forged papers, exam cheating or gambling sites.",
            ),
        ),
        Category.SELF_HARM: _clause(
            "H1",
            ("转介帮助", "Referral to help"),
            (
                "这不是违规。我们担心你，会请受过训练的人来联系，并附上可以求助的渠道。",
                "This is not a violation. We are concerned and refer you to people who can help.",
            ),
        ),
    }
)

DOMAIN_WORDS: Final = MappingProxyType(
    {
        Domain.EDUCATION: Words("教育学习", "Education"),
        Domain.JOBS_WAGES: Words("就业与薪酬", "Jobs and wages"),
        Domain.HOUSING: Words("住房", "Housing"),
        Domain.HEALTH: Words("医疗健康", "Health"),
        Domain.COUNSELLING: Words("心理咨询", "Counselling"),
        Domain.LAW: Words("法律服务", "Law"),
        Domain.RELATIONSHIPS: Words("婚恋交友", "Relationships"),
        Domain.VOLUNTEERING: Words("志愿公益", "Volunteering"),
        Domain.STARTUPS: Words("创新创业", "Start-ups"),
        Domain.CAMPUS_LIFE: Words("校园生活", "Campus life"),
        Domain.TRANSPORT: Words("交通出行", "Transport"),
        Domain.ENVIRONMENT: Words("环境保护", "Environment"),
        Domain.CONSUMER: Words("消费维权", "Consumer rights"),
        Domain.PLATFORM: Words("平台服务", "The platform itself"),
        Domain.NONE: Words("无", "None"),
    }
)
