"""Make cloaked copies of a text: the disguises that evaders use, by kind, for training and for measuring.

A copy is for machines to learn from and to be measured on; it is never shown, posted or stored as
somebody's words. The function is pure: the same text, kind and state of the generator give the same
copy. A text without a character that the kind can cloak comes back unchanged.

Neighbours: `normalise` takes the disguises off again, and both read the same tables; `evaluation` and
training make the copies.
"""

import random
from collections import defaultdict
from collections.abc import Callable
from enum import StrEnum
from functools import lru_cache
from typing import Final

from moderation.normalise import PICTURES, table_rows


class Cloak(StrEnum):
    """Kinds of disguise."""

    HOMOPHONE = "homophone"
    SPLIT = "split"
    EMOJI = "emoji"
    INSERTED = "inserted"
    TRADITIONAL = "traditional"


SHARE: Final = 0.3
"""So many of the characters that a kind can cloak are cloaked, in the mean; at least one is."""

_SEPARATORS: Final = (" ", "*", "·", "-", "_", "~", "|", ".", "/", "+", "\u200b", "\u200d", "\ufeff")
_EMOJI: Final = ("😂", "🌟", "🍀", "🎈", "🌈", "✨", "😊", "💦", "🎵", "🙈", "🔆", "👉", "💢", "🌀")
_COMMONEST: Final = range(0xB0, 0xD8)
"""The first bytes of the 3,755 most usual characters in GB 2312 (its first level)."""

_Ways = dict[str, tuple[str, ...]]


def _is_chinese(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def _is_usual(character: str) -> bool:
    coded = character.encode("gb2312", "ignore")
    return bool(coded) and coded[0] in _COMMONEST


@lru_cache(maxsize=1)
def _homophones() -> _Ways:
    """Give, for each usual character, the other usual characters of its syllable."""
    ways: _Ways = {}
    for row in table_rows("syllables.txt"):
        usual = [character for character in row.partition(" ")[2] if _is_usual(character)]
        for character in usual:
            ways[character] = tuple(other for other in usual if other != character)
    return {character: others for character, others in ways.items() if others}


@lru_cache(maxsize=1)
def _parts() -> _Ways:
    """Give, for each character, its two parts, where both can be typed by whoever has GB 2312."""
    ways: defaultdict[str, list[str]] = defaultdict(list)
    for row in table_rows("joins.txt"):
        if len(row[:2].encode("gb2312", "ignore")) == len("甲乙".encode("gb2312")):
            ways[row[2]].append(row[:2])
    return {character: tuple(pairs) for character, pairs in ways.items()}


@lru_cache(maxsize=1)
def _traditional() -> _Ways:
    """Give, for each simplified character, its traditional form: the first of several in Big5."""
    forms: dict[str, tuple[bytes, str]] = {}
    for row in table_rows("traditional.txt"):
        coded = row[0].encode("big5", "ignore")
        if coded and (row[1] not in forms or (coded, row[0]) < forms[row[1]]):
            forms[row[1]] = coded, row[0]
    return {simplified: (form,) for simplified, (_, form) in forms.items()}


@lru_cache(maxsize=1)
def _pictures() -> _Ways:
    ways: defaultdict[str, list[str]] = defaultdict(list)
    for picture, character in PICTURES.items():
        ways[character].append(picture)
    return {character: tuple(pictures) for character, pictures in ways.items()}


def _replacing(ways: Callable[[], _Ways]) -> Callable[[str, random.Random], list[str]]:
    def cloak_each(text: str, rng: random.Random) -> list[str]:
        known = ways()
        pieces = list(text)
        for place in _chosen([place for place, character in enumerate(text) if character in known], rng):
            pieces[place] = rng.choice(known[text[place]])
        return pieces

    return cloak_each


def _with_emoji(text: str, rng: random.Random) -> list[str]:
    """Put a picture for a character that has one, and one behind a character that has none."""
    known = _pictures()
    pieces = list(text)
    places = [place for place, character in enumerate(text) if _is_chinese(character)]
    for place in _chosen(places, rng):
        picture = known.get(text[place])
        pieces[place] = rng.choice(picture) if picture else text[place] + rng.choice(_EMOJI)
    return pieces


def _with_separators(text: str, rng: random.Random) -> list[str]:
    """Put something between two characters that stood side by side."""
    pieces = list(text)
    places = [
        place for place in range(len(text) - 1) if _is_chinese(text[place]) and _is_chinese(text[place + 1])
    ]
    for place in _chosen(places, rng):
        pieces[place] += rng.choice(_SEPARATORS)
    return pieces


def _chosen(places: list[int], rng: random.Random) -> list[int]:
    """Return about `SHARE` of the places, in order: at least one, unless there is none."""
    if not places:
        return []
    chosen = [place for place in places if rng.random() < SHARE]
    return chosen or [rng.choice(places)]


_KINDS: Final[dict[Cloak, Callable[[str, random.Random], list[str]]]] = {
    Cloak.HOMOPHONE: _replacing(_homophones),
    Cloak.SPLIT: _replacing(_parts),
    Cloak.EMOJI: _with_emoji,
    Cloak.INSERTED: _with_separators,
    Cloak.TRADITIONAL: _replacing(_traditional),
}


def cloak(text: str, kind: Cloak, rng: random.Random) -> str:
    """Return a cloaked copy of a text.

    Parameters
    ----------
    text
        What to cloak. About 30 % of the characters that the kind can cloak are, and at least one.
    kind
        The disguise. `EMOJI` writes a picture for a character that has one and puts one behind others.
    rng
        Where chance comes from. The same state gives the same copy, on every platform.
    """
    return "".join(_KINDS[kind](text, rng))
