"""Group posts that voice one need. Pure: no clock, no database, no randomness.

Copies fold first. Then groups are joined by the *mean* probability over all their pairs, best first: one
post that is near to two groups does not chain them. Two groups that are each at home at another
organisation stay two, however alike: another unit has to act. What a person said binds above every
probability, and a demand that was proposed is kept whole: it may gain posts, and never becomes one with
another.

Up to 1,500 posts every pair is compared (`grouped`). Above, each post is compared with a bounded number of
others (`wide`), and everything is kept in columns. The result does not depend on the order of the items.

Neighbours: `scoring` compares two posts; `starting` and `refining` group a small window, `edges`, `joining`
and `homing` a large one; `constraints` holds what a person said; `grouping` keeps the result.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from sentiment.demand.cohesion import Cohesion, cohesion_parts
from sentiment.demand.columns import Columns, Compact, Rows, compact
from sentiment.demand.constraints import Constraints
from sentiment.demand.edges import FLOOR, Places, alike, pairs_of
from sentiment.demand.groups import Group, Member, members_of, told
from sentiment.demand.homing import Bound, Home
from sentiment.demand.joining import join_all
from sentiment.demand.refining import WHOLE, Compared, Membership, Refined, refine
from sentiment.demand.scoring import Item, Profiles, Scorer, profile
from sentiment.demand.starting import begin, join_pairs, kept_apart

__all__ = ["Group", "Member", "cluster", "grouped", "in_order", "wide"]

ASKED_FROM: Final = 5
"""Posts from which a group is asked whether it holds together: fewer are never proposed (charter, 5)."""


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
    if len(items) > WHOLE:
        return wide(
            in_order(items), None, scorer, membership, fixed=fixed, constraints=constraints, cohesion=cohesion
        )
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


def in_order(items: Sequence[Item]) -> Columns:
    """Return the posts in columns, in the order of time."""
    columns = items if isinstance(items, Columns) else None
    if columns is not None and columns.in_order:
        return columns
    if columns is not None:
        at = sorted(range(len(columns)), key=lambda row: (columns.days[row], columns.keys[row]))
        return Columns(columns[row] for row in at)
    return Columns(sorted(items, key=lambda item: (item.day, item.key)))


def wide(
    columns: Columns,
    window: Compact | None,
    scorer: Scorer,
    membership: Membership | None = None,
    *,
    fixed: Mapping[str, str] | None = None,
    constraints: Constraints | None = None,
    cohesion: Cohesion | None = None,
) -> list[Group]:
    """Return what `cluster` does, of a large window in the order of time, by bounded work for each post."""
    window = compact(columns) if window is None else window
    said = constraints or Constraints()
    pairs = pairs_of(window, scorer)
    labels, kept = _begun(columns, window, dict(fixed or {}), said)
    still = np.bincount(labels, minlength=len(labels))[labels] > 1
    still[list(kept)] = True
    rows_apart = kept_apart(columns.keys, said)
    apart = {(int(labels[row]), int(labels[other])) for row, others in rows_apart.items() for other in others}
    labels = join_all(pairs, labels, window.placed, list(kept), apart, scorer.join)
    found: dict[int, float] = {}
    if membership is not None:
        home = Home(window, scorer, membership, pairs, Bound(still, rows_apart, kept))
        del pairs
        labels = home.refined(labels)
        found = home.cohesion(labels, cohesion, ASKED_FROM) if cohesion is not None else {}
    goes_on = {int(labels[row]): demand for row, demand in kept.items()}

    def group(rows: Rows) -> Group:
        keys = [columns.keys[row] for row in rows.tolist()]
        name = int(labels[rows[0]])
        return Group(told(keys, window, scorer, rows), goes_on.get(name), found.get(name, 1.0))

    return [group(rows) for rows in alike(labels)]


def _begun(
    columns: Columns, window: Compact, fixed: dict[str, str], constraints: Constraints
) -> tuple[Places, dict[int, str]]:
    """Return for each row the group to begin with, by its oldest row, and the demands that groups continue.

    Only copies and posts of which a person spoke are looked at; all others begin alone.
    """
    spoken_of = set(fixed)
    for links in (constraints.must, constraints.cannot):
        spoken_of.update(key for link in links for key in (link.left, link.right))
    copied = Counter(copy for copy in columns.copies if copy)
    rows = [
        row
        for row, (key, copy) in enumerate(zip(columns.keys, columns.copies, strict=True))
        if key in spoken_of or copied[copy] > 1
    ]
    labels = np.arange(len(columns), dtype=np.int32)
    if not rows:
        return labels, {}
    at = np.array(rows, dtype=np.int64)
    items = [columns[row] for row in rows]
    state = begin(items, window.profiles(at), {row: {} for row in range(len(rows))}, fixed, constraints)
    kept: dict[int, str] = {}
    for name, members in state.members.items():
        labels[at[members]] = at[min(members)]
        if name in state.kept:
            kept[int(at[min(members)])] = state.kept[name]
    return labels, kept


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
    keys = [item.key for item in ordered]
    compared = Compared(profiles, scorer)
    links = _links(compared)
    pairs = {row: dict(others) for row, others in links.items()}
    said = constraints or Constraints()
    state = begin(ordered, profiles, links, dict(fixed or {}), said)
    still = frozenset(
        row for name, rows in state.members.items() if len(rows) > 1 or name in state.kept for row in rows
    )
    join_pairs(state, scorer.join)
    refined = Refined(state.members, still, state.kept, kept_apart(keys, said))
    if membership is not None:
        refined = refine(refined, compared, pairs, membership)

    def holds_together(rows: Sequence[int]) -> float:
        if cohesion is None or membership is None or len(rows) < ASKED_FROM:
            return 1.0
        return cohesion.probability(cohesion_parts(compared, membership, rows))

    return [
        Group(members_of(keys, profiles, scorer, rows), refined.kept.get(name), holds_together(rows))
        for name, rows in sorted(refined.groups.items(), key=lambda entry: min(entry[1]))
    ]


def _links(compared: Compared) -> dict[int, dict[int, float]]:
    """Return the probability of every pair of rows that is worth keeping, in both directions."""
    every = np.arange(len(compared.profiles.days), dtype=np.int64)
    probable = compared.probabilities(every, every)
    np.fill_diagonal(probable, 0.0)
    links: dict[int, dict[int, float]] = {row: {} for row in every.tolist()}
    across, down = np.nonzero(probable >= FLOOR)
    for left, right, link in zip(
        across.tolist(), down.tolist(), probable[across, down].tolist(), strict=True
    ):
        links[left][right] = links[right][left] = link
    return links
