"""Join the posts of a small window, pair by pair, and say which are one before any pair is looked at. Pure.

Copies, posts that a person bound together and those of a demand that is fixed begin as one. Then the two
groups of the highest mean probability become one, until no mean reaches the bound.

Neighbours: `clustering` hands posts here; `joining` does the second part for a large window.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sentiment.demand.constraints import Constraints
from sentiment.demand.refining import held_by, home_of
from sentiment.demand.scoring import Item, Profiles


@dataclass
class Joining:
    """The state of the joining: groups, the sums of probability between them, and what may not meet."""

    members: dict[int, list[int]]
    links: dict[int, dict[int, float]]
    kept: dict[int, str]
    held: dict[int, Counter[int]]
    apart: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    homes: dict[int, int | None] = field(default_factory=dict)

    def mean(self, left: int, right: int) -> float:
        """Return the mean probability over all pairs of two groups."""
        return self.links[left].get(right, 0.0) / (len(self.members[left]) * len(self.members[right]))

    def may_join(self, left: int, right: int) -> bool:
        """Return whether nothing that a person said, and no home, keeps two groups apart."""
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


def kept_apart(keys: Sequence[str], constraints: Constraints) -> dict[int, frozenset[int]]:
    """Return for each row that a person spoke of the rows it may not meet."""
    if not constraints.cannot:
        return {}
    rows = {key: row for row, key in enumerate(keys)}
    found: dict[int, set[int]] = defaultdict(set)
    for link in constraints.cannot:
        if link.left in rows and link.right in rows:
            found[rows[link.left]].add(rows[link.right])
            found[rows[link.right]].add(rows[link.left])
    return {row: frozenset(others) for row, others in found.items()}


def begin(
    items: Sequence[Item],
    profiles: Profiles,
    links: dict[int, dict[int, float]],
    fixed: dict[str, str],
    constraints: Constraints,
) -> Joining:
    """Return the groups to begin with: copies, fixed demands and must-links are already one."""
    held = {row: held_by(profiles, [row]) for row in range(len(items))}
    state = Joining({row: [row] for row in range(len(items))}, links, {}, held)
    name = list(range(len(items)))

    def join(left: int, right: int) -> None:
        one, other = name[left], name[right]
        if one != other:
            rows = {one: list(state.members[one]), other: list(state.members[other])}
            stays = state.join(one, other)
            for row in rows[one if stays == other else other]:
                name[row] = stays

    rows = {item.key: row for row, item in enumerate(items)}
    for key, leader in constraints.groups(rows).items():
        join(rows[key], rows[leader])
    for row, others in kept_apart([item.key for item in items], constraints).items():
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


def join_pairs(state: Joining, least: float) -> None:  # noqa: C901 - one loop, one offer
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
