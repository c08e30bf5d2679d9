"""Readers' reports about posts: grouped with the post, damped, answered by a person's decision.

A report puts a published post before a person, or makes a post that waits a little more urgent. It never
does more: numbers take nothing down. Distinct reporters count, and each further one less than the one before;
many within one hour count as few, so that a crowd which was sent adds up to little. Once a person has
decided about a revision, further reports about it get that answer and change nothing.

A reporter stands here as a keyed hash of the platform's pseudonym, under a key of its own, so that nobody
can lay reporters beside authors; it goes, with the reporter's words, once the report has run out.

Refuses: floods, and categories that are not on the list. Nobody is told who wrote the post.

Neighbours: `review` settles with its decision, `undo` reopens, the outbox tells the platform.
"""

import hashlib
import hmac
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.database import Database
from models.errors import Gone, InvalidInput, NotFound, TooManyRequests
from models.organisation import reaches
from models.outbox import tell_platform
from models.post import Post
from models.quality import SampleTask, UserReport
from models.review import Decision, ReviewTask
from models.screening import Screening
from models.vocabulary import Action, Category, PostState, ReportState, TaskState, Topic
from moderation import knobs
from moderation.drafts import can_be_key, text_fault
from moderation.screening import DUE_AFTER, LEAST_URGENT, URGENCY, close

TEXT_LIMIT: Final = 500
PSEUDONYM_LIMIT: Final = 200
AN_HOUR: Final = timedelta(hours=1)
BURST: Final = 3
"""Distinct reporters of one clock hour that count at most."""

STEP: Final = 2.0
"""So much weight makes a post one step more urgent: three reporters do, fifteen make it two."""

MOST_STEPS: Final = 2
KEPT_OPEN: Final = timedelta(days=90)
KEPT_SETTLED: Final = timedelta(days=30)
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Told:
    """What a platform hands on: the post, the category, the reporter's pseudonym, and their words if any."""

    source: str
    external_id: str
    category: Category
    reporter: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A report on record. `created` is false for one that was here already."""

    report: UserReport
    created: bool


@dataclass(frozen=True, slots=True)
class Voiced:
    """One reporter, by hash, and when they reported."""

    reporter: str
    at: datetime


def weight(voiced: Iterable[Voiced]) -> float:
    """Return how much reports count together. Pure; unit: doublings of distinct reporters.

    Each reporter counts once, at their first report; of one clock hour at most `BURST` count; n that
    count weigh log2(1 + n). More reports never weigh less, and each further one adds less.
    """
    first: dict[str, datetime] = {}
    for one in voiced:
        first[one.reporter] = min(one.at, first.get(one.reporter, one.at))
    hours = Counter(at.replace(minute=0, second=0, microsecond=0) for at in first.values())
    return math.log2(1 + sum(min(count, BURST) for count in hours.values()))


def urgency(base: int, weighs: float) -> int:
    """Return the urgency of a reported post: at most two steps above its own, never the lane of danger.

    `base` is the urgency without reports; 0 is the lane of people in danger, which stays as it is.
    """
    return base if base == 0 else max(1, base - min(MOST_STEPS, int(weighs / STEP)))


def reporter_hash(key: bytes, source: str, reporter: str) -> str:
    """Return the keyed hash that stands for a reporter."""
    return hmac.new(key, f"{source}\x00{reporter}".encode(), hashlib.sha256).hexdigest()


def receive(
    session: Session, told: Told, *, key: bytes, scope: Sequence[str], reported_by: str, now: datetime
) -> Received:
    """Take a report. The same reporter about the same revision again gets the first one back.

    `key` is the key of reporters' hashes; `scope` the places that the platform's key reaches.

    Raises
    ------
    InvalidInput
        If the pseudonym or the text is not fit to be kept.
    NotFound
        If there is no such post within the scope.
    Gone
        If it was deleted.
    TooManyRequests
        `reporter_flood`, if this reporter has reported too much within the hour.
    """
    _refuse_unfit(told)
    post = _locked_post(session, told, scope)
    who = reporter_hash(key, told.source, told.reporter)
    digest = hashlib.sha256(f"{who}\x00{post.id}\x00{post.revision}".encode()).hexdigest()
    earlier = session.exec(select(UserReport).where(col(UserReport.digest) == digest)).first()
    if earlier is not None:
        return Received(earlier, created=False)
    _refuse_flood(session, post, who, now)
    report = UserReport(
        digest=digest,
        source=told.source,
        post_id=post.id,
        revision=post.revision,
        organisation=post.organisation,
        category=told.category,
        text=told.text.strip() or None,
        reporter=who,
        received_at=now,
    )
    session.add(report)
    session.flush()
    audit.record(
        session,
        now,
        actor=reported_by,
        action="post.reported",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={"report": report.id, "category": told.category.value, "revision": post.revision},
    )
    decided = _standing_decision(session, post)
    if decided is not None:
        _answer(session, post, report, decided, now)
    elif post.state is PostState.REMOVED:
        _say(session, post, report, ReportState.UPHELD, now=now, due_at=now, occurrence=report.id)
    else:
        _before_a_person(session, post, now)
    session.flush()
    return Received(report, created=True)


def _refuse_unfit(told: Told) -> None:
    if not told.reporter.strip() or len(told.reporter) > PSEUDONYM_LIMIT or not can_be_key(told.reporter):
        raise InvalidInput(
            f"reporter: one to {PSEUDONYM_LIMIT} characters", code="required", field="/reporter"
        )
    if told.text.strip():
        fault = text_fault(told.text, "/text", TEXT_LIMIT)
        if fault is not None:
            raise InvalidInput(f"text: {fault.detail}", code=fault.code, field=fault.field)


def _locked_post(session: Session, told: Told, scope: Sequence[str]) -> Post:
    if not (can_be_key(told.source) and can_be_key(told.external_id)):
        raise NotFound("there is no such post", field="/external_id")
    post = session.exec(
        select(Post)
        .where(col(Post.source) == told.source, col(Post.external_id) == told.external_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if post is None or not reaches(scope, post.organisation):
        raise NotFound("there is no such post", field="/external_id")
    if post.state is PostState.DELETED:
        raise Gone("the post was deleted", field="/external_id")
    return post


def _refuse_flood(session: Session, post: Post, who: str, now: datetime) -> None:
    lately = session.exec(
        select(func.count())
        .select_from(UserReport)
        .where(col(UserReport.reporter) == who, col(UserReport.received_at) > now - AN_HOUR)
    ).one()
    if lately >= knobs.value(session, knobs.FLOOD, post.organisation):
        raise TooManyRequests(
            "this reporter has reported too much within the hour", code="reporter_flood", field="/reporter"
        )


def _standing_decision(session: Session, post: Post) -> Decision | None:
    """Return a person's last decision about the revision, if its effect still stands."""
    found = session.exec(
        select(Decision)
        .where(col(Decision.post_id) == post.id, col(Decision.revision) == post.revision)
        .order_by(col(Decision.decided_at).desc(), col(Decision.id).desc())
        .limit(1)
    ).first()
    return found if found is not None and post.state is _STATE[found.action] else None


_STATE: Final = {
    Action.PUBLISH: PostState.PUBLISHED,
    Action.REMOVE: PostState.REMOVED,
    Action.REFER: PostState.REFERRED,
}


def open_reports(session: Session, post: Post) -> list[UserReport]:
    """Return the reports about the current revision that wait for an answer, oldest first."""
    return list(
        session.exec(
            select(UserReport)
            .where(
                col(UserReport.post_id) == post.id,
                col(UserReport.revision) == post.revision,
                col(UserReport.state) == ReportState.OPEN,
            )
            .order_by(col(UserReport.received_at), col(UserReport.id))
        )
    )


def _before_a_person(session: Session, post: Post, now: datetime) -> None:
    """Open a place in the queue for a reported post, or make the one it has more urgent."""
    found = open_reports(session, post)
    weighs = weight(Voiced(one.reporter or one.id, one.received_at) for one in found)
    task = session.exec(
        select(ReviewTask)
        .where(col(ReviewTask.post_id) == post.id, col(ReviewTask.state) == TaskState.OPEN)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if task is not None and session.get(SampleTask, task.id) is not None:
        # A blind look changes nothing about the post, and this may have to: an ordinary task takes its place.
        close(task, TaskState.WITHDRAWN, now)
        session.add(task)
        task = None
    reported = _most_reported(found)
    if task is None:
        screening = session.exec(
            select(Screening)
            .where(col(Screening.post_id) == post.id, col(Screening.revision) == post.revision)
            .order_by(col(Screening.sequence).desc())
            .limit(1)
        ).one()
        wanted = urgency(URGENCY[reported], weighs)
        session.add(
            ReviewTask(
                post_id=post.id,
                screening_id=screening.id,
                organisation=post.organisation,
                category=reported,
                urgency=wanted,
                lane=0 if reported is Category.SELF_HARM else 2,
                rule=REPORTED,
                due_at=now + DUE_AFTER[wanted],
                created_at=now,
            )
        )
        session.flush()
        return
    if Category.SELF_HARM in {one.category for one in found} and task.category is not Category.SELF_HARM:
        task.category, task.lane, task.urgency = Category.SELF_HARM, 0, 0
        task.due_at = min(task.due_at, now + DUE_AFTER[0])
        task.version += 1
    base = URGENCY[task.category] if task.category else LEAST_URGENT
    wanted = min(task.urgency, urgency(base, weighs))
    if wanted < task.urgency:
        task.urgency, task.due_at = wanted, min(task.due_at, now + DUE_AFTER[wanted])
    session.add(task)


REPORTED: Final = "reported"
"""What stands in the place of a rule for a post that readers put into the queue."""


def _most_reported(found: Sequence[UserReport]) -> Category:
    """Return the category that most distinct reporters named; a person in danger comes before all."""
    counts = Counter(category for category, _ in {(one.category, one.reporter or one.id) for one in found})
    if Category.SELF_HARM in counts:
        return Category.SELF_HARM
    return max(counts, key=lambda word: (counts[word], -list(Category).index(word)))


def settle(session: Session, post: Post, decision: Decision, *, now: datetime) -> int:
    """Answer every open report about a post with a person's decision; return how many.

    The messages leave with the decision, and an undo takes them back.
    """
    found = [one for one in open_reports(session, post) if one.revision == decision.revision]
    for report in found:
        _answer(session, post, report, decision, now)
    return len(found)


def reported_among(session: Session, post_ids: Iterable[str]) -> set[str]:
    """Return those of several posts about which reports wait for an answer."""
    return set(
        session.exec(
            select(UserReport.post_id).where(
                col(UserReport.post_id).in_(post_ids), col(UserReport.state) == ReportState.OPEN
            )
        )
    )


def _answer(session: Session, post: Post, report: UserReport, decision: Decision, now: datetime) -> None:
    outcome = ReportState.NOT_UPHELD if decision.action is Action.PUBLISH else ReportState.UPHELD
    report.decision_id = decision.id
    _say(
        session,
        post,
        report,
        outcome,
        now=now,
        due_at=max(now, decision.leaves_at or now),
        occurrence=f"{decision.id}:{report.id}",
    )


def _say(
    session: Session,
    post: Post,
    report: UserReport,
    outcome: ReportState,
    *,
    now: datetime,
    due_at: datetime,
    occurrence: str,
) -> None:
    report.state, report.settled_at = outcome, due_at
    session.add(report)
    tell_platform(
        session,
        report.source,
        Topic.REPORT_DECIDED,
        post.id,
        payload={
            "report": report.id,
            "post": post.id,
            "source": post.source,
            "external_id": post.external_id,
            "revision": report.revision,
            "category": report.category.value,
            "outcome": outcome.value,
            "decided_at": now.isoformat(),
        },
        now=now,
        occurrence=occurrence,
        due_at=due_at,
    )


def reopen(session: Session, decision_ids: Iterable[str]) -> None:
    """Let the reports wait again that undone decisions had answered."""
    session.execute(
        sa.update(UserReport)
        .where(col(UserReport.decision_id).in_(decision_ids))
        .values(state=ReportState.OPEN, decision_id=None, settled_at=None)
        .execution_options(synchronize_session="fetch")
    )


def find(session: Session, report_id: str, source: str, now: datetime) -> tuple[UserReport, ReportState]:
    """Return a platform's own report, and its state as far as that has left.

    Raises
    ------
    NotFound
        If there is none of this platform.
    """
    report = session.get(UserReport, report_id)
    if report is None or report.source != source:
        raise NotFound("there is no such report")
    return report, state_outside(report, now)


def state_outside(report: UserReport, now: datetime) -> ReportState:
    """Return the state that may be told: what can still be undone has not happened."""
    if report.settled_at is not None and report.settled_at > now:
        return ReportState.OPEN
    return report.state


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside a reported post: reporters by category, and their words."""

    reporters: int
    by_category: dict[Category, int]
    words: tuple[str, ...]


SHOWN: Final = 5


def beside(session: Session, post: Post) -> Beside | None:
    """Return what readers said about a post; None if nobody did."""
    found = open_reports(session, post)
    if not found:
        return None
    named = {(one.category, one.reporter or one.id) for one in found}
    counts = Counter(category for category, _ in named)
    return Beside(
        reporters=len({who for _, who in named}),
        by_category=dict(counts.most_common()),
        words=tuple(one.text for one in found if one.text)[:SHOWN],
    )


@dataclass(frozen=True, slots=True)
class ReportsSwept:
    """What one round closed and what it forgot."""

    closed: int
    forgotten: int


def sweep_due(database: Database, now: datetime) -> ReportsSwept:
    """Close reports whose post is gone or edited, and forget who reported once a report has run out."""
    with database.transaction() as session:
        over = session.exec(
            select(UserReport, Post)
            .join(Post, col(Post.id) == col(UserReport.post_id))
            .where(
                col(UserReport.state) == ReportState.OPEN,
                (col(Post.state) == PostState.DELETED)
                | (col(Post.revision) != col(UserReport.revision))
                | (col(Post.state) == PostState.REMOVED),
            )
            .order_by(col(UserReport.post_id), col(UserReport.id))
            .limit(AT_ONCE)
        ).all()
        for report, post in over:
            outcome = ReportState.UPHELD if post.state is PostState.REMOVED else ReportState.CLOSED
            _say(session, post, report, outcome, now=now, due_at=now, occurrence=report.id)
        session.flush()
        gone = session.connection().execute(
            sa.update(UserReport)
            .where(
                (col(UserReport.reporter).is_not(None)) | (col(UserReport.text).is_not(None)),
                (col(UserReport.received_at) <= now - KEPT_OPEN)
                | (col(UserReport.settled_at) <= now - KEPT_SETTLED),
            )
            .values(reporter=None, text=None, digest=None)
        )
        return ReportsSwept(len(over), gone.rowcount)
