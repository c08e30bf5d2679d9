"""Take a decision back before anything of it has left.

A decision's messages and its statement wait half a minute in the outbox. An undo inside that time
takes them out again, with the decision and what it counted, puts the post back where it was, and
back into the hands of the officer who decided. Outside nothing has been sent and nothing can be
read; inside both the decision and the undo stand in the audit log.

The rows of the outbox are locked and looked at: if one is already on its way, because another
machine's clock runs ahead, the undo is refused as a whole.

Refuses: somebody else's decision, one that has left, and one after which something else happened
to the post.

Neighbours: `review` decides; `alerts/delivery.py` sends what is due; `appeals` is the way back later.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models import audit
from models.audit import Note
from models.errors import Conflict, NotFound
from models.outbox import OutboxMessage
from models.post import Post
from models.review import Appeal, Decision, ReviewTask, RuleOutcome, Statement
from models.vocabulary import Category, MessageState, PostState, TaskState
from moderation import (
    blind,
    leases,
    locks,
    reports,
)
from moderation.locks import Locked
from moderation.review import LONGEST_UNDO
from moderation.rulings import STATE_AFTER


def undoable(session: Session, officer: str, now: datetime) -> list[Decision]:
    """Return what this officer decided last and can still take back: one decision, or one bulk of them."""
    last = session.exec(
        select(Decision)
        .where(
            col(Decision.account_id) == officer,
            col(Decision.leaves_at) > now,
            # What it says already, so that the index over the times of decisions is asked.
            col(Decision.decided_at) > now - LONGEST_UNDO,
        )
        .order_by(col(Decision.decided_at).desc(), col(Decision.id).desc())
        .limit(1)
    ).first()
    answered = blind.last_undoable(session, officer, now)
    newest = max(
        (one for one in (last, answered) if one is not None),
        key=lambda one: (one.decided_at, one.id),
        default=None,
    )
    return _batch(session, newest) if newest is not None else []


def undo(
    session: Session, decision_id: str, officer: str, scope: Sequence[str], *, now: datetime
) -> list[ReviewTask]:
    """Take back a decision, with its whole bulk; return the tasks, which are in the officer's hands again.

    Raises
    ------
    NotFound
        If there is no such decision of this officer within the scope.
    Conflict
        `undo_over`, if it has left, or something else happened to the post since.
    """
    found = session.exec(
        select(Decision).where(col(Decision.id) == decision_id, col(Decision.account_id) == officer)
    ).first() or blind.find(session, decision_id, officer)
    if found is None:
        raise NotFound("there is no such decision of yours")
    batch = sorted(_batch(session, found), key=lambda decision: decision.task_id or "")
    if any(one.task_id is None for one in batch):
        raise _over()
    locked = locks.locked_many(session, [one.task_id or "" for one in batch], scope)
    for refused in locked.refused.values():
        raise refused
    answers = blind.answers_among(session, [one.id for one in batch])
    for one in batch:
        if one.id in answers:
            task = locked.tasks[one.task_id or ""]
            blind.take_back(session, one.id, task, now)
            leases.hold_for(task, one.account_id, now)
            session.add(task)
    _undo(session, [one for one in batch if one.id not in answers], locked, now)
    return [locked.tasks[one.task_id or ""] for one in batch]


def _batch(session: Session, decision: Decision) -> list[Decision]:
    if decision.batch is None:
        return [decision]
    decided = session.exec(select(Decision).where(col(Decision.batch) == decision.batch)).all()
    return [*decided, *blind.of_batch(session, decision.batch)]


def _undo(session: Session, decisions: Sequence[Decision], locked: Locked, now: datetime) -> None:
    """Take decisions back whose tasks and posts are locked; all of them or none."""
    if not decisions:
        return
    for decision in decisions:
        if not _is_untouched(decision, locked, now):
            raise _over()
    ids, posts = [one.id for one in decisions], [one.post_id for one in decisions]
    stated = session.exec(
        select(Statement.id).where(col(Statement.post_id).in_(posts), col(Statement.decision_id).in_(ids))
    ).all()
    if session.exec(select(Appeal.id).where(col(Appeal.statement_id).in_(stated)).limit(1)).first():
        raise _over()
    _take_out(session, posts, {*ids, *stated})
    _forget(session, ids, stated, [one for decision in decisions for one in _before(decision)["withdrawn"]])
    for decision in decisions:
        post, task, before = locked.posts[decision.post_id], _task(decision, locked), _before(decision)
        post.state = PostState(before["state"])
        post.category = Category(before["category"]) if before["category"] else None
        post.version += 1
        task.state, task.closed_at = TaskState.OPEN, None
        leases.hold_for(task, decision.account_id, now)
        session.add_all([post, task])
    audit.record_all(session, now, [_note(one, locked.posts[one.post_id]) for one in decisions])
    session.execute(
        sa.delete(Decision).where(col(Decision.id).in_(ids)).execution_options(synchronize_session="fetch")
    )
    session.flush()


def _is_untouched(decision: Decision, locked: Locked, now: datetime) -> bool:
    """Return whether nothing of a decision has left and nothing else happened to the post since."""
    post = locked.posts[decision.post_id]
    return (
        decision.before is not None
        and _task(decision, locked).state is TaskState.DECIDED
        and post.version == decision.before["post_version"] + 1
        and post.state is STATE_AFTER[decision.action]
        and decision.leaves_at is not None
        and now < decision.leaves_at
    )


def _task(decision: Decision, locked: Locked) -> ReviewTask:
    return locked.tasks[decision.task_id or ""]


def _before(decision: Decision) -> dict[str, Any]:
    return decision.before or {}


def _forget(session: Session, ids: Sequence[str], stated: Sequence[str], withdrawn: Sequence[str]) -> None:
    """Take out what decisions left beside themselves, and let what they withdrew stand again."""
    session.execute(
        sa.delete(Statement)
        .where(col(Statement.id).in_(stated))
        .execution_options(synchronize_session="fetch")
    )
    session.execute(
        sa.update(Statement)
        .where(col(Statement.id).in_(withdrawn))
        .values(withdrawn_at=None)
        .execution_options(synchronize_session="fetch")
    )
    session.execute(sa.delete(RuleOutcome).where(col(RuleOutcome.decision_id).in_(ids)))
    blind.forget(session, ids)
    reports.reopen(session, ids)
    session.flush()


def _note(decision: Decision, post: Post) -> Note:
    return Note(
        actor=f"account:{decision.account_id}",
        action="decision.undone",
        subject=f"post:{post.id}",
        organisation=post.organisation,
        details={
            "decision": decision.id,
            "action": decision.action.value,
            "category": decision.category.value if decision.category else None,
        },
    )


def _take_out(session: Session, posts: Sequence[str], occurrences: Collection[str]) -> None:
    """Delete the messages of decisions; refuse if one of them has been on its way."""
    messages = [
        one
        for one in session.exec(
            select(OutboxMessage)
            .where(col(OutboxMessage.subject_id).in_(posts))
            .order_by(col(OutboxMessage.id))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if any(part in occurrences for part in one.key.split(":")[2:-1])
    ]
    if any(
        one.state is not MessageState.PENDING or one.attempts or one.lease is not None for one in messages
    ):
        raise _over()
    for one in messages:
        session.delete(one)


def _over() -> Conflict:
    return Conflict("the decision has left, or something else happened to the post", code="undo_over")
