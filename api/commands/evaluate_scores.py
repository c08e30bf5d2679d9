"""`tingjian evaluate scores FILE`: how well the harm heads tell one label from the rest.

The score of a row is its largest probability among the named categories. The threshold is 0.5, or
the one of highest accuracy on another file; it is never chosen on the file that is judged.

Neighbours: `learning` scores and measures; `command_line` mounts the function.
"""

import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import orjson
import typer

from api.classifier import open_classifier
from learning import measures
from learning.bundle import Bundle
from learning.encoder import HARM_COLUMNS
from models.errors import ConfigurationError, InvalidInput
from models.vocabulary import Category

_AT_ONCE = 1024
_DEFAULT_THRESHOLD = 0.5


def scores(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz, with text and label.")],
    *,
    positive: Annotated[str, typer.Option(help="The label to find; every other label is negative.")],
    categories: Annotated[str, typer.Option(help="Harm categories, separated by commas.")],
    threshold_from: Annotated[Path | None, typer.Option(help="Choose the threshold on this file.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle. Default: the shipped one.")] = None,
    transformer: Annotated[
        Path | None, typer.Option(help="A folder with a Hugging Face classifier that judges harms.")
    ] = None,
    labels: Annotated[str, typer.Option(help="What its labels mean: label=category,label=category.")] = "",
) -> None:
    """Measure the harm heads on FILE; the last line of standard output is one JSON object."""
    try:
        columns = _columns(categories)
        loaded = open_classifier(bundle, transformer, labels)
        truth, values, seconds = _scored(file, positive, columns, loaded)
        threshold = _DEFAULT_THRESHOLD
        if threshold_from is not None:
            threshold = measures.best_threshold(*_scored(threshold_from, positive, columns, loaded)[:2])
    except (ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    predicted = values >= threshold
    figures = {
        "n": len(truth),
        "threshold": threshold,
        "accuracy": measures.accuracy(truth, predicted),
        "macro_f1": measures.macro_f1(truth, predicted),
        "auroc": measures.auroc(truth, values),
        "average_precision": measures.average_precision(truth, values),
    }
    typer.echo(f"{loaded.name}: {positive} against the rest, by {categories}")
    for name, value in figures.items():
        typer.echo(f"  {name:18} {value:.4f}" if isinstance(value, float) else f"  {name:18} {value}")
    typer.echo(f"  {'posts/s':18} {len(truth) / max(seconds, 1e-9):.0f}")
    typer.echo("  score              posts   mean score   positive")
    for row in measures.reliability(truth, values):
        typer.echo(
            f"  {row.lower:.1f} to {row.upper:.1f}     {row.count:9}   {row.promised:10.3f}   {row.came:8.3f}"
        )
    typer.echo(orjson.dumps(figures).decode())


def _columns(categories: str) -> list[int]:
    try:
        return [HARM_COLUMNS.index(Category(name.strip())) for name in categories.split(",")]
    except ValueError as error:
        known = ", ".join(HARM_COLUMNS)
        raise InvalidInput(f"categories must be among {known}", field="/categories") from error


def _scored(
    file: Path, positive: str, columns: list[int], bundle: Bundle
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32], float]:
    """Return the labels and scores of a file's rows, and the seconds that scoring took."""
    rows = list(_rows(file))
    if not rows:
        raise InvalidInput(f"{file.name} holds no row")
    texts = [text for text, _ in rows]
    begun = time.perf_counter()
    parts = [
        bundle.harms(texts[at : at + _AT_ONCE])[:, columns].max(axis=1)
        for at in range(0, len(texts), _AT_ONCE)
    ]
    seconds = time.perf_counter() - begun
    labels = np.array([label == positive for _, label in rows])
    if not labels.any():
        raise InvalidInput(f"no row of {file.name} has the label {positive}", field="/positive")
    return labels, np.concatenate(parts), seconds


def _rows(file: Path) -> Iterator[tuple[str, str]]:
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    row = orjson.loads(line)
                    yield str(row["text"]), str(row["label"])
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidInput(f"line {number} of {file.name} has no text and label") from error
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read") from error
