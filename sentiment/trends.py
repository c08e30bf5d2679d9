"""How many people ask for something each day, and how many were to be expected. Pure.

A day is compared with the days of its own kind in the eight weeks before: the same weekday in the same
part of the term. Counts of people scatter like counts do, and more if they did so before; the range
holds 95 days of 100 that are like the others. Where too few such days are known, nothing is expected,
and nothing is called unusual.

It refuses to look at authors: counts of a topic and a place come in, and ranges go out.

Neighbours: `terms` says what kind of day it is; `trend_days` counts; `demand/heat` uses the growth.

Source
------
McCullagh, Nelder (1989), Generalized Linear Models, 2nd ed., 6.2 (overdispersion).
Anscombe (1948), Biometrika 35, 246-254 (the square root of a count has about the same scatter everywhere).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from models.vocabulary import Trend
from sentiment.terms import kind_of

WEEKS: Final = 8
FEWEST: Final = 3
"""Days of one kind from which a range is given."""

Z: Final = 1.959964
"""The 97.5 % point of the normal distribution."""

WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class Expected:
    """What was to be expected on a day, from `days` days like it. Unit: people per day, >= 0."""

    low: float
    middle: float
    high: float
    days: int


@dataclass(frozen=True, slots=True)
class Point:
    """One day of a figure. `authors` is None where too few people spoke to be told of."""

    day: date
    authors: int | None
    expected: Expected | None

    @property
    def unusual(self) -> bool:
        """Whether more people spoke than the range holds."""
        return self.authors is not None and self.expected is not None and self.authors > self.expected.high


def expected(counts: Mapping[date, int], day: date) -> Expected | None:
    """Return the range that holds 95 % of days like `day`, or None if fewer than three are known.

    Parameters
    ----------
    counts
        Distinct people of each known day. Days that are not in it are unknown, not zero.
    day
        The day asked about; it and later ones are not looked at.

    Raises
    ------
    ValueError
        If a count is negative.
    """
    if any(count < 0 for count in counts.values()):
        raise ValueError("a count is at least 0")
    kind = kind_of(day)
    before = [day - timedelta(days=back) for back in range(1, WEEKS * WEEK + 1)]
    known = [one for one in before if one in counts and kind_of(one).phase is kind.phase]
    alike = [one for one in known if kind_of(one) == kind]
    if len(alike) < FEWEST:
        # Working days are alike enough among themselves, and so are days off.
        alike = [one for one in known if kind_of(one).off == kind.off]
    if len(alike) < FEWEST:
        return None
    values = [counts[one] for one in alike]
    return interval(values)


def interval(values: Sequence[int]) -> Expected:
    """Return the 95 % range of one more day like these, widened by how few they are. `values` not empty."""
    n = len(values)
    middle = sum(values) / n
    scatter = sum((value - middle) ** 2 for value in values) / max(1, n - 1)
    over = max(1.0, scatter / middle) if middle > 0 else 1.0
    half = Z * math.sqrt(over * (1 + 1 / n)) / 2
    low, high = max(0.0, math.sqrt(middle) - half) ** 2, (math.sqrt(middle) + half) ** 2
    return Expected(round(low, 2), round(middle, 2), round(high, 2), n)


def series(counts: Mapping[date, int], first: date, last: date, *, least: int = 0) -> list[Point]:
    """Return every day from `first` to `last` with what was to be expected.

    With `least`, a count of fewer people is left out (charter, 5), and every other is rounded down to
    tens, the range too, so that neither a step nor a difference of two places tells of a few people.
    """
    result = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        count, range_ = counts.get(day, 0), expected(counts, day)
        if least and range_ is not None:
            range_ = Expected(_tens(range_.low), _tens(range_.middle), _tens(range_.high), range_.days)
        told = (count - count % 10 if count >= least else None) if least else count
        result.append(Point(day, told, range_))
    return result


def _tens(value: float) -> float:
    return float(round(value / 10) * 10)


def growth(recent: float, usual: float) -> float:
    """Return how far a count stands above what is usual, in standard deviations.

    Parameters
    ----------
    recent, usual
        People in a period, and how many were to be expected. Unit: people, >= 0.

    Raises
    ------
    ValueError
        If either is negative or not finite.

    Source
    ------
    Anscombe (1948), Biometrika 35, 246-254.
    """
    if not (math.isfinite(recent) and math.isfinite(usual) and recent >= 0 and usual >= 0):
        raise ValueError("counts are finite and at least 0")
    return 2 * (math.sqrt(recent) - math.sqrt(usual))


def trend_of(recent: float, usual: float) -> Trend:
    """Return the word for a growth: outside of what chance alone does in 95 of 100 cases, or not."""
    above = growth(recent, usual)
    if recent == usual == 0:
        return Trend.UNKNOWN
    if above >= Z:
        return Trend.RISING
    return Trend.FALLING if above <= -Z else Trend.STEADY
