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
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.scoring import TABLE, FloatArray, Profiles, Scorer, busy_of, same_board

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
    "busy_board",
    "busy_everywhere",
)
ROUNDS: Final = 3
NEAR_ENOUGH, NEARER = 0.03, 0.1
"""Least probability with the nearest member for a group to be looked at for a post; `NEARER` where they
are too many to compare every pair."""

MERGE_FROM: Final = 0.1
"""Least mean probability between two groups for a merge to be looked at."""

LARGEST: Final = 256
"""Members of a group that a post is compared with: the newest so many."""

AT_HOME_FROM: Final = 5
"""Posts, not on the common board, from which a group can be at home at one organisation."""

MOSTLY: Final = 0.7
"""Share of them that stand there."""

WHOLE: Final = 1500
"""Up to so many items every pair is compared once and kept."""

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


def held_by(profiles: Profiles, rows: Sequence[int]) -> Counter[int]:
    """Return how many of `rows` stand under each organisation; the common board counts as none."""
    return Counter(int(profiles.organisations[row]) for row in rows if not profiles.on_common_board[row])


def home_of(held: Counter[int]) -> int | None:
    """Return the organisation at which a group is at home, if there is one."""
    total = held.total()
    if total < AT_HOME_FROM:
        return None
    organisation, count = max(held.items(), key=lambda entry: (entry[1], -entry[0]))
    return organisation if count >= MOSTLY * total else None


def homes_differ(left: Counter[int], right: Counter[int]) -> bool:
    """Return whether two groups are each at home at one organisation, and not at the same."""
    one, other = home_of(left), home_of(right)
    return one is not None and other is not None and one != other


@functools.cache
def load_membership() -> Membership:
    """Return the committed model."""
    return read_membership(TABLE)


def read_membership(path: Path) -> Membership:
    """Return the model of the table at `path`."""
    table = json.loads(path.read_text(encoding="utf-8"))["membership"]
    return Membership(
        bias=table["bias"],
        weights=tuple(table["weights"][name] for name in PARTS),
        belongs=table["belongs"],
        merges=table["merges"],
    )


class Compared:
    """The items, ready to be compared: every pair at once where they are few, and on demand where not."""

    def __init__(self, profiles: Profiles, scorer: Scorer) -> None:
        self.profiles, self.scorer = profiles, scorer
        self._probable: FloatArray | None = None
        self._asked: dict[tuple[bytes, bytes], FloatArray] = {}
        n = len(profiles.days)
        if n <= WHOLE:
            every = np.arange(n, dtype=np.int64)
            self._probable = scorer.between(profiles, every, every)

    @property
    def whole(self) -> bool:
        """Whether every pair is compared."""
        return self._probable is not None

    def probabilities(self, rows: Rows, columns: Rows) -> FloatArray:
        """Return the probability of each pair. Shape (rows, columns)."""
        if self._probable is not None:
            return self._probable[np.ix_(rows, columns)]
        return self.scorer.between(self.profiles, rows, columns)

    def likeness(self, name: str, rows: Rows, group: Rows, inside: npt.NDArray[np.bool_]) -> FloatArray:
        """Return the cosine of each row with the mean of the group, itself left out. Shape (rows,)."""
        table: FloatArray = getattr(self.profiles, name)
        asked, whole = table[rows], table[group].sum(axis=0)
        own = np.square(asked).sum(axis=1)
        dots = asked @ whole
        total = float(whole @ whole)
        within = inside.any(axis=1)
        length = np.where(within, total - 2 * dots + own, total)
        dots = np.where(within, dots - own, dots)
        return np.asarray(dots / np.sqrt(np.maximum(length * own, _SMALLEST)), dtype=np.float32)

    def belongs(self, membership: Membership, rows: Rows, group: Rows) -> FloatArray:
        """Return the probability that each row belongs to the group; asked again, the same answer."""
        question = rows.tobytes(), group.tobytes()
        if question not in self._asked:
            self._asked[question] = membership.probabilities(membership_parts(self, rows, group))
        return self._asked[question]


def membership_parts(compared: Compared, rows: Rows, group: Rows) -> FloatArray:
    """Return what speaks for each of `rows` being in `group`, itself left out if it is in it.

    Shape (rows, 20) float32, columns as in `PARTS`.
    """
    profiles = compared.profiles
    probable = np.clip(compared.probabilities(rows, group), _CLIP, 1 - _CLIP)
    inside = rows[:, None] == group[None, :]
    others = np.maximum(len(group) - inside.any(axis=1), 1)
    logits = np.where(inside, 0.0, np.log(probable / (1 - probable)))
    probable[inside] = 0.0
    ranked = -np.sort(-probable, axis=1)
    apart = np.abs(profiles.days[rows, None] - profiles.days[None, group])
    apart[inside] = np.inf
    apart = np.sort(apart, axis=1)
    apart[~np.isfinite(apart)] = 0.0
    middle = np.take_along_axis(apart, ((others - 1) // 2)[:, None], axis=1)[:, 0]
    board = profiles.on_common_board[rows]
    share, home, elsewhere = _organisation_parts(profiles, rows, group, inside)
    topic = compared.likeness("topics", rows, group, inside)
    here, everywhere = busy_of(profiles, rows, group, same_board(profiles, rows, group))
    here[inside] = everywhere[inside] = 0.0
    columns = (
        probable.sum(axis=1) / others,
        ranked[:, 0],
        ranked[:, :3].sum(axis=1) / np.minimum(others, 3),
        logits.sum(axis=1) / others,
        share,
        elsewhere,
        board,
        home,
        compared.likeness("vectors", rows, group, inside),
        compared.likeness("terms", rows, group, inside),
        topic,
        ~profiles.topics[rows].any(axis=1),
        compared.likeness("domains", rows, group, inside),
        np.log1p(apart[:, 0]),
        np.log1p(middle),
        np.log(others),
        profiles.need[rows],
        board * topic,
        here.sum(axis=1) / others,
        everywhere.sum(axis=1) / others,
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


def refine(state: Refined, compared: Compared, links: Links, membership: Membership) -> Refined:
    """Return the groups after every free post was looked at again, and like groups were merged."""
    rounds = ROUNDS if compared.whole else ROUNDS - 1
    for number in range(rounds):
        moved = _move(state, compared, links, membership)
        merged = number + 1 < rounds and _merge(state, compared, links, membership)
        if not moved and not merged:
            break
    return state


def _newest(rows: Sequence[int]) -> Rows:
    """Return the rows that a group is known by; rows are numbered by time."""
    return np.array(sorted(rows)[-LARGEST:], dtype=np.int64)


def _move(state: Refined, compared: Compared, links: Links, membership: Membership) -> bool:
    """Put each free post where it most probably belongs, all at once, judged by the groups as they were."""
    best: dict[int, tuple[float, int]] = {}
    least = NEAR_ENOUGH if compared.whole else NEARER
    for name, members in sorted(state.groups.items()):
        if len(members) < 2 and name not in state.kept:  # noqa: PLR2004 - one post is no group yet
            continue
        near = {other for row in members for other, link in links[row].items() if link >= least} | set(
            members
        )
        rows = np.array(sorted(near - state.still), dtype=np.int64)
        if not len(rows):
            continue
        probable = compared.belongs(membership, rows, _newest(members))
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


def _merge(state: Refined, compared: Compared, links: Links, membership: Membership) -> bool:
    """Make one of two groups whose posts belong to each other, the surest first."""
    sure = []
    for one, two in _near_groups(state, links):
        left, right = state.groups[one], state.groups[two]
        if not state.may_merge(one, two) or homes_differ(
            held_by(compared.profiles, left), held_by(compared.profiles, right)
        ):
            continue
        both = min(
            float(compared.belongs(membership, rows, group).mean())
            for rows, group in ((_newest(left), _newest(right)), (_newest(right), _newest(left)))
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


def _near_groups(state: Refined, links: Links) -> list[tuple[int, int]]:
    """Return the pairs of groups, of two posts at least, that are near enough to be looked at."""
    where = {row: name for name, members in state.groups.items() for row in members}
    sizes = {name: len(members) for name, members in state.groups.items()}
    between: dict[tuple[int, int], float] = defaultdict(float)
    for name, members in state.groups.items():
        if sizes[name] > 1:
            for row in members:
                for other, link in links[row].items():
                    two = where.get(other, -1)
                    if name < two and sizes[two] > 1:
                        between[name, two] += link
    return [
        (one, two)
        for (one, two), total in sorted(between.items())
        if total >= MERGE_FROM * sizes[one] * sizes[two]
    ]
