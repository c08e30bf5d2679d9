"""Linear heads over hashed n-grams: one gather, one sum per text.

A text is the sum of its n-grams, each weighted by how rare it is, scaled to about unit length; a
head is a weight per bucket and a bias. The rarity is already multiplied into the weights that
ship, and the last column of the table holds its square, so the length comes out of the same sum.

Where the space of hashes is large and few n-grams were worth keeping, `rows` leads from a bucket to
the row of the table: an n-gram that nobody kept has row 0, which is all zeros, and adds nothing.

It calibrates with one line per head (Platt) or one temperature per group of classes, fitted on
texts that the weights have not seen. It knows nothing of categories: `linear` gives columns names.

Neighbours: `features` makes the buckets; `training` fits what is read here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray, Hashing
from learning.vectors import GramVectors

_SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class LinearHeads:
    """k linear heads over one hashing.

    Attributes
    ----------
    table
        Shape (r, k + 1) float32. Columns 0 to k-1: weight times rarity; column k: rarity squared. Without
        `rows` there is a row for each bucket: r is 2**bits.
    bias, slope, offset
        Shape (k,) float32. The logit of head j is `slope[j] * (score + bias[j]) + offset[j]`.
    vectors, dense
        Weights of the text's vector, shape (d, k) float32, which are added to the score; or neither.
    upper
        Shape (k,) float32, from 0 to 1: the factor on the part of a logit above 0. 1 where it is missing.
    rows
        Shape (2**bits,) int32: the row of each bucket; or none, and a bucket's row has its number.
    """

    hashing: Hashing
    table: FloatArray
    bias: FloatArray
    slope: FloatArray
    offset: FloatArray
    vectors: GramVectors | None = None
    dense: FloatArray | None = None
    upper: FloatArray | None = None
    rows: npt.NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        heads = self.table.shape[1] - 1
        buckets = self.table.shape[0] if self.rows is None else self.rows.shape[0]
        if buckets != 1 << self.hashing.bits or heads < 1:
            raise ValueError(f"a table of shape {self.table.shape} does not fit {self.hashing.bits} bits")
        if any(part.shape != (heads,) for part in (self.bias, self.slope, self.offset)):
            raise ValueError(f"need {heads} biases, slopes and offsets")

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """Return the calibrated logit of every head for every text. Shape (n, k) float32."""
        heads = self.table.shape[1] - 1
        result = np.empty((len(texts), heads), dtype=np.float32)
        for part, hashed in self.hashing.parts(texts):
            places = hashed.buckets if self.rows is None else self.rows.take(hashed.buckets)
            gathered = self.table.take(places, axis=0)
            sums = np.add.reduceat(gathered, hashed.starts, axis=0)
            length = np.sqrt(np.maximum(sums[:, heads:], _SMALLEST))
            result[part] = (sums[:, :heads] / length + self.bias) * self.slope + self.offset
        if self.vectors is not None and self.dense is not None:
            result += (self.vectors.encode(texts) @ self.dense) * self.slope
        return result if self.upper is None else eased(result, self.upper)


def eased(logits: FloatArray, upper: FloatArray) -> FloatArray:
    """Return logits whose part above 0 counts by the factor `upper`, shape (k,).

    The order of texts stays, and so does everything a head finds less likely than not.
    """
    result: FloatArray = np.where(logits > 0.0, logits * upper, logits).astype(np.float32)
    return result


def sigmoid(logits: FloatArray) -> FloatArray:
    """Return the probability of each logit, element by element, without overflow."""
    result: FloatArray = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
    return result


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities that sum to 1 along the last axis."""
    if logits.size == 0:
        return logits
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: FloatArray = (shifted / shifted.sum(axis=-1, keepdims=True)).astype(np.float32)
    return result
