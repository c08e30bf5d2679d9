"""Ask of many posts at once whether each belongs to a group of a large window. Pure.

The question and its weights are those of `refining.membership_parts`; here the posts and groups of many
questions lie side by side in one array, padded to a few sizes, because a million small products of
matrices cost more for their number than for their size. `tests/unit/sentiment/test_large_windows.py` holds
both to the same answers.

Neighbours: `homing` asks; `columns` opens the rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.columns import Compact, Rows, Side, logits, probability
from sentiment.demand.edges import Places
from sentiment.demand.joining import held
from sentiment.demand.refining import LARGEST, Membership
from sentiment.demand.scoring import FloatArray, Scorer

SIZES: Final = np.array([2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, LARGEST])
"""Sizes to which posts and groups are padded."""

OPENED: Final = 4096
"""Rows that are opened in one step."""

COMPARED: Final = 1 << 18
"""Pairs that are compared in one step."""

_CLIP: Final = 1e-4
_SURE: Final = float(np.log((1 - _CLIP) / _CLIP))
_SMALLEST: Final = 1e-6


@dataclass(frozen=True)
class Groups:
    """Rows by group: those of group g, oldest first, are `order[starts[g] : starts[g + 1]]`."""

    labels: Places
    order: Rows
    starts: Rows
    size: Rows
    settled: FloatArray
    standing: Rows

    def newest(self, label: int) -> Rows:
        """Return the rows that a group is known by."""
        end = self.starts[label + 1]
        return self.order[max(self.starts[label], end - LARGEST) : end]


def groups_of(labels: Places, placed: Places) -> Groups:
    """Return the rows of every label, and how settled each group is: the share of its first organisation."""
    rows = len(labels)
    order = np.argsort(labels, kind="stable")
    size = np.bincount(labels, minlength=rows)
    starts = np.concatenate([[0], np.cumsum(size)])
    late = np.empty(rows, dtype=np.int64)
    late[order] = starts[labels[order] + 1] - np.arange(rows)
    known = np.flatnonzero((placed >= 0) & (late <= LARGEST))
    group, _, count, standing = held(labels[known], placed[known], rows)
    most = np.zeros(rows, dtype=np.int64)
    np.maximum.at(most, group, count)
    settled = (most / np.maximum(standing, 1)).astype(np.float32)
    return Groups(labels, order, starts, size, settled, standing)


@dataclass(frozen=True)
class Questions:
    """For each question a group, and which slice of `rows` is asked about."""

    groups: Rows
    starts: Rows
    counts: Rows
    rows: Rows


def questions(groups: Rows, counts: Rows, rows: Rows) -> Questions:
    """Return one question for each group, in pieces of at most 256 rows; `rows` lie one after another."""
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    pieces = np.maximum((counts + LARGEST - 1) // LARGEST, 1)
    at = np.repeat(np.arange(len(groups)), pieces)
    number = np.arange(len(at)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begin = number * LARGEST
    return Questions(groups[at], starts[at] + begin, np.minimum(counts[at] - begin, LARGEST), rows)


def answers(
    window: Compact, scorer: Scorer, membership: Membership, known: Groups, asked: Questions
) -> tuple[FloatArray, FloatArray]:
    """Return how probably each row belongs to the group it is asked about, and its mean probability with it.

    Both of the shape of `asked.rows`.
    """
    belongs = np.zeros(len(asked.rows), dtype=np.float32)
    mean = np.zeros(len(asked.rows), dtype=np.float32)
    for chosen, wide, deep in _batches(known, asked):
        first, count = asked.starts[chosen], asked.counts[chosen]
        places = first[:, None] + np.minimum(np.arange(wide), count[:, None] - 1)
        group = asked.groups[chosen]
        size = np.minimum(known.size[group], LARGEST)
        back = np.minimum(np.arange(deep), size[:, None] - 1)
        members = known.order[known.starts[group + 1][:, None] - 1 - back]
        there = np.arange(deep) < size[:, None]
        values = _parts(window, scorer, known, asked.rows[places], group, members, there)
        told = membership.probabilities(values)
        real = np.arange(wide) < count[:, None]
        belongs[places[real]] = told[real]
        mean[places[real]] = values[..., 0][real]
    return belongs, mean


def _batches(known: Groups, asked: Questions) -> Iterator[tuple[Rows, int, int]]:
    """Yield questions of alike size, with the rows and the members that all are padded to."""
    wide = SIZES[np.searchsorted(SIZES, asked.counts)]
    deep = SIZES[np.searchsorted(SIZES, np.minimum(known.size[asked.groups], LARGEST))]
    order = np.argsort(deep * (LARGEST + 1) + wide, kind="stable")
    ends = np.flatnonzero(np.diff(deep[order] * (LARGEST + 1) + wide[order])) + 1
    for alike in np.split(order, ends):
        if not len(alike):
            continue
        across, down = int(wide[alike[0]]), int(deep[alike[0]])
        step = max(1, min(OPENED // (across + down), COMPARED // (across * down)))
        for start in range(0, len(alike), step):
            yield alike[start : start + step], across, down


def _parts(  # noqa: PLR0917 - the questions in their columns
    window: Compact,
    scorer: Scorer,
    known: Groups,
    rows: Rows,
    group: Rows,
    members: Rows,
    there: npt.NDArray[np.bool_],
) -> FloatArray:
    """Return what `refining.membership_parts` does. Shape (questions, rows, 20)."""
    asked, whole = window.side(rows), window.side(members)
    inside = (rows[..., :, None] == members[..., None, :]) & there[:, None, :]
    within = inside.any(axis=-1)
    counts = there[:, None, :] & ~inside
    others = np.maximum(there.sum(axis=-1)[:, None] - within, 1)
    logit = np.clip(logits(scorer, asked, whole), -_SURE, _SURE)
    probable = probability(logit)
    probable[~counts] = 0.0
    logit[~counts] = 0.0
    three = -np.partition(-probable, 2, axis=-1)[..., :3] if probable.shape[-1] > 3 else probable  # noqa: PLR2004
    apart = np.abs(asked.days[..., :, None] - whole.days[..., None, :]).astype(np.float32)
    apart[~counts] = np.inf
    apart.sort(axis=-1)
    apart[~np.isfinite(apart)] = 0.0
    middle = np.take_along_axis(apart, ((others - 1) // 2)[..., None], axis=-1)[..., 0]
    board = asked.on_common_board
    share, home, elsewhere = _stands(known, group, asked, whole, counts, inside & there[:, None, :])
    topic = _likeness(asked.topics, whole.topics, there, within)
    here, everywhere = _busy(asked, whole, counts)
    columns = (
        probable.sum(axis=-1) / others,
        probable.max(axis=-1),
        three.sum(axis=-1) / np.minimum(others, 3),
        logit.sum(axis=-1) / others,
        share,
        elsewhere,
        board,
        home,
        _likeness(asked.vectors, whole.vectors, there, within),
        _likeness(asked.terms, whole.terms, there, within),
        topic,
        ~asked.topics.any(axis=-1) if asked.topics.shape[-1] else np.ones_like(board),
        _likeness(asked.domains, whole.domains, there, within),
        np.log1p(apart[..., 0]),
        np.log1p(middle),
        np.log(others),
        asked.need,
        board * topic,
        here / others,
        everywhere / others,
    )
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=-1)


def _busy(asked: Side, whole: Side, counts: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """Return the sums over a group of how busy the board is that a row shares, and everything where none."""
    same = asked.organisations[..., :, None] == whole.organisations[..., None, :]
    same &= ~(asked.on_common_board[..., :, None] | whole.on_common_board[..., None, :])
    here, apart = (counts & same).astype(np.float32), (counts & ~same).astype(np.float32)

    def summed(weights: FloatArray, own: FloatArray, theirs: FloatArray) -> FloatArray:
        halves = own * weights.sum(axis=-1) + (weights @ theirs[..., None])[..., 0]
        return np.asarray(halves * np.float32(0.5), dtype=np.float32)

    return summed(here, asked.board_busy, whole.board_busy), summed(apart, asked.all_busy, whole.all_busy)


def _stands(  # noqa: PLR0917 - the questions in their columns
    known: Groups,
    group: Rows,
    asked: Side,
    whole: Side,
    counts: npt.NDArray[np.bool_],
    inside: npt.NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return how much of a group stands under a row's organisation, and how settled it is elsewhere."""
    placed = ~whole.on_common_board
    board = asked.on_common_board
    same = (asked.organisations[..., :, None] == whole.organisations[..., None, :]) & placed[:, None, :]
    same &= counts & ~board[..., None]
    standing, settled = known.standing[group][:, None], known.settled[group][:, None]
    count = np.maximum(standing - (inside & placed[:, None, :]).sum(axis=-1), 1)
    met = same.any(axis=-1)
    away = settled * (~met & ~board & (standing > 1))
    return (same.sum(axis=-1) / count).astype(np.float32), settled * met, away


def _likeness(
    asked: FloatArray, whole: FloatArray, there: npt.NDArray[np.bool_], within: npt.NDArray[np.bool_]
) -> FloatArray:
    """Return the cosine of each row with the mean of its group, itself left out. Shape (questions, rows)."""
    if not asked.shape[-1]:
        return np.zeros(asked.shape[:-1], dtype=np.float32)
    middle = np.einsum("bgd,bg->bd", whole, there.astype(np.float32))
    own = np.einsum("brd,brd->br", asked, asked)
    dots = (asked @ middle[..., None])[..., 0]
    total = np.einsum("bd,bd->b", middle, middle)[:, None]
    length = np.where(within, total - 2 * dots + own, total)
    dots = np.where(within, dots - own, dots)
    return np.asarray(dots / np.sqrt(np.maximum(length * own, _SMALLEST)), dtype=np.float32)


def spread(starts: npt.NDArray[np.integer[Any]], counts: npt.NDArray[np.integer[Any]]) -> Rows:
    """Return the places of several slices, one after another."""
    begun = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    return np.asarray(begun + np.arange(int(counts.sum())), dtype=np.int64)
