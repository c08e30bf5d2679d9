"""Turn texts into hashed character n-grams, a whole batch at a time.

Every text becomes the character n-grams of orders 1 to `orders`, each hashed to one of `2**bits`
buckets. Where a table of sounds is given, n-grams of toneless syllables stand beside them in the same
buckets: they stay as they are when characters give way to others that sound alike. There is no
vocabulary and no loop over texts: the code points of the batch stand in one array, each order is one
vectorised step, and the n-grams of one text stay contiguous.

It folds case, width and script character by character (`folding_table`), and it never refuses a
text: lone surrogates are characters like others. The rules of moderation see the whole text and
undo evasions; this module only has to be quick, total and the same everywhere.

Neighbours: `heads` sums weights over the buckets; `training` makes the same arrays sparse.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint32]
Buckets = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.int64]

LONGEST = 20_000
"""Characters of a text that are read; the rest is cut. A post may have as many."""

LONGEST_RUN = 3
"""How often one character may stand in a row; more of it is read as so often."""

CHARACTERS_AT_ONCE = 100_000
"""How much is hashed in one step: enough to be vectorised, little enough to stay in the cache."""

LEAST_HEARD = 2
"""The lowest order of sound n-grams: one syllable alone may be any of thirty characters."""

_TABLE_SIZE = 0x10000
_FIRST_SOUND = np.uint32(0x110000)
"""Sounds are numbered from behind the last code point, so none is taken for a character."""

_MULTIPLIER = np.uint32(0x01000193)
_GOLDEN = np.uint32(0x9E3779B1)
_SPREADER = np.uint32(0x85EBCA6B)


@dataclass(frozen=True, slots=True)
class Hashed:
    """The n-grams of some texts.

    `buckets` holds the n-grams of all texts one after another, shape (m,); `starts` holds where
    each text begins in it, shape (n,). No text is empty: the marks around it are n-grams too.
    """

    buckets: Buckets
    starts: npt.NDArray[np.int64]


def folding_table(simplified: Sequence[str] | None = None) -> Codes:
    """Return what each code point of the basic plane is read as. Shape (65536,), uint32.

    Width and compatibility forms are folded by NFKC where that gives one character, capitals
    become small, digits become 0, blanks become a space, and traditional characters become
    simplified where `simplified` (one string per code point) is given.
    """
    table = np.arange(_TABLE_SIZE, dtype=np.uint32)
    for code in range(_TABLE_SIZE):
        if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - the surrogates, which fold to themselves
            continue
        character = chr(code) if simplified is None else simplified[code]
        folded = unicodedata.normalize("NFKC", character).lower()
        if len(folded) != 1:
            continue
        if folded.isspace():
            folded = " "
        elif folded.isdecimal():
            folded = "0"
        table[code] = ord(folded)
    return table


@dataclass(frozen=True, slots=True)
class Hashing:
    """How characters become buckets. `table` comes from `folding_table` and ships with the bundle.

    Attributes
    ----------
    heard
        The highest order of sound n-grams; 0 for none.
    sounds
        Shape (65536,) uint16: the number of the toneless syllable of each folded code point, 0 for one
        without. A character without a syllable sounds like itself.
    """

    bits: int
    orders: int
    table: Codes
    heard: int = 0
    sounds: npt.NDArray[np.uint16] | None = None

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 24 or not 1 <= self.orders <= 6:  # noqa: PLR2004 - sane bounds
            raise ValueError(f"need 8 <= bits <= 24 and 1 <= orders <= 6, got {self.bits}, {self.orders}")
        if self.table.shape != (_TABLE_SIZE,) or self.table.dtype != np.uint32:
            raise ValueError("the folding table must be uint32 of shape (65536,)")
        if self.heard and not LEAST_HEARD <= self.heard <= self.orders:
            raise ValueError(f"need {LEAST_HEARD} <= heard <= orders, got {self.heard}")
        if self.heard and (
            self.sounds is None or self.sounds.shape != (_TABLE_SIZE,) or self.sounds.dtype != np.uint16
        ):
            raise ValueError("n-grams of sounds need a table of uint16 of shape (65536,)")

    @property
    def grams(self) -> int:
        """How many n-grams begin at each place of a text."""
        return self.orders + (self.heard - LEAST_HEARD + 1 if self.heard else 0)

    def folded(self, text: str) -> str:
        """Return what is read of one text."""
        codes, _ = self._codes([text])
        return codes.tobytes().decode("utf-32-le", "surrogatepass")

    def parts(self, texts: Sequence[str]) -> Iterator[tuple[slice, Hashed]]:
        """Yield the texts piece by piece, as the slice they are and their n-grams."""
        for part in pieces(texts):
            yield part, self.hash(texts[part])

    def hash(self, texts: Sequence[str]) -> Hashed:
        """Return the n-grams of `texts`, which must not be empty.

        Each text stands between marks, one before and `orders - 1` after, so that every position
        of it, the mark before included, begins exactly one n-gram of each order, and one of sounds of
        each order from `LEAST_HEARD` to `heard`.
        """
        codes, lengths = self._codes(texts)
        if len(texts) == 1:
            return self._hash_one(codes)
        after = self.orders - 1
        ends = np.cumsum(lengths + 1 + after)
        padded = np.zeros(int(ends[-1]) + after, dtype=np.uint32)
        begins = ends - (lengths + 1 + after)
        inside = np.ones(len(padded), dtype=bool)
        for step in range(after):
            inside[ends - 1 - step] = False
        inside[len(padded) - after :] = False
        places = inside.copy()
        places[begins] = False
        padded[places] = codes
        first = np.flatnonzero(inside)
        buckets = np.empty((len(first), self.grams), dtype=np.int64)
        self._fill(buckets, padded, first, range(self.orders))
        if self.heard:
            padded[places] = self._heard(codes)
            self._fill(buckets, padded, first, range(LEAST_HEARD - 1, self.heard))
        starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]]) * self.grams
        return Hashed(buckets=buckets.ravel(), starts=starts.astype(np.int64))

    def _hash_one(self, codes: Codes) -> Hashed:
        """Return the n-grams of one text, which come alone as often as not: few steps, the same buckets.

        The places of one text lie side by side, so all of its n-grams are made in one table: a row of
        characters and one of sounds, then all orders of both.
        """
        count = len(codes) + 1
        signs = np.zeros((2 if self.heard else 1, count + self.orders - 1), dtype=np.uint32)
        signs[0, 1:count] = codes
        if self.heard:
            signs[1, 1:count] = self._heard(codes)
        signs += np.uint32(1)
        rolling = signs[:, :count].copy()
        grams = np.empty((self.grams, count), dtype=np.uint32)
        grams[0] = rolling[0]
        for order in range(1, self.orders):
            rolling *= _MULTIPLIER
            rolling += signs[:, order : order + count]
            grams[order] = rolling[0]
            if LEAST_HEARD - 1 <= order < self.heard:
                grams[self.orders + order - LEAST_HEARD + 1] = rolling[1]
        heard = range(LEAST_HEARD - 1, self.heard)
        salted = [*range(self.orders), *(order + self.orders for order in heard)]
        mixed = _spread(grams, np.array([_salt(order) for order in salted], dtype=np.uint32)[:, None])
        mixed >>= np.uint32(32 - self.bits)
        return Hashed(buckets=mixed.T.astype(np.int64).ravel(), starts=np.zeros(1, dtype=np.int64))

    def _fill(self, buckets: Buckets, padded: Codes, first: npt.NDArray[np.intp], orders: range) -> None:
        """Write the n-grams that begin at the places `first` into their columns, orders counted from 0."""
        count = len(padded) - self.orders + 1
        behind = self.grams - (orders.stop - orders.start) if orders.start else 0
        rolling = np.zeros(count, dtype=np.uint32)
        for order in range(orders.stop):
            rolling = rolling * _MULTIPLIER + padded[order : count + order] + np.uint32(1)
            if order in orders:
                mixed = _mixed(rolling[first], order + (self.orders if orders.start else 0))
                buckets[:, behind + order - orders.start] = mixed >> np.uint32(32 - self.bits)

    def _heard(self, codes: Codes) -> Codes:
        """Return the sound of each code point, or the code point itself where it has none."""
        if self.sounds is None:
            return codes
        sounds = self.sounds[np.minimum(codes, _TABLE_SIZE - 1)]
        return np.where(sounds > 0, _FIRST_SOUND + sounds, codes)

    def _codes(self, texts: Sequence[str]) -> tuple[Codes, Lengths]:
        """Return the code points that are read, all texts in one array, and how many each text has."""
        cut = [text[:LONGEST] for text in texts]
        lengths = np.fromiter(map(len, cut), dtype=np.int64, count=len(cut))
        raw = np.frombuffer("".join(cut).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        basic = raw < _TABLE_SIZE
        codes = (
            self.table.take(raw) if basic.all() else np.where(basic, self.table[np.where(basic, raw, 0)], raw)
        )
        return _shortened(codes, lengths)


def _shortened(codes: Codes, lengths: Lengths) -> tuple[Codes, Lengths]:
    """Return codes and lengths with every run of one character cut to `LONGEST_RUN`.

    A telephone number or a row of exclamation marks would otherwise outweigh the words around it.
    """
    same = np.zeros(len(codes), dtype=bool)
    np.equal(codes[1:], codes[:-1], out=same[1:])
    if not same.any():
        return codes, lengths
    ends = np.cumsum(lengths)
    begins = (ends - lengths)[lengths > 0]
    same[begins] = False
    repeated = same.copy()
    for step in range(1, LONGEST_RUN):
        repeated[step:] &= same[:-step]
        repeated[:step] = False
    kept = ~repeated
    total = np.concatenate([[0], np.cumsum(kept)])
    return codes[kept], total[ends] - total[ends - lengths]


def _mixed(rolling: Codes, order: int) -> Codes:
    """Spread rolling hashes over all 32 bits, each order in its own way. Overflow is meant."""
    return _spread(rolling, np.uint32(_salt(order)))


def _salt(order: int) -> int:
    return (order * 0x9E3779B97F4A7C15) & 0xFFFFFFFF


def _spread(rolling: Codes, salt: Codes | np.uint32) -> Codes:
    mixed: Codes = (rolling ^ (rolling >> np.uint32(15))) + salt
    mixed *= _GOLDEN
    mixed ^= mixed >> np.uint32(13)
    mixed *= _SPREADER
    return mixed


def pieces(texts: Sequence[str], characters: int = CHARACTERS_AT_ONCE) -> Iterator[slice]:
    """Yield slices of `texts`, each of about `characters` characters and of one text at least."""
    if not texts:
        return
    if sum(map(len, texts)) + 2 * len(texts) < characters:
        yield slice(0, len(texts))
        return
    sizes = np.fromiter((min(len(text), LONGEST) + 2 for text in texts), dtype=np.int64, count=len(texts))
    group = np.cumsum(sizes) // characters
    bounds = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(texts)]
    for begin, end in pairwise(bounds):
        yield slice(begin, end)
