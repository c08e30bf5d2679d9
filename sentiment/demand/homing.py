"""Look at every post of a large window again, against whole groups. Pure.

What `refining` does, for many groups at a time: each post that nobody has fixed moves to the group it
most probably belongs to, or stands alone; groups whose posts would all belong to each other become one.
A post is asked about its own group and the few to which its pairs say it is nearest, so the work for one
post does not grow with the window.

What a person said and what was proposed is not moved. The result does not depend on any order.

Neighbours: `joining` makes the groups first; `asking` answers; `clustering` hands the result on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.asking import Groups, answers, groups_of, questions, spread
from sentiment.demand.cohesion import Cohesion, together
from sentiment.demand.columns import Compact, Rows
from sentiment.demand.edges import Links, Pairs, Places, ends, firsts
from sentiment.demand.joining import NOWHERE, homes
from sentiment.demand.refining import LARGEST, MERGE_FROM, NEARER, ROUNDS, Membership
from sentiment.demand.scoring import FloatArray, Scorer

ASKED: Final = 8
"""Groups that one post is asked about, beside its own: those to which its three best pairs are nearest."""

AT_ONCE: Final = 65_536
_SHIFT: Final = np.int64(1 << 32)


@dataclass(frozen=True)
class Bound:
    """What may not change: rows that stay, rows that may not meet, and groups that continue a demand.

    `kept` names such a group by one row of it that stays.
    """

    still: npt.NDArray[np.bool_]
    apart: Mapping[int, frozenset[int]]
    kept: Mapping[int, str]


@dataclass(frozen=True)
class Home:
    """The parts of one window that every round asks."""

    window: Compact
    scorer: Scorer
    membership: Membership
    pairs: Pairs
    bound: Bound

    def refined(self, labels: Places) -> Places:
        """Return the labels after every free post was looked at again, and like groups were merged."""
        links = Links(self.pairs, len(labels))
        rounds = ROUNDS - 1
        for number in range(rounds):
            before = labels
            labels = self._moved(labels, links)
            if number + 1 < rounds:
                labels = self._merged(labels)
            if np.array_equal(before, labels):
                break
        return labels

    def cohesion(self, labels: Places, cohesion: Cohesion, least: int) -> dict[int, float]:
        """Return for each group of `least` posts or more the probability that it is one demand."""
        known = groups_of(labels, self.window.placed)
        group = np.flatnonzero(known.size >= least)
        count = np.minimum(known.size[group], LARGEST)
        rows = known.order[spread(known.starts[group + 1] - count, count)]
        belongs, mean = answers(
            self.window, self.scorer, self.membership, known, questions(group, count, rows)
        )
        ends_at = np.cumsum(count)
        found: dict[int, float] = {}
        for one, end, size in zip(group.tolist(), ends_at.tolist(), count.tolist(), strict=True):
            those = slice(end - size, end)
            found[one] = cohesion.probability(
                together(mean[those], belongs[those], self.window.days[rows[those]])
            )
        return found

    def _kept(self, labels: Places) -> set[int]:
        return {int(labels[row]) for row in self.bound.kept}

    def _moved(self, labels: Places, links: Links) -> Places:
        """Put each free post where it most probably belongs, judged by the groups as they were."""
        known = groups_of(labels, self.window.placed)
        open_to = known.size > 1
        open_to[list(self._kept(labels))] = True
        row, group = self._near(known, open_to, links)
        first = np.flatnonzero(firsts(group))
        counts = np.diff(np.append(first, len(group)))
        told, _ = answers(
            self.window, self.scorer, self.membership, known, questions(group[first], counts, row)
        )
        told[~self._may_hold(labels, row, group)] = 0
        best, target = np.zeros(len(labels), dtype=np.float32), np.full(len(labels), len(labels))
        np.maximum.at(best, row, told)
        surest = np.flatnonzero((told == best[row]) & (told > 0))
        np.minimum.at(target, row[surest], group[surest])
        alone = np.arange(len(labels), dtype=np.int64) + len(labels)
        found = np.where(
            best >= self.membership.belongs, target, np.where(known.size[labels] > 1, alone, labels)
        )
        return renamed(self._kept_apart(np.where(self.bound.still, labels, found)))

    def _near(self, known: Groups, open_to: npt.NDArray[np.bool_], links: Links) -> tuple[Rows, Rows]:
        """Return the posts to ask about, each with a group: its own, and the nearest by its pairs.

        Sorted by group, and by post within it.
        """
        labels = known.labels
        asked = []
        for begin in range(0, len(labels), AT_ONCE):
            end = min(begin + AT_ONCE, len(labels))
            row, other, probable = links.of(begin, end)
            near = (probable >= NEARER) & ~self.bound.still[row] & open_to[labels[other]]
            key = row[near].astype(np.int64) * _SHIFT + labels[other[near]]
            key, nearest = _three_best(key, probable[near], known)
            post, group = key // _SHIFT, key % _SHIFT
            chosen = _among_nearest(post, nearest) & (group != labels[post])
            own = np.arange(begin, end)
            own = own[~self.bound.still[begin:end] & open_to[labels[begin:end]]]
            asked += [group[chosen] * _SHIFT + post[chosen], labels[own] * _SHIFT + own]
        every = np.concatenate(asked)
        every.sort()
        return every % _SHIFT, every // _SHIFT

    def _may_hold(self, labels: Places, row: Rows, group: Rows) -> npt.NDArray[np.bool_]:
        """Return for which posts nothing that a person said keeps them out of the group."""
        closed = [
            one * int(_SHIFT) + int(labels[other])
            for one, others in self.bound.apart.items()
            for other in others
        ]
        return ~np.isin(row * _SHIFT + group, np.array(closed, dtype=np.int64))

    def _kept_apart(self, found: Rows) -> Rows:
        """Return the labels with none that holds two posts which may not meet.

        Two such posts can come to a group in the same round; the later one that is free stands alone.
        """
        still, apart = self.bound.still, self.bound.apart
        spoken_of: defaultdict[int, list[int]] = defaultdict(list)
        for row in sorted(apart, key=lambda row: (not still[row], row)):
            spoken_of[int(found[row])].append(row)
        for rows in spoken_of.values():
            held: set[int] = set()
            for row in rows:
                if not still[row] and held & apart[row]:
                    found[row] = 2 * len(found) + row
                else:
                    held.add(row)
        return found

    def _merged(self, labels: Places) -> Places:
        """Make one of two groups whose posts belong to each other, the surest first."""
        known = groups_of(labels, self.window.placed)
        one, two = self._near_groups(known)
        both = np.minimum(self._mutual(known, one, two), self._mutual(known, two, one))
        gone: set[int] = set()
        goes = np.arange(len(labels), dtype=np.int32)
        for at in np.lexsort((two, one, -both)).tolist():
            left, right = int(one[at]), int(two[at])
            if both[at] < self.membership.merges:
                break
            if left not in gone and right not in gone:
                goes[right] = left
                gone |= {left, right}
        return goes[labels]

    def _mutual(self, known: Groups, left: Rows, right: Rows) -> FloatArray:
        """Return how probably, on average, the newest posts of each left group belong to the right one."""
        if not len(left):
            return np.zeros(0, dtype=np.float32)
        count = np.minimum(known.size[left], LARGEST)
        rows = known.order[spread(known.starts[left + 1] - count, count)]
        told, _ = answers(self.window, self.scorer, self.membership, known, questions(right, count, rows))
        return (np.add.reduceat(told, np.cumsum(count) - count) / count).astype(np.float32)

    def _near_groups(self, known: Groups) -> tuple[Rows, Rows]:
        """Return the pairs of groups, of two posts at least, that are near enough and free to be one."""
        earlier, later, probable = ends(self.pairs)
        left, right = known.labels[earlier], known.labels[later]
        between = (left != right) & (known.size[left] > 1) & (known.size[right] > 1)
        left, right, probable = left[between], right[between], probable[between]
        key = np.minimum(left, right).astype(np.int64) * _SHIFT + np.maximum(left, right)
        key, at = np.unique(key, return_inverse=True)
        total = np.bincount(at, weights=probable, minlength=len(key))
        one, two = key // _SHIFT, key % _SHIFT
        home = homes(known.labels, self.window.placed)
        free = (home[one] == NOWHERE) | (home[two] == NOWHERE) | (home[one] == home[two])
        kept = np.zeros(len(known.labels), dtype=np.bool_)
        kept[list(self._kept(known.labels))] = True
        free &= ~(kept[one] & kept[two]) & (total >= MERGE_FROM * known.size[one] * known.size[two])
        free &= ~np.isin(key, self._parted(known.labels))
        return one[free], two[free]

    def _parted(self, labels: Places) -> npt.NDArray[np.int64]:
        """Return the pairs of labels that hold posts which may not meet."""
        met = (
            sorted((int(labels[row]), int(labels[other])))
            for row, others in self.bound.apart.items()
            for other in others
        )
        return np.array([first * int(_SHIFT) + second for first, second in met], dtype=np.int64)


def renamed(labels: Iterable[int] | Rows) -> Places:
    """Return the labels with every group named by its oldest row. Shape (n,) int32."""
    _, first, at = np.unique(np.asarray(labels), return_index=True, return_inverse=True)
    return first[at].astype(np.int32)


def _among_nearest(row: Rows, nearest: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which groups are among the nearest `ASKED` of their post. `row` is sorted."""
    first = np.flatnonzero(firsts(row))
    count = np.diff(np.append(first, len(row)))
    result = np.ones(len(row), dtype=np.bool_)
    many = spread(first[count > ASKED], count[count > ASKED])
    order = many[np.lexsort((-nearest[many], row[many]))]
    first = np.flatnonzero(firsts(row[order]))
    rank = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    result[order[rank >= ASKED]] = False
    return result


def _three_best(
    key: npt.NDArray[np.int64], probable: FloatArray, known: Groups
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Return each post and group once, with the mean of its three best pairs, or of as many as it can have.

    `key` holds row and group; within a row the strongest pair stands first.
    """
    if not len(key):
        return key, probable
    order = np.argsort(key, kind="stable")
    key, probable = key[order], probable[order]
    first = np.flatnonzero(firsts(key))
    rank = np.arange(len(key)) - np.repeat(first, np.diff(np.append(first, len(key))))
    summed = np.add.reduceat(np.where(rank < 3, probable, 0), first)  # noqa: PLR2004
    key = key[first]
    row, group = key // _SHIFT, key % _SHIFT
    others = known.size[group] - (known.labels[row] == group)
    return key, (summed / np.clip(others, 1, 3)).astype(np.float32)
