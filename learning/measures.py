"""How good scores and probabilities are, in numpy alone.

Pure: labels and scores in, figures out. Ties are settled the same way everywhere: a threshold is
inclusive, and scores that are equal share their rank. Chance, where an interval needs it, takes a seed.

Neighbours: `training` writes these figures into manifests; `tingjian evaluate scores` prints them;
`diagrams` draws the reliability.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.bool_]
Likely = npt.NDArray[np.float64]
Scores = npt.NDArray[np.floating]
Places = npt.NDArray[np.int64]

ROUNDS: Final = 1000
"""How often a sample is drawn anew for an interval."""

SEED: Final = 20261121
"""Where the chance of an interval comes from, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the 95 % interval around it."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.lower:.3f} to {self.upper:.3f})"


@dataclass(frozen=True, slots=True)
class Reliability:
    """One bin of a reliability table: what was promised, and what came."""

    lower: float
    upper: float
    count: int
    promised: float
    came: float


def accuracy(labels: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> float:
    """Return the share of rows that were predicted right. Range 0 to 1."""
    return float(np.mean(labels == predicted)) if len(labels) else 0.0


def f1(labels: Labels, predicted: Labels) -> float:
    """Return the harmonic mean of precision and recall of the positive class; 0 if there is none."""
    hits = int(np.sum(labels & predicted))
    total = int(np.sum(labels)) + int(np.sum(predicted))
    return 2.0 * hits / total if total else 0.0


def precision(labels: Labels, predicted: Labels) -> float:
    """Return the share of the rows called positive that are; 0 if none was called so."""
    called = int(np.sum(predicted))
    return int(np.sum(labels & predicted)) / called if called else 0.0


def recall(labels: Labels, predicted: Labels) -> float:
    """Return the share of the positive rows that were called so; 0 if there is none."""
    positives = int(np.sum(labels))
    return int(np.sum(labels & predicted)) / positives if positives else 0.0


def balanced_accuracy(labels: Labels, predicted: Labels) -> float:
    """Return the mean recall of the positive and the negative class: 0.5 for whoever calls all alike."""
    return (recall(labels, predicted) + recall(~labels, ~predicted)) / 2.0


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Return the mean F1 of the positive and the negative class."""
    return (f1(labels, predicted) + f1(~labels, ~predicted)) / 2.0


def best_threshold(labels: Labels, scores: Scores, *, balanced: bool = False) -> float:
    """Return the inclusive threshold of highest accuracy; of several, the highest.

    With `balanced`, of highest balanced accuracy, which does not reward calling everything what most
    rows are. The threshold lies half-way between two neighbouring scores, so that a rounding error of either
    does not change the answer. Above the highest score it is that score plus one.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], labels[order]
    positives = max(int(truth.sum()), 1)
    gain, loss = (1.0 / positives, 1.0 / max(len(truth) - positives, 1)) if balanced else (1.0, 1.0)
    # Rounded, so that sums of the same shares in another order are the same.
    right = np.round(np.concatenate([[0.0], np.cumsum(np.where(truth, gain, -loss))]), 9)
    ends = np.concatenate([[True], ranked[1:] < ranked[:-1], [True]]) if len(ranked) else np.array([True])
    taken = int(np.flatnonzero(ends)[np.argmax(right[ends])])
    if taken == 0:
        return float(ranked[0]) + 1.0 if len(ranked) else 0.5
    if taken == len(ranked):
        return float(ranked[-1])
    return float((ranked[taken - 1] + ranked[taken]) / 2.0)


def likely_threshold(likely: Likely, scores: Scores) -> float:
    """Return the inclusive threshold of highest expected accuracy, as `best_threshold` does.

    `likely` is the chance that a row is positive, shape (n,); NaN rows do not count.
    """
    known = ~np.isnan(likely)
    order = np.argsort(-scores[known], kind="stable")
    ranked, chance = scores[known][order], likely[known][order]
    right = np.round(np.concatenate([[0.0], np.cumsum(2.0 * chance - 1.0)]), 9)
    ends = np.concatenate([[True], ranked[1:] < ranked[:-1], [True]])
    taken = int(np.flatnonzero(ends)[np.argmax(right[ends])])
    if taken == 0:
        return float(ranked[0]) + 1.0
    if taken == len(ranked):
        return float(ranked[-1])
    return float((ranked[taken - 1] + ranked[taken]) / 2.0)


def auroc(labels: Labels, scores: Scores) -> float:
    """Return the chance that a positive row outranks a negative one; a tie counts half.

    It is 0.5 where one class is missing, because then nothing can be said.
    """
    positives = int(np.sum(labels))
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0
    return float((ranks[inverse][labels].sum() - positives * (positives + 1) / 2.0) / (positives * negatives))


def average_precision(labels: Labels, scores: Scores) -> float:
    """Return the mean precision over the positive rows, equal scores taken together; 0 without any."""
    positives = int(np.sum(labels))
    if not positives:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], labels[order]
    last = np.concatenate([ranked[1:] < ranked[:-1], [True]])
    hits = np.cumsum(truth)[last]
    precision = hits / (np.flatnonzero(last) + 1)
    return float(np.sum(np.diff(np.concatenate([[0], hits])) * precision) / positives)


def reliability(labels: Labels, probabilities: Scores, bins: int = 10) -> list[Reliability]:
    """Return the reliability table over `bins` equal intervals of [0, 1]; empty bins are left out."""
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    table = []
    for place in range(bins):
        inside = places == place
        if inside.any():
            table.append(
                Reliability(
                    lower=place / bins,
                    upper=(place + 1) / bins,
                    count=int(inside.sum()),
                    promised=float(probabilities[inside].mean()),
                    came=float(labels[inside].mean()),
                )
            )
    return table


def calibration_error(labels: Labels, probabilities: Scores, bins: int = 10) -> float:
    """Return the expected calibration error: the mean gap of the table, weighted by its counts.

    Source
    ------
    Naeini, Cooper, Hauskrecht (2015), Obtaining well calibrated probabilities, AAAI.
    """
    table = reliability(labels, probabilities, bins)
    return sum(row.count * abs(row.promised - row.came) for row in table) / max(len(labels), 1)


def interval(
    figure: Callable[[Places], float], count: int, *, rounds: int = ROUNDS, seed: int = SEED
) -> Interval:
    """Return a figure over `count` rows, with its 95 % percentile bootstrap interval.

    Parameters
    ----------
    figure
        Gives the figure over the rows at some places, of which some come several times. A difference
        of two figures over the same places makes the interval a paired one.
    count
        Rows, > 0.

    Source
    ------
    Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 13.
    """
    return clustered_interval(figure, [np.array([place]) for place in range(count)], rounds=rounds, seed=seed)


def clustered_interval(
    figure: Callable[[Places], float],
    clusters: Sequence[Places],
    *,
    rounds: int = ROUNDS,
    seed: int = SEED,
) -> Interval:
    """Return a figure with its interval where rows belong together: whole clusters are drawn.

    The rows of one author are not independent of each other; drawn row by row, an interval would
    promise too much.

    Raises
    ------
    ValueError
        If there is no cluster.
    """
    if not clusters:
        raise ValueError("an interval needs rows")
    generator = np.random.default_rng(seed)
    whole = np.concatenate(clusters)
    sizes = np.array([len(cluster) for cluster in clusters])
    begins = np.cumsum(sizes) - sizes
    found = np.empty(rounds)
    for step in range(rounds):
        drawn = generator.integers(0, len(clusters), len(clusters))
        lengths = sizes[drawn]
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found[step] = figure(whole[np.repeat(begins[drawn], lengths) + offsets])
    lower, upper = np.quantile(found, [0.025, 0.975])
    return Interval(value=figure(whole), lower=float(lower), upper=float(upper))
