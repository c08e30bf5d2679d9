"""`tingjian evaluate cloaked FILE`: what a disguise costs.

Every text is judged as it stands and in one seeded copy of each kind of cloak (homophones, split
characters, emoji, characters put between, traditional characters). The threshold is chosen on the
plain texts of another file, once for each way of scoring. What is lost is told in points of
accuracy, with the interval over the same texts plain and cloaked.

Two ways of scoring stand side by side: as the service screens, where the disguise is taken off as
far as it can be, and bare, where the bundle reads what is written.

Neighbours: `moderation/cloaking` makes the copies; `labelled` scores; `command_line` mounts the
function.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import orjson
import typer

from api.classifier import open_classifier
from api.labelled import (
    Labelled,
    bare_harms,
    columns_of,
    largest,
    measuring_screener,
    read_labelled,
    screened_harms,
)
from learning import measures
from learning.bundle import Bundle, FloatArray
from learning.measures import Interval, Places
from models.errors import CharterViolation, ConfigurationError, InvalidInput
from moderation.cloaking import Cloak, cloak

SEED: Final = 20261121
DEFAULT_THRESHOLD: Final = 0.5
SCREENED: Final = "screened"
BARE: Final = "bare"

Score = Callable[[Sequence[str]], FloatArray]


@dataclass(frozen=True, slots=True)
class Loss:
    """What one kind of cloak costs under one way of scoring. `lost` is in points of accuracy."""

    way: str
    kind: str
    plain: float
    cloaked: float
    changed: float
    lost: Interval


def cloaked(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz, with text and label.")],
    *,
    categories: Annotated[str, typer.Option(help="Harm categories, separated by commas, or all.")],
    positive: Annotated[str | None, typer.Option(help="The label to find.")] = None,
    negative: Annotated[str | None, typer.Option(help="The label not to find.")] = None,
    threshold_from: Annotated[Path | None, typer.Option(help="Choose the threshold on this file.")] = None,
    seed: Annotated[int, typer.Option(help="Where the chance of the copies comes from.")] = SEED,
    limit: Annotated[int, typer.Option(help="Take so many rows at even steps; 0 for all.")] = 0,
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle. Default: the shipped one.")] = None,
    transformer: Annotated[
        Path | None, typer.Option(help="A folder with a Hugging Face classifier that judges harms.")
    ] = None,
    labels: Annotated[str, typer.Option(help="What its labels mean: label=category,label=category.")] = "",
) -> None:
    """Measure what each kind of cloak costs; the last line of standard output is one JSON object."""
    try:
        columns = columns_of(categories)
        rows = read_labelled(file, positive=positive, negative=negative, limit=limit)
        other = (
            read_labelled(threshold_from, positive=positive, negative=negative, limit=limit)
            if threshold_from is not None
            else None
        )
        loaded = open_classifier(bundle, transformer, labels)
    except (CharterViolation, ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    found = losses(loaded, rows, other, columns, seed=seed)
    typer.echo(f"{loaded.name}: {len(rows)} texts, seed {seed}")
    typer.echo(f"  {'scored':10} {'cloak':12} {'plain':>7} {'cloaked':>8} {'changed':>8}   points lost")
    for one in found:
        shares = f"{one.plain:7.4f} {one.cloaked:8.4f} {one.changed:8.3f}"
        typer.echo(f"  {one.way:10} {one.kind:12} {shares}   {told(one)}")
    typer.echo(orjson.dumps(document(found, len(rows), seed)).decode())


def losses(
    bundle: Bundle,
    rows: Labelled,
    other: Labelled | None,
    columns: Sequence[int],
    *,
    seed: int = SEED,
    ways: Sequence[str] = (SCREENED, BARE),
) -> list[Loss]:
    """Return what each cloak costs under each way of scoring."""
    screener = measuring_screener(bundle)
    scores: dict[str, Score] = {
        SCREENED: lambda texts: screened_harms(screener, texts),
        BARE: lambda texts: bare_harms(bundle, texts),
    }
    copies = {kind: cloaked_copies(rows.texts, kind, seed) for kind in Cloak}
    return [
        loss
        for way in ways
        for loss in _losses(way, scores[way], rows, other, columns=columns, copies=copies)
    ]


def cloaked_copies(texts: Sequence[str], kind: Cloak, seed: int) -> list[str]:
    """Return one copy of each text. A copy depends on seed, kind and text alone, and not on its place."""
    return [cloak(text, kind, random.Random(f"{seed}:{kind}:{text}")) for text in texts]  # noqa: S311 - no secret


def _losses(
    way: str,
    score: Score,
    rows: Labelled,
    other: Labelled | None,
    *,
    columns: Sequence[int],
    copies: dict[Cloak, list[str]],
) -> list[Loss]:
    threshold = DEFAULT_THRESHOLD
    if other is not None:
        threshold = measures.best_threshold(other.truth, largest(score(other.texts), columns))
    plain = (largest(score(rows.texts), columns) >= threshold) == rows.truth
    found = []
    for kind, texts in copies.items():
        right = (largest(score(texts), columns) >= threshold) == rows.truth
        gap = 100.0 * (plain.astype(np.float64) - right)

        def lost(places: Places, gap: Any = gap) -> float:  # noqa: ANN401 - bound here, not at the call
            return float(gap[places].mean())

        changed = np.mean([one != two for one, two in zip(rows.texts, texts, strict=True)])
        found.append(
            Loss(
                way=way,
                kind=kind.value,
                plain=float(plain.mean()),
                cloaked=float(right.mean()),
                changed=float(changed),
                lost=measures.interval(lost, len(rows)),
            )
        )
    return found


def told(loss: Loss) -> str:
    """Return what is lost in points, with its interval."""
    return f"{loss.lost.value:+.2f} ({loss.lost.lower:+.2f} to {loss.lost.upper:+.2f})"


def document(found: Sequence[Loss], count: int, seed: int) -> dict[str, Any]:
    """Return the figures as one object. Accuracies are shares, losses points."""
    result: dict[str, Any] = {"n": count, "seed": seed}
    for one in found:
        result.setdefault(one.way, {"plain": one.plain})[one.kind] = {
            "accuracy": one.cloaked,
            "changed": one.changed,
            "lost": one.lost.value,
            "interval": [one.lost.lower, one.lost.upper],
        }
    return result
