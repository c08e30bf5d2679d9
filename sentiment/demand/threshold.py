"""How many people must voice a need before it is proposed, and who may change that.

The charter's number is ten. A place may set it higher freely, and as low as five with a recorded
reason; nothing sets it lower. A recorded value that the charter does not allow counts as ten.

Neighbours: `grouping` asks; the settings page calls `set_minimum_authors`.
"""

from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from models.audit import record
from models.demand import Setting
from models.errors import CharterViolation
from models.organisation import ancestors
from sentiment.settings import MINIMUM_AUTHORS

KEY: Final = "demand_min_authors"
LOWEST: Final = 5
"""Below this a group is never proposed, whatever the reason."""


def checked(authors: int, reason: str) -> int:
    """Return `authors` if the charter allows it.

    Raises
    ------
    CharterViolation
        Below five always; below ten without a reason.
    """
    if authors < LOWEST:
        raise CharterViolation(
            f"a demand needs at least {LOWEST} people", code="too_few_authors", field="/value"
        )
    if authors < MINIMUM_AUTHORS and not reason.strip():
        raise CharterViolation(
            f"fewer than {MINIMUM_AUTHORS} people need a recorded reason",
            code="reason_missing",
            field="/reason",
        )
    return authors


def set_minimum_authors(
    session: Session, organisation: str, authors: int, *, reason: str, actor: str, now: datetime
) -> Setting:
    """Record the number for a place and what lies under it.

    Raises
    ------
    CharterViolation
        If the charter does not allow it.
    """
    setting = Setting(
        key=KEY,
        organisation=organisation,
        value=checked(authors, reason),
        reason=reason,
        changed_by=actor,
        changed_at=now,
    )
    session.add(setting)
    record(
        session,
        now,
        actor=actor,
        action="setting.changed",
        subject=KEY,
        organisation=organisation,
        details={"value": authors},
    )
    return setting


def minimums(session: Session) -> dict[str, int]:
    """Return the number in force at every place that has one of its own."""
    found: dict[str, int] = {}
    for row in session.exec(select(Setting).where(Setting.key == KEY).order_by(col(Setting.changed_at))):
        allowed = isinstance(row.value, int) and not isinstance(row.value, bool)
        try:
            found[row.organisation] = checked(row.value, row.reason) if allowed else MINIMUM_AUTHORS
        except CharterViolation:
            found[row.organisation] = MINIMUM_AUTHORS
    return found


def minimum_for(found: dict[str, int], organisation: str, default: int) -> int:
    """Return the number in force at `organisation`: its own, or that of the nearest node above."""
    return next((found[path] for path in ancestors(organisation) if path in found), default)
