"""Compile the tables of `moderation/tables` from open lexical resources.

    scripts/compile_tables.py ../shared/lexicon moderation/tables

The same sources give the same bytes. What each table is made from, and under which licence, stands
in moderation/tables/README.md; the service reads only the tables.
"""

import gzip
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import opencc

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "CHEROKEE", "COPTIC", "LISU", "ARMENIAN", "MATHEMATICAL", "NEGATIVE")
"""Scripts whose letters are taken for look-alikes; kana, Han, Arabic and pictures are not."""

PARTS = frozenset("亻氵扌彳刂忄讠饣纟钅犭艹宀疒辶阝冫灬礻衤罒廴卩囟攵殳勹厶虍")
"""Parts of characters that are no text when they stand alone."""

WORD_LENGTHS = range(2, 5)
SPOKEN = frozenset("了都还给呢什哦佛娜莎柚仔扒粘磅囤驮捋嚼")
"""Characters that set phrases read otherwise than speech does: their first reading stays."""

BASIC_BLOCK = range(0x3007, 0xA000)


def lines(path: Path) -> Iterator[str]:
    """Give the lines of a compressed or plain file."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        yield from (line.rstrip("\n") for line in stream)


def is_simplified(character: str) -> bool:
    """Tell whether the simplified standard of 1980 keeps the character as it is."""
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def traditional() -> list[str]:
    """Give a line for each traditional character: the character and its simplified form."""
    convert = opencc.OpenCC("t2s").convert
    rows = []
    for code in (*range(0x3400, 0xA000), *range(0xF900, 0xFB00), *range(0x20000, 0x2A6E0)):
        character = chr(code)
        simple = convert(character)
        if len(simple) == 1 and simple != character and not is_simplified(character):
            rows.append(character + simple)
    return rows


def confusables(source: Path) -> list[str]:
    """Give a line for each Latin letter: itself, then the characters that look like it."""
    rows = []
    for line in lines(source):
        target, _, alike = line.partition(" ")
        plain = target.casefold()
        if not (plain.isascii() and plain.isalpha()) or len(plain) > 1:
            continue
        found = [
            character
            for character in dict.fromkeys(alike)
            if not character.isascii() and unicodedata.name(character, "").startswith(SCRIPTS)
        ]
        rows.append(f"{plain} {''.join(found)}")
    return rows


def joins(folder: Path, words: set[str]) -> list[str]:
    """Give a line for each pair of parts that is unusual as text, and the character that they make."""
    inside = {first + second for word in words for first, second in pairwise(word)}
    written = {character for word in words for character in word if "一" <= character <= "鿿"}
    simplify = opencc.OpenCC("t2s").convert
    rows: dict[str, str] = {}
    for line in lines(folder / "chaizi-jt.txt.gz"):
        character, *splits = line.split("\t")
        if character not in written or not is_simplified(character):
            continue
        for split in splits:
            parts = split.split(" ")
            if len(parts) != len(("first", "second")) or any(len(part) != 1 for part in parts):
                continue
            first, second = (simplify(part) for part in parts)
            for pair in (first + second, second + first):
                apart = not PARTS.isdisjoint(pair)
                common = all(is_simplified(part) and part not in "一丨丿丶乙亅二八十人入" for part in pair)
                if apart or (common and pair not in inside):
                    rows.setdefault(pair, character)
    return [f"{pair}{character}" for pair, character in sorted(rows.items())]


def toneless(reading: str) -> str:
    """Return a reading without its tone, with v for ü."""
    decomposed = unicodedata.normalize("NFD", reading.replace("ü", "v"))
    return "".join(mark for mark in decomposed if mark.isascii() and mark.isalpha())


def usual_readings(source: Path) -> dict[str, Counter[str]]:
    """Return how often each character is read in which way, over a list of phrases."""
    readings: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines(source):
        phrase, _, spoken = line.partition(":")
        sounds = spoken.split("#")[0].split()
        if len(phrase) == len(sounds):
            for character, sound in zip(phrase, sounds, strict=True):
                readings[character][toneless(sound)] += 1
    return readings


def syllables(folder: Path) -> list[str]:
    """Give a line for each toneless syllable: itself, then the characters that are usually read so."""
    usual = usual_readings(folder / "phrase_pinyin.txt.gz")
    groups: dict[str, list[str]] = defaultdict(list)
    for line in lines(folder / "char_pinyin.txt.gz"):
        if not line.startswith("U+"):
            continue
        code, _, rest = line.removeprefix("U+").partition(":")
        number = int(code, 16)
        if number not in BASIC_BLOCK:
            continue
        possible = [toneless(reading) for reading in rest.split("#")[0].strip().split(",")]
        counted = Counter() if chr(number) in SPOKEN else usual.get(chr(number), Counter())
        reading = max(possible, key=lambda sound: counted[sound])
        if reading:
            groups[reading].append(chr(number))
    return [f"{syllable} {''.join(groups[syllable])}" for syllable in sorted(groups)]


def main() -> None:
    """Write all tables."""
    lexicon, target = Path(sys.argv[1]), Path(sys.argv[2])
    words = {line.split(" ")[0] for line in lines(lexicon / "jieba" / "dict.small.txt.gz")}
    tables = {
        "traditional.txt": traditional(),
        "confusables.txt": confusables(lexicon / "confusables" / "latin_confusables.txt"),
        "joins.txt": joins(lexicon / "chaizi", words),
        "syllables.txt": syllables(lexicon / "pinyin"),
    }
    for name, rows in tables.items():
        (target / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
        print(f"{name}: {len(rows)} rows")
    kept = sorted(
        word for word in words if len(word) in WORD_LENGTHS and all("一" <= c <= "鿿" for c in word)
    )
    with (target / "words.txt.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream:
        stream.write("\n".join(kept).encode())
    print(f"words.txt.gz: {len(kept)} rows")


if __name__ == "__main__":
    main()
