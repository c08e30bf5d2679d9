"""What the rooms above may ask of a learned thing. Nothing here names torch.

A *bundle* reads texts in three ways: as probabilities of harms for moderation, as need, domain
and tone for sentiment, and as vectors for grouping. Its columns follow the enumerations of
`models/vocabulary.py`, so a room never asks which column means what.

Every bundle keeps one contract (tests/contract/test_encoders.py): rows in the order of the texts,
the same row whatever else is in the batch (to within 1e-4), long texts cut and never refused,
no text that makes it fail, nothing kept of any text.

Neighbours: `bundle` loads one; `linear` and `transformer` are the two kinds there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from learning.features import FloatArray
from models.vocabulary import Category, Domain, Tone

BarArray = npt.NDArray[np.float64]

HARM_COLUMNS: Final = tuple(Category)
DOMAIN_COLUMNS: Final = tuple(Domain)
TONE_COLUMNS: Final = tuple(Tone)


@dataclass(frozen=True, slots=True)
class Reads:
    """What was read in n texts. Probabilities, float32.

    Attributes
    ----------
    need
        Shape (n,): the text voices a need that a service could meet.
    domain
        Shape (n, 15), rows sum to 1: the service domain, columns as in `Domain`.
    tone
        Shape (n, 3), rows sum to 1: how it sounds, columns as in `Tone`.
    """

    need: FloatArray
    domain: FloatArray
    tone: FloatArray


@runtime_checkable
class Bundle(Protocol):
    """A learned thing that reads texts. Safe to call from any thread."""

    @property
    def name(self) -> str:
        """The name that goes into every record this bundle had a part in."""
        ...

    def harms(self, texts: Sequence[str]) -> FloatArray:
        """Return a calibrated probability for each text and category.

        Shape (n, 10) float32 in [0, 1], columns as in `Category`. The heads are independent, so a
        row need not sum to 1. A head that was never trained answers 0.
        """
        ...

    def reads(self, texts: Sequence[str]) -> Reads:
        """Return need, domain and tone of each text."""
        ...

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return one unit vector for each text, in the order of `texts`.

        Shape (n, d) float32; each row has Euclidean norm 1 to within 1e-4, that of an empty text
        too. An empty sequence gives (0, d).
        """
        ...


@runtime_checkable
class SparingBundle(Bundle, Protocol):
    """A bundle that reads less closely where its answer would change nothing."""

    def harms_from(self, texts: Sequence[str], least: BarArray) -> FloatArray:
        """Return probabilities as `harms` does, each exact from its bar in `least` on.

        Parameters
        ----------
        least
            Shape (n, 10) float64: the lowest probability of each text and category at which anything
            would change; `inf` where none would. What `harms` puts below the bar stays below it, and a
            text of which any probability reaches its bar gets the very row that `harms` gives.
        """
        ...
