"""Which tasks wait, who may see them, and in which order they are taken: the conditions that queries share.

The order: people in danger; then what is about to pass its limit, the worst first; then the worst
first. Within one urgency the earliest limit, then the graver harm.

`scope` are the highest nodes of the tree that somebody may review; an empty one holds nothing. `care` are
those at which they are trained for people in danger; with None no such line is drawn.

Neighbours: `queue` lists and counts, `leases` puts into hands, `filters` narrows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.account import Account, Grant
from models.base import UtcDateTime
from models.organisation import within
from models.review import ReviewTask
from models.vocabulary import Category, Role, TaskState

GRAVEST: Final = (
    Category.SELF_HARM,
    Category.THREAT,
    Category.SEXUAL,
    Category.DOXXING,
    Category.ILLEGAL_GOODS,
    Category.SCAM,
    Category.MALICIOUS_LINK,
    Category.HATE,
    Category.HARASSMENT,
    Category.SPAM,
)
"""The harms, gravest first: what comes first among tasks of one urgency and one limit."""


_SEVERITY: Final = sa.case(
    {category.value: place for place, category in enumerate(GRAVEST)},
    value=sa.cast(ReviewTask.category, sa.String(32)),
    else_=len(GRAVEST),
)
ORDER: Final = (
    col(ReviewTask.lane),
    col(ReviewTask.urgency),
    col(ReviewTask.due_at),
    _SEVERITY,
    col(ReviewTask.id),
)


def behind(session: Session, after: str | None) -> list[sa.ColumnElement[bool]]:
    """Return the condition of standing behind a task in the order; none for one that does not exist."""
    last = session.get(ReviewTask, after) if after else None
    if last is None:
        return []
    severity = GRAVEST.index(last.category) if last.category else len(GRAVEST)
    values = (
        sa.literal(last.lane),
        sa.literal(last.urgency),
        sa.literal(last.due_at, UtcDateTime()),
        sa.literal(severity),
        sa.literal(last.id),
    )
    return [sa.tuple_(*ORDER) > sa.tuple_(*values)]


def cared_for(session: Session) -> list[str]:
    """Return the places at which somebody is trained for people in danger."""
    return list(
        session.exec(
            select(Grant.organisation)
            .join(Account, col(Account.id) == col(Grant.account_id))
            .where(col(Grant.role) == Role.CARE, col(Account.disabled_at).is_(None))
        )
    )


def open_tasks(
    session: Session,
    scope: Sequence[str],
    care: Sequence[str] | None,
    category: Category | None = None,
    urgency: int | None = None,
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of waiting within the scope, of a category or an urgency."""
    found = [
        col(ReviewTask.state) == TaskState.OPEN,
        col(ReviewTask.second).is_(None),
        within(ReviewTask.organisation, scope),
    ]
    if care is not None and (roots := cared_for(session)):
        found.append(
            sa.or_(
                col(ReviewTask.category).is_(None),
                col(ReviewTask.category) != Category.SELF_HARM,
                within(ReviewTask.organisation, care),
                sa.not_(within(ReviewTask.organisation, roots)),
            )
        )
    if category is not None:
        found.append(col(ReviewTask.category) == category)
    if urgency is not None:
        found.append(col(ReviewTask.urgency) == urgency)
    return found


def free_for(officer: str, now: datetime) -> sa.ColumnElement[bool]:
    """Whether a task lies in nobody else's hands."""
    return sa.or_(
        col(ReviewTask.leased_until).is_(None),
        col(ReviewTask.leased_until) <= now,
        col(ReviewTask.leased_by) == officer,
    )


def is_leased(task: ReviewTask, now: datetime) -> bool:
    """Whether a task lies in somebody's hands."""
    return task.leased_until is not None and task.leased_until > now
