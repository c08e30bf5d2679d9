"""Read the labelled rows of a file for `tingjian evaluate`. Refuses a file whose rows lack a field."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from models.errors import InvalidInput


def rows_of(file: Path, fields: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of a JSON Lines file, plain or .gz.

    Raises
    ------
    InvalidInput
        If the file cannot be read, holds no row, or a row lacks one of `fields`; it names the line.
    """
    rows = []
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                row = _row(line)
                if (
                    row is None
                    or not isinstance(row.get("text"), str)
                    or any(name not in row for name in fields)
                ):
                    raise InvalidInput(f"line {number} of {file.name} needs {', '.join(fields)}")
                rows.append(row)
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read") from error
    if not rows:
        raise InvalidInput(f"{file.name} holds no row")
    return rows


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = orjson.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
