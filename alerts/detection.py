"""Say whether a count stands above what is usual, so far that somebody should look. Pure.

Neighbours: `surges` counts and proposes events.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SCORE: Final = 4.0
FACTOR: Final = 2.0
BASELINE_DAYS: Final = 28
LEAST_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Surge:
    """A count of today against the mean of the days before. Unit: people per day."""

    count: int
    expected: float
    score: float


def burst_score(count: int, expected: float) -> float:
    """Return how far `count` stands above `expected`, in standard deviations.

    Parameters
    ----------
    count
        People in the window. Unit: people per window, >= 0.
    expected
        Mean of the same window before. Unit: people per window, >= 0.

    Raises
    ------
    ValueError
        If either is negative or not finite.

    Source
    ------
    Anscombe (1948), Biometrika 35, 246-254: 2 sqrt(x + 3/8) of a Poisson count has a variance near one.
    """
    if count < 0 or expected < 0 or not math.isfinite(expected):
        raise ValueError("need counts that are finite and not negative")
    return 2 * math.sqrt(count + 0.375) - 2 * math.sqrt(expected + 0.375)


def surge(days: Sequence[int], today: int, least: int) -> Surge | None:
    """Return the surge that today's count is, or None.

    It is one if at least `least` people speak, twice as many as on a usual day, and four standard
    deviations above. Fewer than a week of days before say nothing.

    Parameters
    ----------
    days
        People per day on the days before, without today; at most the last 28 count. Unit: people per day.
    today
        People in the last 24 hours. Unit: people.
    least
        The k of the place. Unit: people.
    """
    before = list(days)[-BASELINE_DAYS:]
    if len(before) < LEAST_DAYS or today < least:
        return None
    expected = sum(before) / len(before)
    score = burst_score(today, expected)
    if score < SCORE or today < FACTOR * expected:
        return None
    return Surge(today, expected, score)
