"""A second pair of eyes: removals that are rare or hard to take back need another officer to confirm them.

A removal for a rare category, of a post that many have at heart, of one that an objection had put back,
in a large bulk, or of a published post that a blind sample found harmful is first a proposal. The post
stays where it is; its task is assigned to nobody until another officer has confirmed or declined, or the
proposal has run out and the task is back in the queue.

Refuses: confirmation by whoever proposed it; the database refuses it as well.

Neighbours: `review` asks `needed` before it acts; `confirming` carries out what was confirmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from models import audit
from models.base import new_id
from models.database import Database
from models.demand import Demand, DemandMember
from models.errors import Conflict, NotFound
from models.event import ReportExample
from models.organisation import within
from models.post import Post, PostRevision
from models.quality import SecondReading
from models.review import Appeal, Decision, ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import (
    Action,
    AppealState,
    Category,
    DemandState,
    SecondReason,
    SecondState,
    TaskState,
)
from moderation import knobs

RARE: Final = frozenset({Category.HATE, Category.THREAT})
"""Grave charges that are rare, and for which a quotation or a figure of speech is easily mistaken."""

SAMPLED_STANDS: Final = timedelta(days=30)
"""How long a proposal about a sample stands: the figures wait for it, and no post does."""

OVER: Final = (DemandState.REJECTED, DemandState.CLOSED)


def needed(
    session: Session, post: Post, action: Action, category: Category | None, *, at_once: int = 1
) -> SecondReason | None:
    """Return why a decision needs a second officer; None if it does not. Only removals ever do."""
    return needed_among(session, [post], action, category, at_once=at_once).get(post.id)


def needed_among(
    session: Session,
    posts: Sequence[Post],
    action: Action,
    category: Category | None,
    *,
    at_once: int = 1,
) -> dict[str, SecondReason]:
    """Return why a decision about several posts needs a second officer, by the post; only those that do."""
    if action is not Action.REMOVE or not posts:
        return {}
    ids = [post.id for post in posts]
    limits = knobs.recorded(session, knobs.BULK)
    found = {
        post.id: SecondReason.BULK for post in posts if at_once > limits.value(knobs.BULK, post.organisation)
    }
    if category in RARE:
        found |= dict.fromkeys(ids, SecondReason.RARE_CATEGORY)
    found |= dict.fromkeys(_put_back(session, ids), SecondReason.WON_APPEAL)
    return found | dict.fromkeys(_in_open_demands(session, ids), SecondReason.OPEN_DEMAND)


def in_open_demand(session: Session, post_id: str) -> bool:
    """Return whether a post belongs to a demand that is not over, or stands in a report."""
    return bool(_in_open_demands(session, [post_id]))


def _in_open_demands(session: Session, post_ids: Sequence[str]) -> set[str]:
    members = session.exec(
        select(DemandMember.post_id)
        .join(Demand, col(Demand.id) == col(DemandMember.demand_id))
        .where(col(DemandMember.post_id).in_(post_ids), col(Demand.state).not_in(OVER))
    )
    examples = session.exec(
        select(ReportExample.post_id).where(col(ReportExample.post_id).in_(post_ids)).distinct()
    )
    return {*members, *examples}


def _put_back(session: Session, post_ids: Sequence[str]) -> set[str]:
    """Return the posts that a granted objection had put back."""
    return set(
        session.exec(
            select(Statement.post_id)
            .join(Appeal, col(Appeal.statement_id) == col(Statement.id))
            .where(col(Statement.post_id).in_(post_ids), col(Appeal.state) == AppealState.REVERSED)
        )
    )


def propose(
    session: Session,
    task: ReviewTask,
    officer: str,
    why: SecondReason,
    *,
    category: Category,
    reason: str,
    now: datetime,
    batch: str | None = None,
) -> SecondReading:
    """Put a removal before a second officer. An open task waits with it, assigned to nobody."""
    screening = session.get_one(Screening, task.screening_id)
    hours = knobs.value(session, knobs.SECOND_HOURS, task.organisation)
    reading = SecondReading(
        task_id=task.id,
        post_id=task.post_id,
        revision=screening.revision,
        screening_id=task.screening_id,
        organisation=task.organisation,
        why=why,
        category=category,
        reason=reason,
        asked_by=officer,
        asked_at=now,
        expires_at=now + (SAMPLED_STANDS if why is SecondReason.SAMPLED else timedelta(hours=hours)),
        batch=batch,
    )
    session.add(reading)
    if task.state is TaskState.OPEN:
        task.second = reading.id
        _let_go(task)
        session.add(task)
    session.flush()
    _note(session, reading, "second_reading.asked", f"account:{officer}", now)
    return reading


def as_decision(
    task: ReviewTask,
    screening: Screening,
    officer: str,
    action: Action,
    category: Category | None,
    *,
    reason: str,
    now: datetime,
    second: str | None,
    identifier: str | None = None,
    leaves_at: datetime | None = None,
    batch: str | None = None,
) -> Decision:
    """Return what the officer is told about a decision of which no row is written."""
    return Decision(
        id=identifier or second or new_id(),
        task_id=task.id,
        post_id=task.post_id,
        revision=screening.revision,
        screening_id=screening.id,
        account_id=officer,
        action=action,
        category=category,
        reason=reason,
        machine_verdict=screening.verdict,
        decided_at=now,
        leaves_at=leaves_at,
        batch=batch,
        second=second,
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A proposal with the post that it is about. `may_decide` is false for whoever proposed it."""

    reading: SecondReading
    post: Post
    text: str
    screening: Screening
    may_decide: bool


def waiting(
    session: Session, scope: Sequence[str], officer: str, *, now: datetime, limit: int = 50
) -> list[Waiting]:
    """Return the proposals within the scope that still stand, the oldest first.

    One about a blind sample is not shown to whoever read the sample: they are not to learn which it was.
    """
    rows = session.exec(
        select(SecondReading, Post, PostRevision, Screening)
        .join(Post, col(Post.id) == col(SecondReading.post_id))
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id))
            & (col(PostRevision.revision) == col(SecondReading.revision)),
        )
        .join(Screening, col(Screening.id) == col(SecondReading.screening_id))
        .where(
            col(SecondReading.state) == SecondState.WAITING,
            col(SecondReading.expires_at) > now,
            within(SecondReading.organisation, scope),
            col(Post.revision) == col(SecondReading.revision),
            col(PostRevision.text).is_not(None),
            (col(SecondReading.why) != SecondReason.SAMPLED) | (col(SecondReading.asked_by) != officer),
        )
        .order_by(col(SecondReading.asked_at), col(SecondReading.id))
        .limit(limit)
    )
    return [
        Waiting(reading, post, revision.text or "", screening, may_decide=reading.asked_by != officer)
        for reading, post, revision, screening in rows
    ]


def note_looks(session: Session, found: Sequence[Waiting], *, actor: str, now: datetime) -> None:
    """Put on the audit log that somebody saw the posts that these proposals are about."""
    for one in found:
        audit.record(
            session,
            now,
            actor=actor,
            action="post.viewed",
            subject=f"post:{one.post.id}",
            organisation=one.post.organisation,
            details={"second_reading": one.reading.id, "revision": one.reading.revision},
        )


def locked(session: Session, reading_id: str, scope: Sequence[str], now: datetime) -> SecondReading:
    """Return a proposal that still stands, with its post and its row locked, in that order.

    Raises
    ------
    NotFound
        If there is none within the scope.
    Conflict
        `second_over`, if it is decided, has run out, or the post changed since.
    """
    post_id = session.exec(
        select(SecondReading.post_id).where(
            col(SecondReading.id) == reading_id,
            within(SecondReading.organisation, scope),
        )
    ).first()
    if post_id is None:
        raise NotFound("there is no such proposal")
    post = session.exec(
        select(Post)
        .where(col(Post.id) == post_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    reading = session.exec(
        select(SecondReading)
        .where(col(SecondReading.id) == reading_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if (
        reading.state is not SecondState.WAITING
        or reading.expires_at <= now
        or post.revision != reading.revision
    ):
        raise Conflict("the proposal is over", code="second_over", state=reading.state.value)
    return reading


def end(
    session: Session, reading: SecondReading, state: SecondState, *, actor: str, by: str | None, now: datetime
) -> None:
    """End a proposal; its task, if it waited with it, is assigned again."""
    reading.state, reading.decided_by, reading.decided_at = state, by, now
    task = session.exec(
        select(ReviewTask)
        .where(col(ReviewTask.id) == reading.task_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if task.second == reading.id:
        task.second = None
        task.version += 1
        session.add(task)
    session.add(reading)
    session.flush()
    _note(session, reading, f"second_reading.{state.value}", actor, now)


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    """How many proposals ran out in one round."""

    expired: int


def expire_due(database: Database, now: datetime, *, limit: int = 200) -> ExpiryReport:
    """End what nobody confirmed in time; the tasks are in the queue again. Safe to run twice."""
    with database.transaction() as session:
        due = session.exec(
            select(SecondReading)
            .join(Post, col(Post.id) == col(SecondReading.post_id))
            .where(col(SecondReading.state) == SecondState.WAITING, col(SecondReading.expires_at) <= now)
            .order_by(col(SecondReading.post_id))
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        for reading in due:
            end(session, reading, SecondState.EXPIRED, actor="machine:second-reading", by=None, now=now)
        return ExpiryReport(len(due))


def _let_go(task: ReviewTask) -> None:
    task.leased_by = task.leased_until = task.leased_at = task.lease = None
    task.version += 1


def _note(session: Session, reading: SecondReading, action: str, actor: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"post:{reading.post_id}",
        organisation=reading.organisation,
        details={
            "second_reading": reading.id,
            "why": reading.why.value,
            "category": reading.category.value,
            "revision": reading.revision,
        },
    )
