"""Make vectors for words and characters from plain text: who keeps the same company.

The corpus is cut into words; how often a word stands within some words of another is weighted by
pointwise mutual information where that is positive, and the table is factored by a randomised
singular value decomposition. A character keeps the company of all words that it stands in, so a
word that is not in the table is still understood by its characters.

Serving needs no word cutter: every known word that occurs in a text counts, found by its hash.

Neighbours: `recipe` names the corpus; `learning/vectors.py` serves the result.

Source
------
Levy, Goldberg, Dagan (2015), Improving distributional similarity with lessons learned from word
embeddings, TACL 3. Halko, Martinsson, Tropp (2011), Finding structure with randomness, SIAM Review 53.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray, Hashing
from learning.training.fitting import Matrix, Tell
from learning.training.recipe import GramsEntry
from learning.vectors import GramVectors

_OVERSAMPLING: Final = 12
_ROUNDS: Final = 4
_SMOOTHING: Final = 0.75
_BREAK: Final = -1
_WORD: Final = re.compile(r"[㐀-鿿a-z]")
_LEAST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class FittedGrams:
    """Vectors that are ready to ship; fields as in `GramVectors`, vectors in eight bits.

    The vector of word j is `scales[j] * vectors[j]`.
    """

    keys: npt.NDArray[np.uint32]
    vectors: npt.NDArray[np.int8]
    scales: FloatArray
    shared: FloatArray

    def served(self, hashing: Hashing) -> GramVectors:
        """Return the vectors as serving sees them, rounded as they ship."""
        return GramVectors(
            hashing=hashing,
            keys=self.keys,
            vectors=self.vectors.astype(np.float32) * self.scales[:, None],
            shared=self.shared,
        )


@dataclass(frozen=True, slots=True)
class _Company:
    """Rows of words and characters, how often each occurs, and which words each keeps company with."""

    rows: list[str]
    frequency: npt.NDArray[np.float64]
    table: Matrix


def fit_grams(
    entry: GramsEntry, texts: Sequence[str], sample: Sequence[str], hashing: Hashing, *, seed: int, tell: Tell
) -> FittedGrams:
    """Return vectors for the frequent words and characters of `texts`.

    The directions that all texts share are taken from `sample`, texts of the kind that is served.
    """
    words, stream = _stream([hashing.folded(text) for text in texts])
    tell(f"{len(stream)} words, {len(words)} of them different")
    company = _company(entry, words, stream)
    vectors = _factored(_information(company.table), entry.dimensions, seed)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LEAST)
    share = company.frequency / company.frequency.sum()
    vectors *= (entry.weight_scale / (entry.weight_scale + share))[:, None]
    tell(f"{len(company.rows)} words and characters in {entry.dimensions} dimensions")

    keys, kept = _keys(company.rows, hashing)
    vectors = vectors[kept].astype(np.float32)
    scales = np.maximum(np.abs(vectors).max(axis=1), _LEAST) / 127.0
    plain = FittedGrams(
        keys=keys,
        vectors=np.rint(vectors / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
        shared=np.zeros((0, entry.dimensions), dtype=np.float32),
    )
    rows = plain.served(hashing).encode(sample).astype(np.float64)
    axes = np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, : entry.shared].T
    return FittedGrams(plain.keys, plain.vectors, plain.scales, axes.astype(np.float32))


def _stream(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the different words of `texts`, and all words as places in it, a break after each text."""
    import rjieba  # noqa: PLC0415 - training alone cuts words

    places: dict[str, int] = {}
    stream: list[int] = []
    for text in texts:
        stream.extend(places.setdefault(word, len(places)) for word in rjieba.cut(text))
        stream.append(_BREAK)
    return list(places), np.array(stream, dtype=np.int64)


def _company(entry: GramsEntry, words: Sequence[str], stream: npt.NDArray[np.int64]) -> _Company:
    """Return the table of the most frequent words and of the characters in them."""
    from scipy import sparse  # noqa: PLC0415 - an optional library

    counts = np.bincount(stream[stream != _BREAK], minlength=len(words))
    counts[[not _WORD.search(word) for word in words]] = 0
    ranked = np.argsort(-counts, kind="stable")[: entry.vocabulary]
    ranked = ranked[counts[ranked] >= entry.rarest]
    vocabulary = [words[place] for place in ranked]
    frequency = counts[ranked].astype(np.float64)
    columns = np.full(len(words) + 1, len(words), dtype=np.int64)
    columns[ranked] = np.arange(len(ranked))
    columns[_BREAK] = _BREAK
    near = _near(columns[stream], len(ranked), unknown=len(words), window=entry.window)

    letters = sorted({letter for word in vocabulary for letter in word if _WORD.match(letter)})
    places = {letter: place for place, letter in enumerate(letters)}
    pairs = [
        (places[letter], column)
        for column, word in enumerate(vocabulary)
        for letter in word
        if letter in places
    ]
    inside = sparse.csr_matrix(
        (np.ones(len(pairs), dtype=np.float32), tuple(np.array(pairs, dtype=np.int64).reshape(-1, 2).T)),
        shape=(len(letters), len(vocabulary)),
    )
    longer = [place for place, word in enumerate(vocabulary) if word not in places]
    return _Company(
        rows=[vocabulary[place] for place in longer] + letters,
        frequency=np.concatenate([frequency[longer], np.maximum(inside @ frequency, 1.0)]),
        table=sparse.vstack([near[longer], inside @ near]).tocsr(),
    )


def _near(stream: npt.NDArray[np.int64], size: int, *, unknown: int, window: int) -> Matrix:
    """Return how often words stand within `window` words of each other, nearer counting more."""
    from scipy import sparse  # noqa: PLC0415 - an optional library

    text = np.cumsum(stream == _BREAK)
    known = (stream != _BREAK) & (stream != unknown)
    table = sparse.csr_matrix((size, size), dtype=np.float32)
    for step in range(1, window + 1):
        both = (text[:-step] == text[step:]) & known[:-step] & known[step:]
        weight = np.full(int(both.sum()), (window - step + 1) / window, dtype=np.float32)
        pairs = (stream[:-step][both], stream[step:][both])
        table = table + sparse.coo_matrix((weight, pairs), shape=(size, size)).tocsr()
    return table + table.T


def _information(table: Matrix) -> Matrix:
    """Return the positive pointwise mutual information of rows and columns, contexts smoothed."""
    from scipy import sparse  # noqa: PLC0415 - an optional library

    entries = table.tocoo()
    rows = np.asarray(table.sum(axis=1)).ravel()
    columns = np.asarray(table.sum(axis=0)).ravel() ** _SMOOTHING
    value = np.log(entries.data * columns.sum() / (rows[entries.row] * columns[entries.col]))
    kept = value > 0.0
    return sparse.csr_matrix(
        (value[kept].astype(np.float32), (entries.row[kept], entries.col[kept])), shape=table.shape
    )


def _factored(matrix: Matrix, dimensions: int, seed: int) -> FloatArray:
    """Return the left singular vectors, each axis scaled by the root of its singular value.

    Shape (rows, dimensions). The sign of an axis is that of its largest entry, so that it does not
    depend on how the library happens to turn it.
    """
    generator = np.random.default_rng(seed)
    width = min(dimensions + _OVERSAMPLING, *matrix.shape)
    basis = generator.standard_normal((matrix.shape[1], width)).astype(np.float32)
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix.T @ (matrix @ basis))[0].astype(np.float32)
    image = matrix @ basis
    squares, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    order = np.argsort(-squares)[:dimensions]
    root = np.maximum(squares[order], _LEAST) ** 0.25
    vectors = (image @ turn[:, order]) / root
    vectors *= np.sign(vectors[np.argmax(np.abs(vectors), axis=0), np.arange(vectors.shape[1])])
    result = np.zeros((matrix.shape[0], dimensions), dtype=np.float32)
    result[:, : vectors.shape[1]] = vectors
    return result


def _keys(words: Sequence[str], hashing: Hashing) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the bucket of each word that serving can find, ascending, and the place of each word.

    Of two words in one bucket the more frequent, which stands first, is kept.
    """
    short = [place for place, word in enumerate(words) if len(word) <= hashing.orders]
    hashed = hashing.hash([words[place] for place in short])
    order = np.array([len(words[place]) for place in short], dtype=np.int64)
    # The n-grams of a text stand position by position, and position 0 is the mark before it.
    buckets = hashed.buckets[hashed.starts + hashing.orders + order - 1]
    keys, first = np.unique(buckets, return_index=True)
    return keys.astype(np.uint32), np.array(short, dtype=np.int64)[first]
