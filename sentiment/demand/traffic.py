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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

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

_DOMAINS: Final = 1 << 6
_HALVES: Final = 1 << 24

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Marks:
    """What is counted of posts: the board of each as a place among `boards`, domain and half day."""

    boards: Sequence[str]
    board: npt.NDArray[np.integer[Any]]
    domain: npt.NDArray[np.integer[Any]]
    half: Numbers

    @classmethod
    def of(
        cls,
        boards: Sequence[str],
        board: npt.NDArray[np.integer[Any]],
        domains: "FloatArray",
        days: npt.NDArray[np.float64],
    ) -> "Marks":
        """Return the marks of posts, with a row of probabilities of domains for each."""
        return cls(boards, board, domains.argmax(axis=1), (days * HALF_DAYS).astype(np.int64))


class Tally:
    """How often each of many keys came; a few bytes a key."""

    def __init__(self) -> None:
        self._keys = np.zeros(0, dtype=np.int64)
        self._counts = np.zeros(0, dtype=np.int32)

    def add(self, keys: Numbers, times: int) -> None:
        """Count keys, or let them go; those of which none is left are forgotten."""
        new, counts = np.unique(keys, return_counts=True)
        at = np.searchsorted(self._keys, new)
        known = np.zeros(len(new), dtype=np.bool_)
        inside = at < len(self._keys)
        known[inside] = self._keys[at[inside]] == new[inside]
        self._counts[at[known]] += (times * counts[known]).astype(np.int32)
        if not known.all():
            self._keys = np.insert(self._keys, at[~known], new[~known])
            self._counts = np.insert(self._counts, at[~known], times * counts[~known])
        if times < 0:
            left = self._counts != 0
            self._keys, self._counts = self._keys[left], self._counts[left]

    def of(self, keys: Numbers) -> Numbers:
        """Return how often each key came."""
        if not len(self._keys):
            return np.zeros(len(keys), dtype=np.int64)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._counts[at], 0).astype(np.int64)


class Traffic:
    """Counts of posts by board, domain and half day."""

    def __init__(self) -> None:
        self._numbers = {EVERYWHERE: 0}
        self._of_domain = Tally()
        self._of_all = Tally()

    @staticmethod
    def marks(items: "Sequence[Item]") -> Marks:
        """Return what is counted of each post."""
        boards: dict[str, int] = {}
        board = [boards.setdefault(item.organisation, len(boards)) for item in items]
        domains = np.array([item.domain for item in items], dtype=np.float32)
        days = np.array([item.day for item in items], dtype=np.float64)
        return Marks.of(list(boards), np.array(board, dtype=np.int64), domains, days)

    def add(self, marks: Marks, times: int = 1) -> None:
        """Count posts, or with `times` -1 let them go."""
        for place in (self._board(marks), np.int64(0)):
            self._of_domain.add(_with_domain(_key(place, marks.half), marks.domain), times)
            self._of_all.add(_key(place, marks.half), times)

    def busy(self, marks: Marks) -> "tuple[FloatArray, FloatArray]":
        """Return for each post how busy its board was about then, and everything: log of times the quiet."""
        domain = np.asarray(marks.domain, dtype=np.int64)
        told = _with_domain(_key(self._board(marks), marks.half), domain)
        everywhere = _with_domain(_key(np.int64(0), marks.half), domain)
        return self._busy(told, QUIET_BOARD), self._busy(everywhere, QUIET_ALL)

    def _board(self, marks: Marks) -> Numbers:
        """Return the number of each post's board, 1 and more."""
        known = [self._numbers.setdefault(board, len(self._numbers)) for board in marks.boards]
        return np.asarray(np.array(known, dtype=np.int64)[marks.board], dtype=np.int64)

    def _busy(self, told: Numbers, quiet: float) -> "FloatArray":
        told, at = np.unique(told, return_inverse=True)
        domain, key = told % _DOMAINS, told // _DOMAINS
        others = np.zeros(len(told), dtype=np.int64)
        for step in AROUND:
            others += self._of_all.of(key + step) - self._of_domain.of(_with_domain(key + step, domain))
        times = np.log(np.maximum(others, 1) * HALF_DAYS / len(AROUND) / quiet)
        return np.maximum(times, 0).astype(np.float32)[at]


def _key(place: Numbers | np.int64, half: Numbers) -> Numbers:
    """Return one number for a board and a half day."""
    return np.asarray(place * _HALVES + half, dtype=np.int64)


def _with_domain(key: Numbers, domain: npt.NDArray[np.integer[Any]]) -> Numbers:
    """Return one number for that and a domain."""
    return np.asarray(key * _DOMAINS + domain, dtype=np.int64)
