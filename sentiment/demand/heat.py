"""The heat of a demand: one number by which the board is sorted. Pure; the formula is published.

    heat = round(100 × (0.40 people + 0.30 growth + 0.20 urgency + 0.10 waiting))

    people   = min(1, ln(1 + p) / ln(501))        p: distinct people, voices included
    growth   = g / (g + 4), g = max(0, 2(√r − √e)) r: people of the last 7 days, e: how many were expected
    urgency  = mean over the posts of what their words say, 0 to 1 (`sentiment/urgency.py`)
    waiting  = min(1, d / 30)                     d: days since the demand was proposed

Each part is told beside the number. It refuses to know anything but these four: not who asks, not how
angry they are, not whom a demand is about.

Neighbours: `warmth` counts what goes in; docs/explanation/demands.md publishes the formula.
"""

import math
from dataclasses import dataclass
from typing import Final

from sentiment.trends import growth

WEIGHTS: Final = {"people": 0.40, "growth": 0.30, "urgency": 0.20, "waiting": 0.10}
MANY: Final = 500
"""People from which more add nothing."""

STRONG: Final = 4.0
"""Standard deviations of growth that count for a half."""

LONG: Final = 30.0
"""Days from which waiting longer adds nothing."""


@dataclass(frozen=True, slots=True)
class Heat:
    """The number, 0 to 100, and its parts, each 0 to 1."""

    value: int
    people: float
    growth: float
    urgency: float
    waiting: float

    def parts(self) -> dict[str, float]:
        """Return the parts by their names."""
        return {name: getattr(self, name) for name in WEIGHTS}


def heat(people: int, recent: int, usual: float, urgency: float, days_open: float) -> Heat:
    """Return the heat of one demand.

    Parameters
    ----------
    people
        Distinct people, voices included, >= 0.
    recent, usual
        People of the last seven days, and how many were to be expected in them, >= 0.
    urgency
        Mean over its posts, in [0, 1].
    days_open
        Days since it was proposed, >= 0.

    Raises
    ------
    ValueError
        If a value lies outside its range.
    """
    if people < 0 or not 0.0 <= urgency <= 1.0 or days_open < 0:
        raise ValueError("people and days are at least 0, urgency lies in [0, 1]")
    above = max(0.0, growth(recent, usual))
    parts = {
        "people": min(1.0, math.log1p(people) / math.log1p(MANY)),
        "growth": above / (above + STRONG),
        "urgency": urgency,
        "waiting": min(1.0, days_open / LONG),
    }
    value = round(100 * sum(WEIGHTS[name] * part for name, part in parts.items()))
    return Heat(value, **{name: round(part, 3) for name, part in parts.items()})
