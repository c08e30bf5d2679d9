"""Join groups of a large window by the highest mean probability, many pairs at a time. Pure.

The same rule as in a small window: the two groups of the highest mean over all their pairs become one, as
long as it reaches the bound. A mean never rises when one side takes in another, so two groups that are
each the other's best may be joined before any other pair is looked at; that is done for all such pairs in
one step, by arrays. What has no partner left above the bound drops out with its pairs.

Where homes of groups (`refining.homes_differ`) forbid a pair and later allow it, the order of joining can
differ from that of one pair at a time.

Neighbours: `edges` brings the pairs; `clustering` says what is one from the start; `homing` comes after.

Source
------
Murtagh (1983), A survey of recent advances in hierarchical clustering algorithms: reciprocal neighbours.
"""

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.columns import Rows
from sentiment.demand.edges import Pairs, Places, ends, firsts
from sentiment.demand.refining import AT_HOME_FROM, MOSTLY

NOWHERE: Final = -1
FEWER: Final = 0.75
"""Share of the pairs above the bound at which those that can bring nothing any more are let go."""

STEPS: Final = 65_535
"""Steps of a probability. Sums are whole numbers of them, so that no order of adding changes one."""

_ROWS: Final = np.int64(1 << 32)

Flags = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.int64]
Means = npt.NDArray[np.float64]


def homes(labels: Places, placed: Places, asked: Flags | None = None) -> Places:
    """Return for each label the organisation at which the group is at home, or -1. Shape (n,).

    Parameters
    ----------
    labels
        For each row the label of its group, below n.
    placed
        For each row its organisation, or -1 on the common board.
    asked
        The labels that are asked for; all by default.
    """
    result = np.full(len(labels), NOWHERE, dtype=np.int32)
    rows = np.flatnonzero((placed >= 0) if asked is None else (placed >= 0) & asked[labels])
    group, organisation, count, total = held(labels[rows], placed[rows], len(labels))
    home = (count >= MOSTLY * total[group]) & (total[group] >= AT_HOME_FROM)
    result[group[home]] = organisation[home]
    return result


def held(
    labels: Places, placed: Places, rows: int
) -> tuple[Places, Places, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return each pair of a label and an organisation, how many stand there, and how many each label has."""
    keys, count = np.unique(labels.astype(np.int64) * _ROWS + placed, return_counts=True)
    group = (keys // _ROWS).astype(np.int32)
    total = np.bincount(labels, minlength=rows)
    return group, (keys % _ROWS).astype(np.int32), count, total


def join_all(  # noqa: PLR0917 - the state of the joining in its parts
    pairs: Pairs,
    labels: Places,
    placed: Places,
    kept: Collection[int],
    apart: Collection[tuple[int, int]],
    least: float,
) -> Places:
    """Return for each row the label of its group, the number of the group's oldest row. Shape (n,) int32.

    Parameters
    ----------
    pairs
        As `edges.pairs_of` returns them.
    labels
        The groups to begin with, each named by its oldest row.
    placed
        For each row its organisation, or -1 on the common board.
    kept
        Labels of groups that continue a demand: two of these never become one.
    apart
        Pairs of labels that never become one.
    least
        Mean probability from which two groups become one.
    """
    labels, least = labels.copy(), least * STEPS
    size = np.bincount(labels, minlength=len(labels))
    fixed = np.zeros(len(labels), dtype=np.bool_)
    fixed[list(kept)] = True
    parted = {(min(pair), max(pair)) for pair in apart}
    home = homes(labels, placed)
    one, other, sums = _begun(pairs, labels)
    mean = _means(one, other, sums, size)
    before = 2 * len(one)
    while len(one):
        strong = mean >= least
        at = np.flatnonzero(strong)
        if len(at) < FEWER * before:
            before = len(at)
            live = np.zeros(len(labels), dtype=np.bool_)
            live[one[at]] = live[other[at]] = True
            stays = live[one] & live[other] & (mean > 0)
            one, other, sums, mean = one[stays], other[stays], sums[stays], mean[stays]
            at = np.flatnonzero(strong[stays])
        at = at[_alike(home[one[at]], home[other[at]])]
        if kept:
            at = at[~(fixed[one[at]] & fixed[other[at]])]
        at = _free(at, one, other, parted)
        chosen = _each_others_best(at, one, other, mean, len(labels))
        if not len(chosen):
            break
        goes = np.arange(len(labels), dtype=np.int32)
        goes[other[chosen]] = one[chosen]
        labels = goes[labels]
        size[one[chosen]] += size[other[chosen]]
        fixed[one[chosen]] |= fixed[other[chosen]]
        parted = {(min(pair), max(pair)) for pair in ((int(goes[a]), int(goes[b])) for a, b in parted)}
        changed = np.zeros(len(labels), dtype=np.bool_)
        changed[one[chosen]] = changed[other[chosen]] = True
        found = homes(labels, placed, changed & (size >= AT_HOME_FROM))
        home = np.where(changed, found, home)
        _move(one, other, sums, mean, np.flatnonzero(changed[one] | changed[other]), goes, size)
    return labels


def _begun(pairs: Pairs, labels: Places) -> tuple[Places, Places, Sums]:
    """Return the pairs of the groups to begin with, each once, with the sum of their probabilities."""
    one, other, probable = ends(pairs)
    sums = np.rint(probable * STEPS).astype(np.int64)
    if np.array_equal(labels, np.arange(len(labels))):
        return one, other, sums
    return _summed(labels[one], labels[other], sums)


def _move(  # noqa: PLR0917 - the pairs in their columns
    one: Places, other: Places, sums: Sums, mean: Means, moved: Rows, goes: Places, size: Sums
) -> None:
    """Bring the pairs of groups that became one up to date in place; what is left over binds nothing."""
    again = _summed(goes[one[moved]], goes[other[moved]], sums[moved])
    count = len(again[0])
    at, over = moved[:count], moved[count:]
    one[at], other[at], sums[at] = again
    mean[at] = _means(*again, size)
    mean[over] = 0
    other[over] = one[over]


def _means(one: Places, other: Places, sums: Sums, size: Sums) -> Means:
    """Return the mean probability of pairs of groups, in steps."""
    return np.asarray(sums / (size[one] * size[other]), dtype=np.float64)


def _alike(home: Places, other: Places) -> Flags:
    """Return where two homes do not differ."""
    return np.asarray((home == NOWHERE) | (other == NOWHERE) | (home == other), dtype=np.bool_)


def _free(
    at: npt.NDArray[np.int64], one: Places, other: Places, parted: Collection[tuple[int, int]]
) -> npt.NDArray[np.int64]:
    """Return the places of `at` whose groups nothing keeps apart."""
    if not parted:
        return at
    wanted = one[at].astype(np.int64) * _ROWS + other[at]
    forbidden = np.array([first * int(_ROWS) + second for first, second in parted], dtype=np.int64)
    return at[~np.isin(wanted, forbidden)]


def _each_others_best(
    at: npt.NDArray[np.int64], one: Places, other: Places, mean: Means, rows: int
) -> npt.NDArray[np.int64]:
    """Return the pairs of which each side is the other's best by mean, of equals the oldest groups' one."""
    left, right, mean = one[at].astype(np.int64), other[at].astype(np.int64), mean[at]
    best = np.zeros(rows)
    np.maximum.at(best, left, mean)
    np.maximum.at(best, right, mean)
    here, there = mean == best[left], mean == best[right]
    first = np.full(rows, np.iinfo(np.int64).max)
    for side, equal in ((left, here), (right, there)):
        np.minimum.at(first, side[equal], left[equal] * _ROWS + right[equal])
    both = np.flatnonzero(here & there)
    key = left[both] * _ROWS + right[both]
    return np.asarray(at[both[(first[left[both]] == key) & (first[right[both]] == key)]], dtype=np.int64)


def _summed(one: Places, other: Places, sums: Sums) -> tuple[Places, Places, Sums]:
    """Return pairs of labels, the smaller first, each once with the sum of all its pairs."""
    apart = one != other
    one, other, sums = one[apart], other[apart], sums[apart]
    key = np.minimum(one, other).astype(np.int64) * _ROWS + np.maximum(one, other)
    order = np.argsort(key, kind="stable")
    key, sums = key[order], sums[order]
    first = np.flatnonzero(firsts(key))
    total = np.add.reduceat(sums, first) if len(first) else sums
    key = key[first]
    return (key // _ROWS).astype(np.int32), (key % _ROWS).astype(np.int32), total
