"""Turn a short text into a vector that says which matter of young people's life it is about.

Short posts leave the noun out: "the tap is ice cold" and "they close the boiler at ten" share no word,
and one matter. So the vector is learned from some two hundred written matters, each said in many ways
(`training/texts/matters*.txt` and the demands of our own months): single characters, pairs and words, and
beside them the vector of the first stage, are weighed by how much they speak for each matter, and the
answers are kept in fewer dimensions. Two texts are alike if they speak for the same matters, also for
one that nobody wrote down.

It refuses to name a matter: rows of numbers come out, no label. It knows no place and no time.

Neighbours: `training/matters.py` makes the table; `cascade` serves the vectors; `bundle` loads both.

Source
------
Saunders, Gammerman, Vovk (1998), Ridge regression learning algorithm in dual variables, ICML.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt
import orjson
import rjieba

from learning.features import FloatArray
from models.errors import ConfigurationError

TABLE: Final = "matters.npz"
SAYS: Final = "matters.json"
PROBE: Final = "宿舍晚上没有热水，能不能延长供应时间"
"""A text whose first vector tells whether the first stage is the one that the table was made with."""

LONGEST: Final = 2_000
"""Characters of a text that are read; the rest is cut."""

SHARE: Final = 1.0
"""Length of the first stage's vector beside the n-grams, which have length 1."""

_SMALLEST: Final = 1e-6
_SAME: Final = 0.999


def grams_of(text: str) -> Counter[int]:
    """Return the characters, pairs of characters and words of a folded text, hashed, with their counts."""
    text = text[:LONGEST]
    found: Counter[int] = Counter()
    for order in (1, 2):
        for at in range(len(text) - order + 1):
            found[crc32(text[at : at + order].encode("utf-8", "surrogatepass"))] += 1
    for word in rjieba.cut(text.encode("utf-8", "replace").decode()):
        found[crc32(b"w" + word.encode())] += 1
    return found


@dataclass(frozen=True, slots=True)
class Matters:
    """What each n-gram says about matters, in d dimensions.

    Attributes
    ----------
    keys
        Shape (v,) uint32, sorted: hashes of n-grams.
    rarity
        Shape (v,) float32: what an n-gram counts, more if it is rare.
    weights
        Shape (v, d) float32.
    middle
        Shape (e,) float32: the mean of the first stage's vectors, which is taken out.
    heard
        Shape (e, d) float32: weights of the first stage's vector.
    probe
        Shape (e,) float32: the first stage's vector of `PROBE`.
    """

    name: str
    keys: npt.NDArray[np.uint32]
    rarity: FloatArray
    weights: FloatArray
    middle: FloatArray
    heard: FloatArray
    probe: FloatArray

    def fits(self, first: Callable[[Sequence[str]], FloatArray]) -> bool:
        """Return whether `first` gives the vectors that the table was made with."""
        found = first([PROBE])[0]
        return found.shape == self.probe.shape and float(found @ self.probe) >= _SAME

    def encode(self, folded: Sequence[str], first: FloatArray) -> FloatArray:
        """Return one unit vector for each text. Shape (n, d) float32.

        Parameters
        ----------
        folded
            The texts as the first stage reads them (`Hashing.folded`).
        first
            Shape (n, e): the first stage's vectors. A text of which nothing is known gets the first axis.
        """
        result = np.empty((len(folded), self.weights.shape[1]), dtype=np.float32)
        for place, text in enumerate(folded):
            result[place] = self._said(text)
        result += _beside(first, self.middle) @ self.heard
        lengths = np.linalg.norm(result, axis=1, keepdims=True)
        result /= np.maximum(lengths, _SMALLEST)
        unknown = lengths[:, 0] < _SMALLEST
        result[unknown] = 0.0
        result[unknown, 0] = 1.0
        return result

    def _said(self, text: str) -> FloatArray:
        """Return what the n-grams of one text say. Shape (d,)."""
        grams = grams_of(text)
        keys = np.fromiter(grams.keys(), dtype=np.uint32, count=len(grams))
        counts = np.fromiter(grams.values(), dtype=np.float32, count=len(grams))
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[at] == keys
        at = at[known]
        # Summed in the order of the table, so that a text has one row whatever order its grams came in.
        order = np.argsort(at)
        at, counts = at[order], counts[known][order]
        weight = (1.0 + np.log(counts)) * self.rarity[at]
        length = float(np.linalg.norm(weight))
        result: FloatArray = (weight / max(length, _SMALLEST)) @ self.weights[at]
        return result


def _beside(first: FloatArray, middle: FloatArray) -> FloatArray:
    """Return the first stage's vectors without what they share, each of length `SHARE`."""
    apart = first - middle
    result: FloatArray = SHARE * apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), _SMALLEST)
    return result


def load_matters(folder: Path) -> Matters:
    """Return the table in `folder`.

    Raises
    ------
    ConfigurationError
        If it is not the file that its description names, or cannot be read.
    """
    try:
        says = orjson.loads((folder / SAYS).read_bytes())
        raw = folder / TABLE
        if hashlib.sha256(raw.read_bytes()).hexdigest() != says["sha256"]:
            raise ConfigurationError(f"{raw} is not the file that its description names")
        with np.load(raw, allow_pickle=False) as arrays:
            scale = arrays["scales"].astype(np.float32)[:, None]
            return Matters(
                name=says["name"],
                keys=arrays["keys"],
                rarity=arrays["rarity"].astype(np.float32),
                weights=arrays["weights"].astype(np.float32) * scale,
                middle=arrays["middle"].astype(np.float32),
                heard=arrays["heard"].astype(np.float32),
                probe=arrays["probe"].astype(np.float32),
            )
    except (OSError, KeyError, ValueError) as error:
        raise ConfigurationError(f"the table of matters in {folder} cannot be read") from error
