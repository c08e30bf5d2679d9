"""The review queue: what waits for a person, in which order, and who has it in hand.

A list shows what a task is about and how urgent it is, and no text. Whoever opens a task takes it
for ten minutes, sees the post, and stands in the audit log once for it. Two officers never have
the same task in hand.

`scope` are the highest nodes of the tree that the caller may review; nothing outside is returned,
and a task outside is answered like one that does not exist.

Neighbours: `screening` opens tasks; `review` decides them; `api/security.py` knows the scope.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.errors import Conflict, NotFound
from models.organisation import under
from models.post import Post, PostRevision
from models.review import ReviewTask
from models.screening import Screening
from models.vocabulary import Category, PostKind, TaskState, Verdict

LEASE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One waiting task as a list shows it: no text and no author."""

    task_id: str
    post_id: str
    kind: PostKind
    organisation: str
    place: str | None
    category: Category | None
    verdict: Verdict
    urgency: int
    created_at: datetime
    due_at: datetime
    overdue: bool
    leased_by: str | None
    version: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much waits within a scope, whatever the filter."""

    total: int
    overdue: int
    by_category: dict[Category | None, int]
    by_urgency: dict[int, int]


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


def within(column: Any, scope: Sequence[str]) -> sa.ColumnElement[bool]:  # noqa: ANN401 - any mapped path column
    """Return the condition that a path lies in the scope; an empty scope holds nothing."""
    return sa.or_(sa.false(), *(under(column, root) for root in scope))


def waiting(
    session: Session,
    scope: Sequence[str],
    *,
    now: datetime,
    category: Category | None = None,
    urgency: int | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[QueueItem]:
    """Return the waiting tasks in the order in which they should be taken: most urgent, then oldest."""
    wanted = (
        select(ReviewTask, Post, Screening.verdict)
        .join(Post, col(Post.id) == col(ReviewTask.post_id))
        .join(Screening, col(Screening.id) == col(ReviewTask.screening_id))
        .where(*_open(scope, category, urgency))
        .order_by(*_ORDER)
        .limit(limit)
        .offset(offset)
    )
    return [
        QueueItem(
            task_id=task.id,
            post_id=post.id,
            kind=post.kind,
            organisation=task.organisation,
            place=post.place,
            category=task.category,
            verdict=Verdict(verdict),
            urgency=task.urgency,
            created_at=task.created_at,
            due_at=task.due_at,
            overdue=task.due_at < now,
            leased_by=task.leased_by if _is_leased(task, now) else None,
            version=task.version,
        )
        for task, post, verdict in session.exec(wanted)
    ]


def counts(session: Session, scope: Sequence[str], *, now: datetime) -> QueueCounts:
    """Return how much waits within the scope."""
    rows = session.exec(
        select(
            ReviewTask.category,
            ReviewTask.urgency,
            func.count(),
            func.sum(sa.case((col(ReviewTask.due_at) < now, 1), else_=0)),
        )
        .where(*_open(scope))
        .group_by(col(ReviewTask.category), col(ReviewTask.urgency))
    ).all()
    by_category: dict[Category | None, int] = {}
    by_urgency: dict[int, int] = {}
    for word, urgency, count, _ in rows:
        category = Category(word) if word else None
        by_category[category] = by_category.get(category, 0) + count
        by_urgency[urgency] = by_urgency.get(urgency, 0) + count
    return QueueCounts(
        total=sum(by_urgency.values()),
        overdue=sum(int(overdue or 0) for *_, overdue in rows),
        by_category=by_category,
        by_urgency=dict(sorted(by_urgency.items())),
    )


def lease(session: Session, task_id: str, officer: str, scope: Sequence[str], *, now: datetime) -> OpenedTask:
    """Take a task in hand for ten minutes, or for ten more if it is in this officer's hands.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    Conflict
        If it is decided, withdrawn, or in somebody else's hands.
    """
    return _take(session, locked(session, task_id, scope), officer, now)


def next_task(
    session: Session,
    scope: Sequence[str],
    officer: str,
    *,
    now: datetime,
    category: Category | None = None,
    urgency: int | None = None,
) -> OpenedTask | None:
    """Take the task that should be looked at next, or None if nothing is free.

    What this officer already has in hand comes in its own place in the order, so a page that is
    loaded again shows the same task.
    """
    task = session.exec(
        select(ReviewTask)
        .where(
            *_open(scope, category, urgency),
            sa.or_(
                col(ReviewTask.leased_until).is_(None),
                col(ReviewTask.leased_until) <= now,
                col(ReviewTask.leased_by) == officer,
            ),
        )
        .order_by(*_ORDER)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    return _take(session, task, officer, now) if task else None


def release(session: Session, task_id: str, officer: str, scope: Sequence[str], *, now: datetime) -> None:
    """Give a task back undecided. Giving back what one does not have in hand does nothing.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    """
    task = locked(session, task_id, scope)
    if task.state is TaskState.OPEN and task.leased_by == officer and _is_leased(task, now):
        task.leased_by = task.leased_until = None
        task.version += 1
        session.add(task)
        session.flush()


def locked(session: Session, task_id: str, scope: Sequence[str]) -> ReviewTask:
    """Return a task of any state, with its post and its row locked.

    Raises
    ------
    NotFound
        If there is none within the scope.
    """
    found = session.exec(
        select(ReviewTask.post_id).where(
            col(ReviewTask.id) == task_id, within(ReviewTask.organisation, scope)
        )
    ).first()
    if found is None:
        raise NotFound("there is no such task")
    # The post first, then its task, then the audit log: an edit and a deletion lock in this order too.
    session.exec(
        select(Post).where(col(Post.id) == found).with_for_update().execution_options(populate_existing=True)
    ).one()
    return session.exec(
        select(ReviewTask)
        .where(col(ReviewTask.id) == task_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def refuse_unless_free(task: ReviewTask, officer: str, now: datetime) -> None:
    """Refuse a task that is over, or in somebody else's hands.

    Raises
    ------
    Conflict
        Code `task_closed` or `task_leased`.
    """
    if task.state is not TaskState.OPEN:
        raise Conflict("the task is over", code="task_closed", state=task.state.value)
    if _is_leased(task, now) and task.leased_by != officer:
        raise Conflict("somebody else has the task in hand", code="task_leased")


_ORDER: Final = (col(ReviewTask.urgency), col(ReviewTask.created_at), col(ReviewTask.id))


def _open(
    scope: Sequence[str], category: Category | None = None, urgency: int | None = None
) -> list[sa.ColumnElement[bool]]:
    found = [col(ReviewTask.state) == TaskState.OPEN, within(ReviewTask.organisation, scope)]
    if category is not None:
        found.append(col(ReviewTask.category) == category)
    if urgency is not None:
        found.append(col(ReviewTask.urgency) == urgency)
    return found


def _is_leased(task: ReviewTask, now: datetime) -> bool:
    return task.leased_until is not None and task.leased_until > now


def _take(session: Session, task: ReviewTask, officer: str, now: datetime) -> OpenedTask:
    refuse_unless_free(task, officer, now)
    post = session.get_one(Post, task.post_id)
    screening = session.get_one(Screening, task.screening_id)
    text = session.exec(
        select(PostRevision.text).where(
            col(PostRevision.post_id) == post.id, col(PostRevision.revision) == screening.revision
        )
    ).first()
    if not (_is_leased(task, now) and task.leased_by == officer):
        task.leased_by = officer
        task.version += 1
        audit.record(
            session,
            now,
            actor=f"account:{officer}",
            action="post.viewed",
            subject=f"post:{post.id}",
            organisation=post.organisation,
            details={"task": task.id, "revision": screening.revision},
        )
    task.leased_until = now + LEASE
    session.add(task)
    session.flush()
    return OpenedTask(task, post, text or "", screening)
