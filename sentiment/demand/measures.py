"""Figures that say how good a grouping is. Pure; written by hand, so that serving needs no toolkit.

`gold` names for each post the demand it truly belongs to, or None; `found` the group it was put
in, or None. A post that stands in no group counts as a group of its own.

Neighbours: `api/commands/evaluate_demands.py` shows them; `scripts/fit_grouping.py` fits by them.

Source
------
Bagga, Baldwin (1998), Entity-based cross-document coreferencing, ACL (B-cubed).
Vinh, Epps, Bailey (2010), Information theoretic measures for clusterings comparison, JMLR 11.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Label = Hashable | None

RIGHT_SHARE: Final = 0.8
"""Share of an event's posts that must be of one gold demand for the event to be right."""


@dataclass(frozen=True, slots=True)
class Score:
    """Precision and recall, in [0, 1]; 0 where there is nothing to divide by."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def _named(found: Sequence[Label]) -> list[Hashable]:
    return [("alone", row) if label is None else ("group", label) for row, label in enumerate(found)]


def bcubed(gold: Sequence[Label], found: Sequence[Label]) -> Score:
    """Return B-cubed, averaged over the posts of a gold demand; noise in their groups costs precision."""
    groups = _named(found)
    sizes, demands = Counter(groups), Counter(label for label in gold if label is not None)
    shared = Counter(zip(gold, groups, strict=True))
    rows = [(label, group) for label, group in zip(gold, groups, strict=True) if label is not None]
    if not rows:
        return Score(0.0, 0.0)
    return Score(
        sum(shared[row] / sizes[row[1]] for row in rows) / len(rows),
        sum(shared[row] / demands[row[0]] for row in rows) / len(rows),
    )


def pairs(gold: Sequence[Label], found: Sequence[Label]) -> Score:
    """Return precision and recall over pairs of posts that were put together."""

    def count(counter: Counter[Hashable]) -> int:
        return sum(n * (n - 1) // 2 for n in counter.values())

    together = [(label, group) for label, group in zip(gold, found, strict=True) if group is not None]
    right = count(Counter(row for row in together if row[0] is not None))
    joined = count(Counter(group for _, group in together))
    true = count(Counter(label for label in gold if label is not None))
    return Score(right / joined if joined else 0.0, right / true if true else 0.0)


def adjusted_mutual_information(gold: Sequence[Label], found: Sequence[Label]) -> float:
    """Return the mutual information above chance, 1 for the same partition, about 0 for a random one.

    Every post counts; one of no demand, or in no group, is a cluster of its own. Normalised by the
    arithmetic mean of the entropies.
    """
    left, right = Counter(_named(gold)), Counter(_named(found))
    both = Counter(zip(_named(gold), _named(found), strict=True))
    n = len(gold)
    if n == 0:
        return 0.0
    mutual = sum(c / n * math.log(n * c / (left[a] * right[b])) for (a, b), c in both.items())
    entropy = [-sum(c / n * math.log(c / n) for c in side.values()) for side in (left, right)]
    expected = _expected_mutual_information(left, right, n)
    room = sum(entropy) / 2 - expected
    return (mutual - expected) / room if abs(room) > 1e-12 else 1.0  # noqa: PLR2004 - rounding


def _expected_mutual_information(left: Counter[Hashable], right: Counter[Hashable], n: int) -> float:
    """Return what two random partitions with these sizes would share (hypergeometric model)."""
    factorial = [math.lgamma(k + 1) for k in range(n + 1)]
    total = 0.0
    for a, rows in Counter(left.values()).items():
        for b, columns in Counter(right.values()).items():
            for c in range(max(1, a + b - n), min(a, b) + 1):
                log = factorial[a] + factorial[b] + factorial[n - a] + factorial[n - b] - factorial[n]
                log -= factorial[c] + factorial[a - c] + factorial[b - c] + factorial[n - a - b + c]
                total += rows * columns * c / n * math.log(n * c / (a * b)) * math.exp(log)
    return total


def board_auc(
    gold: Sequence[Label], organisations: Sequence[Hashable], alike: npt.NDArray[np.float32]
) -> float | None:
    """Return how surely a post is nearer to its own demand than to another demand on the same board.

    For each demand the area under the curve over pairs of posts of one board: both of the demand, against
    one of it and one of another demand; the mean over the demands that have both, None if none has.
    Ties count half. 0.5 is chance.

    Parameters
    ----------
    gold, organisations
        For each post its demand or None, and the board where it stands.
    alike
        Shape (n, n): how alike each pair of posts is; the diagonal is not looked at.
    """
    labels = np.array([-1 if label is None else hash(label) for label in gold], dtype=np.int64)
    some = np.array([label is not None for label in gold], dtype=bool)
    boards = np.array([hash(board) for board in organisations], dtype=np.int64)
    areas = []
    for demand in dict.fromkeys(label for label in gold if label is not None):
        own = some & (labels == hash(demand))
        rows = np.flatnonzero(own)
        together = boards[rows, None] == boards[None, :]
        together[np.arange(len(rows)), rows] = False
        same, other = alike[rows][together & own], alike[rows][together & some & ~own]
        if len(same) and len(other):
            ordered = np.sort(other)
            below = np.searchsorted(ordered, same, "left") + np.searchsorted(ordered, same, "right")
            areas.append(float(below.mean()) / (2 * len(other)))
    return sum(areas) / len(areas) if areas else None


@dataclass(frozen=True, slots=True)
class Events:
    """Proposed demands against the true ones: how many there are, and which gold demand each found."""

    proposed: int
    right: dict[Hashable, Hashable]
    true: int

    @property
    def score(self) -> Score:
        """Precision over what was proposed; recall over gold demands of enough authors."""
        found = len(set(self.right.values()))
        return Score(
            len(self.right) / self.proposed if self.proposed else 0.0, found / self.true if self.true else 0.0
        )


def events(
    gold: Sequence[Label], proposed: Sequence[Label], authors: Sequence[Hashable], *, minimum: int
) -> Events:
    """Return how the proposed demands stand against the gold demands of at least `minimum` authors.

    `proposed` names for each post the proposed demand in which it stands, or None. One is right if
    at least 80 % of its posts share one gold demand.
    """
    people: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
    inside: defaultdict[Hashable, Counter[Label]] = defaultdict(Counter)
    for label, demand, author in zip(gold, proposed, authors, strict=True):
        if label is not None:
            people[label].add(author)
        if demand is not None:
            inside[demand][label] += 1
    large = {label for label, who in people.items() if len(who) >= minimum}
    right: dict[Hashable, Hashable] = {}
    for demand, labels in inside.items():
        label, count = labels.most_common(1)[0]
        if label in large and count >= RIGHT_SHARE * labels.total():
            right[demand] = label
    return Events(len(inside), right, len(large))


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed, or None."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None
