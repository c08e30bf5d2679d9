"""How good scores and probabilities are, in numpy alone.

Pure: labels and scores in, figures out. Ties are settled the same way everywhere: a threshold is
inclusive, and scores that are equal share their rank.

Neighbours: `training` writes these figures into manifests; `tingjian evaluate scores` prints them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.floating]


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


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """Return the mean F1 of the positive and the negative class."""
    return (f1(labels, predicted) + f1(~labels, ~predicted)) / 2.0


def best_threshold(labels: Labels, scores: Scores) -> float:
    """Return the inclusive threshold of highest accuracy; of several, the highest.

    The threshold lies half-way between two neighbouring scores, so that a rounding error of either
    does not change the answer. Above the highest score it is that score plus one.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], labels[order]
    right = np.concatenate([[0], np.cumsum(np.where(truth, 1, -1))])
    ends = np.concatenate([[True], ranked[1:] < ranked[:-1], [True]]) if len(ranked) else np.array([True])
    taken = int(np.flatnonzero(ends)[np.argmax(right[ends])])
    if taken == 0:
        return float(ranked[0]) + 1.0 if len(ranked) else 0.5
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
