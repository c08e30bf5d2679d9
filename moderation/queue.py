"""The review queue: what waits for a person, in which order, and how much of it.

A list shows what a task is about and how urgent it is, and no text. `scope` are the highest nodes of the
tree that the caller may review; nothing outside is returned or counted. `care` are those at which the
caller is trained for people in danger.

Neighbours: `screening` opens tasks; `order` has the conditions; `filters` narrows; `leases` puts a task into
an officer's hands; `review` decides; `referrals` watches the lanes; `api/security.py` knows the scope.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, col, select

from models.post import Post
from models.review import ReviewTask
from models.vocabulary import Category, PostKind, Verdict
from moderation import blind, order
from moderation.filters import NO_FILTER, QueueFilter
from moderation.order import ORDER, behind, is_leased, open_tasks

EXACT: Final = 5_000
STANDS: Final = timedelta(seconds=10)
MOST_KEPT: Final = 1_000


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
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much waits within a scope, whatever the filter."""

    total: int
    overdue: int
    by_category: dict[Category | None, int]
    by_urgency: dict[int, int]


def waiting(
    session: Session,
    scope: Sequence[str],
    *,
    now: datetime,
    category: Category | None = None,
    urgency: int | None = None,
    sought: QueueFilter = NO_FILTER,
    care: Sequence[str] | None = None,
    after: str | None = None,
    free_for: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[QueueItem]:
    """Return the waiting tasks in the order in which they should be taken.

    Parameters
    ----------
    free_for
        An officer: what lies in somebody else's hands is left out.
    after
        The id of the last task of the page before; it need not wait any longer. Unlike `offset` it
        skips and repeats nothing while the queue moves.
    """
    wanted = (
        select(ReviewTask, Post)
        .join(Post, col(Post.id) == col(ReviewTask.post_id))
        .where(
            *open_tasks(session, scope, care, category, urgency),
            *sought.conditions(now),
            *behind(session, after),
            *(() if free_for is None else (order.free_for(free_for, now),)),
        )
        .order_by(*ORDER)
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
            verdict=blind.shown_verdict(task.category),
            urgency=task.urgency,
            created_at=task.created_at,
            due_at=task.due_at,
            overdue=task.due_at < now,
            leased_by=task.leased_by if is_leased(task, now) else None,
            version=task.version,
            rule=task.rule,
        )
        for task, post in session.exec(wanted)
    ]


def counts(
    session: Session, scope: Sequence[str], *, now: datetime, care: Sequence[str] | None = None
) -> QueueCounts:
    """Return how much waits within the scope."""
    rows = session.exec(
        select(
            ReviewTask.category,
            ReviewTask.urgency,
            func.count(),
            func.sum(sa.case((col(ReviewTask.due_at) < now, 1), else_=0)),
        )
        .where(*open_tasks(session, scope, care))
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


class LastCounts:
    """What was counted last, by who asked from where, for pages that follow one another quickly.

    To count a hundred thousand takes longer than to decide about one. Where more than `EXACT` wait,
    a count stands for `STANDS`, in which nobody would see it change; below that every count is exact.
    Safe to ask from any thread.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[tuple[str, ...], tuple[str, ...] | None], tuple[datetime, QueueCounts]] = {}

    def counts(
        self, session: Session, scope: Sequence[str], *, now: datetime, care: Sequence[str] | None = None
    ) -> QueueCounts:
        """Return how much waits within the scope, as `counts` does."""
        asked = tuple(scope), None if care is None else tuple(care)
        at, last = self._found.get(asked, (now, None))
        if last is not None and last.total > EXACT and at <= now < at + STANDS:
            return last
        found = counts(session, scope, now=now, care=care)
        if len(self._found) >= MOST_KEPT:
            self._found.clear()
        self._found[asked] = now, found
        return found


@dataclass(frozen=True, slots=True)
class Facets:
    """How much of what is sought waits, by organisation, kind, rule and place; most first.

    Kinds and places are empty where more than `MOST_POSTS` wait: a narrower filter counts them.
    """

    total: int
    organisations: dict[str, int]
    kinds: dict[PostKind, int]
    rules: dict[str, int]
    places: dict[str, int]


MOST_FACETS: Final = 12
MOST_POSTS: Final = 10_000
"""Waiting posts up to which they are counted by kind and place too."""


def facets(
    session: Session,
    scope: Sequence[str],
    *,
    now: datetime,
    sought: QueueFilter = NO_FILTER,
    care: Sequence[str] | None = None,
) -> Facets:
    """Count what is sought within the scope."""
    wanted = [*open_tasks(session, scope, care), *sought.conditions(now)]

    def tally(column: Any) -> dict[Any, int]:  # noqa: ANN401 - a mapped column
        count = func.count().label("count")
        counted = select(column, count).select_from(ReviewTask)
        if column.class_ is Post:
            counted = counted.join(Post, col(Post.id) == col(ReviewTask.post_id))
        rows = session.exec(
            counted.where(*wanted, col(column).is_not(None))
            .group_by(column)
            .order_by(count.desc(), column)
            .limit(MOST_FACETS)
        ).all()
        return dict(rows)

    total = session.exec(select(func.count()).select_from(ReviewTask).where(*wanted)).one()
    # What stands at the posts is looked up one by one, which takes too long for very many.
    few = total <= MOST_POSTS
    return Facets(
        total=total,
        organisations=tally(ReviewTask.organisation),
        kinds={PostKind(kind): count for kind, count in tally(Post.kind).items()} if few else {},
        rules=tally(ReviewTask.rule),
        places=tally(Post.place) if few else {},
    )
