"""`tingjian evaluate needs FILE`: how well need, domain, tone and place are read.

Rows have text, domain, tone, need and place (the span as written, or null), and may have org. The
last line of standard output is one JSON object.

Neighbours: `sentiment/pipeline.py` reads; `command_line` mounts the function.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from api.commands.rows import rows_of
from learning.bundle import load_bundle
from models.errors import ConfigurationError, InvalidInput
from models.vocabulary import Domain, Tone
from sentiment.pipeline import Read, load_reader
from sentiment.place import load_gazetteer

_FIELDS = ("text", "domain", "tone", "need", "place")


def needs(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz, in the form of needs.jsonl.")],
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle. Default: the shipped one.")] = None,
) -> None:
    """Measure the reading of posts on FILE; the last line of standard output is one JSON object."""
    try:
        rows = rows_of(file, _FIELDS)
        reader = load_reader(load_bundle(bundle), load_gazetteer())
        words = [(Domain(row["domain"]), Tone(row["tone"])) for row in rows]
    except (ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    except ValueError as error:
        typer.echo(f"{file.name} has a domain or a tone that is none of ours", err=True)
        raise typer.Exit(2) from error
    reads = reader.read([row["text"] for row in rows], [row.get("org") for row in rows])
    figures = measured(rows, words, reads)
    typer.echo(f"{'':16}{'figure':>10}")
    for name in ("domain", "tone", "need", "place"):
        for figure, value in figures[name].items():
            typer.echo(f"{name + ' ' + figure:16}{value:10.3f}")
    typer.echo(f"\n{'domain':16}{'rows':>6}{'right':>7}  taken for")
    for domain in Domain:
        taken = Counter(
            str(read.domain) for (gold, _), read in zip(words, reads, strict=True) if gold is domain
        )
        right = taken.pop(str(domain), 0)
        wrong = ", ".join(f"{other} {count}" for other, count in taken.most_common())
        typer.echo(f"{domain:16}{right + taken.total():6}{right:7}  {wrong}")
    typer.echo(orjson.dumps(figures).decode())


def measured(
    rows: list[dict[str, Any]], words: list[tuple[Domain, Tone]], reads: list[Read]
) -> dict[str, Any]:
    """Return the figures, shares between 0 and 1."""
    domains = [(str(gold), str(read.domain)) for (gold, _), read in zip(words, reads, strict=True)]
    tones = [(str(gold), str(read.tone)) for (_, gold), read in zip(words, reads, strict=True)]
    asked = [(str(bool(row["need"])), str(read.is_need)) for row, read in zip(rows, reads, strict=True)]
    places = [
        (row["place"], row["text"][read.place.start : read.place.end] if read.place else None)
        for row, read in zip(rows, reads, strict=True)
    ]
    return {
        "n": len(rows),
        "domain": {"accuracy": _share(domains), "macro_f1": _macro(domains)},
        "tone": {"macro_f1": _macro(tones)},
        "need": {"f1": _f1(asked, "True")},
        "place": {"exact": _share(places)},
    }


def _share(pairs: list[tuple[Any, Any]]) -> float:
    return sum(gold == found for gold, found in pairs) / len(pairs) if pairs else 0.0


def _f1(pairs: list[tuple[str, str]], word: str) -> float:
    right = sum(gold == found == word for gold, found in pairs)
    named = sum((gold == word) + (found == word) for gold, found in pairs)
    return 2 * right / named if named else 0.0


def _macro(pairs: list[tuple[str, str]]) -> float:
    """Return the mean F1 over the words that occur in the file."""
    words = sorted({gold for gold, _ in pairs})
    return sum(_f1(pairs, word) for word in words) / len(words) if words else 0.0
