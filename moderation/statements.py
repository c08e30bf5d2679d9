"""Statements of reasons (charter, 4): what the author of a removed post is told, or of one held too long.

A statement cites the published rule, the passages, whether a machine found it and whether a
machine decided, and how to object. It holds offsets; the passages' text is looked up when the
statement is read, so that a deletion reaches it too.

Refuses: a removal without a harm of the closed list. Neighbours: `screening` and `review` remove,
`holds` speaks for posts that wait too long, `appeals` takes the objection.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, select

from models import audit
from models.errors import InvalidInput, NotFound
from models.outbox import tell_platform
from models.post import Post, PostRevision
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import CLAUSES, HARMS, Category, PostState, Topic

APPEAL_MONTHS: Final = 6
REMOVED: Final = "removed"
HELD: Final = "held"
_LAST_DAY_IN_EVERY_MONTH: Final = 28


def appeal_end(issued: datetime) -> datetime:
    """Return the moment six calendar months after `issued`; a day past the 28th goes to the 28th."""
    months = issued.month - 1 + APPEAL_MONTHS
    year, month = issued.year + months // 12, months % 12 + 1
    return issued.replace(year=year, month=month, day=min(issued.day, _LAST_DAY_IN_EVERY_MONTH))


def link(statement: Statement) -> str:
    """Return the path under which anybody who holds the token reads the statement."""
    return f"/statements/{statement.token}"


def passages(reasons: Iterable[dict[str, Any]], category: Category) -> list[list[int]]:
    """Return the spans of the reasons under `category`, in order, overlaps joined; in code points.

    Empty when a classifier alone spoke: it read the whole post.
    """
    spans = sorted(
        (int(start), int(end))
        for reason in reasons
        if reason.get("category") == category
        for start, end in reason.get("spans", ())
    )
    joined: list[list[int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def issue(
    session: Session,
    post: Post,
    screening: Screening,
    *,
    category: Category,
    reason: str,
    decision: Decision | None,
    now: datetime,
    restriction: str = REMOVED,
) -> Statement:
    """Write the statement for one restriction, its audit entry and the message to the platform.

    `decision` is None when the machine decided.

    Raises
    ------
    InvalidInput
        If `category` is not a harm: self-harm is never a violation.
    """
    if category not in HARMS:
        raise InvalidInput("a removal needs a harm of the list", code="unknown_word", field="/category")
    statement = Statement(
        token=secrets.token_urlsafe(24),
        post_id=post.id,
        revision=post.revision,
        screening_id=screening.id,
        decision_id=decision.id if decision else None,
        decided_by=decision.account_id if decision else None,
        category=category,
        restriction=restriction,
        reason=reason,
        passages=passages(screening.reasons, category),
        automated_detection=True,
        automated_decision=decision is None,
        issued_at=now,
        appeal_until=appeal_end(now),
    )
    session.add(statement)
    session.flush()
    audit.record(
        session,
        now,
        actor=f"account:{decision.account_id}" if decision else f"machine:{screening.policy}",
        action="statement.issued",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={
            "statement": statement.id,
            "screening": screening.id,
            "revision": post.revision,
            "category": category.value,
            "restriction": restriction,
            "automated": decision is None,
        },
    )
    tell_platform(
        session,
        post.source,
        Topic.STATEMENT_ISSUED,
        post.id,
        payload={
            "post": post.id,
            "source": post.source,
            "external_id": post.external_id,
            "revision": post.revision,
            "restriction": restriction,
            "category": category.value,
            "clause": CLAUSES[category].number,
            "passages": statement.passages,
            "automated_detection": statement.automated_detection,
            "automated_decision": statement.automated_decision,
            "statement": link(statement),
            "appeal_until": statement.appeal_until.isoformat(),
        },
        now=now,
        occurrence=statement.id,
    )
    return statement


def withdraw(
    session: Session, post: Post, *, now: datetime, restriction: str | None = None
) -> list[Statement]:
    """Withdraw the statements that stand about the current revision of `post`, and return them.

    With `restriction`, only those about such a one. A hold ends with its revision, so a statement
    about the hold of an earlier one goes as well.
    """
    about = (col(Statement.revision) == post.revision) | (col(Statement.restriction) == HELD)
    if restriction is not None:
        about &= col(Statement.restriction) == restriction
    standing = session.exec(
        select(Statement).where(
            col(Statement.post_id) == post.id, about, col(Statement.withdrawn_at).is_(None)
        )
    ).all()
    for statement in standing:
        statement.withdrawn_at = now
        session.add(statement)
    session.flush()
    return list(standing)


@dataclass(frozen=True, slots=True)
class StatementView:
    """A statement as its reader sees it. `passages` is empty once the post was deleted."""

    statement: Statement
    post: Post
    passages: tuple[str, ...]
    appeal: Appeal | None

    @property
    def deleted(self) -> bool:
        """Whether the post was deleted meanwhile."""
        return self.post.state is PostState.DELETED

    def can_appeal(self, now: datetime) -> bool:
        """Whether an objection would be taken now."""
        return (
            self.appeal is None
            and not self.deleted
            and self.statement.withdrawn_at is None
            and now <= self.statement.appeal_until
        )


def find(session: Session, token: str, *, lock: bool = False) -> Statement:
    """Return the statement behind a link; with `lock`, no other writer may change it meanwhile.

    Raises
    ------
    NotFound
        If there is none.
    """
    wanted = select(Statement).where(col(Statement.token) == token)
    statement = session.exec(wanted.with_for_update() if lock else wanted).first()
    if statement is None:
        raise NotFound("there is no such statement")
    return statement


def view(session: Session, token: str) -> StatementView:
    """Return the statement behind a link with its passages.

    Raises
    ------
    NotFound
        If there is none.
    """
    statement = find(session, token)
    post = session.get_one(Post, statement.post_id)
    text = session.exec(
        select(PostRevision.text).where(
            col(PostRevision.post_id) == post.id, col(PostRevision.revision) == statement.revision
        )
    ).first()
    appeal = session.exec(select(Appeal).where(col(Appeal.statement_id) == statement.id)).first()
    return StatementView(statement, post, cut(text, statement.passages), appeal)


def cut(text: str | None, spans: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Return the passages of `text` at `spans`; the whole of it without spans, nothing without a text."""
    if not text:
        return ()
    return tuple(text[start:end] for start, end in spans) or (text,)
