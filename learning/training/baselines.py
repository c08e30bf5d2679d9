"""The two classifiers that every bundle must beat: made on the spot, of a recipe's lessons, kept nowhere.

* *tf-idf*: character 1- to 4-grams weighted by rarity, one linear support vector machine a category.
* *bag of subwords*: what fastText does, as far as numpy and torch do it: hashed character 1- to 4-grams,
  each with a vector; their mean, one linear layer, a sigmoid a category. fastText itself comes as no
  ready wheel here, so this stands in its place and is called by its own name.

Both are calibrated (Platt) on a tenth of the lessons, dealt by their hash, which did not teach. Neither
knows anything of needs or meaning: for those the bundle beside answers.

Neighbours: `sources` reads the lessons; `tingjian scoreboard` sets them beside the bundles.

Source
------
Joulin, Grave, Bojanowski, Mikolov (2017), Bag of tricks for efficient text classification, EACL.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from learning.encoder import HARM_COLUMNS, Bundle, Reads
from learning.features import FloatArray, Hashing, folding_table
from learning.training.fitting import FEWEST, Tell, need_training_extra, platt
from learning.training.sources import EXAMPLE, SILENT, Lessons, draw

HEADS: Final = tuple(word.value for word in HARM_COLUMNS)
TENTH: Final = 2**32 // 10
BITS: Final = 18
ORDERS: Final = 4
DIMENSIONS: Final = 64
EPOCHS: Final = 3
BATCH: Final = 64
PACE: Final = 3e-3

Score = Callable[[Sequence[str]], npt.NDArray[np.float64]]
"""Gives the uncalibrated scores of some texts. Shape (n, 10)."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A calibrated baseline. `slope`, `offset` and `trained` have shape (10,)."""

    name: str
    score: Score
    slope: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    trained: npt.NDArray[np.bool_]
    beside: Bundle

    def harms(self, texts: Sequence[str]) -> FloatArray:
        """Return a calibrated probability for each text and category. Shape (n, 10)."""
        if not len(texts):
            return np.zeros((0, len(HEADS)), dtype=np.float32)
        logits = self.score(texts) * self.slope + self.offset
        chances = 0.5 * (1.0 + np.tanh(0.5 * logits))
        return (chances * self.trained).astype(np.float32)

    def reads(self, texts: Sequence[str]) -> Reads:
        """Return what the bundle beside reads."""
        return self.beside.reads(texts)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return the vectors of the bundle beside."""
        return self.beside.encode(texts)


def make_tfidf(lessons: Lessons, beside: Bundle, *, seed: int, tell: Tell) -> Baseline:
    """Return the tf-idf baseline.

    Raises
    ------
    ConfigurationError
        If the libraries of the extra `train` are missing.
    """
    need_training_extra()
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - an optional library
    from sklearn.svm import LinearSVC  # noqa: PLC0415 - as above

    judges = _judges(lessons, seed)
    grams = TfidfVectorizer(analyzer="char", ngram_range=(1, ORDERS), min_df=2, sublinear_tf=True)
    rows = grams.fit_transform([lessons.texts[place] for place in np.flatnonzero(~judges)])
    weights, biases = np.zeros((rows.shape[1], len(HEADS))), np.zeros(len(HEADS))
    trained = _trained(lessons, ~judges)
    for place in np.flatnonzero(trained):
        says, weight = lessons.says[~judges, place], lessons.weight[~judges]
        used = np.flatnonzero(says != SILENT)
        machine = LinearSVC(C=0.5, random_state=seed, dual=True, max_iter=4000)
        machine.fit(rows[used], says[used] == EXAMPLE, sample_weight=weight[used])
        weights[:, place], biases[place] = machine.coef_[0], machine.intercept_[0]
    tell(f"tf-idf: {rows.shape[1]} n-grams, {rows.shape[0]} texts")

    def score(texts: Sequence[str]) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = np.asarray(grams.transform(list(texts)) @ weights + biases)
        return found

    return _calibrated("tf-idf", score, lessons, (judges, trained), beside)


def make_subwords(lessons: Lessons, beside: Bundle, *, seed: int, tell: Tell) -> Baseline:
    """Return the bag of subwords.

    Raises
    ------
    ConfigurationError
        If the libraries of the extra `train` are missing.
    """
    need_training_extra()
    import torch  # noqa: PLC0415 - an optional library

    judges = _judges(lessons, seed)
    trained = _trained(lessons, ~judges)
    torch.manual_seed(seed)
    bag = torch.nn.EmbeddingBag(1 << BITS, DIMENSIONS, mode="mean", sparse=True)
    torch.nn.init.uniform_(bag.weight, -1.0 / DIMENSIONS, 1.0 / DIMENSIONS)
    heads = torch.nn.Linear(DIMENSIONS, len(HEADS))
    hashing = Hashing(bits=BITS, orders=ORDERS, table=folding_table())
    _teach_bag(bag, heads, hashing, lessons, np.flatnonzero(~judges), seed=seed, tell=tell)

    def score(texts: Sequence[str]) -> npt.NDArray[np.float64]:
        parts = []
        with torch.inference_mode():
            for _, hashed in hashing.parts(texts):
                means = bag(torch.from_numpy(hashed.buckets), torch.from_numpy(hashed.starts))
                parts.append(heads(means).double().numpy())
        return np.concatenate(parts)

    return _calibrated("bag of subwords", score, lessons, (judges, trained), beside)


def _teach_bag(
    bag: Any,  # noqa: ANN401 - a module of torch
    heads: Any,  # noqa: ANN401 - as above
    hashing: Hashing,
    lessons: Lessons,
    among: npt.NDArray[np.int64],
    *,
    seed: int,
    tell: Tell,
) -> None:
    """Teach the vectors and the heads in place."""
    import torch  # noqa: PLC0415 - an optional library
    from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: PLC0415 - as above

    hashed = hashing.hash([lessons.texts[place] for place in among])
    buckets = np.split(hashed.buckets, hashed.starts[1:])
    generator = np.random.default_rng(seed)
    sparse: Any = torch.optim.SparseAdam(bag.parameters())
    dense: Any = torch.optim.Adam(heads.parameters())
    steps = -(-len(among) // BATCH)
    for epoch in range(EPOCHS):
        running = 0.0
        for step, part in enumerate(np.array_split(generator.permutation(len(among)), steps)):
            share = (epoch * steps + step) / (EPOCHS * steps)
            for optimiser in (sparse, dense):
                for group in optimiser.param_groups:
                    group["lr"] = PACE * (1.0 - share)
            lengths = np.array([len(buckets[place]) for place in part])
            starts = torch.from_numpy(np.cumsum(lengths) - lengths)
            logits = heads(bag(torch.from_numpy(np.concatenate([buckets[place] for place in part])), starts))
            says = lessons.says[among[part]]
            weight = (says != SILENT) * lessons.weight[among[part], None]
            loss: Any = binary_cross_entropy_with_logits(
                logits,
                torch.as_tensor(says == EXAMPLE, dtype=torch.float32),
                weight=torch.as_tensor(weight, dtype=torch.float32),
                reduction="sum",
            ) / max(float(weight.sum()), 1e-9)
            loss.backward()
            sparse.step()
            dense.step()
            sparse.zero_grad()
            dense.zero_grad()
            running += float(loss.detach())
        tell(f"bag of subwords, epoch {epoch + 1}: loss {running / steps:.4f}")


def _judges(lessons: Lessons, seed: int) -> npt.NDArray[np.bool_]:
    """Return the lessons that calibrate and do not teach. Shape (n,)."""
    return np.array([draw(text, seed + 3) < TENTH for text in lessons.texts], dtype=bool)


def _trained(lessons: Lessons, teach: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the heads with enough examples to learn from. Shape (10,)."""
    enough: npt.NDArray[np.bool_] = (lessons.says[teach] == EXAMPLE).sum(axis=0) >= FEWEST
    return enough


def _calibrated(
    name: str,
    score: Score,
    lessons: Lessons,
    which: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]],
    beside: Bundle,
) -> Baseline:
    """Return the baseline with a line for each head, by the lessons that did not teach it."""
    judges, trained = which
    places = np.flatnonzero(judges)
    slope, offset = np.ones(len(HEADS)), np.zeros(len(HEADS))
    if len(places):
        found = score([lessons.texts[place] for place in places])
        for head in np.flatnonzero(trained):
            says = lessons.says[places, head]
            used = says != SILENT
            truth = says[used] == EXAMPLE
            if truth.any() and not truth.all():
                weight = lessons.weight[places][used]
                slope[head], offset[head] = platt(found[used, head], truth, weight)
    return Baseline(name, score, slope, offset, trained, beside)
