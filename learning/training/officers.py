"""Learn from officers: which reviewed decisions may teach.

Rows come redacted and with numbers for people that hold within one file alone. Before they teach:

* rows of authors who are held back never teach, nor does the text of one that another author repeats;
* a text that was decided both ways is left out, and counted;
* one officer's decisions are at most a set share of what teaches, so that nobody teaches alone;
* rows that are a week old are refused, because a post that was deleted meanwhile must not teach.

Neighbours: `api/training_rows` writes the rows; `refitting` learns from those that are admitted, and
`comparison` judges by those that are held back.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from learning.training.sources import draw
from models.errors import ConfigurationError, InvalidInput
from models.vocabulary import Category

OFFICER_SHARE: Final = 0.4
"""The largest share of the teaching rows that one officer may have decided."""

FRESH: Final = timedelta(days=7)
"""So old a file may be. The author of a post may have deleted it since."""


class OfficerRow(BaseModel):
    """One reviewed post.

    `category` is None where officers found no harm. `author` and `officer` are numbers within the file;
    `held_back` is set for all posts of an author or for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    category: Category | None
    author: int
    officer: int
    held_back: bool
    exported_at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Admitted:
    """What may teach, what is held back to judge by, and how much was left out and why."""

    teach: tuple[OfficerRow, ...]
    held_back: tuple[OfficerRow, ...]
    contradicted: int
    held_back_words: int
    repeated: int
    over_share: int


def read_officer_rows(file: Path, *, now: datetime) -> list[OfficerRow]:
    """Return the rows of a file that `tingjian export training` wrote.

    Raises
    ------
    InvalidInput
        If it cannot be read, a row is not one (the line is named, never the text), it is older than a
        week, or an author stands on both sides.
    """
    rows = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    rows.append(OfficerRow.model_validate(orjson.loads(line)))
                except (ValueError, ValidationError):
                    raise InvalidInput(f"line {number} of {file.name} is no row of reviewed posts") from None
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read") from error
    if any(now - row.exported_at > FRESH for row in rows):
        raise InvalidInput(f"{file.name} is older than {FRESH.days} days: export it again")
    sides = defaultdict(set)
    for row in rows:
        sides[row.author].add(row.held_back)
    if any(len(side) > 1 for side in sides.values()):
        raise InvalidInput(f"{file.name} has an author both held back and not")
    return rows


def admit(rows: Sequence[OfficerRow], *, share: float = OFFICER_SHARE, seed: int = 0) -> Admitted:
    """Return which rows may teach. The order of the rows changes nothing.

    Raises
    ------
    ConfigurationError
        If `share` leaves nothing, because too few officers decided.
    """
    said: dict[str, set[Category | None]] = defaultdict(set)
    for row in rows:
        said[_same(row.text)].add(row.category)
    clear = [row for row in rows if len(said[_same(row.text)]) == 1]
    held_back = tuple(row for row in clear if row.held_back)
    hidden = {_same(row.text) for row in held_back}
    open_ = [row for row in clear if not row.held_back and _same(row.text) not in hidden]
    order = sorted(open_, key=lambda row: (draw(row.text, seed), row.officer, row.author))
    once: dict[str, OfficerRow] = {}
    for row in order:
        once.setdefault(_same(row.text), row)
    teach = _shared(tuple(once.values()), share)
    if once and not teach:
        raise ConfigurationError(
            f"no officer may teach more than {share:.0%} of the rows, and too few officers decided"
        )
    return Admitted(
        teach=teach,
        held_back=held_back,
        contradicted=len(rows) - len(clear),
        held_back_words=len(clear) - len(held_back) - len(open_),
        repeated=len(open_) - len(once),
        over_share=len(once) - len(teach),
    )


def _same(text: str) -> str:
    """Return what two posts have in common that say the same: their letters."""
    return "".join(text.split()).casefold()


def _shared(rows: tuple[OfficerRow, ...], share: float) -> tuple[OfficerRow, ...]:
    """Return the rows with the surplus of any officer beyond `share` of what is returned left out."""
    counts = Counter(row.officer for row in rows)
    most = max(counts.values(), default=0)
    while most and most > share * sum(min(count, most) for count in counts.values()):
        most -= 1
    taken: Counter[int] = Counter()
    kept = []
    for row in rows:
        taken[row.officer] += 1
        if taken[row.officer] <= most:
            kept.append(row)
    return tuple(kept)
