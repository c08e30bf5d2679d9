"""Where a person in danger finds somebody now: open to everybody, without a sign-in."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from api.console import page
from api.console.console import pages

router = pages()
FILE: Final = Path(__file__).parents[1] / "help_lines.toml"


@dataclass(frozen=True, slots=True)
class Line:
    """One number to call, and when somebody last made sure that it holds."""

    number: str
    name: dict[str, str]
    about: dict[str, str]
    checked: date

    @property
    def dial(self) -> str:
        """The number as a telephone dials it."""
        return "".join(one for one in self.number if one.isdigit() or one == "+")


@cache
def lines() -> tuple[list[Line], list[Line]]:
    """Return the national lines and the local ones."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return [Line(**row) for row in found["national"]], [Line(**row) for row in found.get("local", [])]


@router.get("/help")
def help_page(request: Request) -> Response:
    """Show several choices of help."""
    national, local = lines()
    return page.render(request, "help.html", national=national, local=local)
