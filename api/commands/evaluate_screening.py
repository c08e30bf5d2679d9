"""`tingjian evaluate screening`: run a suite through the screener and say how it went.

Prints a table by function, written openly and disguised apart, and as the last line of standard
output one JSON object with the figures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from api.classifier import open_classifier
from api.commands.rows import lines, open_rows
from models.vocabulary import Verdict
from moderation.evaluation import FunctionFigures, SuiteRow, by_function, figures, missed, suite_row
from moderation.pipeline import Outcome, load_screener
from moderation.settings import ModerationSettings


def screening(
    file: Annotated[Path, typer.Argument(help="JSONL rows of text, function, expect and category.")],
    bundle: Annotated[
        Path | None, typer.Option(help="A folder with a bundle; the shipped one if not given.")
    ] = None,
    rulebooks: Annotated[Path | None, typer.Option(help="A directory of the operator's own packs.")] = None,
    transformer: Annotated[
        Path | None, typer.Option(help="A folder with a Hugging Face classifier that judges harms.")
    ] = None,
    labels: Annotated[str, typer.Option(help="What its labels mean: label=category,label=category.")] = "",
    *,
    rules_only: Annotated[bool, typer.Option(help="Judge the rules alone: no classifier speaks.")] = False,
) -> None:
    """Screen a suite and compare with what must happen to each text."""
    rows, texts = _suite(file)
    screener = load_screener(
        ModerationSettings(operator_rulebooks=rulebooks),
        None if rules_only else open_classifier(bundle, transformer, labels),
    )
    outcomes = screener.screen(texts)
    console = Console(width=110)
    console.print(_table(by_function(rows, outcomes)))
    _summary(console, rows, outcomes)
    typer.echo(orjson.dumps(figures(rows, outcomes)).decode())


def _suite(file: Path) -> tuple[list[SuiteRow], list[str]]:
    rows: list[SuiteRow] = []
    texts: list[str] = []
    with open_rows(file) as stream:
        for line in lines(stream):
            if line.row is None:
                Console(stderr=True).print(
                    f"{file.name}:{line.number}: {line.problem}", style="yellow", markup=False
                )
                continue
            rows.append(suite_row(line.row, line.number))
            texts.append(line.row["text"])
    return rows, texts


def _table(functions: Sequence[FunctionFigures]) -> Table:
    table = Table("function", "expect", "written", *("n", "right"), *(verdict.value for verdict in Verdict))
    for column in table.columns[3:]:
        column.justify = "right"
    for entry in functions:
        table.add_row(
            entry.function,
            entry.expect.value,
            "disguised" if entry.is_disguised else "openly",
            str(entry.n),
            str(entry.right),
            *(str(entry.verdicts.get(verdict, 0) or "") for verdict in Verdict),
            style=None if entry.right == entry.n else "yellow",
        )
    return table


def _summary(console: Console, rows: Sequence[SuiteRow], outcomes: Sequence[Outcome]) -> None:
    for disguised in (False, True):
        chosen = [
            entry
            for entry in by_function(rows, outcomes)
            if entry.expect == "act" and entry.is_disguised is disguised
        ]
        count = sum(entry.n for entry in chosen)
        if count:
            right = sum(entry.right for entry in chosen)
            console.print(
                f"violations {'disguised' if disguised else 'openly written'}: {right} of {count} acted upon"
            )
    wrong = [
        f"{row.id} {row.function} → {outcome.verdict}/{outcome.category or '-'}"
        for row, outcome in missed(rows, outcomes)
    ]
    if wrong:
        console.print(f"not as expected ({len(wrong)}):")
        for line in wrong:
            console.print(f"  {line}", markup=False, highlight=False)
