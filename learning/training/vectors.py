"""Make n-gram vectors from plain text: which n-grams share their lines, in few dimensions.

A line of the corpus is cut into passages; the table of n-grams by passages, weighted by pointwise
mutual information where that is positive, is factored by a randomised singular value
decomposition. N-grams that occur in the same passages get vectors that point the same way.

Neighbours: `recipe` names the corpus; `learning/vectors.py` serves the result.

Source
------
Levy, Goldberg, Dagan (2015), Improving distributional similarity with lessons learned from word
embeddings, TACL 3. Halko, Martinsson, Tropp (2011), Finding structure with randomness, SIAM Review 53.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray, Hashing
from learning.training.fitting import Matrix, Tell, counts
from learning.training.recipe import GramsEntry

PASSAGE: Final = 40
"""Characters of a passage: about the length of a post."""

_OVERSAMPLING: Final = 12
_ROUNDS: Final = 4


@dataclass(frozen=True, slots=True)
class FittedGrams:
    """N-gram vectors that are ready to ship; fields as in `GramVectors`, vectors in eight bits.

    The vector of n-gram j is `scales[j] * vectors[j]`.
    """

    keys: npt.NDArray[np.uint32]
    vectors: npt.NDArray[np.int8]
    scales: FloatArray
    shared: FloatArray


def fit_grams(
    entry: GramsEntry, texts: Sequence[str], hashing: Hashing, *, seed: int, tell: Tell
) -> FittedGrams:
    """Return vectors for the most frequent n-grams of `texts`."""
    passages = [text[at : at + PASSAGE] for text in texts for at in range(0, max(len(text), 1), PASSAGE)]
    table = counts(hashing, passages)
    tell(f"{len(passages)} passages, {table.nnz} entries")
    table.data = np.ones_like(table.data)
    frequency = np.bincount(table.indices, minlength=table.shape[1])
    ranked = np.lexsort((np.arange(len(frequency)), -frequency))[: entry.vocabulary]
    keys = np.sort(ranked[frequency[ranked] >= entry.rarest]).astype(np.uint32)
    table = table[:, keys]
    frequency = frequency[keys]
    vectors = _factored(_information(table, frequency), entry.dimensions, seed)
    tell(f"{len(keys)} n-grams in {entry.dimensions} dimensions")
    weight = entry.weight_scale / (entry.weight_scale + frequency / frequency.sum())
    vectors *= weight[:, None]
    sums = table @ vectors
    sums /= np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    shared = np.linalg.eigh(sums.T @ sums)[1][:, ::-1][:, : entry.shared].T
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-9) / 127.0
    return FittedGrams(
        keys=keys,
        vectors=np.rint(vectors / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
        shared=shared.astype(np.float32),
    )


def _information(table: Matrix, frequency: npt.NDArray[np.int64]) -> Matrix:
    """Return the positive pointwise mutual information of each n-gram and passage that occur together."""
    sizes = np.asarray(table.sum(axis=1)).ravel()
    result = table.astype(np.float32).copy()
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    joint = np.log(table.nnz / (np.maximum(sizes[rows], 1.0) * frequency[table.indices]))
    result.data = np.maximum(joint, 0.0).astype(np.float32)
    return result


def _factored(matrix: Matrix, dimensions: int, seed: int) -> FloatArray:
    """Return the right singular vectors, each axis scaled by the root of its singular value.

    Shape (columns, dimensions). The sign of an axis is that of its largest entry, so that it does
    not depend on how the library happens to turn it.
    """
    generator = np.random.default_rng(seed)
    basis = generator.standard_normal((matrix.shape[1], dimensions + _OVERSAMPLING)).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix.T @ (matrix @ basis))[0].astype(np.float32)
    image = matrix @ basis
    values, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    order = np.argsort(-values)[:dimensions]
    vectors = (basis @ turn[:, order]) * np.maximum(values[order], 0.0) ** 0.25
    vectors *= np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])])
    result: FloatArray = vectors.astype(np.float32)
    return result
