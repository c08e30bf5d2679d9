"""How far officers agree beyond chance, when each has read only some of the posts. Pure.

Refuses: to say anything about one officer, or about posts that one officer alone has read.

Neighbours: `quality` brings the answers.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

PAIR: Final = 2
"""Answers about one post that can be compared at all."""


def krippendorff_alpha(units: Iterable[Sequence[Hashable | None]]) -> float | None:
    """Return Krippendorff's alpha for nominal answers.

    Parameters
    ----------
    units
        The answers about each post, one per officer who read it; None is an answer that is missing.
        A unit with fewer than two answers says nothing and is left out.

    Returns
    -------
    float or None
        1 for perfect agreement, 0 for that of chance, below 0 for less. None where no unit has two
        answers, or where all answers are one and the same: chance agrees perfectly too, and alpha is
        not defined.

    Source
    ------
    Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C.
    """
    # Each unit puts its pairs into the coincidences with weight 1 / (m - 1): every answer counts once.
    agreeing, totals = 0.0, Counter[Hashable]()
    for unit in units:
        found = [answer for answer in unit if answer is not None]
        if len(found) < PAIR:
            continue
        counts = Counter(found)
        totals.update(counts)
        agreeing += sum(count * (count - 1) for count in counts.values()) / (len(found) - 1)
    n = sum(totals.values())
    by_chance = sum(count * (count - 1) for count in totals.values())
    if n == 0 or by_chance == n * (n - 1):
        return None
    return 1 - (n - 1) * (n - agreeing) / (n * (n - 1) - by_chance)
