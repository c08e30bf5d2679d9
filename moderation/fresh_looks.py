"""Propose removals that a granted objection puts in doubt for a fresh look.

When an objection is granted, a rule has erred on one text. A job looks for what the same rule removed
lately for the same clause, where the text is nearly the same, and proposes those removals to somebody who
did not decide them. Nobody is restored by likeness alone: a person looks, and puts the post back or leaves
it. A post that is put back counts against the rule as a published post does.

It compares the texts where they stand and keeps none: a proposal names posts, a rule and an objection.

Refuses: a look by whoever decided about the post before.

Neighbours: `appeals` grants; `outcomes` counts; the console shows the proposals above the objections and
over the queue; the timetable calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.database import Database
from models.errors import Conflict, NotFound, NotPermitted
from models.organisation import within
from models.outbox import tell_platform
from models.post import Post, PostRevision
from models.review import Appeal, Decision, FreshLook, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, PostState, Topic
from moderation import statements
from moderation.appeals import count_against, decided_before
from moderation.behaviour import alike, fingerprints
from moderation.normalise import ViewName, fold

LOOKS_BACK: Final = timedelta(days=180)
COMPARED: Final = 2_000
"""Removals, newest first, that one granted objection is compared with."""

AT_ONCE: Final = 20
MOST: Final = 50
"""Removals that one granted objection proposes at most."""

_SALT: Final = b"compared here and forgotten"
"""The fingerprints made with it leave this module as little as the texts do."""


@dataclass(frozen=True, slots=True)
class LooksReport:
    """How many granted objections a round saw to, and how many removals it proposed."""

    appeals: int
    proposed: int


@dataclass(frozen=True, slots=True)
class OpenLook:
    """A proposal with what it is about. `may_decide` is false for whoever decided about the post."""

    look: FreshLook
    statement: Statement
    post: Post
    text: str
    may_decide: bool


def propose_due(database: Database, now: datetime) -> LooksReport:
    """See to every granted objection that was not seen to yet. Safe to run twice and by several workers."""
    seen = proposed = 0
    while True:
        with database.transaction() as session:
            granted = session.exec(
                select(Appeal)
                .where(col(Appeal.state) == AppealState.REVERSED, col(Appeal.followed_at).is_(None))
                .order_by(col(Appeal.decided_at), col(Appeal.id))
                .limit(AT_ONCE)
                .with_for_update(skip_locked=True)
            ).all()
            for appeal in granted:
                proposed += _propose(session, appeal, now)
                appeal.followed_at = now
                session.add(appeal)
        seen += len(granted)
        if len(granted) < AT_ONCE:
            return LooksReport(seen, proposed)


def _propose(session: Session, appeal: Appeal, now: datetime) -> int:
    statement = session.get_one(Statement, appeal.statement_id)
    erred = _rules(session.get_one(Screening, statement.screening_id), statement)
    text = session.exec(
        select(PostRevision.text).where(
            col(PostRevision.post_id) == statement.post_id, col(PostRevision.revision) == statement.revision
        )
    ).first()
    if not text or not erred:
        return 0
    rows = session.exec(
        select(Statement, Post, Screening, PostRevision.text)
        .join(Post, col(Post.id) == col(Statement.post_id))
        .join(Screening, col(Screening.id) == col(Statement.screening_id))
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id))
            & (col(PostRevision.revision) == col(Statement.revision)),
        )
        .where(
            col(Statement.category) == statement.category,
            col(Statement.restriction) == statements.REMOVED,
            col(Statement.withdrawn_at).is_(None),
            col(Statement.issued_at) >= now - LOOKS_BACK,
            col(Statement.post_id) != statement.post_id,
            col(Post.state) == PostState.REMOVED,
            col(Post.revision) == col(Statement.revision),
            col(PostRevision.text).is_not(None),
        )
        .order_by(col(Statement.issued_at).desc())
        .limit(COMPARED)
    ).all()
    same = [(one, post, other or "") for one, post, why, other in rows if erred & _rules(why, one)]
    known = set(
        session.exec(
            select(FreshLook.statement_id).where(
                col(FreshLook.statement_id).in_([one.id for one, _, _ in same]),
                (col(FreshLook.appeal_id) == appeal.id) | (col(FreshLook.settled_at).is_(None)),
            )
        )
    )
    near = _near(text, [other for _, _, other in same])
    chosen = [
        (one, post) for (one, post, _), close in zip(same, near, strict=True) if close and one.id not in known
    ][:MOST]
    for one, post in chosen:
        session.add(
            FreshLook(
                appeal_id=appeal.id,
                statement_id=one.id,
                post_id=post.id,
                organisation=post.organisation,
                rule=min(erred)[:200],
                proposed_at=now,
            )
        )
        audit.record(
            session,
            now,
            actor="machine:fresh_looks",
            action="fresh_look.proposed",
            subject=f"post:{post.id}",
            organisation=post.organisation,
            details={"appeal": appeal.id, "statement": one.id},
        )
    session.flush()
    return len(chosen)


def _rules(screening: Screening, statement: Statement) -> set[str]:
    """Return what spoke for the clause of a statement: rules, or the classifier."""
    return {
        str(reason["rule"])
        for reason in screening.reasons
        if reason.get("rule") and statement.category and reason.get("category") == statement.category.value
    }


def _near(text: str, others: Sequence[str]) -> list[bool]:
    """Tell of each text whether it says nearly the same; one too short to compare must be the same."""
    folded = [fold(one) for one in (text, *others)]
    own, *found = fingerprints(folded, _SALT)
    plain = folded[0].text(ViewName.SQUEEZED)
    return [
        other.text(ViewName.SQUEEZED) == plain or (own is not None and alike(own, copy))
        for other, copy in zip(folded[1:], found, strict=True)
    ]


def count_open(session: Session, scope: Sequence[str]) -> int:
    """Return how many proposals wait within the scope."""
    return session.exec(
        select(func.count())
        .select_from(FreshLook)
        .join(Post, col(Post.id) == col(FreshLook.post_id))
        .where(*_open(scope))
    ).one()


def _open(scope: Sequence[str]) -> tuple[Any, ...]:
    # One that somebody else has put back or that its author edited meanwhile needs no look.
    return (
        col(FreshLook.settled_at).is_(None),
        within(FreshLook.organisation, scope),
        col(Post.state) == PostState.REMOVED,
    )


def waiting(session: Session, scope: Sequence[str], officer: str, *, limit: int = 50) -> list[OpenLook]:
    """Return the open proposals within the scope, oldest first."""
    rows = session.exec(
        select(FreshLook, Statement, Post, PostRevision.text)
        .join(Statement, col(Statement.id) == col(FreshLook.statement_id))
        .join(Post, col(Post.id) == col(FreshLook.post_id))
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id))
            & (col(PostRevision.revision) == col(Statement.revision)),
        )
        .where(*_open(scope))
        .order_by(col(FreshLook.proposed_at), col(FreshLook.id))
        .limit(limit)
    ).all()
    decided = decided_before(session, [post.id for _, _, post, _ in rows])
    return [
        OpenLook(look, statement, post, text or "", may_decide=officer not in decided.get(post.id, ()))
        for look, statement, post, text in rows
    ]


def note_looks(session: Session, found: Sequence[OpenLook], *, actor: str, now: datetime) -> None:
    """Put on the audit log that somebody saw these posts."""
    for one in found:
        audit.record(
            session,
            now,
            actor=actor,
            action="post.viewed",
            subject=f"post:{one.post.id}",
            organisation=one.post.organisation,
            details={"fresh_look": one.look.id, "revision": one.statement.revision},
        )


def settle(
    session: Session, look_id: str, officer: str, *, restore: bool, scope: Sequence[str], now: datetime
) -> FreshLook:
    """Put the post back, or leave its removal as it is. `officer` is the id of the account.

    Raises
    ------
    NotFound
        If there is no such proposal within the scope.
    NotPermitted
        `same_person`, if this officer decided about the post before.
    Conflict
        `look_over`, if it is settled, or the post is no longer removed.
    """
    post_id = session.exec(
        select(FreshLook.post_id).where(col(FreshLook.id) == look_id, within(FreshLook.organisation, scope))
    ).first()
    if post_id is None:
        raise NotFound("there is no such proposal")
    post = session.exec(
        select(Post)
        .where(col(Post.id) == post_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    look = session.exec(
        select(FreshLook)
        .where(col(FreshLook.id) == look_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    statement = session.get_one(Statement, look.statement_id)
    over = look.settled_at is not None or statement.withdrawn_at is not None
    if over or post.state is not PostState.REMOVED or post.revision != statement.revision:
        raise Conflict("this is settled already, or the post has changed", code="look_over")
    if officer in decided_before(session, [post.id]).get(post.id, ()):
        raise NotPermitted("somebody who has not decided about this post looks", code="same_person")
    look.settled_at, look.settled_by, look.restored = now, officer, restore
    session.add(look)
    if restore:
        _restore(session, look, statement, post, officer, now)
    audit.record(
        session,
        now,
        actor=f"account:{officer}",
        action="fresh_look.restored" if restore else "fresh_look.left",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={"fresh_look": look.id, "appeal": look.appeal_id, "statement": statement.id},
    )
    session.flush()
    return look


def _restore(  # noqa: PLR0917 - what it is about, who and when
    session: Session, look: FreshLook, statement: Statement, post: Post, officer: str, now: datetime
) -> None:
    screening = session.get_one(Screening, statement.screening_id)
    decision = Decision(
        post_id=post.id,
        revision=statement.revision,
        screening_id=screening.id,
        account_id=officer,
        action=Action.PUBLISH,
        reason=f"fresh look after appeal {look.appeal_id}",
        machine_verdict=screening.verdict,
        decided_at=now,
    )
    session.add(decision)
    statements.withdraw(session, post, now=now)
    count_against(session, statement)
    post.state, post.category = PostState.PUBLISHED, None
    post.version += 1
    session.add(post)
    session.flush()
    tell_platform(
        session,
        post.source,
        Topic.POST_DECIDED,
        post.id,
        payload={
            "post": post.id,
            "source": post.source,
            "external_id": post.external_id,
            "revision": statement.revision,
            "action": Action.PUBLISH.value,
            "state": post.state.value,
            "category": None,
            "clause": None,
            "passages": [],
            "statement": None,
            "decided_at": now.isoformat(),
        },
        now=now,
        occurrence=decision.id,
    )
