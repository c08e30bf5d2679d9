"""How characters sound, and copies of lessons in characters that sound alike.

A text that is written in homophones says what it said before. The copies teach the heads of the first
stage so; the encoder hears of it in lessons of its own (`multitask`). Harmful and harmless texts are
copied alike: otherwise an odd spelling by itself would look like harm.

Readings come from pypinyin's table: the first of each character, without its tone.

Neighbours: `pretrain` makes the encoder's alphabet with the same syllables; `fitting` learns from the
copies; `features` hashes the sounds.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.training.recipe import HomophonesEntry, SourceEntry
from learning.training.sources import Lessons, draw

_USUAL: Final = range(0xB0, 0xD8)
"""The first bytes of the 3,755 most usual characters in GB 2312: what a person who types would choose."""

_BASIC: Final = 0x10000


@dataclass(frozen=True, slots=True)
class Copies:
    """Texts that say what some lessons say.

    Attributes
    ----------
    of
        Shape (n,) int: the place of the lesson that each was made from.
    weight
        Shape (n,) float64, > 0.
    """

    texts: list[str]
    of: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]


def syllable(character: str) -> str:
    """Return the first reading of a character without its tone; "" if it has none."""
    from pypinyin.constants import PINYIN_DICT  # noqa: PLC0415 - serving needs no table of readings

    readings = PINYIN_DICT.get(ord(character)) if character else None
    if not readings:
        return ""
    apart = unicodedata.normalize("NFD", readings.split(",")[0])
    kept = "".join(part for part in apart if part == "\u0308" or not unicodedata.combining(part))
    return kept.replace("u\u0308", "v")


def sound_table() -> npt.NDArray[np.uint16]:
    """Return the number of each code point's syllable, 0 for one without. Shape (65536,)."""
    heard = [syllable(chr(code)) for code in range(_BASIC)]
    numbers = {one: number for number, one in enumerate(["", *sorted(set(heard) - {""})])}
    return np.array([numbers[one] for one in heard], dtype=np.uint16)


def homophone_copies(
    lessons: Lessons,
    sources: Sequence[SourceEntry],
    entry: HomophonesEntry,
    sounds: npt.NDArray[np.uint16],
    seed: int,
) -> Copies:
    """Return one copy of each lesson whose source asks for copies and that has a character to replace."""
    alike = _alike(sounds)
    asked = np.array([source.homophones for source in sources], dtype=bool)
    texts, places = [], []
    for place in np.flatnonzero(asked[lessons.origin]):
        text = lessons.texts[place]
        copy = _respelled(text, alike, entry.share, np.random.default_rng(draw(text, seed)))
        if copy != text:
            texts.append(copy)
            places.append(place)
    of = np.array(places, dtype=np.int64)
    return Copies(texts, of, lessons.weight[of] * entry.weight)


def _alike(sounds: npt.NDArray[np.uint16]) -> dict[str, list[str]]:
    """Return, for each usual character, the other usual characters of its sound."""
    members: dict[int, list[str]] = {}
    for code in np.flatnonzero(sounds):
        coded = chr(code).encode("gb2312", "ignore")
        if coded and coded[0] in _USUAL:
            members.setdefault(int(sounds[code]), []).append(chr(code))
    return {
        one: [other for other in family if other != one]
        for family in members.values()
        if len(family) > 1
        for one in family
    }


def _respelled(text: str, alike: dict[str, list[str]], share: float, chance: np.random.Generator) -> str:
    """Return `text` with about `share` of its usual characters replaced, and at least one if it has any."""
    pieces = list(text)
    places = [place for place, character in enumerate(pieces) if character in alike]
    if not places:
        return text
    chosen = [place for place, drawn in zip(places, chance.random(len(places)), strict=True) if drawn < share]
    for place in chosen or [int(chance.choice(places))]:
        family = alike[pieces[place]]
        pieces[place] = family[int(chance.integers(len(family)))]
    return "".join(pieces)
