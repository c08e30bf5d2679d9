"""How busy a board is: where much is posted, standing side by side says little. Pure.

Two posts of one board and one day probably voice one need where a board has three posts a day, and
probably do not where it has three hundred. The scorer's weights are fitted on quiet months, so they are
told how many times busier than such a month it is: the odds that a post met by chance is one of the same
demand fall with the number of posts that are met by chance.

Only posts of *another domain* are counted. A demand of which everybody speaks would otherwise make its
own board busy, and speak against itself.

It keeps counts by board, domain and half day; no post, and no author. Neighbours: `scoring` asks for small
windows, `columns` and `standing` for large ones.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from sentiment.demand.scoring import FloatArray, Item

HALF_DAYS: Final = 2.0
AROUND: Final = (-1, 0, 1)
"""Half days that are counted around the one of a post."""

QUIET_BOARD: Final = 2.0
"""Posts a day of other domains on one board up to which it is quiet."""

QUIET_ALL: Final = 14.0
"""The same for all boards together."""

EVERYWHERE: Final = ""

Mark = tuple[str, int, int]
"""A board, a domain and a half day."""


class Traffic:
    """Counts of posts by board, domain and half day."""

    def __init__(self) -> None:
        self._of_domain: Counter[Mark] = Counter()
        self._of_all: Counter[tuple[str, int]] = Counter()

    @staticmethod
    def marks(items: "Iterable[Item]") -> list[Mark]:
        """Return what is counted of each post."""
        return [(item.organisation, int(item.domain.argmax()), int(item.day * HALF_DAYS)) for item in items]

    def add(self, marks: Iterable[Mark] | Counter[Mark], times: int = 1) -> None:
        """Count posts, or with `times` -1 let them go."""
        for (board, domain, half), count in Counter(marks).items():
            for place in (board, EVERYWHERE):
                self._of_domain[place, domain, half] += times * count
                self._of_all[place, half] += times * count

    def busy(self, marks: Iterable[Mark]) -> "tuple[FloatArray, FloatArray]":
        """Return for each post how busy its board was about then, and everything: log of times the quiet."""
        known: dict[Mark, tuple[float, float]] = {}
        listed = list(marks)
        for mark in set(listed):
            board, domain, half = mark
            known[mark] = (
                self._busy(board, domain, half, QUIET_BOARD),
                self._busy(EVERYWHERE, domain, half, QUIET_ALL),
            )
        found = np.array([known[mark] for mark in listed], dtype=np.float32).reshape(-1, 2)
        return found[:, 0].copy(), found[:, 1].copy()

    def _busy(self, place: str, domain: int, half: int, quiet: float) -> float:
        others = sum(
            self._of_all[place, half + step] - self._of_domain[place, domain, half + step] for step in AROUND
        )
        return max(0.0, float(np.log(max(others, 1) * HALF_DAYS / len(AROUND) / quiet)))
