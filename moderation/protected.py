"""The protected-expression suite that ships with the product, and what would break it.

Criticism, complaint and petition are protected (charter, 2). Whatever can hold or remove a post is
run against these texts before it is switched on; what would act on one is refused, naming the text.

Beside the suite stand plain sentences about matters of public life, each word of a table in each of
a few forms: a rule that acts on the bare word, under whatever category it calls itself, is a rule
about an opinion and not about a harm.

Neighbours: `rulebook` and `pipeline` ask it before they switch anything on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import orjson

from models.errors import ConfigurationError

MATTERS: Final = Path(__file__).parent / "tables" / "public_matters.txt"
PUBLIC_MATTERS: Final = "public_matters"
FORMS: Final = ("{}", "大家怎么看{}？", "关于{}，我有不同意见，想说几句。", "{}这件事应该公开讨论。")


@dataclass(frozen=True, slots=True)
class ProtectedText:
    """One text that must be published. `function` says what kind of expression it stands for."""

    id: str
    text: str
    function: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A protected text that would be acted upon, and by what (rule ids, or a category's band)."""

    text: ProtectedText
    by: tuple[str, ...]


def load_suite(folder: Path) -> tuple[ProtectedText, ...]:
    """Return the texts of every JSONL file in a folder, in the order of file names and lines.

    Raises
    ------
    ConfigurationError
        If a line is no such row, or an id occurs twice.
    """
    texts: dict[str, ProtectedText] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
                text = ProtectedText(row["id"], row["text"], row["function"])
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise ConfigurationError(
                    f"{path.name}:{number}: not a row of id, text and function"
                ) from error
            if text.id in texts:
                raise ConfigurationError(f"{path.name}:{number}: the id {text.id} occurs twice")
            texts[text.id] = text
    return tuple(texts.values())


@cache
def public_matters() -> tuple[ProtectedText, ...]:
    """Return a plain sentence of each form about each matter of public life in the table."""
    lines = MATTERS.read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith("#")]
    return tuple(
        ProtectedText(f"{PUBLIC_MATTERS}-{word}-{number}", form.format(word), PUBLIC_MATTERS)
        for word in words
        for number, form in enumerate(FORMS, start=1)
    )


def described(breaches: Iterable[Breach], limit: int = 10) -> str:
    """Return breaches in words: what acts, on which texts. The suite is public, so texts may be named."""
    found = list(breaches)
    lines = [
        f"{', '.join(breach.by)} acts on {breach.text.id} ({breach.text.function}): {breach.text.text}"
        for breach in found[:limit]
    ]
    if len(found) > limit:
        lines.append(f"and {len(found) - limit} more")
    return "\n".join(lines)
