"""Group posts that voice one need. Pure: no clock, no database, no randomness.

Copies fold first. Then pairs of posts are scored inside blocks (one organisation, one domain), and
groups are joined by the *mean* probability over all their pairs, best first: one post that is near
to two groups does not chain them. Two groups that are each at home at another organisation stay two,
however alike: another unit has to act. What a person said binds above every probability, and a demand
that was proposed is kept whole: it may gain posts, and never becomes one with another.

The result does not depend on the order of the items.

Neighbours: `scoring` compares two posts; `constraints` holds what a person said; `grouping` keeps
the result.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.cohesion import Cohesion, cohesion_parts
from sentiment.demand.constraints import Constraints
from sentiment.demand.refining import WHOLE, Compared, Membership, Refined, held_by, home_of, refine
from sentiment.demand.scoring import FloatArray, Item, Profiles, Scorer, pair_parts, profile

BLOCK: Final = 512
"""Rows of one block; a larger one is cut along time, each piece compared with the next as well."""

FLOOR: Final = 0.05
"""Pairs below this probability count as nothing."""

NEAREST: Final = 12
"""Pairs that are kept for one item in one block, where not every pair is compared."""

ASKED_FROM: Final = 5
"""Posts from which a group is asked whether it holds together: fewer are never proposed (charter, 5)."""

CELL: Final = 400
"""Items of one cell of meaning, on average."""

CELLS: Final = 2048
"""Cells of meaning at most."""

DRAWN: Final = 20_000
"""Items from which the middles of the cells are found."""

TURNS: Final = 2
AT_ONCE: Final = 8192
_SMALLEST: Final = 1e-6

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Member:
    """One post of a group: how probably it belongs, and what spoke for it most (logits)."""

    key: str
    probability: float
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Group:
    """Posts of one need. `kept` is the id of the demand that it continues, if that is fixed.

    `cohesion` is the probability that the group is one demand, 1 where nobody asked. A group that was not
    `touched` is as the last run left it, and nothing new is known of it.
    """

    members: tuple[Member, ...]
    kept: str | None = None
    cohesion: float = 1.0
    touched: bool = True


@dataclass
class _Joining:
    """The state of the joining: groups, the sums of probability between them, and what may not meet."""

    members: dict[int, list[int]]
    links: dict[int, dict[int, float]]
    kept: dict[int, str]
    held: dict[int, Counter[int]]
    apart: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    homes: dict[int, int | None] = field(default_factory=dict)

    def mean(self, left: int, right: int) -> float:
        return self.links[left].get(right, 0.0) / (len(self.members[left]) * len(self.members[right]))

    def may_join(self, left: int, right: int) -> bool:
        if right in self.apart[left] or (left in self.kept and right in self.kept):
            return False
        one, other = self.homes.get(left), self.homes.get(right)
        return one is None or other is None or one == other

    def join(self, left: int, right: int) -> int:
        """Make one group of two; that of more links stays, so that little moves, else the smaller number."""
        stays, goes = sorted((left, right), key=lambda name: (-len(self.links[name]), name))
        self.members[stays] += self.members.pop(goes)
        self.held[stays].update(self.held.pop(goes))
        self.homes.pop(goes, None)
        self.homes[stays] = home_of(self.held[stays])
        if goes in self.kept:
            self.kept[stays] = self.kept.pop(goes)
        for other, weight in self.links.pop(goes).items():
            self.links[other].pop(goes)
            if other != stays:
                self.links[stays][other] = self.links[stays].get(other, 0.0) + weight
                self.links[other][stays] = self.links[stays][other]
        for other in self.apart.pop(goes, set()):
            self.apart[other].discard(goes)
            self.apart[other].add(stays)
            self.apart[stays].add(other)
        return stays


def cluster(
    items: Sequence[Item],
    scorer: Scorer,
    membership: Membership | None = None,
    *,
    fixed: Mapping[str, str] | None = None,
    constraints: Constraints | None = None,
    cohesion: Cohesion | None = None,
) -> list[Group]:
    """Return the groups of `items`, each item in exactly one, the oldest group first.

    Parameters
    ----------
    items
        The posts of the window; keys are unique.
    scorer
        What two posts are compared with, and from which mean probability groups join.
    membership
        What a post and a group are compared with afterwards; without it the groups stay as joined.
    fixed
        For posts that stay where they are, the id of their demand.
    constraints
        What a person said. A contradiction is obeyed as a must-link here, and is for
        `Constraints.contradictions` to show.
    cohesion
        With a membership model, what says how probably each group is one demand.
    """
    if not items:
        return []
    ordered = sorted(items, key=lambda item: (item.day, item.key))
    return grouped(
        ordered,
        profile(ordered),
        scorer,
        membership,
        fixed=fixed,
        constraints=constraints,
        cohesion=cohesion,
    )


def grouped(
    ordered: Sequence[Item],
    profiles: Profiles,
    scorer: Scorer,
    membership: Membership | None = None,
    *,
    fixed: Mapping[str, str] | None = None,
    constraints: Constraints | None = None,
    cohesion: Cohesion | None = None,
) -> list[Group]:
    """Return what `cluster` does, of items in the order of time with the profiles they have."""
    if not ordered:
        return []
    compared = Compared(profiles, scorer)
    links = _links(ordered, compared)
    pairs = {row: dict(others) for row, others in links.items()}
    said = constraints or Constraints()
    state = _start(ordered, profiles, links, dict(fixed or {}), said)
    still = frozenset(
        row for name, rows in state.members.items() if len(rows) > 1 or name in state.kept for row in rows
    )
    _join_all(state, scorer.join)
    refined = Refined(state.members, still, state.kept, _apart(ordered, said))
    if membership is not None:
        refined = refine(refined, compared, pairs, membership)

    def holds_together(rows: Sequence[int]) -> float:
        if cohesion is None or membership is None or len(rows) < ASKED_FROM:
            return 1.0
        return cohesion.probability(cohesion_parts(compared, membership, rows))

    return [
        Group(_members(ordered, profiles, scorer, rows), refined.kept.get(name), holds_together(rows))
        for name, rows in sorted(refined.groups.items(), key=lambda entry: min(entry[1]))
    ]


def _apart(items: Sequence[Item], constraints: Constraints) -> dict[int, frozenset[int]]:
    """Return for each row that a person spoke of the rows it may not meet."""
    rows = {item.key: row for row, item in enumerate(items)}
    found: dict[int, set[int]] = defaultdict(set)
    for link in constraints.cannot:
        if link.left in rows and link.right in rows:
            found[rows[link.left]].add(rows[link.right])
            found[rows[link.right]].add(rows[link.left])
    return {row: frozenset(others) for row, others in found.items()}


def _links(items: Sequence[Item], compared: Compared) -> dict[int, dict[int, float]]:
    """Return the probability of every pair of rows that is worth keeping, in both directions."""
    links: dict[int, dict[int, float]] = {row: {} for row in range(len(items))}
    nearest = None if len(items) <= WHOLE else NEAREST
    for rows, columns in _blocks(items, compared.profiles):
        probable = compared.probabilities(rows, columns)
        probable[rows[:, None] == columns[None, :]] = 0.0
        for left, right, link in _strongest(probable, rows, columns, nearest):
            links[left][right] = links[right][left] = link
    return links


def _strongest(
    probable: FloatArray, rows: Numbers, columns: Numbers, nearest: int | None
) -> Iterable[tuple[int, int, float]]:
    """Return the pairs that are kept: none below the floor, and for each row the `nearest`."""
    kept = probable >= FLOOR
    if nearest is not None and len(columns) > nearest:
        at = np.argpartition(-probable, nearest, axis=1)[:, :nearest]
        among = np.zeros_like(kept)
        np.put_along_axis(among, at, values=True, axis=1)
        kept &= among
    across, down = np.nonzero(kept)
    return zip(rows[across].tolist(), columns[down].tolist(), probable[across, down].tolist(), strict=True)


def _blocks(items: Sequence[Item], profiles: Profiles) -> Iterable[tuple[Numbers, Numbers]]:
    """Yield rows and columns whose pairs are scored: those of one organisation, and of one cell of meaning.

    A block that is too large is cut along time, each piece compared with the next as well. Work grows
    with the number of items times the size of a block.
    """
    if len(items) <= WHOLE:
        every = np.arange(len(items), dtype=np.int64)
        yield every, every
        return
    placed = np.where(profiles.on_common_board, -1, profiles.organisations)
    for block in _alike(placed):
        if placed[block[0]] >= 0:
            yield from _pieces(block)
    for block in _alike(_cells(profiles.vectors)):
        yield from _pieces(block)


def _pieces(block: Numbers) -> Iterable[tuple[Numbers, Numbers]]:
    for start in range(0, len(block), BLOCK):
        yield block[start : start + BLOCK], block[start : start + 2 * BLOCK]


def _alike(labels: npt.NDArray[np.integer[Any]]) -> list[Numbers]:
    """Return the rows of each label, in order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _cells(vectors: FloatArray) -> npt.NDArray[np.int64]:
    """Return for each row its cell of meaning, by a few turns of k-means from evenly drawn seeds."""
    drawn = vectors[:: max(1, len(vectors) // DRAWN)]
    count = min(CELLS, max(1, len(vectors) // CELL))
    middles = drawn[:: max(1, len(drawn) // count)][:count]
    for _ in range(TURNS):
        nearest = _nearest(drawn, middles)
        sums = np.zeros_like(middles)
        np.add.at(sums, nearest, drawn)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        middles = np.where(lengths > 0, sums / np.maximum(lengths, _SMALLEST), middles)
    return _nearest(vectors, middles)


def _nearest(vectors: FloatArray, middles: FloatArray) -> npt.NDArray[np.int64]:
    """Return for each vector the place of the nearest middle, the first of equals."""
    result = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        result[part] = (vectors[part] @ middles.T).argmax(axis=1)
    return result


def _start(
    items: Sequence[Item],
    profiles: Profiles,
    links: dict[int, dict[int, float]],
    fixed: dict[str, str],
    constraints: Constraints,
) -> _Joining:
    """Return the groups to begin with: copies, fixed demands and must-links are already one."""
    held = {row: held_by(profiles, [row]) for row in range(len(items))}
    state = _Joining({row: [row] for row in range(len(items))}, links, {}, held)
    name = list(range(len(items)))

    def join(left: int, right: int) -> None:
        one, other = name[left], name[right]
        if one != other:
            stays = state.join(one, other)
            for row in state.members[stays]:
                name[row] = stays

    rows = {item.key: row for row, item in enumerate(items)}
    for key, leader in constraints.groups(rows).items():
        join(rows[key], rows[leader])
    for row, others in _apart(items, constraints).items():
        state.apart[name[row]] |= {name[other] for other in others} - {name[row]}
    first: dict[str, int] = {}
    for row, demand in [(row, fixed[item.key]) for row, item in enumerate(items) if item.key in fixed]:
        begun = name[first.setdefault(demand, row)]
        if begun == name[row] or (name[row] not in state.kept and name[row] not in state.apart[begun]):
            state.kept[begun] = demand
            join(begun, row)
    copies: dict[tuple[str, str], int] = {}
    for row, item in enumerate(items):
        original = copies.setdefault((item.copy_of, item.organisation), row) if item.copy_of else row
        if name[original] != name[row] and state.may_join(name[original], name[row]):
            join(original, row)
    return state


def _join_all(state: _Joining, least: float) -> None:  # noqa: C901 - one loop, one offer
    """Join the two groups of the highest mean probability until none reaches `least`."""
    version = dict.fromkeys(state.members, 0)
    heap: list[tuple[float, int, int, int, int]] = []

    def offer(left: int, right: int) -> None:
        mean = state.mean(left, right)
        if mean >= least and state.may_join(left, right):
            one, other = min(left, right), max(left, right)
            heapq.heappush(heap, (-mean, one, other, version[one], version[other]))

    for left, others in state.links.items():
        for right in others:
            if left < right:
                offer(left, right)
    while heap:
        _, left, right, seen_left, seen_right = heapq.heappop(heap)
        if left not in state.members or right not in state.members:
            continue
        if (version[left], version[right]) != (seen_left, seen_right):
            continue
        stays = state.join(left, right)
        version[stays] += 1
        size = len(state.members[stays])
        for other, weight in state.links[stays].items():
            if weight >= least * size * len(state.members[other]):  # The mean, without a call for each.
                offer(stays, other)


def _members(
    items: Sequence[Item], profiles: Profiles, scorer: Scorer, rows: Sequence[int]
) -> tuple[Member, ...]:
    """Return the members of one group, oldest first, each judged by its likeness to the others.

    The probability of a join is the mean over the three nearest other members; the parts are those
    of the nearest.
    """
    at = np.array(sorted(rows), dtype=np.int64)
    if len(at) == 1:
        return (Member(items[at[0]].key, 1.0, {}),)
    probable = scorer.between(profiles, at, at)
    np.fill_diagonal(probable, -1.0)
    nearest = -np.sort(-probable, axis=1)[:, : min(3, len(at) - 1)]
    values = pair_parts(profiles, at, at[probable.argmax(axis=1)])
    return tuple(
        Member(
            items[row].key,
            round(float(nearest[place].mean()), 4),
            scorer.shares(values[place]),
        )
        for place, row in enumerate(at)
    )
