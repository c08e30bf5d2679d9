"""Who has which post in hand: whoever opens a task takes it for ten minutes, longer while at work on it.

Whoever opens one sees the post, and stands in the audit log once for it. Two officers never have the same
task in hand. A task outside the `scope` is answered like one that does not exist; where somebody is trained
for people in danger (`care`), nobody else opens a referral.

Refuses: what is over, what waits for a second officer, and what somebody else has in hand; it says which.

Neighbours: `order` says what comes next; `review` decides; `blind` says what of a card is shown.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from models import audit
from models.audit import Note
from models.base import new_id
from models.errors import Conflict
from models.post import Post, PostRevision
from models.review import ReviewTask
from models.screening import Screening
from models.vocabulary import Category, TaskState
from moderation import blind, exposure
from moderation.changes import change_of
from moderation.filters import NO_FILTER, QueueFilter
from moderation.locks import locked, locked_many, post_of
from moderation.order import ORDER, free_for, is_leased, open_tasks

LEASE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class OpenedTask:
    """A task in somebody's hands, with the post's text and what the machine said about it."""

    task: ReviewTask
    post: Post
    text: str
    screening: Screening

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """The machine's reasons, with spans in the text."""
        return self.screening.reasons


def lease(
    session: Session,
    task_id: str,
    officer: str,
    scope: Sequence[str],
    *,
    now: datetime,
    care: Sequence[str] | None = None,
) -> OpenedTask:
    """Take a task in hand for ten minutes, or for ten more if it is in this officer's hands.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    NotPermitted
        `care_only`, if it is for those who are trained for people in danger.
    Conflict
        If it is decided, withdrawn, waiting for a second officer, or in somebody else's hands; `changed`
        tells which.
    """
    return _take(session, locked(session, task_id, scope, care=care), officer, now)


def next_task(
    session: Session,
    scope: Sequence[str],
    officer: str,
    *,
    now: datetime,
    category: Category | None = None,
    urgency: int | None = None,
    sought: QueueFilter = NO_FILTER,
    care: Sequence[str] | None = None,
) -> OpenedTask | None:
    """Take the task that should be looked at next, or None if nothing is free.

    What this officer already has in hand comes in its own place in the order, so a page that is
    loaded again shows the same task.
    """
    task = session.exec(
        _locking(
            select(ReviewTask)
            .where(
                *open_tasks(session, scope, care, category, urgency),
                *sought.conditions(now),
                free_for(officer, now),
                *exposure.conditions(session, officer, now),
            )
            .order_by(*ORDER)
            .limit(1)
        )
    ).first()
    return _take(session, task, officer, now) if task else None


def keep(
    session: Session,
    task_id: str,
    officer: str,
    scope: Sequence[str],
    *,
    now: datetime,
    care: Sequence[str] | None = None,
) -> datetime:
    """Hold a task in hand for ten minutes from now, and return until when.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    Conflict
        If it is no longer in this officer's hands; `changed` tells what became of it.
    """
    task = locked(session, task_id, scope, care=care)
    refuse_unless_free(session, task, officer, now)
    if task.leased_by != officer:
        raise _lost(session, task, officer, now, "the task is not in your hands", "lease_lost")
    task.leased_until = now + LEASE
    session.add(task)
    session.flush()
    return task.leased_until


def release(
    session: Session,
    task_id: str,
    officer: str,
    scope: Sequence[str],
    *,
    now: datetime,
    lease: str | None = None,
) -> None:
    """Give a task back undecided. Giving back what one does not have in hand does nothing.

    With `lease`, only if it is the very lease: a page that was left does not take the task away from
    the page that was opened after it.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    """
    task = locked(session, task_id, scope)
    if lease is None or task.lease == lease:
        _let_go(session, [task], officer, now)


def release_many(
    session: Session, task_ids: Iterable[str], officer: str, scope: Sequence[str], *, now: datetime
) -> None:
    """Give tasks back undecided. What is not in one's hands, or not there, is left as it is."""
    found = locked_many(session, task_ids, scope)
    _let_go(session, found.tasks.values(), officer, now)


def _let_go(session: Session, tasks: Iterable[ReviewTask], officer: str, now: datetime) -> None:
    for task in tasks:
        if task.state is TaskState.OPEN and task.leased_by == officer and is_leased(task, now):
            task.leased_by = task.leased_until = task.leased_at = task.lease = None
            task.version += 1
            session.add(task)
    session.flush()


def pass_on(
    session: Session,
    task_id: str,
    officer: str,
    scope: Sequence[str],
    *,
    now: datetime,
    care: Sequence[str] | None = None,
) -> None:
    """Give a task back to the others, who are not told why; for a day it is not assigned to this officer.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    """
    post_of(session, task_id, scope, care=care)
    release(session, task_id, officer, scope, now=now)
    exposure.keep_from(session, task_id, officer, now + exposure.PASSED_FOR)


def refuse_unless_free(session: Session, task: ReviewTask, officer: str, now: datetime) -> None:
    """Refuse a task that is over, or in somebody else's hands, and say what became of it.

    Raises
    ------
    Conflict
        Code `task_closed` or `task_leased`.
    """
    if task.state is not TaskState.OPEN:
        raise _lost(session, task, officer, now, "the task is over", "task_closed")
    if task.second is not None:
        raise _lost(session, task, officer, now, "it waits for a second officer", "second_waits")
    if is_leased(task, now) and task.leased_by != officer:
        raise _lost(session, task, officer, now, "somebody else has the task in hand", "task_leased")


def hold_for(task: ReviewTask, officer: str, now: datetime) -> None:
    """Put a task into an officer's hands under a new lease."""
    if task.leased_by != officer or not is_leased(task, now):
        task.leased_at = now
        task.version += 1
    task.leased_by, task.lease, task.leased_until = officer, new_id(), now + LEASE
    task.opened_at = task.opened_at or now


def _lost(  # noqa: PLR0917 - who asks for what, and what is said
    session: Session, task: ReviewTask, officer: str, now: datetime, said: str, code: str
) -> Conflict:
    changed = change_of(session, task, officer, now)
    return Conflict(said, code=code, state=task.state.value, changed=changed.document())


def _locking(wanted: SelectOfScalar[ReviewTask]) -> SelectOfScalar[ReviewTask]:
    return wanted.with_for_update(of=ReviewTask, skip_locked=True)


def lease_many(
    session: Session, first: str, others: Sequence[str], officer: str, scope: Sequence[str], *, now: datetime
) -> list[OpenedTask]:
    """Take a task in hand and others with it, in that order; what somebody else has in hand stays with them.

    Raises
    ------
    NotFound, Conflict
        As `lease` says, about the first.
    """
    found = locked_many(session, [first, *others], scope)
    if first in found.refused:
        raise found.refused[first]
    refuse_unless_free(session, found.tasks[first], officer, now)
    free = [found.tasks[first]]
    for one in others:
        try:
            refuse_unless_free(session, found.tasks[one], officer, now)
        except (Conflict, KeyError):
            continue
        free.append(found.tasks[one])
    return _take_all(session, free, officer, now)


def _take(session: Session, task: ReviewTask, officer: str, now: datetime) -> OpenedTask:
    refuse_unless_free(session, task, officer, now)
    (opened,) = _take_all(session, [task], officer, now)
    return opened


def _take_all(session: Session, tasks: Sequence[ReviewTask], officer: str, now: datetime) -> list[OpenedTask]:
    """Put tasks that are free into an officer's hands; each first look is counted and on the audit log."""
    rows = session.exec(
        select(ReviewTask.id, Post, Screening, PostRevision.text)
        .join(Post, col(Post.id) == col(ReviewTask.post_id))
        .join(Screening, col(Screening.id) == col(ReviewTask.screening_id))
        .outerjoin(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id))
            & (col(PostRevision.revision) == col(Screening.revision)),
        )
        .where(col(ReviewTask.id).in_([task.id for task in tasks]))
    ).all()
    about = {task: (post, screening, text) for task, post, screening, text in rows}
    new = [task for task in tasks if not (is_leased(task, now) and task.leased_by == officer)]
    for category, count in Counter(task.category for task in new).items():
        exposure.note_shown(session, officer, category, now, count=count)
    for task in tasks:
        hold_for(task, officer, now)
    shown = blind.as_shown(session, [(task, about[task.id][1]) for task in tasks])
    session.add_all(tasks)
    session.flush()
    if new:
        audit.record_all(session, now, [_look(task, *about[task.id][:2], officer) for task in new])
    return [
        OpenedTask(task, about[task.id][0], about[task.id][2] or "", screening)
        for task, screening in zip(tasks, shown, strict=True)
    ]


def _look(task: ReviewTask, post: Post, screening: Screening, officer: str) -> Note:
    return Note(
        f"account:{officer}",
        "post.viewed",
        f"post:{post.id}",
        post.organisation,
        {"task": task.id, "revision": screening.revision},
    )
