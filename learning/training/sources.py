"""Read the texts that a recipe names, with what each of them teaches.

A text is an example for a head, a counter-example, or says nothing about it. Rows are read in the
order of the file; draws and folds follow a hash of the text, so neither depends on the order of
anything, and a text that occurs twice is always on the same side.

Neighbours: `recipe` says what to read; `fitting` learns from it.
"""

import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from learning.training.recipe import PACKAGE, SourceEntry, StreamEntry
from models.errors import ConfigurationError

EXAMPLE, COUNTER_EXAMPLE, SILENT = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the kinds of paths in a recipe begin."""

    data: Path
    corpus: Path
    texts: Path
    package: Path = PACKAGE

    def path(self, source: SourceEntry) -> Path:
        """Return where the file of `source` is."""
        folders = {"data": self.data, "corpus": self.corpus, "texts": self.texts, "package": self.package}
        return folders[source.root] / source.file


@dataclass(frozen=True, slots=True)
class Lessons:
    """n texts and what they teach k heads.

    Attributes
    ----------
    says
        Shape (n, k) int8: example 1, counter-example 0, silent -1.
    weight
        Shape (n,) float64, > 0.
    calibrates
        Shape (n, k) float64: how much a text counts when a head is calibrated; 0 for not at all.
    derived
        Shape (n,): whether a text was made from another one.
    origin
        Shape (n,) int: the place of the text's source in the list of sources.
    values
        What the file said of each text, with the letter of a second reading behind a colon.
    """

    texts: list[str]
    says: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float64]
    calibrates: npt.NDArray[np.float64]
    derived: npt.NDArray[np.bool_]
    origin: npt.NDArray[np.int64]
    values: list[str]


def draw(text: str, seed: int) -> int:
    """Return a number from 0 to 2**32 - 1 that depends on the text and the seed alone."""
    salted = seed.to_bytes(8, "little") + text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(salted, digest_size=4).digest(), "little")


def read_lessons(sources: Sequence[SourceEntry], heads: Sequence[str], roots: Roots, seed: int) -> Lessons:
    """Return the lessons of all `sources` for `heads`, in the order of the recipe."""
    texts: list[str] = []
    says: list[list[int]] = []
    weights: list[float] = []
    origin: list[int] = []
    values: list[str] = []
    for place, source in enumerate(sources):
        for text, value in _drawn(source, roots, seed):
            texts.append(text)
            says.append(_says(source, value, heads))
            weights.append(source.weight)
            origin.append(place)
            values.append(value)
    places = np.array(origin, dtype=np.int64)
    calibrates = [
        [source.calibrates.get(head, source.calibrates.get("*", 0.0)) for head in heads] for source in sources
    ]
    return Lessons(
        texts=texts,
        says=np.array(says, dtype=np.int8).reshape(len(texts), len(heads)),
        weight=np.array(weights),
        calibrates=np.array(calibrates, dtype=np.float64).reshape(-1, len(heads))[places],
        derived=np.array([source.derived for source in sources], dtype=bool)[places],
        origin=places,
        values=values,
    )


def read_texts(sources: Sequence[SourceEntry], roots: Roots, seed: int) -> list[str]:
    """Return the texts of all `sources`, whatever their labels."""
    return [text for source in sources for text, _ in _drawn(source, roots, seed)]


def read_stream(stream: StreamEntry, roots: Roots, field: str = "") -> list[tuple[str, str]]:
    """Return every text of a file of open text, with its value of `field`."""
    source = SourceEntry(
        name=stream.name,
        root=stream.root,
        file=stream.file,
        licence=stream.licence,
        use="",
        text=stream.text,
        field=field,
    )
    return [row for row in _rows(source, roots.path(source)) if row[0].strip()]


def _drawn(source: SourceEntry, roots: Roots, seed: int) -> list[tuple[str, str]]:
    """Return the texts of one source with their values, at most its limit."""
    letters = _letters(source, roots)
    rows = [row for row in _rows(source, roots.path(source)) if row[0].strip()]
    if letters:
        seen = [letters.get(mark(text)) for text, _ in rows]
        rows = [
            (text, f"{value}:{letter}" if letter else value)
            for (text, value), letter in zip(rows, seen, strict=True)
        ]
    if source.limit and source.limit < len(rows):
        keys = np.array([draw(text, seed) for text, _ in rows])
        chosen = np.sort(np.argsort(keys, kind="stable")[: source.limit])
        rows = [rows[place] for place in chosen]
    return rows


def mark(text: str) -> str:
    """Return what a second reading calls a text by: 16 hexadecimal digits, from which nobody reads it."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _letters(source: SourceEntry, roots: Roots) -> dict[str, str]:
    """Return the letters of the second reading of `source`, by the texts' marks; none if there was none."""
    if not source.second:
        return {}
    try:
        lines = (roots.texts / source.second).read_text(encoding="utf-8").splitlines()
        return {name: letter for name, _, letter in (line.partition("\t") for line in lines)}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the second reading of {source.name} cannot be read") from error


def _rows(source: SourceEntry, path: Path) -> Iterator[tuple[str, str]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for line in lines:
                if ".jsonl" in path.name:
                    row: dict[str, Any] = orjson.loads(line)
                    yield str(row[source.text]), _word(row.get(source.field))
                else:
                    yield line.decode("utf-8").strip(), ""
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"the source {source.name} cannot be read as the recipe says") from error


def _word(value: object) -> str:
    """Return a label as the recipe writes it: true and false as words, a missing one as "none"."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _says(source: SourceEntry, value: str, heads: Sequence[str]) -> list[int]:
    named = source.labels.get(value, source.labels.get("*", []))
    examples = {value if word == "=" else word for word in named}
    unknown = set(source.unknown.get(value, source.unknown.get("*", [])))
    strangers = (examples | unknown | set(source.teaches)) - set(heads) - {"none"}
    if strangers:
        raise ConfigurationError(
            f"the source {source.name} names heads that do not exist: {sorted(strangers)}"
        )
    result = []
    for head in heads:
        if head in examples:
            result.append(EXAMPLE)
        elif head in unknown or (source.teaches and head not in source.teaches):
            result.append(SILENT)
        else:
            result.append(COUNTER_EXAMPLE)
    return result
