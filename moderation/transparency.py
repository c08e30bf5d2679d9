"""Say a statement of reasons in the fields of the EU's public database of them, in Chinese and English.

The names and the words in capitals are those of the DSA transparency database (version of July 2025), so
that a platform that must file there can file what it got from here. Pure: records in, words out.

Refuses: to call anything illegal. What is cited is always a published rule of the platform, and a hold that
no rule asked for cites none. A restriction here is one of a single post's visibility: accounts, money and
reach are never restricted, and a referral to help is no restriction and has no statement.

Source: Regulation (EU) 2022/2065, article 17; transparency.dsa.ec.europa.eu, documentation of the API.

Neighbours: `statements` shows it; docs/reference/statement.md explains it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from models.post import Post
from models.review import Statement
from models.vocabulary import CLAUSES, Category, PostKind, ReasonSource, Words

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
HELD: Final = "held"

CATEGORIES: Final = {
    Category.SPAM: "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    Category.SCAM: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    Category.MALICIOUS_LINK: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
    Category.HARASSMENT: "STATEMENT_CATEGORY_CYBER_VIOLENCE",
    Category.HATE: "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
    Category.THREAT: "STATEMENT_CATEGORY_VIOLENCE",
    Category.SEXUAL: "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    Category.DOXXING: "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
    Category.ILLEGAL_GOODS: "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
}
"""Where each harm of the closed list stands in the database's own list."""

_KINDS: Final = {
    PostKind.QUESTION: Words("提问", "question"),
    PostKind.ANSWER: Words("回答", "answer"),
    PostKind.COMMENT: Words("评论", "comment"),
}
UNDECIDED: Final = Words(
    "没有发现违反规则之处。自动筛查当时不能判断，所以等待工作人员查看，等待的时间超过了应有的期限。",
    "No rule was found to be broken. Automatic screening could not tell, so the post waits for a person, and "
    "has waited longer than it should.",
)
TERRITORY: Final = Words("帖子所在平台的全部地区。", "Everywhere that its platform shows the post.")
UNTIL_DECIDED: Final = Words("直到工作人员查看为止。", "Until a person has looked at it.")
UNTIL_REVERSED: Final = Words(
    "没有期限；申诉成立即恢复。", "Without an end; a granted objection restores the post."
)
ENDED: Final = Words("已经结束。", "It has ended.")
REDRESS: Final = Words(
    "可以在说明书页面或通过平台申诉一次，期限六个月，由没有处理过这条帖子的工作人员决定。",
    "Object once within six months, on the statement's page or through the platform. Somebody who has not "
    "decided about this post decides.",
)


@dataclass(frozen=True, slots=True)
class Transparency:
    """A statement in the database's fields. `temporal_scope` and `redress` are this service's own."""

    puid: str
    decision_visibility: str
    decision_ground: str | None
    incompatible_content_ground: Words | None
    incompatible_content_explanation: Words
    incompatible_content_illegal: str
    category: str | None
    content_type: str
    content_date: datetime
    application_date: datetime
    end_date_visibility_restriction: datetime | None
    territorial_scope: Words
    temporal_scope: Words
    decision_facts: Words
    source_type: str
    automated_detection: str
    automated_decision: str
    redress: Words


def transparency(statement: Statement, post: Post, reasons: Sequence[Mapping[str, Any]]) -> Transparency:
    """Return the fields of one statement. `reasons` are those of its screening."""
    category = statement.category
    clause = CLAUSES[category] if category else None
    held = statement.restriction == HELD
    return Transparency(
        puid=statement.id,
        decision_visibility=f"DECISION_VISIBILITY_CONTENT_{'DISABLED' if held else 'REMOVED'}",
        decision_ground="DECISION_GROUND_INCOMPATIBLE_CONTENT" if clause else None,
        incompatible_content_ground=(
            Words(f"{clause.number} {clause.name.zh}", f"{clause.number} {clause.name.en}")
            if clause
            else None
        ),
        incompatible_content_explanation=_explanation(statement),
        incompatible_content_illegal="No",
        category=CATEGORIES[category] if category else None,
        content_type="CONTENT_TYPE_TEXT",
        content_date=post.created_at,
        application_date=statement.leaves_at or statement.issued_at,
        end_date_visibility_restriction=statement.withdrawn_at,
        territorial_scope=TERRITORY,
        temporal_scope=ENDED if statement.withdrawn_at else UNTIL_DECIDED if held else UNTIL_REVERSED,
        decision_facts=_facts(statement, post, reasons),
        source_type="SOURCE_VOLUNTARY" if statement.automated_detection else "SOURCE_TYPE_OTHER_NOTIFICATION",
        automated_detection="Yes" if statement.automated_detection else "No",
        automated_decision=(
            "AUTOMATED_DECISION_FULLY" if statement.automated_decision else "AUTOMATED_DECISION_NOT_AUTOMATED"
        ),
        redress=REDRESS,
    )


def _explanation(statement: Statement) -> Words:
    if statement.category is None:
        return UNDECIDED
    rule = CLAUSES[statement.category].rule
    if statement.automated_decision:
        return rule
    # What an officer wrote stands in the language in which it was written.
    return Words(f"{rule.zh}{statement.reason}", f"{rule.en} {statement.reason}")


def _facts(statement: Statement, post: Post, reasons: Sequence[Mapping[str, Any]]) -> Words:
    kind, day = _KINDS[post.kind], post.created_at.astimezone(SHANGHAI)
    said = Words(
        f"{day:%Y年%-m月%-d日}发布的{kind.zh}，第{statement.revision}版。",
        f"A {kind.en} of {day:%-d %B %Y}, version {statement.revision}.",
    )
    found = _found(statement.category, reasons)
    decided = (
        Words("由机器决定。", "A machine decided.")
        if statement.automated_decision
        else Words("由工作人员决定。", "A person decided.")
    )
    return Words(said.zh + found.zh + decided.zh, f"{said.en} {found.en} {decided.en}")


def _found(category: Category | None, reasons: Sequence[Mapping[str, Any]]) -> Words:
    """Return what found it: the rules by their public names, the classifier, or a person."""
    spoke = [one for one in reasons if category is not None and one.get("category") == category.value]
    rules = sorted(
        {
            str(one["rule"])
            for one in spoke
            if one.get("source") in {ReasonSource.RULE, ReasonSource.BEHAVIOUR}
        }
    )
    zh = [f"规则 {rule}" for rule in rules]
    en = [f"rule {rule}" for rule in rules]
    if any(one.get("source") == ReasonSource.CLASSIFIER for one in spoke):
        zh.append("分类器")
        en.append("the classifier")
    if zh:
        return Words(f"由{'、'.join(zh)}发现。", f"Found by {', '.join(en)}.")
    if category is None:
        return Words("没有规则指出它。", "No rule pointed at it.")
    return Words("由人发现。", "Found by a person.")
