"""How many people have to say something before it counts: ten, or as few as five with a reason.

The one home of the charter's number (charter, 5). A place may ask for more freely, and for as few as
five with a recorded reason; nothing asks for less. What holds at a place is the newest setting of
the nearest node that has one, and a recorded value that the charter does not allow counts as ten.

Refuses: a number under five always, and one under ten without a reason.

Neighbours: `sentiment.demand.grouping` proposes by it, `moderation.deletion` sends back by it,
`alerts` tells nothing below it; `demand.Setting` is the record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from models.audit import record
from models.demand import Setting
from models.errors import CharterViolation
from models.organisation import ancestors

KEY: Final = "demand_min_authors"
MINIMUM_AUTHORS: Final = 10
LOWEST_AUTHORS: Final = 5
"""Nothing goes below this, whatever the reason."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The least number of distinct authors, and why it is lower than ten if it is.

    Raises
    ------
    CharterViolation
        Below five always; below ten without a reason.
    """

    k: int = MINIMUM_AUTHORS
    reason: str = ""

    def __post_init__(self) -> None:
        if self.k < LOWEST_AUTHORS:
            raise CharterViolation(
                f"nothing is told about fewer than {LOWEST_AUTHORS} people",
                code="too_few_authors",
                field="/value",
            )
        if self.k < MINIMUM_AUTHORS and not self.reason.strip():
            raise CharterViolation(
                f"fewer than {MINIMUM_AUTHORS} people need a recorded reason",
                code="reason_missing",
                field="/reason",
            )


def set_minimum_authors(
    session: Session, organisation: str, authors: int, *, reason: str, actor: str, now: datetime
) -> Setting:
    """Record the number for a place and what lies under it.

    Raises
    ------
    CharterViolation
        If the charter does not allow it.
    """
    allowed = Threshold(authors, reason)
    setting = Setting(
        key=KEY,
        organisation=organisation,
        value=allowed.k,
        reason=allowed.reason,
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
        details={"value": allowed.k, "reason": allowed.reason},
    )
    return setting


def thresholds(session: Session) -> dict[str, Threshold]:
    """Return what holds at every place that has a number of its own."""
    rows = session.exec(select(Setting).where(Setting.key == KEY).order_by(col(Setting.changed_at)))
    return {row.organisation: _recorded(row) for row in rows}


def nearest(found: Mapping[str, Threshold], organisation: str, default: int = MINIMUM_AUTHORS) -> Threshold:
    """Return what holds at `organisation`: its own number, or that of the nearest node above."""
    return next((found[path] for path in ancestors(organisation) if path in found), Threshold(default))


def threshold_for(session: Session, organisation: str) -> Threshold:
    """Return what holds at one place."""
    return nearest(thresholds(session), organisation)


def _recorded(setting: Setting) -> Threshold:
    if not isinstance(setting.value, int) or isinstance(setting.value, bool):
        return Threshold()
    try:
        return Threshold(setting.value, setting.reason)
    except CharterViolation:
        return Threshold()
