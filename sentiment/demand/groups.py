"""Say what a group of posts is, and how each post stands in it. Pure.

Neighbours: `clustering` makes groups; `grouping` and `suggestions` read them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from sentiment.demand.columns import Compact, Rows
from sentiment.demand.refining import LARGEST
from sentiment.demand.scoring import FloatArray, Profiles, Scorer, pair_parts


@dataclass(frozen=True, slots=True)
class Member:
    """One post of a group: how probably it belongs, and what spoke for it most (logits)."""

    key: str
    probability: float
    parts: Mapping[str, float]


class Told(Sequence[Member]):
    """The members of one group of a large window; what speaks for each is computed when somebody asks."""

    __slots__ = ("_ask", "_told", "keys")

    def __init__(self, keys: Sequence[str], ask: Callable[[], tuple[Member, ...]]) -> None:
        self.keys = keys
        self._ask = ask
        self._told: tuple[Member, ...] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, at: int) -> Member: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Member, ...]: ...
    def __getitem__(self, at: int | slice) -> Member | tuple[Member, ...]:
        if self._told is None:
            self._told = self._ask()
        return self._told[at]


@dataclass(frozen=True, slots=True)
class Group:
    """Posts of one need. `kept` is the id of the demand that it continues, if that is fixed.

    `cohesion` is the probability that the group is one demand, 1 where nobody asked. A group that was not
    `touched` is as the last run left it, and nothing new is known of it.
    """

    members: Sequence[Member]
    kept: str | None = None
    cohesion: float = 1.0
    touched: bool = True

    @property
    def keys(self) -> Sequence[str]:
        """The keys of the members, in their order."""
        return self.members.keys if isinstance(self.members, Told) else [one.key for one in self.members]


def members_of(
    keys: Sequence[str], profiles: Profiles, scorer: Scorer, rows: Sequence[int]
) -> tuple[Member, ...]:
    """Return the members of one group, oldest first, each judged by its likeness to the others.

    The probability of a join is the mean over the three nearest other members; the parts are those
    of the nearest. `keys` and `profiles` are those of the window, `rows` those of the group.
    """
    at = np.array(sorted(rows), dtype=np.int64)
    if len(at) == 1:
        return (Member(keys[at[0]], 1.0, {}),)
    probable = scorer.between(profiles, at, at)
    np.fill_diagonal(probable, -1.0)
    return _judged([keys[row] for row in at.tolist()], profiles, scorer, at, at, probable)


def told(keys: Sequence[str], window: Compact, scorer: Scorer, rows: Rows) -> Told:
    """Return the members of one group of a large window, judged when asked, beside its newest 256 posts."""

    def ask() -> tuple[Member, ...]:
        if len(rows) <= LARGEST:
            return members_of(keys, window.profiles(rows), scorer, range(len(rows)))
        result: list[Member] = []
        for start in range(0, len(rows), LARGEST):
            part = rows[start : start + LARGEST]
            both = window.profiles(np.concatenate([part, rows[-LARGEST:]]))
            here = np.arange(len(part), dtype=np.int64)
            there = np.arange(len(part), len(both.days), dtype=np.int64)
            probable = scorer.between(both, here, there)
            probable[part[:, None] == rows[None, -LARGEST:]] = -1.0
            result += _judged(keys[start : start + LARGEST], both, scorer, here, there, probable)
        return tuple(result)

    return Told(keys, ask)


def _judged(  # noqa: PLR0917 - the members and what they are compared with
    keys: Sequence[str], profiles: Profiles, scorer: Scorer, rows: Rows, columns: Rows, probable: FloatArray
) -> tuple[Member, ...]:
    nearest = -np.sort(-probable, axis=1)[:, : min(3, len(columns) - 1)]
    values = pair_parts(profiles, rows, columns[probable.argmax(axis=1)])
    return tuple(
        Member(key, round(float(nearest[place].mean()), 4), scorer.shares(values[place]))
        for place, key in enumerate(keys)
    )
