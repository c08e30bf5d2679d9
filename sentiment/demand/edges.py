"""Find for every post of a large window the few that it could share a demand with. Pure.

Pairs are scored inside one organisation and inside one *cell of meaning*, a cell cut along time where it
is large, and each post keeps its nearest of each: so the work for one post, and the pairs that it brings,
do not grow with the window. A pair that lies in no block is not seen; groups are compared again as wholes
later (`homing`), but what no pair brought near stays apart.

A pair is one unsigned number of 64 bits: 24 for each row, 16 for the probability. So a window holds 16
million posts at most.

Neighbours: `columns` compares the rows; `joining` and `homing` group by the pairs.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.columns import Compact, Rows, logits, probability
from sentiment.demand.fixed_point import Fixed, opened
from sentiment.demand.scoring import FloatArray, Scorer

BLOCK: Final = 512
"""Rows of one block; a larger one is cut along time, each piece compared with the next as well."""

FLOOR: Final = 0.05
"""Pairs below this probability count as nothing."""

NEAREST: Final = 12
"""Pairs that are kept for one item in one block, where not every pair is compared."""

CELL: Final = 400
"""Items of one cell of meaning, on average."""

CELLS: Final = 2048
"""Cells of meaning at most."""

DRAWN: Final = 20_000
"""Items from which the middles of the cells are found."""

TURNS: Final = 2
AT_ONCE: Final = 8192
LARGEST: Final = 1 << 24
"""Rows that a window can hold."""

_LOW: Final = np.uint64(LARGEST - 1)
_STEPS: Final = 65_535
_STEP: Final = np.float32(1 / _STEPS)
_SMALLEST: Final = 1e-6

Pairs = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]


def pairs_of(window: Compact, scorer: Scorer) -> Pairs:
    """Return every pair that is worth keeping, once: earlier row, later row, probability; sorted."""
    found = [_strongest(window, scorer, block, of) for block, of in _blocks(window)]
    every = np.concatenate(found) if found else np.zeros(0, dtype=np.uint64)
    found.clear()
    every.sort()
    pair = every >> np.uint64(16)
    return every[firsts(pair)]


def firsts(keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return where a run of equal keys begins."""
    result = np.ones(len(keys), dtype=np.bool_)
    result[1:] = keys[1:] != keys[:-1]
    return result


def ends(pairs: Pairs) -> tuple[Places, Places, FloatArray]:
    """Return the earlier rows of pairs, the later rows, and the probabilities."""
    earlier = (pairs >> np.uint64(40)).astype(np.int32)
    later = ((pairs >> np.uint64(16)) & _LOW).astype(np.int32)
    return earlier, later, (pairs & np.uint64(_STEPS)).astype(np.float32) * _STEP


class Links:
    """The pairs by row, both ways, the strongest of a row first."""

    def __init__(self, pairs: Pairs, rows: int) -> None:
        weak = np.uint64(_STEPS) - (pairs & np.uint64(_STEPS))
        earlier, later = pairs >> np.uint64(40), (pairs >> np.uint64(16)) & _LOW
        half = len(pairs)
        self._held = np.empty(2 * half, dtype=np.uint64)
        self._held[:half] = earlier << np.uint64(40) | weak << np.uint64(24) | later
        self._held[half:] = later << np.uint64(40) | weak << np.uint64(24) | earlier
        del weak, earlier, later
        self._held.sort()
        bounds = np.arange(rows + 1, dtype=np.uint64) << np.uint64(40)
        self.starts = np.searchsorted(self._held, bounds)

    def of(self, begin: int, end: int) -> tuple[Places, Places, FloatArray]:
        """Return the links of the rows from `begin` to before `end`: row, other row, probability."""
        held = self._held[self.starts[begin] : self.starts[end]]
        weak = ((held >> np.uint64(24)) & np.uint64(_STEPS)).astype(np.float32)
        other = (held & _LOW).astype(np.int32)
        return (held >> np.uint64(40)).astype(np.int32), other, 1 - weak * _STEP


def _strongest(window: Compact, scorer: Scorer, block: Rows, of: int) -> Pairs:
    """Return the pairs of the first `of` rows of a block with all of it: for each row the nearest."""
    side = window.side(block)
    close = logits(scorer, side.first(of), side)
    close[np.arange(of), np.arange(of)] = -np.inf
    kept = close >= np.log(FLOOR / (1 - FLOOR))
    if len(block) > NEAREST:
        kept &= close >= -np.partition(-close, NEAREST - 1, axis=1)[:, NEAREST - 1 : NEAREST]
    across, down = np.nonzero(kept)
    probable = np.rint(probability(close[across, down]) * _STEPS).astype(np.uint64)
    left, right = block[across].astype(np.uint64), block[down].astype(np.uint64)
    return np.minimum(left, right) << np.uint64(40) | np.maximum(left, right) << np.uint64(16) | probable


def _blocks(window: Compact) -> Iterable[tuple[Rows, int]]:
    """Yield rows, and how many of the first of them are compared with all: of one organisation, or cell."""
    placed = window.placed
    for block in alike(placed):
        if placed[block[0]] >= 0:
            yield from _pieces(block)
    for block in alike(_cells(window.vectors)):
        yield from _pieces(block)


def _pieces(block: Rows) -> Iterable[tuple[Rows, int]]:
    for start in range(0, len(block), BLOCK):
        yield block[start : start + 2 * BLOCK], min(BLOCK, len(block) - start)


def alike(labels: npt.NDArray[np.integer[Any]]) -> list[Rows]:
    """Return the rows of each label, in order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def _cells(vectors: Fixed) -> npt.NDArray[np.int64]:
    """Return for each row its cell of meaning, by a few turns of k-means from evenly drawn seeds."""
    drawn = opened(vectors[:: max(1, len(vectors) // DRAWN)])
    count = min(CELLS, max(1, len(vectors) // CELL))
    middles = drawn[:: max(1, len(drawn) // count)][:count]
    for _ in range(TURNS):
        nearest = (drawn @ middles.T).argmax(axis=1)
        sums = np.zeros_like(middles)
        np.add.at(sums, nearest, drawn)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        middles = np.where(lengths > 0, sums / np.maximum(lengths, _SMALLEST), middles)
    result = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        result[part] = (opened(vectors[part]) @ middles.T).argmax(axis=1)
    return result
