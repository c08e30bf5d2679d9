"""Look at every post again, against whole groups: does it belong where it was put? Pure.

Joining by pairs makes groups that are about right. A group, once there, says more than any pair:
whose board it lives on, which words its posts share, when they came. So each post that nobody has
fixed moves to the group it most probably belongs to, or stands alone; groups whose posts would all
belong to each other become one. A few rounds, then it rests.

What a person said and what was proposed is not moved. The result does not depend on any order.

Neighbours: `clustering` makes the groups first; `scoring` compares pairs; `scripts/fit_grouping.py`
fits the weights on the project's own months.
"""

import functools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.scoring import TABLE, FloatArray, Profiles, Scorer, parts

PARTS: Final = (
    "mean_probability",
    "nearest",
    "three_nearest",
    "mean_logit",
    "share_of_organisation",
    "other_organisation",
    "common_board",
    "home_organisation",
    "meaning",
    "words",
    "topic",
    "no_topic",
    "domain",
    "days_to_nearest",
    "days_to_middle",
    "size",
    "need",
    "common_board_topic",
)
ROUNDS: Final = 4
NEAR_ENOUGH: Final = 0.03
"""Least probability with the nearest member for a group to be looked at for a post."""

MERGE_FROM: Final = 0.05
"""Least mean probability between two groups for a merge to be looked at."""

LARGEST: Final = 256
"""Members of a group that a post is compared with: the newest so many."""

_CLIP: Final = 1e-4
_SMALLEST: Final = 1e-6

Rows = npt.NDArray[np.int64]
Links = Mapping[int, Mapping[int, float]]


@dataclass(frozen=True, slots=True)
class Membership:
    """Fixed coefficients of the logistic model, and the bounds that were chosen with them.

    Attributes
    ----------
    bias, weights
        `weights` follow `PARTS`.
    belongs
        Probability from which a post belongs to a group.
    merges
        Mean probability, both ways, from which two groups are one.
    """

    bias: float
    weights: tuple[float, ...]
    belongs: float
    merges: float

    def probabilities(self, values: FloatArray) -> FloatArray:
        """Return the probability that each post belongs. Shape of `values` without its last axis."""
        logits = values @ np.array(self.weights, dtype=np.float32) + np.float32(self.bias)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


@functools.cache
def load_membership() -> Membership:
    """Return the committed model."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))["membership"]
    return Membership(
        bias=table["bias"],
        weights=tuple(table["weights"][name] for name in PARTS),
        belongs=table["belongs"],
        merges=table["merges"],
    )


def membership_parts(profiles: Profiles, scorer: Scorer, rows: Rows, group: Rows) -> FloatArray:
    """Return what speaks for each of `rows` being in `group`, itself left out if it is in it.

    Shape (rows, 18) float32, columns as in `PARTS`. A row that is the whole group gets zeros.
    """
    probable = np.clip(scorer.probabilities(parts(profiles, rows, group)), _CLIP, 1 - _CLIP)
    inside = rows[:, None] == group[None, :]
    others = np.maximum(len(group) - inside.any(axis=1), 1)
    probable[inside] = 0.0
    ranked = -np.sort(-probable, axis=1)
    logits = np.log(np.clip(probable, _CLIP, 1) / (1 - probable))
    logits[inside] = 0.0
    apart = np.abs(profiles.days[rows, None] - profiles.days[None, group])
    apart[inside] = np.nan
    apart[(len(group) - inside.sum(axis=1)) < 1] = 0.0
    board = profiles.on_common_board[rows]
    share, home, elsewhere = _organisation_parts(profiles, rows, group, inside)
    topic = _likeness(profiles.topics, rows, group)
    columns = (
        probable.sum(axis=1) / others,
        ranked[:, 0],
        ranked[:, :3].sum(axis=1) / np.minimum(others, 3),
        logits.sum(axis=1) / others,
        share,
        elsewhere,
        board,
        home,
        _likeness(profiles.vectors, rows, group),
        _likeness(profiles.terms, rows, group),
        topic,
        ~profiles.topics[rows].any(axis=1),
        _likeness(profiles.domains, rows, group),
        np.log1p(np.nanmin(apart, axis=1)),
        np.log1p(np.nanmedian(apart, axis=1)),
        np.log(others),
        profiles.need[rows],
        board * topic,
    )
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=-1)


def _organisation_parts(
    profiles: Profiles, rows: Rows, group: Rows, inside: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return how much of the group stands under a row's organisation, and how settled it is elsewhere."""
    placed = ~profiles.on_common_board[group]
    same = (profiles.organisations[rows, None] == profiles.organisations[None, group]) & placed & ~inside
    same &= ~profiles.on_common_board[rows, None]
    count = np.maximum(placed.sum() - (inside & placed).sum(axis=1), 1)
    held = Counter(profiles.organisations[group[placed]].tolist())
    settled = max(held.values(), default=0) / max(1, int(placed.sum()))
    share = same.sum(axis=1) / count
    home = settled * same.any(axis=1)
    away = settled * (~same.any(axis=1) & ~profiles.on_common_board[rows] & (placed.sum() > 1))
    return share.astype(np.float32), home.astype(np.float32), away.astype(np.float32)


def _likeness(table: FloatArray, rows: Rows, group: Rows) -> FloatArray:
    """Return the cosine of each row with the mean of the group, itself left out."""
    inside = np.isin(rows, group)
    means = table[group].sum(axis=0)[None, :] - table[rows] * inside[:, None]
    lengths = np.linalg.norm(means, axis=1) * np.linalg.norm(table[rows], axis=1)
    products = np.einsum("ij,ij->i", means, table[rows])
    return np.asarray(products / np.maximum(lengths, _SMALLEST), dtype=np.float32)


@dataclass
class Refined:
    """Groups as they change: for each name its rows; what may not move; what may not meet."""

    groups: dict[int, list[int]]
    still: frozenset[int]
    kept: dict[int, str]
    apart: Mapping[int, frozenset[int]]

    def may_hold(self, name: int, row: int) -> bool:
        """Return whether nothing that a person said keeps `row` out of the group."""
        return not any(other in self.apart.get(row, ()) for other in self.groups[name])

    def may_merge(self, left: int, right: int) -> bool:
        """Return whether nothing keeps two groups apart."""
        if left in self.kept and right in self.kept:
            return False
        return all(self.may_hold(right, row) for row in self.groups[left] if row in self.apart)


def refine(
    state: Refined, profiles: Profiles, links: Links, scorer: Scorer, membership: Membership
) -> Refined:
    """Return the groups after every free post was looked at again, and like groups were merged."""
    for number in range(ROUNDS):
        moved = _move(state, profiles, links, scorer, membership)
        merged = number + 1 < ROUNDS and _merge(state, profiles, links, scorer, membership)
        if not moved and not merged:
            break
    return state


def _newest(rows: Sequence[int]) -> Rows:
    """Return the rows that a group is known by; rows are numbered by time."""
    return np.array(sorted(rows)[-LARGEST:], dtype=np.int64)


def _move(state: Refined, profiles: Profiles, links: Links, scorer: Scorer, membership: Membership) -> bool:
    """Put each free post where it most probably belongs, all at once, judged by the groups as they were."""
    best: dict[int, tuple[float, int]] = {}
    for name, members in sorted(state.groups.items()):
        if len(members) < 2 and name not in state.kept:  # noqa: PLR2004 - one post is no group yet
            continue
        near = {other for row in members for other, link in links[row].items() if link >= NEAR_ENOUGH} | set(
            members
        )
        rows = np.array(sorted(near - state.still), dtype=np.int64)
        if not len(rows):
            continue
        probable = membership.probabilities(membership_parts(profiles, scorer, rows, _newest(members)))
        for row, probability in zip(rows.tolist(), probable.tolist(), strict=True):
            if probability > best.get(row, (0.0, -1))[0] and state.may_hold(name, row):
                best[row] = (probability, name)
    where = {row: name for name, members in state.groups.items() for row in members}
    groups: dict[int, list[int]] = defaultdict(list)
    fresh = max(state.groups, default=-1) + 1
    changed = False
    for row, name in sorted(where.items()):
        goes = name
        if row not in state.still:
            probability, target = best.get(row, (0.0, -1))
            if probability >= membership.belongs:
                goes = target
            elif len(state.groups[name]) > 1:
                goes, fresh = fresh, fresh + 1
        changed |= goes != name
        groups[goes].append(row)
    state.groups = _kept_apart(dict(groups), state, fresh)
    return changed


def _kept_apart(groups: dict[int, list[int]], state: Refined, fresh: int) -> dict[int, list[int]]:
    """Return the groups with none that holds two posts which may not meet.

    Two such posts can come to a group in the same round; the later one that is free stands alone.
    """
    if not state.apart:
        return groups
    result: dict[int, list[int]] = {}
    for name, rows in groups.items():
        held: list[int] = []
        for row in sorted(rows, key=lambda row: (row not in state.still, row)):
            if row not in state.still and any(other in state.apart.get(row, ()) for other in held):
                result[fresh], fresh = [row], fresh + 1
            else:
                held.append(row)
        result[name] = sorted(held)
    return result


def _merge(state: Refined, profiles: Profiles, links: Links, scorer: Scorer, membership: Membership) -> bool:
    """Make one of two groups whose posts belong to each other, the surest first."""
    where = {row: name for name, members in state.groups.items() for row in members}
    between: dict[tuple[int, int], float] = defaultdict(float)
    for row, others in links.items():
        for other, link in others.items():
            one, two = where.get(row, -1), where.get(other, -1)
            if -1 < one < two and min(len(state.groups[one]), len(state.groups[two])) > 1:
                between[one, two] += link
    sure = []
    for (one, two), total in sorted(between.items()):
        if total < MERGE_FROM * len(state.groups[one]) * len(state.groups[two]):
            continue
        if state.may_merge(one, two):
            left, right = _newest(state.groups[one]), _newest(state.groups[two])
            both = min(
                float(membership.probabilities(membership_parts(profiles, scorer, left, right)).mean()),
                float(membership.probabilities(membership_parts(profiles, scorer, right, left)).mean()),
            )
            if both >= membership.merges:
                sure.append((-both, one, two))
    gone: set[int] = set()
    for _, one, two in sorted(sure):
        if one in gone or two in gone:
            continue
        state.groups[one] = sorted(state.groups[one] + state.groups.pop(two))
        if two in state.kept:
            state.kept[one] = state.kept.pop(two)
        gone |= {one, two}
    return bool(gone)
