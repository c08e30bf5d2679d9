"""Statements of reasons (charter, 4): what the author of a removed post is told, or of one held too long.

A statement cites the published rule, the passages, whether a machine found it and whether a
machine decided, and how to object. It holds offsets; the passages' text is looked up when the
statement is read, so that a deletion reaches it too. The digest of what it says stands in its entry of
the audit log, so that `proofs` can show that it is there.

Refuses: a removal without a harm of the closed list, and anything about a person in danger. A hold that no
rule asked for cites none. Neighbours: `screening` and `review` remove, `holds` speaks for posts that wait
too long, `transparency` says it in the fields of the EU's database, `appeals` takes the objection.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlmodel import Session, col, select

from models import anchor, audit
from models.audit import Note
from models.errors import InvalidInput, NotFound
from models.outbox import WebhookEndpoint, tell_platform
from models.post import NewPost, Post, PostRevision
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import CLAUSES, HARMS, Category, PostState, ReasonSource, Topic
from moderation.transparency import Transparency, transparency

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


def clause_of(category: Category | None) -> str | None:
    """Return the number of the published rule that a category stands under."""
    return CLAUSES[category].number if category else None


def content(statement: Statement) -> dict[str, Any]:
    """Return what a statement says for good: what its digest is made of. No text of a post is in it.

    Of the passages there is a digest alone, so that what is left after a deletion can still be proven.
    """
    return {
        "id": statement.id,
        "post": statement.post_id,
        "revision": statement.revision,
        "screening": statement.screening_id,
        "restriction": statement.restriction,
        "category": statement.category.value if statement.category else None,
        "clause": clause_of(statement.category),
        "reason": statement.reason,
        "automated_detection": statement.automated_detection,
        "automated_decision": statement.automated_decision,
        "issued_at": statement.issued_at.isoformat(timespec="microseconds"),
        "appeal_until": statement.appeal_until.isoformat(timespec="microseconds"),
    }


def spans_digest(statement: Statement) -> str:
    """Return the digest of where the passages are."""
    return hashlib.sha256(anchor.canonical(statement.passages)).hexdigest()


def digest(said: dict[str, Any]) -> str:
    """Return the digest of what a statement says, as it stands in the audit log."""
    return hashlib.sha256(anchor.canonical(said)).hexdigest()


def passages(reasons: Iterable[dict[str, Any]], category: Category | None) -> list[list[int]]:
    """Return the spans of the reasons under `category`, in order, overlaps joined; in code points.

    Empty when a classifier alone spoke: it read the whole post.
    """
    spans = sorted(
        (int(start), int(end))
        for reason in reasons
        if category is not None and reason.get("category") == category
        for start, end in reason.get("spans", ())
    )
    joined: list[list[int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


class Evidence(Protocol):
    """What a statement takes from a screening: a record of it, or what has just been written as one."""

    @property
    def id(self) -> str:
        """The screening's id."""

    @property
    def policy(self) -> str:
        """The policy that decided."""

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """What spoke for the verdict."""


def issue(
    session: Session,
    post: Post | NewPost,
    screening: Evidence,
    *,
    category: Category | None,
    reason: str,
    decision: Decision | None,
    now: datetime,
    restriction: str = REMOVED,
    leaves_at: datetime | None = None,
) -> Statement:
    """Write the statement for one restriction, its audit entry and the message to the platform.

    `decision` is None when the machine decided. Before `leaves_at` nobody outside learns of it.

    Raises
    ------
    InvalidInput
        If `category` is not a harm: self-harm is never a violation. A hold alone may have none.
    """
    (statement,) = issue_all(
        session,
        [Restricted(post, screening, decision)],
        category=category,
        reason=reason,
        now=now,
        restriction=restriction,
        leaves_at=leaves_at,
    )
    return statement


@dataclass(frozen=True, slots=True)
class Restricted:
    """A post that is restricted, what the machine had said of it, and the decision, if a person made one."""

    post: Post | NewPost
    screening: Evidence
    decision: Decision | None


def issue_all(
    session: Session,
    restricted: Sequence[Restricted],
    *,
    category: Category | None,
    reason: str,
    now: datetime,
    restriction: str = REMOVED,
    leaves_at: datetime | None = None,
    listeners: Mapping[str, Sequence[WebhookEndpoint]] | None = None,
) -> list[Statement]:
    """Write a statement of its own for each of several posts that are restricted alike, as `issue` does.

    `listeners` are the endpoints of the posts' platforms, if the caller has asked for them.

    Raises
    ------
    InvalidInput
        As `issue` says.
    """
    if category not in HARMS and not (category is None and restriction == HELD):
        raise InvalidInput("a removal needs a harm of the list", code="unknown_word", field="/category")
    made = [
        Statement(
            token=secrets.token_urlsafe(24),
            post_id=one.post.id,
            revision=one.post.revision,
            screening_id=one.screening.id,
            decision_id=one.decision.id if one.decision else None,
            decided_by=one.decision.account_id if one.decision else None,
            category=category,
            restriction=restriction,
            reason=reason,
            passages=passages(one.screening.reasons, category),
            automated_detection=any(
                why.get("source") != ReasonSource.POLICY for why in one.screening.reasons
            ),
            automated_decision=one.decision is None,
            issued_at=now,
            appeal_until=appeal_end(now),
            leaves_at=leaves_at,
        )
        for one in restricted
    ]
    session.add_all(made)
    session.flush()
    both = list(zip(restricted, made, strict=True))
    audit.record_all(session, now, [_note(one, statement) for one, statement in both])
    for one, statement in both:
        tell_platform(
            session,
            one.post.source,
            Topic.STATEMENT_ISSUED,
            one.post.id,
            payload=_message(one.post, statement),
            now=now,
            occurrence=statement.id,
            due_at=leaves_at,
            endpoints=listeners[one.post.source] if listeners is not None else None,
        )
    return made


def _note(one: Restricted, statement: Statement) -> Note:
    where = spans_digest(statement)
    return Note(
        actor=f"account:{statement.decided_by}" if one.decision else f"machine:{one.screening.policy}",
        action="statement.issued",
        subject=f"post:{one.post.id}",
        organisation=one.post.organisation,
        details={
            "statement": statement.id,
            "screening": one.screening.id,
            "revision": statement.revision,
            "category": statement.category.value if statement.category else None,
            "restriction": statement.restriction,
            "automated": statement.automated_decision,
            anchor.CLAIM: digest(content(statement) | {"passages": where}),
            "passages": where,
        },
    )


def _message(post: Post | NewPost, statement: Statement) -> dict[str, Any]:
    """Return what the platform is told about a statement."""
    return {
        "post": post.id,
        "source": post.source,
        "external_id": post.external_id,
        "revision": statement.revision,
        "restriction": statement.restriction,
        "category": statement.category.value if statement.category else None,
        "clause": clause_of(statement.category),
        "passages": statement.passages,
        "automated_detection": statement.automated_detection,
        "automated_decision": statement.automated_decision,
        "statement": link(statement),
        "appeal_until": statement.appeal_until.isoformat(),
    }


def withdraw(
    session: Session, post: Post, *, now: datetime, restriction: str | None = None
) -> list[Statement]:
    """Withdraw the statements that stand about the current revision of `post`, and return them.

    With `restriction`, only those about such a one. A hold ends with its revision, so a statement
    about the hold of an earlier one goes as well.
    """
    return withdraw_all(session, [post], now=now, restriction=restriction)


def withdraw_all(
    session: Session, posts: Sequence[Post], *, now: datetime, restriction: str | None = None
) -> list[Statement]:
    """Withdraw what stands about several posts, as `withdraw` does about one, and return it."""
    revisions = {post.id: post.revision for post in posts}
    standing = session.exec(
        select(Statement).where(
            col(Statement.post_id).in_(list(revisions)), col(Statement.withdrawn_at).is_(None)
        )
    ).all()
    ended = [
        statement
        for statement in standing
        if (statement.revision == revisions[statement.post_id] or statement.restriction == HELD)
        and restriction in {None, statement.restriction}
    ]
    for statement in ended:
        statement.withdrawn_at = now
    session.add_all(ended)
    session.flush()
    return ended


@dataclass(frozen=True, slots=True)
class StatementView:
    """A statement as its reader sees it. `passages` is empty once the post was deleted."""

    statement: Statement
    post: Post
    passages: tuple[str, ...]
    appeal: Appeal | None
    fields: Transparency

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


def view(session: Session, token: str, *, now: datetime | None = None) -> StatementView:
    """Return the statement behind a link with its passages.

    With `now`, as anybody outside sees it: what can still be undone has not happened.

    Raises
    ------
    NotFound
        If there is none, or none that has left.
    """
    statement = find(session, token)
    if now is not None:
        if statement.leaves_at is not None and now < statement.leaves_at:
            raise NotFound("there is no such statement")
        if statement.withdrawn_at is not None and now < statement.withdrawn_at:
            session.expunge(statement)
            statement.withdrawn_at = None
    post = session.get_one(Post, statement.post_id)
    text = session.exec(
        select(PostRevision.text).where(
            col(PostRevision.post_id) == post.id, col(PostRevision.revision) == statement.revision
        )
    ).first()
    appeal = session.exec(select(Appeal).where(col(Appeal.statement_id) == statement.id)).first()
    reasons = session.exec(
        select(Screening.reasons).where(col(Screening.id) == statement.screening_id)
    ).first()
    shown = cut(text, statement.passages) if statement.category else ()
    return StatementView(statement, post, shown, appeal, transparency(statement, post, reasons or []))


def cut(text: str | None, spans: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Return the passages of `text` at `spans`; the whole of it without spans, nothing without a text."""
    if not text:
        return ()
    return tuple(text[start:end] for start, end in spans) or (text,)
