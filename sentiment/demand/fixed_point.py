"""Keep numbers of [-1, 1] in 16-bit fixed point, and rows that are mostly zeros without their zeros.

It refuses to know what the numbers mean.

Neighbours: `columns` keeps a large window so, and opens the rows that are compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.scoring import FloatArray

Fixed = npt.NDArray[np.int16]

_ONE: Final = 32_767
"""What 1 is in 16-bit fixed point."""

_SCALE: Final = np.float32(1 / _ONE)


def fixed(values: npt.NDArray[Any]) -> Fixed:
    """Return numbers of [-1, 1] in 16-bit fixed point; what lies beyond is cut."""
    scaled = np.clip(values.astype(np.float32) * _ONE, -_ONE, _ONE)
    return np.rint(scaled).astype(np.int16)


def opened(values: Fixed) -> FloatArray:
    """Return what `fixed` has closed, to within 2e-5."""
    return values.astype(np.float32) * _SCALE


@dataclass(frozen=True)
class Sparse:
    """Rows of few numbers that are not zero, in fixed point: opened, they are as if each were kept.

    Row r has `values[starts[r] : starts[r + 1]]` in the columns `places` of the same slice. Three bytes a
    number, where a row of 256 columns would take 512.
    """

    starts: npt.NDArray[np.int64]
    places: npt.NDArray[np.unsignedinteger[Any]]
    values: Fixed
    width: int

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> "Sparse":
        """Return the rows of a matrix of numbers of [-1, 1]."""
        closed = fixed(values)
        row, place = np.nonzero(closed)
        starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(closed)))])
        width = closed.shape[1]
        return cls(
            starts, place.astype(np.uint8 if width <= 1 << 8 else np.uint16), closed[row, place], width
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many numbers each row has."""
        return np.diff(self.starts)

    def opened(self, rows: npt.NDArray[np.integer[Any]]) -> FloatArray:
        """Return rows as floats. `rows` may have any shape; the columns come as a last axis."""
        flat = rows.ravel()
        at, counts = self._at(flat)
        result = np.zeros(len(flat) * self.width, dtype=np.float32)
        cell = np.repeat(np.arange(0, len(result), max(self.width, 1)), counts) if self.width else at
        cell += self.places[at]
        result[cell] = opened(self.values[at])
        return result.reshape(*rows.shape, self.width)

    def taken(self, rows: npt.NDArray[np.integer[Any]]) -> "Sparse":
        """Return some rows, in that order."""
        at, counts = self._at(rows)
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Sparse(starts, self.places[at], self.values[at], self.width)

    def _at(self, rows: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the places of the numbers of rows, one row after another, and how many each has."""
        begin = self.starts[rows]
        counts = self.starts[rows + 1] - begin
        ends = np.cumsum(counts)
        at = np.arange(int(ends[-1]) if len(ends) else 0)
        at += np.repeat(begin - ends + counts, counts)
        return at, counts


def stacked(pieces: Iterable[Sparse]) -> Sparse:
    """Return the rows of at least one piece, one after another. All have the same columns."""
    held = list(pieces)
    counts = np.concatenate([piece.counts for piece in held])
    return Sparse(
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate([piece.places for piece in held]),
        np.concatenate([piece.values for piece in held]),
        held[0].width,
    )
