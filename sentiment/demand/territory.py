"""Look again only at what new posts touch. Pure.

In a large window most groups have nothing to do with the posts of the last minute. What a new post
touches is what it is near to, and the whole demands in which those posts stand; this territory is grouped
as a small window is, every pair compared, by the rarity of words in the whole window. What lies outside
stays as it stands, and says so. A small window is always grouped whole.

Posts that a person bound together are in one territory. What has slowly drifted apart or together
without being touched is for the nightly look at everything, which only suggests.

Neighbours: `clustering` groups the territory; `grouping` keeps the result; `suggestions` looks at night.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.clustering import Group, Member, cluster, grouped
from sentiment.demand.cohesion import Cohesion
from sentiment.demand.constraints import Constraints
from sentiment.demand.refining import WHOLE, Membership
from sentiment.demand.scoring import Item, Profiles, Scorer, profile

NEAR: Final = 0.1
"""Least probability with a new post to be touched by it."""

NEAREST: Final = 24
"""Posts that one new post touches at most, the nearest."""

AT_ONCE: Final = 50_000
"""Posts of the window that are compared in one step."""

Rows = npt.NDArray[np.int64]


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
    """
    if len(items) <= WHOLE:
        return cluster(items, scorer, membership, fixed=fixed, constraints=constraints, cohesion=cohesion)
    ordered = sorted(items, key=lambda item: (item.day, item.key))
    profiles = profile(ordered)
    rows = touched(ordered, profiles, scorer, stands, fresh, constraints or Constraints())
    groups = grouped(
        [ordered[row] for row in rows],
        sliced(profiles, rows),
        scorer,
        membership,
        fixed=fixed,
        constraints=constraints,
        cohesion=cohesion,
    )
    return groups + _standing(ordered, frozenset(rows.tolist()), stands, fixed or {})


def touched(  # noqa: PLR0917 - the window in its parts
    items: Sequence[Item],
    profiles: Profiles,
    scorer: Scorer,
    stands: Mapping[str, str],
    fresh: Collection[str],
    constraints: Constraints,
) -> Rows:
    """Return the rows that new posts touch, with the whole demands in which they stand, in order."""
    begun = [row for row, item in enumerate(items) if item.key in fresh]
    found = set(begun) | _near(profiles, scorer, np.array(begun, dtype=np.int64))
    row_of = {item.key: row for row, item in enumerate(items)}
    in_demand: defaultdict[str, list[int]] = defaultdict(list)
    for key, demand in stands.items():
        if key in row_of:
            in_demand[demand].append(row_of[key])
    bound: defaultdict[int, list[int]] = defaultdict(list)
    for link in constraints.must:
        if link.left in row_of and link.right in row_of:
            bound[row_of[link.left]].append(row_of[link.right])
            bound[row_of[link.right]].append(row_of[link.left])
    waiting = list(found)
    while waiting:
        row = waiting.pop()
        home = stands.get(items[row].key)
        for other in [*bound[row], *(in_demand.pop(home, []) if home is not None else [])]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return np.array(sorted(found), dtype=np.int64)


def _near(profiles: Profiles, scorer: Scorer, fresh: Rows) -> set[int]:
    """Return the rows that are nearest to the fresh ones, and near enough."""
    if not len(fresh):
        return set()
    best = np.full((len(fresh), 0), 0.0, dtype=np.float32)
    places = np.zeros((len(fresh), 0), dtype=np.int64)
    for start in range(0, len(profiles.days), AT_ONCE):
        columns = np.arange(start, min(start + AT_ONCE, len(profiles.days)), dtype=np.int64)
        best = np.hstack([best, scorer.between(profiles, fresh, columns)])
        places = np.hstack([places, np.broadcast_to(columns, (len(fresh), len(columns)))])
        if best.shape[1] > NEAREST:
            kept = np.argpartition(-best, NEAREST, axis=1)[:, : NEAREST + 1]
            best = np.take_along_axis(best, kept, axis=1)
            places = np.take_along_axis(places, kept, axis=1)
    return set(places[best >= NEAR].tolist())


def sliced(profiles: Profiles, rows: Rows) -> Profiles:
    """Return the profiles of some rows; rarity stays that of the whole window."""
    return replace(
        profiles,
        vectors=profiles.vectors[rows],
        terms=profiles.terms[rows],
        topics=profiles.topics[rows],
        domains=profiles.domains[rows],
        need=profiles.need[rows],
        days=profiles.days[rows],
        organisations=profiles.organisations[rows],
        on_common_board=profiles.on_common_board[rows],
    )


def _standing(
    items: Sequence[Item], looked_at: frozenset[int], stands: Mapping[str, str], fixed: Mapping[str, str]
) -> list[Group]:
    """Return the groups that nothing touched, and the posts that stand alone."""
    members: dict[str, list[str]] = {}
    for row, item in enumerate(items):
        if row not in looked_at:
            members.setdefault(stands.get(item.key, f"alone {item.key}"), []).append(item.key)
    return [
        Group(
            tuple(Member(key, 1.0, {}) for key in keys),
            kept=next((fixed[key] for key in keys if key in fixed), None),
            touched=False,
        )
        for keys in members.values()
    ]
