"""`tingjian evaluate scores FILE`: how well the harm heads tell one label from the rest.

The score of a row is its largest probability among the named categories. The threshold is 0.5, or
the best one on another file; it is never chosen on the file that is judged. Every figure stands
with its 95 % bootstrap interval, and beside F1 stands what calling every row positive would get,
because on a file of harms that is a high figure for nothing.

Neighbours: `labelled` reads and scores; `learning/measures` and `diagrams` measure and draw;
`command_line` mounts the function.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import typer

from api.classifier import open_classifier
from api.labelled import (
    Labelled,
    bare_harms,
    columns_of,
    largest,
    measuring_screener,
    read_again,
    read_labelled,
)
from api.labelled import screened_harms as screened_by
from learning import measures
from learning.bundle import Bundle, FloatArray
from learning.diagrams import reliability_diagram
from learning.encoder import HARM_COLUMNS
from learning.measures import Interval, Labels, Places, Scores
from models.errors import CharterViolation, ConfigurationError, InvalidInput

DEFAULT_THRESHOLD: Final = 0.5


def scores(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz, with text and label.")],
    *,
    categories: Annotated[str, typer.Option(help="Harm categories, separated by commas, or all.")],
    positive: Annotated[
        str | None, typer.Option(help="The label to find; every other label is negative.")
    ] = None,
    negative: Annotated[
        str | None, typer.Option(help="The label not to find; every other label is positive.")
    ] = None,
    field: Annotated[str, typer.Option(help="The field that holds the label.")] = "label",
    threshold_from: Annotated[Path | None, typer.Option(help="Choose the threshold on this file.")] = None,
    balanced: Annotated[
        bool, typer.Option(help="Choose it by balanced accuracy, and not by accuracy.")
    ] = False,
    second: Annotated[
        Path | None,
        typer.Option(help="A second reading of that file: choose it on the labels that both make likely."),
    ] = None,
    screened: Annotated[
        bool, typer.Option(help="Score as the service screens: without a disguise, too.")
    ] = False,
    reliability: Annotated[Path | None, typer.Option(help="Draw the reliability as an SVG file.")] = None,
    limit: Annotated[int, typer.Option(help="Take so many rows at even steps; 0 for all.")] = 0,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle. Default: the shipped one.")] = None,
    transformer: Annotated[
        Path | None, typer.Option(help="A folder with a Hugging Face classifier that judges harms.")
    ] = None,
    labels: Annotated[str, typer.Option(help="What its labels mean: label=category,label=category.")] = "",
) -> None:
    """Measure the harm heads on FILE; the last line of standard output is one JSON object."""
    try:
        columns = columns_of(categories)
        rows = read_labelled(file, positive=positive, negative=negative, field=field, limit=limit)
        other = (
            read_labelled(threshold_from, positive=positive, negative=negative, field=field, limit=limit)
            if threshold_from is not None
            else None
        )
        likely = None if other is None or second is None else read_again(other, second)
        loaded = open_classifier(bundle, transformer, labels)
    except (CharterViolation, ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    begun = time.perf_counter()
    harms = _scored(loaded, rows, screened=screened)
    seconds = time.perf_counter() - begun
    threshold = DEFAULT_THRESHOLD
    if other is not None:
        chosen = largest(_scored(loaded, other, screened=screened), columns)
        if likely is None:
            threshold = measures.best_threshold(other.truth, chosen, balanced=balanced)
        else:
            threshold = measures.likely_threshold(likely, chosen)
    values = largest(harms, columns)
    found = figures(rows.truth, values, threshold)
    wanted = positive if positive is not None else f"anything but {negative}"
    typer.echo(f"{loaded.name}: {wanted} against the rest, by {categories}")
    _print(found, rows.truth, values, threshold)
    typer.echo(f"  {'posts/s':20} {len(rows) / max(seconds, 1e-9):.0f}")
    if reliability is not None:
        reliability.write_text(reliability_diagram(_heads(rows, harms, columns, values)), encoding="utf-8")
        typer.echo(f"  reliability drawn in {reliability}")
    typer.echo(orjson.dumps(document(found, rows.truth, values, threshold)).decode())


def _scored(bundle: Bundle, rows: Labelled, *, screened: bool) -> FloatArray:
    if screened:
        return screened_by(measuring_screener(bundle), rows.texts)
    return bare_harms(bundle, rows.texts)


def figures(truth: Labels, values: Scores, threshold: float) -> dict[str, Interval]:
    """Return every figure with its interval, rows drawn anew."""
    called = values >= threshold

    def of(measure: Callable[[Any, Any], float], other: npt.NDArray[Any]) -> Interval:
        def figure(places: Places) -> float:
            return measure(truth[places], other[places])

        return measures.interval(figure, len(truth))

    return {
        "accuracy": of(measures.accuracy, called),
        "balanced_accuracy": of(measures.balanced_accuracy, called),
        "precision": of(measures.precision, called),
        "recall": of(measures.recall, called),
        "f1": of(measures.f1, called),
        "macro_f1": of(measures.macro_f1, called),
        "auroc": of(measures.auroc, values),
        "average_precision": of(measures.average_precision, values),
    }


def document(
    found: Mapping[str, Interval], truth: Labels, values: Scores, threshold: float
) -> dict[str, Any]:
    """Return the figures as one object. Shares are between 0 and 1; an interval is [lower, upper]."""
    return {
        "n": len(truth),
        "threshold": float(threshold),
        **{name: one.value for name, one in found.items()},
        "positive_share": float(np.mean(truth)),
        "called_share": float(np.mean(values >= threshold)),
        "f1_of_calling_all": measures.f1(truth, np.ones_like(truth)),
        "calibration_error": measures.calibration_error(truth, values),
        "intervals": {name: [one.lower, one.upper] for name, one in found.items()},
    }


def _print(found: Mapping[str, Interval], truth: Labels, values: Scores, threshold: float) -> None:
    told = document(found, truth, values, threshold)
    typer.echo(f"  {'n':20} {told['n']}")
    typer.echo(f"  {'threshold':20} {threshold:.4f}")
    for name, one in found.items():
        typer.echo(f"  {name:20} {one}")
    for name in ("positive_share", "called_share", "f1_of_calling_all", "calibration_error"):
        typer.echo(f"  {name:20} {told[name]:.3f}")
    typer.echo("  score              posts   mean score   positive")
    for row in measures.reliability(truth, values):
        typer.echo(
            f"  {row.lower:.1f} to {row.upper:.1f}     {row.count:9}   {row.promised:10.3f}   {row.came:8.3f}"
        )


def _heads(
    rows: Labelled, harms: FloatArray, columns: list[int], values: Scores
) -> dict[str, tuple[Labels, Scores]]:
    """Return what is drawn: the score as it was judged, and each head whose own word is a label here."""
    heads: dict[str, tuple[Labels, Scores]] = {"largest": (rows.truth, values)}
    for column in columns:
        word = HARM_COLUMNS[column].value
        own = np.array([label == word for label in rows.labels], dtype=bool)
        if own.any():
            heads[word] = (own, harms[:, column])
    return heads
