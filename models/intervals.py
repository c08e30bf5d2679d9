"""The interval of a share, for every room that publishes one. Pure.

Neighbours: `sentiment/demand/missed.py` estimates what was missed with it.
"""

import math
from typing import Final

Z: Final = 1.959964
"""The 97.5 % point of the normal distribution."""


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % score interval of `part` of `whole`; all of [0, 1] where nothing was looked at.

    Parameters
    ----------
    part, whole
        Unit: rows, 0 <= part <= whole.

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
        return 0.0, 1.0
    share = part / whole
    scale = 1 + Z * Z / whole
    centre = (share + Z * Z / (2 * whole)) / scale
    half = Z * math.sqrt(share * (1 - share) / whole + Z * Z / (4 * whole * whole)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
