"""Look again only at what new posts touch. Pure.

In a large window most groups have nothing to do with the posts of the last minute. What a new post
touches is what it is near to, and the whole demands in which those posts stand; this territory is grouped
as a window of that size is, by the rarity of words in the whole window. What lies outside stays as it
stands, and says so. A small window is always grouped whole, and so is one of which many posts are new.

Posts that a person bound together are in one territory, and those that a person parted and that still
stand together are looked at again. What has slowly drifted apart or together
without being touched is for the nightly look at everything, which only suggests.

Neighbours: `clustering` groups the territory; `grouping` keeps the result; `suggestions` looks at night.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np

from sentiment.demand.clustering import Group, Member, cluster, grouped, in_order, wide
from sentiment.demand.cohesion import Cohesion
from sentiment.demand.columns import Columns, Compact, Rarity, Rows, compact, logits
from sentiment.demand.constraints import Constraints
from sentiment.demand.refining import WHOLE, Membership
from sentiment.demand.scoring import Item, Scorer
from sentiment.demand.traffic import Traffic

NEAR: Final = 0.1
"""Least probability with a new post to be touched by it."""

NEAREST: Final = 24
"""Posts that one new post touches at most, the nearest."""

ANEW: Final = 0.05
"""Share of new posts above which everything is grouped anew: looking for what each touches costs more."""

FEW: Final = 500
"""New posts that never bring this about."""

AT_ONCE: Final = 16_384
"""Posts of the window that are compared in one step."""

FRESH_AT_ONCE: Final = 256


def regroup(
    items: Sequence[Item],
    scorer: Scorer,
    membership: Membership | None = None,
    *,
    stands: Mapping[str, str],
    fresh: Collection[str],
    fixed: Mapping[str, str] | None = None,
    constraints: Constraints | None = None,
    cohesion: Cohesion | None = None,
    rarity: Rarity | None = None,
    traffic: Traffic | None = None,
) -> list[Group]:
    """Return the groups of `items`, each item in exactly one; only those that `fresh` touches are new.

    Parameters
    ----------
    items, scorer, membership, fixed, constraints, cohesion
        As for `clustering.cluster`.
    stands
        For each post that stands in a demand, which; a group that is not touched is one of these.
    fresh
        Keys of the posts that are new or changed since the last run.
    rarity
        If `items` are already no more than what new posts touch: how rare words are in the whole window.
    traffic
        The same of how busy it is.
    """
    if rarity is not None:
        columns = in_order(items)
        every = np.arange(len(columns), dtype=np.int64)
        return _anew(columns, compact(columns, rarity, traffic), every)(
            scorer, membership, fixed=fixed, constraints=constraints, cohesion=cohesion
        )
    if len(items) <= WHOLE or len(fresh) > max(FEW, ANEW * len(items)):
        return cluster(items, scorer, membership, fixed=fixed, constraints=constraints, cohesion=cohesion)
    columns = in_order(items)
    window = compact(columns)
    rows = touched(columns.keys, window, scorer, stands, fresh, constraints or Constraints())
    groups = _anew(columns, window, rows)(
        scorer, membership, fixed=fixed, constraints=constraints, cohesion=cohesion
    )
    return groups + _standing(columns.keys, frozenset(rows.tolist()), stands, fixed or {})


def _anew(columns: Columns, window: Compact, rows: Rows) -> Callable[..., list[Group]]:
    """Return what groups some rows of a window as a window of that size is grouped."""
    some = [columns[row] for row in rows.tolist()]
    if len(some) <= WHOLE:
        return functools.partial(grouped, some, window.profiles(rows))
    return functools.partial(wide, Columns(some), window.taken(rows))


def touched(  # noqa: PLR0917 - the window in its parts
    keys: Sequence[str],
    window: Compact,
    scorer: Scorer,
    stands: Mapping[str, str],
    fresh: Collection[str],
    constraints: Constraints,
) -> Rows:
    """Return the rows that new posts touch, with the whole demands in which they stand, in order."""
    begun = [row for row, key in enumerate(keys) if key in fresh]
    found = set(begun) | _near(window, scorer, np.array(begun, dtype=np.int64))
    row_of = {key: row for row, key in enumerate(keys)}
    in_demand: defaultdict[str, list[int]] = defaultdict(list)
    for key, demand in stands.items():
        if key in row_of:
            in_demand[demand].append(row_of[key])
    bound: defaultdict[int, list[int]] = defaultdict(list)
    for link in constraints.must:
        if link.left in row_of and link.right in row_of:
            bound[row_of[link.left]].append(row_of[link.right])
            bound[row_of[link.right]].append(row_of[link.left])
    found |= {row_of[key] for key in _against(stands, constraints) if key in row_of}
    waiting = list(found)
    while waiting:
        row = waiting.pop()
        home = stands.get(keys[row])
        for other in [*bound[row], *(in_demand.pop(home, []) if home is not None else [])]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return np.array(sorted(found), dtype=np.int64)


def _against(stands: Mapping[str, str], constraints: Constraints) -> set[str]:
    """Return the posts that stand against what a person said: parted and together, or bound and apart."""
    found: set[str] = set()
    for link in constraints.cannot:
        if stands.get(link.left, link.left) == stands.get(link.right, link.right):
            found |= {link.left, link.right}
    for bound in constraints.must:
        if stands.get(bound.left, bound.left) != stands.get(bound.right, bound.right):
            found |= {bound.left, bound.right}
    return found


def _near(window: Compact, scorer: Scorer, fresh: Rows) -> set[int]:
    """Return the rows that are nearest to the fresh ones, and near enough."""
    found: set[int] = set()
    for begin in range(0, len(fresh), FRESH_AT_ONCE):
        asked = window.side(fresh[begin : begin + FRESH_AT_ONCE])
        best = np.full((len(asked.need), 0), 0.0, dtype=np.float32)
        places = np.zeros((len(asked.need), 0), dtype=np.int64)
        for start in range(0, len(window), AT_ONCE):
            columns = np.arange(start, min(start + AT_ONCE, len(window)), dtype=np.int64)
            best = np.hstack([best, logits(scorer, asked, window.side(columns))])
            places = np.hstack([places, np.broadcast_to(columns, (len(best), len(columns)))])
            if best.shape[1] > NEAREST:
                kept = np.argpartition(-best, NEAREST, axis=1)[:, : NEAREST + 1]
                best = np.take_along_axis(best, kept, axis=1)
                places = np.take_along_axis(places, kept, axis=1)
        found |= set(places[best >= np.log(NEAR / (1 - NEAR))].tolist())
    return found


def _standing(
    keys: Sequence[str], looked_at: frozenset[int], stands: Mapping[str, str], fixed: Mapping[str, str]
) -> list[Group]:
    """Return the groups that nothing touched, and the posts that stand alone."""
    members: dict[str, list[str]] = {}
    for row, key in enumerate(keys):
        if row not in looked_at:
            members.setdefault(stands.get(key, f"alone {key}"), []).append(key)
    return [
        Group(
            tuple(Member(key, 1.0, {}) for key in keys),
            kept=next((fixed[key] for key in keys if key in fixed), None),
            touched=False,
        )
        for keys in members.values()
    ]
