"""Care for officers: harsh posts counted by day, a limit, a pass without a reason, a break.

Only counts per day and category are kept, for thirty days. The officer sees their own; a lead sees the sum of
a place. Past the limit harsh categories are no longer assigned to that officer until tomorrow; opening
one from the list stays possible, and others take them: nothing is ever blocked. People in danger are
counted and never withheld, because somebody who is trained may be the only one there.

Refuses: to keep a reason for a pass, or which posts somebody saw.

Neighbours: `queue` assigns by `conditions`; `drawing` keeps a sample from its first reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from models.account import Grant
from models.database import Database
from models.organisation import within
from models.quality import ExposureDay, TaskPass
from models.review import ReviewTask
from models.vocabulary import Category, TaskState
from moderation import knobs

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
HARSH: Final = frozenset({Category.THREAT, Category.SEXUAL, Category.HATE, Category.HARASSMENT})
COUNTED: Final = HARSH | {Category.SELF_HARM}
KEPT: Final = timedelta(days=30)
PASSED_FOR: Final = timedelta(days=1)
_DAYS: Final = ExposureDay.__table__  # type: ignore[attr-defined]
_PASSES: Final = TaskPass.__table__  # type: ignore[attr-defined]
_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one officer was shown on one day: counts of harsh posts, and where the limit lies."""

    day: date
    shown: int
    unfolded: int
    by_category: dict[Category, tuple[int, int]]
    limit: int
    every: int

    @property
    def over(self) -> bool:
        """Whether harsh categories are no longer assigned today."""
        return self.shown >= self.limit

    @property
    def break_due(self) -> bool:
        """Whether the last harsh post completed a stretch after which a break does good."""
        return self.shown > 0 and self.shown % self.every == 0


def day_of(now: datetime) -> date:
    """Return the day in Shanghai."""
    return now.astimezone(SHANGHAI).date()


def note_shown(
    session: Session, officer: str, category: Category | None, now: datetime, *, count: int = 1
) -> None:
    """Count posts of a category that were opened, if it is harsh."""
    _add(session, officer, category, now, shown=count)


def note_unfolded(session: Session, task_id: str, officer: str, now: datetime) -> None:
    """Count that the text of a post in one's hands was unfolded. Of another post it counts nothing."""
    task = session.get(ReviewTask, task_id)
    if task is not None and task.leased_by == officer and task.leased_until and task.leased_until > now:
        _add(session, officer, task.category, now, unfolded=1)


def _add(
    session: Session,
    officer: str,
    category: Category | None,
    now: datetime,
    *,
    shown: int = 0,
    unfolded: int = 0,
) -> None:
    if category not in COUNTED:
        return
    connection = session.connection()
    insert: Any = _INSERTS[connection.dialect.name](_DAYS).values(
        account_id=officer, day=day_of(now), category=category, shown=shown, unfolded=unfolded
    )
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["account_id", "day", "category"],
            set_={"shown": _DAYS.c.shown + shown, "unfolded": _DAYS.c.unfolded + unfolded},
        )
    )


def of_officer(session: Session, officer: str, now: datetime) -> Exposure:
    """Return what an officer was shown today. Of several places' limits the lowest holds."""
    rows = session.exec(
        select(ExposureDay.category, ExposureDay.shown, ExposureDay.unfolded).where(
            ExposureDay.account_id == officer, ExposureDay.day == day_of(now)
        )
    ).all()
    found = {Category(category): (shown, unfolded) for category, shown, unfolded in rows}
    harsh = [counts for category, counts in found.items() if category in HARSH]
    set_values = knobs.recorded(session, knobs.HARSH_LIMIT, knobs.BREAK_EVERY)
    places = session.exec(select(Grant.organisation).where(col(Grant.account_id) == officer)).all() or [""]
    return Exposure(
        day=day_of(now),
        shown=sum(shown for shown, _ in harsh),
        unfolded=sum(unfolded for _, unfolded in harsh),
        by_category=found,
        limit=min(set_values.value(knobs.HARSH_LIMIT, place) for place in places),
        every=min(set_values.value(knobs.BREAK_EVERY, place) for place in places),
    )


@dataclass(frozen=True, slots=True)
class Together:
    """What all officers of some places were shown on one day, as one sum: never who."""

    day: date
    shown: int
    unfolded: int
    officers: int


FEWEST: Final = 3
"""Officers whose sum is told; the sum of fewer would be about somebody."""


def together(session: Session, scope: Sequence[str], now: datetime) -> list[Together]:
    """Return the sums of the last thirty days for officers with a grant within the scope, newest first."""
    rows = session.exec(
        select(
            col(ExposureDay.day),
            func.sum(ExposureDay.shown),
            func.sum(ExposureDay.unfolded),
            func.count(sa.distinct(col(ExposureDay.account_id))),
        )
        .where(
            col(ExposureDay.account_id).in_(
                select(Grant.account_id).where(within(Grant.organisation, scope))
            ),
            col(ExposureDay.day) > day_of(now - KEPT),
            col(ExposureDay.category).in_(HARSH),
        )
        .group_by(col(ExposureDay.day))
        .order_by(col(ExposureDay.day).desc())
    ).all()
    return [
        Together(day, int(shown), int(unfolded), officers)
        for day, shown, unfolded, officers in rows
        if officers >= FEWEST
    ]


def conditions(session: Session, officer: str, now: datetime) -> list[sa.ColumnElement[bool]]:
    """Return what a task must meet to be assigned to this officer: not passed, not beyond the limit."""
    passed = (
        select(TaskPass.task_id)
        .where(
            col(TaskPass.task_id) == col(ReviewTask.id),
            col(TaskPass.account_id) == officer,
            col(TaskPass.until) > now,
        )
        .correlate(ReviewTask)
        .exists()
    )
    found: list[sa.ColumnElement[bool]] = [~passed]
    if of_officer(session, officer, now).over:
        found.append(col(ReviewTask.category).is_(None) | col(ReviewTask.category).not_in(HARSH))
    return found


def keep_from(session: Session, task_id: str, officer: str, until: datetime) -> None:
    """Do not assign a task to an officer before `until`."""
    connection = session.connection()
    insert: Any = _INSERTS[connection.dialect.name](_PASSES).values(
        task_id=task_id, account_id=officer, until=until
    )
    connection.execute(
        insert.on_conflict_do_update(index_elements=["task_id", "account_id"], set_={"until": until})
    )


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows have run out."""

    days: int
    passes: int


def forget_due(database: Database, now: datetime) -> Forgotten:
    """Forget counts older than thirty days, and passes that have run out or whose task is over."""
    with database.transaction() as session:
        connection = session.connection()
        days = connection.execute(sa.delete(ExposureDay).where(col(ExposureDay.day) <= day_of(now - KEPT)))
        over = select(ReviewTask.id).where(
            col(ReviewTask.id) == col(TaskPass.task_id), col(ReviewTask.state) != TaskState.OPEN
        )
        passes = connection.execute(
            sa.delete(TaskPass).where((col(TaskPass.until) <= now) | over.correlate(TaskPass).exists())
        )
        return Forgotten(days.rowcount, passes.rowcount)
