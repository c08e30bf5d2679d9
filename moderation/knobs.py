"""What a place sets about quality and care: whole numbers within bounds, each with its default.

The newest setting of the nearest node holds. A recorded value outside the bounds counts as the default.

Neighbours: `api/adjustments.py` takes a change with its reason; `drawing`, `second_reading`, `exposure` and
`reports` ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlmodel import Session, col, select

from models.demand import Setting
from models.organisation import ancestors


@dataclass(frozen=True, slots=True)
class Knob:
    """A setting's bounds, both inclusive, and what holds while nobody has set it."""

    low: int
    high: int
    default: int


REMOVED: Final = "qa_removed_percent"
PUBLISHED: Final = "qa_published_per_10000"
TWICE: Final = "qa_twice_percent"
GOLDEN: Final = "qa_golden_percent"
COLD: Final = "qa_cold_percent"
BULK: Final = "second_bulk_over"
SECOND_HOURS: Final = "second_hours"
HARSH_LIMIT: Final = "harsh_posts_a_day"
BREAK_EVERY: Final = "break_after_harsh"
FLOOD: Final = "reports_an_hour"

KNOBS: Final[Mapping[str, Knob]] = MappingProxyType(
    {
        REMOVED: Knob(0, 100, 5),
        PUBLISHED: Knob(0, 10_000, 10),
        TWICE: Knob(0, 100, 25),
        GOLDEN: Knob(0, 20, 2),
        COLD: Knob(0, 50, 10),
        BULK: Knob(1, 200, 100),
        SECOND_HOURS: Knob(1, 168, 24),
        HARSH_LIMIT: Knob(10, 1_000, 150),
        BREAK_EVERY: Knob(5, 200, 30),
        FLOOD: Knob(1, 100, 10),
    }
)
"""The share of removals that are read again is in percent; that of published posts in ten thousandths,
for the lowest band (`quality.LIFT` raises it for the others); `COLD` is the share of ordinary posts shown
without the machine's view, among which the samples hide."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """All recorded values, by key and place, to be asked many times in one transaction."""

    found: Mapping[tuple[str, str], int]

    def value(self, key: str, organisation: str) -> int:
        """Return what holds at a place."""
        for path in ancestors(organisation):
            if (key, path) in self.found:
                return self.found[key, path]
        return KNOBS[key].default


def recorded(session: Session, *keys: str) -> Knobs:
    """Return what was set anywhere; of all keys, or of some."""
    rows = session.exec(
        select(Setting).where(col(Setting.key).in_(keys or tuple(KNOBS))).order_by(col(Setting.changed_at))
    )
    return Knobs({(row.key, row.organisation): row.value for row in rows if _fits(row)})


def value(session: Session, key: str, organisation: str) -> int:
    """Return what holds at one place."""
    return recorded(session, key).value(key, organisation)


def _fits(row: Setting) -> bool:
    knob = KNOBS[row.key]
    return (
        isinstance(row.value, int) and not isinstance(row.value, bool) and knob.low <= row.value <= knob.high
    )
