"""Turn texts into rows of characters for the encoder.

A character is a number of the alphabet and the number of its sound. Two tables over code points
hold both, so a text becomes numbers in one step and without a loop over its characters: width,
case and script are folded in the table itself. Blanks fall away; a character that the alphabet
lacks is unknown, and still has its sound.

A long text is read in windows, at most `WINDOWS` of them; the rest is cut.

Neighbours: `encoder_onnx` runs the network over these rows; `training/pretrain` makes the tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

PADDING: Final = 0
UNKNOWN: Final = 1
SPECIAL: Final = 5
"""Padding, unknown, start, end of a line, and the mask: the first numbers of every alphabet."""

WINDOW: Final = 128
"""Characters that the network sees at once."""

WINDOWS: Final = 8
"""Windows of one text that are read."""

CODES: Final = 0x1FB00
"""Code points that the tables know; what lies beyond is unknown."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Which number each code point has, and how it sounds.

    Attributes
    ----------
    numbers
        Shape (CODES,) uint16: the character's number; 0 for a character that is not read.
    sounds
        Shape (CODES,) uint16: the number of its toneless syllable; 0 for a character without one.
    """

    numbers: npt.NDArray[np.uint16]
    sounds: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        for table in (self.numbers, self.sounds):
            if table.shape != (CODES,) or table.dtype != np.uint16:
                raise ValueError(f"the tables of an alphabet must be uint16 of shape ({CODES},)")

    def rows(self, texts: Sequence[str]) -> tuple[list[Numbers], Numbers]:
        """Return the windows of all texts, and for each the place of its text.

        A window is an array of shape (2, length) with 1 to `WINDOW` columns: numbers and sounds. Every
        text has one window at least; that of an empty text is one unknown character.
        """
        windows: list[Numbers] = []
        owners: list[int] = []
        for place, text in enumerate(texts):
            row = self.row(text)
            for begin in range(0, row.shape[1], WINDOW):
                windows.append(row[:, begin : begin + WINDOW])
                owners.append(place)
        return windows, np.array(owners, dtype=np.int64)

    def row(self, text: str) -> Numbers:
        """Return numbers and sounds of one text, cut to what is read of it. Shape (2, length)."""
        raw = np.frombuffer(
            text[: 2 * WINDOW * WINDOWS].encode("utf-32-le", "surrogatepass"), dtype=np.uint32
        )
        raw = np.minimum(raw, CODES - 1)
        numbers = self.numbers[raw]
        read = numbers != PADDING
        pair = np.stack([numbers[read], self.sounds[raw[read]]]).astype(np.int64)[:, : WINDOW * WINDOWS]
        return pair if pair.shape[1] else np.array([[UNKNOWN], [0]], dtype=np.int64)


def padded(windows: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    """Return numbers and sounds of some windows, filled up to the longest. Shape (n, longest) each."""
    longest = max(window.shape[1] for window in windows)
    numbers = np.zeros((len(windows), longest), dtype=np.int64)
    sounds = np.zeros_like(numbers)
    for place, window in enumerate(windows):
        numbers[place, : window.shape[1]] = window[0]
        sounds[place, : window.shape[1]] = window[1]
    return numbers, sounds
