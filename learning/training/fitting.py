"""Fit linear heads to lessons, and calibrate them on texts that they did not see.

Each head is a linear support vector machine over hashed n-grams weighted by rarity. Texts are
dealt into folds by their hash; the score that calibrates a text comes from a machine that was
fitted without its fold. The heads that ship are fitted on all folds.

Copies of lessons teach beside them, always in the fold of the text they were made from, and calibrate
nothing.

Neighbours: `sources` reads the lessons; `sounds` makes copies; `writing` puts the heads into a bundle.

Source
------
Platt (1999), Probabilistic outputs for support vector machines.
Guo, Pleiss, Sun, Weinberger (2017), On calibration of modern neural networks, ICML (temperature).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray, Hashing
from learning.linear import rows_of
from learning.manifest import HeadEntry
from learning.training.recipe import HeadsEntry
from learning.training.sounds import Copies
from learning.training.sources import COUNTER_EXAMPLE, EXAMPLE, SILENT, Lessons, draw
from learning.vectors import GramVectors
from models.errors import ConfigurationError

Matrix = Any
"""A scipy CSR matrix; scipy is imported only where it is used."""

Tell = Callable[[str], None]

FEWEST: Final = 20
"""A head with fewer examples than this is not trained."""

VECTOR_SHARE: Final = 0.7
"""Length of a text's vector beside its n-grams, whose length is 1."""

EVEN: Final = 0.5
_STEEPEST: Final = 20.0
_TOLERANCE: Final = 1e-2
"""A machine stops this near to its best: ten times nearer than liblinear's own default. A hundred times
nearer than this took many times as long."""


@dataclass(frozen=True, slots=True)
class Space:
    """The n-grams that some groups of heads share.

    `rare` holds how rare each column is, shape (c,) float32; 0 where it is too rare to learn from. A
    column is a bucket, or, with `keys`, one of the buckets in `keys`, counted from 1: column 0 takes all
    others and is worth nothing. Where there are `vectors`, a text's vector stands beside its n-grams.
    """

    hashing: Hashing
    rare: FloatArray
    vectors: GramVectors | None = None
    keys: npt.NDArray[np.uint32] | None = None

    def rows(self, texts: Sequence[str]) -> Matrix:
        """Return the texts as the heads see them, one row each."""
        from scipy import sparse  # noqa: PLC0415 - an optional library

        grams = scaled(counts(self.hashing, texts, self.keys), self.rare)
        if self.vectors is None:
            return grams
        return sparse.hstack([grams, VECTOR_SHARE * self.vectors.encode(texts)], dtype=np.float32).tocsr()


@dataclass(frozen=True, slots=True)
class Fitted:
    """Heads that are ready to ship.

    Attributes
    ----------
    weights
        Shape (2**bits, k) float32, rarity multiplied in.
    dense
        Shape (d, k) float32: the weights of the texts' vectors; d is 0 where they were not used.
    entries
        Bias and calibration of each head.
    unseen
        Shape (n, k) float32: calibrated probability of each lesson, from heads that did not see it.
    """

    weights: FloatArray
    dense: FloatArray
    entries: list[HeadEntry]
    unseen: FloatArray


def need_training_extra() -> None:
    """Raise `ConfigurationError` if the libraries of the extra `train` are missing."""
    try:
        import scipy.sparse  # noqa: F401, PLC0415 - an optional library
        import sklearn.svm  # noqa: F401, PLC0415 - an optional library
    except ImportError as error:
        raise ConfigurationError(
            "making a bundle needs scikit-learn and scipy: pip install 'tingjian[train]'"
        ) from error


def counts(hashing: Hashing, texts: Sequence[str], keys: npt.NDArray[np.uint32] | None = None) -> Matrix:
    """Return how often each column occurs in each text, as a sparse matrix (n, c); see `Space`."""
    from scipy import sparse  # noqa: PLC0415 - an optional library

    buckets, ends = [np.empty(0, dtype=np.int64)], [np.zeros(1, dtype=np.int64)]
    total = 0
    for _, hashed in hashing.parts(texts):
        buckets.append(hashed.buckets)
        ends.append(np.append(hashed.starts[1:], len(hashed.buckets)) + total)
        total += len(hashed.buckets)
    columns, width = np.concatenate(buckets), 1 << hashing.bits
    if keys is not None:
        columns, width = rows_of(keys, hashing.bits)[columns].astype(np.int64), len(keys) + 1
    matrix = sparse.csr_matrix(
        (np.ones(len(columns), dtype=np.float32), columns, np.concatenate(ends)),
        shape=(len(texts), width),
    )
    matrix.sum_duplicates()
    return matrix


def space_of(
    texts: Sequence[str], hashing: Hashing, rarest: int, vectors: GramVectors | None = None
) -> Space:
    """Return the space in which a bucket is as rare as it is in `texts`.

    Rarity is the inverse document frequency; it is 0 where fewer than `rarest` texts have the bucket.
    """
    matrix = counts(hashing, texts)
    found = np.bincount(matrix.indices, minlength=matrix.shape[1])
    value = np.log((1.0 + matrix.shape[0]) / (1.0 + found)) + 1.0
    value[found < rarest] = 0.0
    return Space(hashing=hashing, rare=value.astype(np.float32), vectors=vectors)


def narrowed(
    entry: HeadsEntry,
    lessons: Lessons,
    hashing: Hashing,
    rarest: int,
    kept: int,
    *,
    seed: int,
    tell: Tell,
    copies: Copies | None = None,
) -> Space:
    """Return the space of the `kept` n-grams that weigh most, each with a column of its own.

    Heads are fitted once over every n-gram. An n-gram weighs as much as the head that listens to it most,
    by its rarity and the root of the number of texts that have it: what a rare one says seldom matters.
    With 0 kept, the space has a column for each bucket.
    """
    if not kept:
        return space_of(lessons.texts, hashing, rarest)
    matrix = counts(hashing, lessons.texts)
    found = np.bincount(matrix.indices, minlength=matrix.shape[1])
    keys = np.flatnonzero(found >= rarest).astype(np.uint32)
    value = np.log((1.0 + len(lessons.texts)) / (1.0 + found[keys])) + 1.0
    whole = Space(hashing, np.concatenate([[0.0], value]).astype(np.float32), keys=keys)
    del matrix
    taught, rows = lessons, whole.rows(lessons.texts)
    if copies is not None and copies.texts:
        from scipy import sparse  # noqa: PLC0415 - an optional library

        taught, rows = beside(lessons, copies), sparse.vstack([rows, whole.rows(copies.texts)]).tocsr()
    weight = np.zeros(rows.shape[1], dtype=np.float32)
    for says in taught.says.T:
        if np.sum(says == EXAMPLE) >= FEWEST:
            vector, _ = _machine(entry, rows, taught, says, says != SILENT, seed=seed)
            # Heads differ in how far their scores spread; an n-gram is judged within its head.
            weight = np.maximum(weight, np.abs(vector) / max(float(np.abs(vector).max()), 1e-9))
    weight *= whole.rare
    weight[1:] *= np.sqrt(found[keys])
    best = np.sort(np.argsort(-weight[1:], kind="stable")[:kept])
    tell(f"{len(best)} of {len(keys)} n-grams are kept")
    return Space(hashing, whole.rare[np.concatenate([[0], best + 1])], keys=keys[best])


def scaled(matrix: Matrix, rare: FloatArray) -> Matrix:
    """Return the rows as the heads see them: counts times rarity, over the root of the summed squares.

    The square is summed over occurrences, not over distinct n-grams, as `LinearHeads` does.
    """
    from scipy import sparse  # noqa: PLC0415 - an optional library

    squares = np.maximum(matrix @ (rare.astype(np.float64) ** 2), 1e-9)
    result = sparse.diags((1.0 / np.sqrt(squares)).astype(np.float32)) @ matrix @ sparse.diags(rare)
    return result.tocsr()


def fit_heads(
    entry: HeadsEntry,
    heads: Sequence[str],
    lessons: Lessons,
    space: Space,
    *,
    seed: int,
    tell: Tell,
    copies: Copies | None = None,
) -> Fitted:
    """Return independent heads, each with its own Platt line. `copies` teach beside the lessons."""
    count = len(lessons.texts)
    folds = _folds(lessons, entry.folds, seed)
    taught, rows = lessons, space.rows(lessons.texts)
    if copies is not None and copies.texts:
        from scipy import sparse  # noqa: PLC0415 - an optional library

        taught = beside(lessons, copies)
        folds = np.concatenate([folds, folds[copies.of]])
        rows = sparse.vstack([rows, space.rows(copies.texts)]).tocsr()
    weights = np.zeros((rows.shape[1], len(heads)), dtype=np.float32)
    unseen = np.zeros((count, len(heads)), dtype=np.float32)
    entries = []
    for place, head in enumerate(heads):
        says = taught.says[:, place]
        if np.sum(says[:count] == EXAMPLE) < FEWEST:
            entries.append(HeadEntry(bias=0.0, slope=1.0, offset=0.0, trained=False))
            tell(f"{head}: too few examples, not trained")
            continue
        score = np.zeros(count)
        for fold in range(entry.folds):
            vector, bias = _machine(entry, rows, taught, says, (folds != fold) & ~taught.derived, seed=seed)
            mine = np.flatnonzero(folds[:count] == fold)
            score[mine] = rows[mine] @ vector + bias
        vector, bias = _machine(entry, rows, taught, says, folds >= 0, seed=seed)
        says = says[:count]
        judged = (lessons.calibrates[:, place] > 0.0) & (says != SILENT)
        weight = lessons.calibrates[judged, place]
        slope, offset = platt(score[judged], says[judged] == EXAMPLE, weight)
        weights[:, place] = vector
        unseen[:, place] = 1.0 / (1.0 + np.exp(-(score * slope + offset)))
        entries.append(HeadEntry(bias=bias, slope=slope, offset=offset, trained=True))
        tell(
            f"{head}: {int(np.sum(says == EXAMPLE))} examples, {int(np.sum(says == COUNTER_EXAMPLE))} against"
        )
    return Fitted(*_apart(weights, space), entries=entries, unseen=unseen)


def beside(lessons: Lessons, copies: Copies) -> Lessons:
    """Return the lessons with their copies behind them, which say the same and calibrate nothing."""
    return Lessons(
        texts=[*lessons.texts, *copies.texts],
        says=np.concatenate([lessons.says, lessons.says[copies.of]]),
        weight=np.concatenate([lessons.weight, copies.weight]),
        calibrates=np.concatenate([lessons.calibrates, np.zeros_like(lessons.calibrates[copies.of])]),
        derived=np.concatenate([lessons.derived, lessons.derived[copies.of]]),
        origin=np.concatenate([lessons.origin, lessons.origin[copies.of]]),
        values=[*lessons.values, *(lessons.values[place] for place in copies.of)],
    )


def fit_classes(
    entry: HeadsEntry, heads: Sequence[str], lessons: Lessons, space: Space, *, seed: int, tell: Tell
) -> Fitted:
    """Return heads of which exactly one holds for a text, with one temperature for all."""
    rows = space.rows(lessons.texts)
    folds = _folds(lessons, entry.folds, seed)
    weights = np.zeros((rows.shape[1], len(heads)), dtype=np.float32)
    score = np.zeros((len(lessons.texts), len(heads)))
    biases = []
    for place in range(len(heads)):
        says = lessons.says[:, place]
        for fold in range(entry.folds):
            vector, bias = _machine(entry, rows, lessons, says, (folds != fold) & ~lessons.derived, seed=seed)
            score[folds == fold, place] = rows[folds == fold] @ vector + bias
        vector, bias = _machine(entry, rows, lessons, says, folds >= 0, seed=seed)
        weights[:, place] = vector
        biases.append(bias)
    judged = lessons.calibrates[:, 0] > 0.0
    truth = np.argmax(lessons.says, axis=1)
    slope = temperature(score[judged], truth[judged], lessons.calibrates[judged, 0])
    unseen = np.exp(slope * (score - score.max(axis=1, keepdims=True)))
    unseen /= unseen.sum(axis=1, keepdims=True)
    tell(f"{len(heads)} classes, {len(lessons.texts)} texts")
    return Fitted(
        *_apart(weights, space),
        entries=[HeadEntry(bias=bias, slope=slope, offset=0.0, trained=True) for bias in biases],
        unseen=unseen.astype(np.float32),
    )


def _apart(weights: FloatArray, space: Space) -> tuple[FloatArray, FloatArray]:
    """Return the weights of n-grams, rarity multiplied in, and those of vectors, their share likewise."""
    buckets = len(space.rare)
    return weights[:buckets] * space.rare[:, None], weights[buckets:] * np.float32(VECTOR_SHARE)


def held_down(fitted: Fitted, space: Space, texts: Sequence[str], ceiling: float, tell: Tell) -> Fitted:
    """Return `fitted` with no head above `ceiling` on any of `texts` (charter, 2).

    A head that would be is made less sure of what it finds likely, by one factor on its logit above 0:
    what it finds unlikely stays as unlikely as it was. One factor on both sides made every harmless post a
    little likely under such a head, more than a true finding of another one.
    """
    rows = scaled(counts(space.hashing, texts, space.keys), space.rare)
    limit = float(np.log(ceiling / (1.0 - ceiling)))
    plain = np.divide(1.0, space.rare, out=np.zeros_like(space.rare), where=space.rare > 0.0)
    scores = rows @ (fitted.weights * plain[:, None])
    entries, unseen = [], fitted.unseen.copy()
    for place, entry in enumerate(fitted.entries):
        top = float(((scores[:, place] + entry.bias) * entry.slope + entry.offset).max())
        factor = min(1.0, limit / top) if top > 0.0 and entry.trained else 1.0
        entries.append(entry.model_copy(update={"upper": factor}))
        if factor < 1.0:
            even = np.clip(unseen[:, place].astype(np.float64), 1e-7, 1.0 - 1e-7)
            likely = 1.0 / (1.0 + ((1.0 - even) / even) ** factor)
            unseen[:, place] = np.where(even > EVEN, likely, even)
            tell(f"head {place} is held down by the factor {factor:.2f}")
    return replace(fitted, entries=entries, unseen=unseen)


def platt(
    scores: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Return slope (> 0) and offset of the line whose sigmoid fits `truth` best.

    The targets are pulled in from 0 and 1 as Platt proposed, so that a head that separates its
    texts without a fault does not promise certainty.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - an optional library

    positives, negatives = float(np.sum(truth)), float(np.sum(~truth))
    target = np.where(truth, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))

    def loss(line: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logit = scores * np.exp(line[0]) + line[1]
        value = weight @ (np.logaddexp(0.0, logit) - target * logit)
        gap = weight * (1.0 / (1.0 + np.exp(-logit)) - target)
        return value / weight.sum(), np.array([gap @ scores * np.exp(line[0]), gap.sum()]) / weight.sum()

    found = minimize(
        loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5.0, np.log(_STEEPEST)), (-30.0, 30.0)]
    )
    return float(np.exp(found.x[0])), float(found.x[1])


def temperature(
    scores: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]
) -> float:
    """Return the slope (> 0) under which the softmax of `scores` fits `truth` best."""
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - an optional library

    def loss(logarithm: float) -> float:
        logits = scores * np.exp(logarithm)
        whole = np.logaddexp.reduce(logits, axis=1)
        return float(weight @ (whole - logits[np.arange(len(truth)), truth]) / weight.sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, np.log(_STEEPEST)), method="bounded").x))


def _folds(lessons: Lessons, count: int, seed: int) -> npt.NDArray[np.int64]:
    return np.array([draw(text, seed + 1) % count for text in lessons.texts], dtype=np.int64)


def _machine(
    entry: HeadsEntry,
    rows: Matrix,
    lessons: Lessons,
    says: npt.NDArray[np.int8],
    among: npt.NDArray[np.bool_],
    *,
    seed: int,
) -> tuple[FloatArray, float]:
    """Return weights and bias of one machine, fitted on the lessons in `among` that say something.

    Where examples weigh less than `positive_share` of the whole, they are weighted up to it.
    """
    from sklearn.svm import LinearSVC  # noqa: PLC0415 - an optional library

    used = np.flatnonzero(among & (says != SILENT))
    truth = says[used] == EXAMPLE
    weight = lessons.weight[used].copy()
    examples, against = weight[truth].sum(), weight[~truth].sum()
    wanted = entry.positive_share * against / (1.0 - entry.positive_share)
    if 0.0 < examples < wanted:
        weight[truth] *= wanted / examples
    machine = LinearSVC(C=entry.penalty, random_state=seed, dual=True, max_iter=4000, tol=_TOLERANCE)
    machine.fit(rows[used], truth, sample_weight=weight)
    return machine.coef_[0].astype(np.float32), float(machine.intercept_[0])
