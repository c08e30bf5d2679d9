"""Turn counts and durations into published figures, each saying where it comes from.

Pure: values in, frozen figures out. A figure computed from this service's own records is marked
系统生成 (`Origin.SYSTEM`) and nothing can be typed over it; what is entered or imported is marked
填报 (`Origin.ENTERED`). A share of nothing is unknown, not zero.

Neighbours: `openness` gathers the counts from the records.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a figure comes from."""

    SYSTEM = "系统生成"
    ENTERED = "填报"


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its counts and its 95 % interval, all between 0 and 1; None where nothing was counted."""

    part: int
    whole: int
    value: float | None
    low: float | None
    high: float | None
    origin: Origin = Origin.SYSTEM


def share(part: int, whole: int) -> Share:
    """Return `part` of `whole` with Wilson's 95 % score interval.

    Parameters
    ----------
    part
        How many had the property. Unit: rows, 0 ≤ part ≤ whole.
    whole
        How many were looked at. Unit: rows, ≥ 0; 0 gives an unknown share.

    Raises
    ------
    ValueError
        If the counts do not fit together.

    Source
    ------
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.
    """
    if not 0 <= part <= whole:
        raise ValueError(f"need 0 <= part <= whole, got {part} of {whole}")
    if whole == 0:
        return Share(0, 0, None, None, None)
    z = 1.959964
    value = part / whole
    denominator = 1 + z * z / whole
    centre = (value + z * z / (2 * whole)) / denominator
    half = z * math.sqrt(value * (1 - value) / whole + z * z / (4 * whole * whole)) / denominator
    return Share(part, whole, value, max(0.0, centre - half), min(1.0, centre + half))


@dataclass(frozen=True, slots=True)
class Durations:
    """How long something took. Unit: seconds; None where nothing was counted."""

    n: int
    p50: float | None
    p95: float | None
    origin: Origin = Origin.SYSTEM


def durations(seconds: Sequence[float]) -> Durations:
    """Return the median and the 95th percentile (nearest rank) of `seconds`, each ≥ 0."""
    if not seconds:
        return Durations(0, None, None)
    ordered = sorted(seconds)
    return Durations(len(ordered), _rank(ordered, 0.5), _rank(ordered, 0.95))


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of something there were each time. None where nothing was counted."""

    n: int
    p50: int | None
    p95: int | None
    origin: Origin = Origin.SYSTEM


def counted(values: Sequence[int]) -> Counted:
    """Return the median and the 95th percentile (nearest rank) of `values`, each ≥ 0."""
    if not values:
        return Counted(0, None, None)
    ordered = sorted(values)
    return Counted(len(ordered), int(_rank(ordered, 0.5)), int(_rank(ordered, 0.95)))


def _rank(ordered: Sequence[float], quantile: float) -> float:
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
