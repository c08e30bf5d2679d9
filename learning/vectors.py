"""Dense unit vectors for texts: the weighted mean of the vectors of their n-grams.

The n-grams are the frequent ones of the training corpus, looked up by hash; one that is not among
them counts nothing. Each is weighted down by how common it is, and the direction that all texts
share is taken out, because it says only that a text is a text.

It answers how alike two texts sound. It knows no place, no organisation and no time.

Neighbours: `training/vectors.py` makes what is read here; `linear` serves it.

Source
------
Arora, Liang, Ma (2017), A simple but tough-to-beat baseline for sentence embeddings, ICLR.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray, Hashed, Hashing

_SMALLEST = 1e-6


@dataclass(frozen=True, slots=True)
class GramVectors:
    """Vectors of v n-grams in d dimensions.

    Attributes
    ----------
    keys
        Shape (v,) uint32: the bucket of each n-gram under `hashing`.
    vectors
        Shape (v, d) float32: the vector of each n-gram times its weight.
    shared
        Shape (c, d) float32, orthonormal rows: the directions that are taken out.
    """

    hashing: Hashing
    keys: npt.NDArray[np.uint32]
    vectors: FloatArray
    shared: FloatArray
    _rows: npt.NDArray[np.uint16] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.vectors) or len(self.keys) >= np.iinfo(np.uint16).max:
            raise ValueError(f"{len(self.keys)} keys do not fit {len(self.vectors)} vectors")
        rows = np.zeros(1 << self.hashing.bits, dtype=np.uint16)
        rows[self.keys] = np.arange(1, len(self.keys) + 1, dtype=np.uint16)
        object.__setattr__(self, "_rows", rows)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return one unit vector for each text. Shape (n, d) float32.

        A text without any known n-gram gets the first axis: alike to others of its kind only.
        """
        result = np.empty((len(texts), self.vectors.shape[1]), dtype=np.float32)
        for part, hashed in self.hashing.parts(texts):
            result[part] = self._sums(hashed)
        # Scaled before the shared directions go, so that a long text is judged like a short one.
        result /= np.maximum(np.linalg.norm(result, axis=1, keepdims=True), _SMALLEST)
        result -= (result @ self.shared.T) @ self.shared
        lengths = np.linalg.norm(result, axis=1, keepdims=True)
        unknown = lengths[:, 0] < _SMALLEST
        result /= np.maximum(lengths, _SMALLEST)
        result[unknown] = 0.0
        result[unknown, 0] = 1.0
        return result

    def _sums(self, hashed: Hashed) -> FloatArray:
        """Return the sum of the vectors of each text's known n-grams; most n-grams are not known."""
        rows = self._rows.take(hashed.buckets)
        known = rows > 0
        found = np.add.reduceat(known, hashed.starts, dtype=np.int64)
        some = found > 0
        sums = np.zeros((len(found), self.vectors.shape[1]), dtype=np.float32)
        if some.any():
            starts = (np.cumsum(found) - found)[some]
            sums[some] = np.add.reduceat(self.vectors.take(rows[known] - 1, axis=0), starts, axis=0)
        return sums
