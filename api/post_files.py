"""Read posts from a file that comes from outside: JSONL or CSV, plain or compressed, row by row.

Nothing in a file can fill the memory: a line has a largest length, and what a compressed file
unpacks to has a largest size and a largest ratio to the file itself. A line that cannot be read is
a row with an error, and the next line goes on.

Neighbours: `commands/import_.py` takes the rows in; `bodies` parses a line of JSON.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from api import bodies
from models.errors import InvalidInput, MalformedBody, TooLarge

LONGEST_LINE: Final = 1_000_000
LARGEST_FILE: Final = 8 * 2**30
LARGEST_RATIO: Final = 200
RATIO_COUNTS_FROM: Final = 16 * 2**20
NUMBERS: Final = ("revision", "likes")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line on which it ends, counted from 1, and its fields or what is wrong with it."""

    line: int
    fields: Any
    error: InvalidInput | None = None


class _Unpacked(io.RawIOBase):
    """What a file unpacks to, counted as it is read."""

    def __init__(self, unpacked: IO[bytes], packed: IO[bytes], limit: int) -> None:
        self._unpacked, self._packed, self._limit = unpacked, packed, limit
        self._seen = 0

    def readable(self) -> bool:
        """Whether it can be read: it can."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill `buffer`; refuse a file that unpacks to too much, or cannot be unpacked."""
        try:
            part = self._unpacked.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise InvalidInput("the file is damaged: it cannot be unpacked", code="corrupt_file") from None
        self._seen += len(part)
        packed = max(1, self._packed.tell())
        bomb = self._seen > RATIO_COUNTS_FROM and self._seen > LARGEST_RATIO * packed
        if bomb or self._seen > self._limit:
            raise TooLarge("the file unpacks to too much", code="unpacks_to_too_much", limit=self._limit)
        buffer[: len(part)] = part
        return len(part)


def digest(path: Path, source: str) -> str:
    """Return what names an import: the file's content and the source it is imported for."""
    found = hashlib.sha256(source.encode() + b"\0")
    with path.open("rb") as file:
        while part := file.read(2**20):
            found.update(part)
    return found.hexdigest()


def rows(path: Path, packed: IO[bytes], *, limit: int = LARGEST_FILE) -> Iterator[Row]:
    """Yield the rows of `packed`, the opened file at `path`; its name tells the form.

    Parameters
    ----------
    limit
        Largest size after unpacking. Unit: bytes.

    Raises
    ------
    TooLarge
        `unpacks_to_too_much`, in the middle of the reading.
    InvalidInput
        `corrupt_file`, likewise.
    """
    compressed = path.suffix.lower() == ".gz"
    name = path.stem if compressed else path.name
    unpacked = gzip.GzipFile(fileobj=packed, mode="rb") if compressed else packed
    stream = io.BufferedReader(_Unpacked(unpacked, packed, limit), 2**20)  # type: ignore[arg-type]
    return _table(stream) if name.lower().endswith(".csv") else _objects(stream)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Yield each line with its number; None for one that is too long, whose rest is passed over."""
    number = 0
    while part := stream.readline(LONGEST_LINE):
        number += 1
        if len(part) < LONGEST_LINE or part.endswith(b"\n"):
            yield number, part
            continue
        while part and not part.endswith(b"\n"):
            part = stream.readline(LONGEST_LINE)
        yield number, None


def _too_long() -> TooLarge:
    return TooLarge("the line is too long", code="line_too_long", limit=LONGEST_LINE)


def _objects(stream: IO[bytes]) -> Iterator[Row]:
    for number, line in _lines(stream):
        if line is None:
            yield Row(number, None, _too_long())
        elif line.strip():
            try:
                yield Row(number, bodies.parse_shallow(line))
            except MalformedBody as error:
                yield Row(number, None, error)


def _table(stream: IO[bytes]) -> Iterator[Row]:
    """Read CSV whose first row names the fields. An empty cell is a field that is left out."""
    long_lines: list[int] = []

    def texts() -> Iterator[str]:
        for number, line in _lines(stream):
            if line is None:
                # A character that no field may have: the row around it is refused, whatever it holds.
                long_lines.append(number)
                yield "\0\n"
            else:
                text = line.decode("utf-8", "surrogateescape")
                yield text.removeprefix("\ufeff") if number == 1 else text

    reader = csv.reader(texts())
    names = [name.strip() for name in next(reader, [])]
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            yield Row(reader.line_num, None, MalformedBody("the line is not CSV"))
            continue
        if cells is None:
            return
        error: InvalidInput | None = None
        if long_lines:
            long_lines.clear()
            error = _too_long()
        elif len(cells) > len(names):
            error = MalformedBody("the line has more cells than the header")
        if cells:
            yield Row(reader.line_num, None if error else _fields(names, cells), error)


def _fields(names: list[str], cells: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    for name in NUMBERS:
        written = found.get(name, "")
        if written.isascii() and written.removeprefix("-").isdigit() and len(written) < LONGEST_NUMBER:
            found[name] = int(written)
    return found


LONGEST_NUMBER: Final = 20
