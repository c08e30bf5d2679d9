"""How precise a rule is, from what people decided: counts, an interval, and the bound that counts.

Pure: counts in, frozen values out. Nothing decided is nothing known: the bound is 0 and there is no
interval.

Neighbours: `outcomes` counts, `automation` compares the bound with the published level.
"""

import math
from dataclasses import dataclass

from moderation.evaluation import lower_bound

_Z: float = 1.959964
"""The 97.5 % point of the normal distribution."""

_ROUNDING: float = 0.05
"""A bound is found by halving, to within 1e-9; at ten thousand decisions that is 0.03 of one."""


def precision_bound(confirmed: int, overturned: int) -> float:
    """Return the lower 95 % bound of a precision, one-sided, in [0, 1].

    Parameters
    ----------
    confirmed
        Posts about which people agreed. Unit: posts, >= 0.
    overturned
        Posts about which they did not. Unit: posts, >= 0.

    Raises
    ------
    ValueError
        If a count is negative.

    Source
    ------
    Clopper and Pearson (1934), Biometrika 26, 404-413.
    """
    return lower_bound(confirmed, confirmed + overturned)


@dataclass(frozen=True, slots=True)
class Precision:
    """Counts, their share, and its 95 % interval by Wilson; all None where nobody decided anything."""

    confirmed: int = 0
    overturned: int = 0

    def __add__(self, other: "Precision") -> "Precision":
        return Precision(self.confirmed + other.confirmed, self.overturned + other.overturned)

    @property
    def decided(self) -> int:
        """Posts that people decided about."""
        return self.confirmed + self.overturned

    @property
    def share(self) -> float | None:
        """The precision itself, in [0, 1]."""
        return self.confirmed / self.decided if self.decided else None

    @property
    def error_rate(self) -> float | None:
        """One less the precision."""
        return self.overturned / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The two-sided 95 % interval of the precision.

        Source
        ------
        Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.
        """
        n = self.decided
        if n == 0:
            return None
        share = self.confirmed / n
        scale = 1 + _Z * _Z / n
        centre = (share + _Z * _Z / (2 * n)) / scale
        half = _Z * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / scale
        return max(0.0, centre - half), min(1.0, centre + half)

    @property
    def bound(self) -> float:
        """The lower bound that a removal without a person is measured by."""
        return precision_bound(self.confirmed, self.overturned)


def worth(bound: float) -> int:
    """Return how many right decisions without an error give a lower bound: what a proof weighs.

    Parameters
    ----------
    bound
        A lower 95 % bound, in (0, 1). At 1 no number of decisions is enough, so it is held to 0.9999.

    Returns
    -------
    int
        The greatest n with `precision_bound(n, 0) <= bound`, but for the rounding of the bound itself.
    """
    return int(math.log(0.05) / math.log(min(max(bound, 1e-9), 0.9999)) + _ROUNDING)


def displaced(proof: float, reviewed: Precision) -> Precision:
    """Return the evidence for a proven rule: what was reviewed since, filled up from its proof.

    Every reviewed post takes the place of one of the proof's, so that a proof counts at the start and no
    longer once as many posts were reviewed. A proof never hides what people found later.

    Parameters
    ----------
    proof
        The lower bound that was proven at the start.
    reviewed
        What people decided since.
    """
    return reviewed + Precision(max(0, worth(proof) - reviewed.decided), 0)
