"""The help lines that /help shows: the product's own, and those that an operator adds for the place.

Every line says who is there, when, for whom, and on which day somebody last made sure that it holds. A day
that is long past is told to the operators, when the service starts and on the page itself once they have
signed in; to everybody else the page stays as calm as it is, because a number that was not checked lately is
still better than none.

Refuses: a file of the operator's that leaves one of these out.

Neighbours: `api/settings.py` names the operator's file; `console/views/help.py` shows; `serve` warns.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from models.errors import ConfigurationError

SHIPPED: Final = Path(__file__).parent / "console" / "help_lines.toml"
CHECKED_FOR: Final = timedelta(days=180)
"""How long a check is good for."""

_LANGUAGES: Final = {"zh", "en"}
_LONGEST_NUMBER: Final = 30


@dataclass(frozen=True, slots=True)
class HelpLine:
    """One number to call: who answers, when, for whom, and when somebody made sure of it."""

    number: str
    name: dict[str, str]
    about: dict[str, str]
    hours: dict[str, str]
    audience: dict[str, str]
    checked: date

    @property
    def dial(self) -> str:
        """The number as a telephone dials it."""
        return "".join(one for one in self.number if one.isdigit() or one == "+")

    def is_stale(self, today: date) -> bool:
        """Whether nobody has made sure of it for half a year."""
        return today - self.checked > CHECKED_FOR


@dataclass(frozen=True, slots=True)
class HelpLines:
    """All of them, the product's first."""

    national: tuple[HelpLine, ...]
    local: tuple[HelpLine, ...]

    @property
    def all(self) -> tuple[HelpLine, ...]:
        """Every line."""
        return self.national + self.local

    def stale(self, today: date) -> tuple[HelpLine, ...]:
        """Return the lines that somebody should check again."""
        return tuple(line for line in self.all if line.is_stale(today))


@cache
def help_lines(own: Path | None = None) -> HelpLines:
    """Return the lines of the product, with those of the operator's file.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or a line of it lacks something.
    """
    shipped = _read(SHIPPED)
    mine = _read(own) if own is not None else {}
    return HelpLines(
        _lines(shipped.get("national", []), SHIPPED),
        _lines(shipped.get("local", []), SHIPPED) + (_lines(mine.get("local", []), own) if own else ()),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"help lines {path}: {error.__class__.__name__}: cannot be read") from None


def _lines(rows: Sequence[Any], path: Path) -> tuple[HelpLine, ...]:
    return tuple(_line(row, f"help lines {path.name}, line {at}") for at, row in enumerate(rows, start=1))


def _line(row: Any, where: str) -> HelpLine:  # noqa: ANN401 - whatever the file has
    if not isinstance(row, dict) or set(row) != set(HelpLine.__slots__):
        raise ConfigurationError(f"{where}: needs exactly {', '.join(HelpLine.__slots__)}")
    for word in ("name", "about", "hours", "audience"):
        said = row[word]
        if not isinstance(said, dict) or set(said) != _LANGUAGES or not all(map(_says, said.values())):
            raise ConfigurationError(f"{where}: {word} needs zh and en")
    if not _says(row["number"]) or len(row["number"]) > _LONGEST_NUMBER or type(row["checked"]) is not date:
        raise ConfigurationError(f"{where}: needs a number, and the day on which somebody checked it")
    line = HelpLine(**row)
    if not line.dial:
        raise ConfigurationError(f"{where}: the number cannot be dialled")
    return line


def _says(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
