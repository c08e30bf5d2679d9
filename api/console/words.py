"""Everything that a page says, in Chinese and in English, by key.

Templates hold no sentences of their own, so that both languages always say the same. The closed
lists (harms, domains) have their words in `models/vocabulary.py`; all else is in `words.toml`, and what
clocks, duty, experts and stations say in `words_on_time.toml` beside it.

Refuses: a key without both languages, when the file is loaded.

Neighbours: `page` hands the words to the templates.
"""

import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from models.errors import ConfigurationError
from models.vocabulary import CLAUSES, DOMAIN_WORDS, Category, Domain

FILE: Final = Path(__file__).parent / "words.toml"
ON_TIME: Final = FILE.with_name("words_on_time.toml")
LANGUAGES: Final = ("zh", "en")
DEFAULT: Final = "zh"

Phrase = Mapping[str, str]


def _phrases(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Phrase]]:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if not isinstance(value, dict):
            raise ConfigurationError(f"words.toml: {key} has no languages")
        if set(value) & set(LANGUAGES):
            if set(value) != set(LANGUAGES) or not all(str(text).strip() for text in value.values()):
                raise ConfigurationError(f"words.toml: {key} needs exactly zh and en")
            yield key, value
        else:
            yield from _phrases(value, f"{key}.")


@cache
def phrases() -> Mapping[str, Phrase]:
    """Return every phrase by its key, such as `queue.title`."""
    found: dict[str, Phrase] = {}
    for file in (FILE, ON_TIME):
        found.update(_phrases(tomllib.loads(file.read_text(encoding="utf-8"))))
    return found


def phrase(key: str, language: str, **values: object) -> str:
    """Return one phrase with its values filled in.

    Raises
    ------
    KeyError
        If there is no such key: a page that asks for one is wrong.
    """
    text = phrases()[key][language]
    return text.format(**values) if values else text


def has(key: str) -> bool:
    """Return whether there is such a key."""
    return key in phrases()


def word(member: StrEnum | None, language: str) -> str:
    """Return how a member of an enumeration is called."""
    if member is None:
        return phrase("common.none", language)
    if isinstance(member, Category):
        return str(getattr(CLAUSES[member].name, language))
    if isinstance(member, Domain):
        return str(getattr(DOMAIN_WORDS[member], language))
    return phrase(f"{type(member).__name__}.{member.value}", language)


def rule(category: Category, language: str) -> str:
    """Return the published rule of a category."""
    return str(getattr(CLAUSES[category].rule, language))
