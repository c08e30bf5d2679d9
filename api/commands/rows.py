"""Read JSONL files, plain or compressed, line by line.

`lines` reports a bad line instead of failing; `rows_of` refuses a file with one, because a figure
over the rest would not be what it says. A line longer than a post can be is bad and is passed over
without being held in memory, so that a file that unpacks to very much more than it is does no harm.
"""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from models.errors import InvalidInput

LONGEST_TEXT: Final = 20_000
_LONGEST_LINE: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number from 1, and either its row or what is wrong with it."""

    number: int
    row: dict[str, Any] | None
    problem: str | None = None


def open_rows(path: Path) -> BinaryIO:
    """Open a file for reading; compressed if its name ends in .gz.

    Raises
    ------
    InvalidInput
        If the file cannot be opened.
    """
    try:
        if path.suffix == ".gz":
            return cast("BinaryIO", gzip.open(path, "rb"))
        return path.open("rb")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error


def lines(stream: BinaryIO) -> Iterator[Line]:
    """Give every line that is not blank."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(_LONGEST_LINE)
            too_long = len(line) == _LONGEST_LINE and not line.endswith(b"\n")
            rest = line
            while too_long and rest and not rest.endswith(b"\n"):
                rest = stream.readline(_LONGEST_LINE)
        except (OSError, EOFError, zlib.error):
            yield Line(number, None, "the file cannot be unpacked any further")
            return
        if not line:
            return
        if too_long:
            yield Line(number, None, f"longer than {_LONGEST_LINE} bytes")
        elif line.strip():
            yield _parsed(number, line)


def _parsed(number: int, line: bytes) -> Line:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Line(number, None, "not JSON")
    if not isinstance(row, dict):
        return Line(number, None, "not an object")
    text = row.get("text")
    if not isinstance(text, str) or not text.strip():
        return Line(number, None, "no text")
    if len(text) > LONGEST_TEXT:
        return Line(number, None, f"a text of more than {LONGEST_TEXT} characters")
    return Line(number, row)


def rows_of(path: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return every row of a file that is to be judged whole.

    Raises
    ------
    InvalidInput
        If the file cannot be read, holds no row, or a row is bad or lacks one of `fields`; it names
        the line.
    """
    rows = []
    with open_rows(path) as stream:
        for line in lines(stream):
            if line.row is None:
                raise InvalidInput(f"line {line.number} of {path.name}: {line.problem}")
            missing = [name for name in fields if name not in line.row]
            if missing:
                raise InvalidInput(f"line {line.number} of {path.name} lacks {', '.join(missing)}")
            rows.append(line.row)
    if not rows:
        raise InvalidInput(f"{path.name} holds no row")
    return rows
