"""Does a group hold together well enough to be put before an officer? Pure.

Posts of one board and one week look alike in everything but what they say, and a group of them is
worth nothing. So a group is proposed only if its *weakest* fifth is still near to the others and its
posts would, each asked alone, belong to it; weeks between its posts count against it. Enough people are
needed besides; that is counted elsewhere.

It refuses to mend a group: it says how probably at least 80 % of the posts share one demand.

Neighbours: `clustering` asks; `grouping` proposes by the answer; `scripts/fit_grouping.py` fits it on
the project's own months, with noise put in.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from sentiment.demand.refining import LARGEST, Compared, Membership, membership_parts
from sentiment.demand.scoring import TABLE, FloatArray

PARTS: Final = ("weakest_fifth", "belonging", "days_spanned")
LOW: Final = 0.2

SHORTEST: Final = 1.0
"""Days that a group spans at least: within one day, sooner says nothing more."""


@dataclass(frozen=True, slots=True)
class Cohesion:
    """Fixed coefficients of the logistic model, and the bound that was chosen with them.

    Attributes
    ----------
    bias, weights
        `weights` follow `PARTS`.
    proposes
        Probability from which a group of enough people is proposed.
    """

    bias: float
    weights: tuple[float, ...]
    proposes: float

    def probability(self, values: FloatArray) -> float:
        """Return the probability that one group is one demand."""
        logit = self.bias + float(values @ np.array(self.weights, dtype=np.float32))
        return float(1 / (1 + np.exp(-logit)))


def cohesion_parts(compared: Compared, membership: Membership, rows: Sequence[int]) -> FloatArray:
    """Return what speaks for a group of two posts or more. Shape (3,) float32, as in `PARTS`.

    A large group is judged by its newest posts.
    """
    at = np.array(sorted(rows)[-LARGEST:], dtype=np.int64)
    probable = compared.probabilities(at, at).copy()
    np.fill_diagonal(probable, 0.0)
    each = probable.sum(axis=1) / (len(at) - 1)
    belonging = membership.probabilities(membership_parts(compared, at, at))
    return together(each, belonging, compared.profiles.days[at])


def together(each: FloatArray, belonging: FloatArray, days: npt.NDArray[np.float64]) -> FloatArray:
    """Return the parts of one group from what is known of its posts. Shape (3,) float32, as in `PARTS`.

    Parameters
    ----------
    each, belonging
        Shape (n,): mean probability with the other posts, and probability of belonging to them.
    days
        Shape (n,): when each was posted, in days.
    """
    spanned = np.log1p(max(float(np.ptp(days)), SHORTEST))
    return np.array([np.quantile(each, LOW), belonging.mean(), spanned], dtype=np.float32)


@functools.cache
def load_cohesion() -> Cohesion:
    """Return the committed model."""
    return read_cohesion(TABLE)


def read_cohesion(path: Path) -> Cohesion:
    """Return the model of the table at `path`."""
    table = json.loads(path.read_text(encoding="utf-8"))["cohesion"]
    return Cohesion(
        bias=table["bias"],
        weights=tuple(table["weights"][name] for name in PARTS),
        proposes=table["proposes"],
    )
