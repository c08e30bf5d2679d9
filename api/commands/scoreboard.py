"""`tingjian scoreboard --out FILE`: everything on every visible set, on one page.

Two baselines that are made on the spot, the bundles that ship, and whatever local checkpoint is named,
on the same sets in the same run, always beside the protected suite. The page says when, on which
machine and of which revision it was made; with `--limit` or `--half dev` it says that it is a rehearsal.

Neighbours: `api/scoreboard` measures, `api/scoreboard_page` writes; `learning/training/baselines` makes
what must be beaten; `command_line` mounts the function.
"""

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.classifier import open_classifier
from api.scoreboard import Contestant, Sets, Tell, judged, missing
from api.scoreboard_page import page
from learning.bundle import SHIPPED, load_bundle
from models.errors import CharterViolation, ConfigurationError, InvalidInput


def scoreboard(
    out: Annotated[Path, typer.Option(help="The page, in Markdown.")],
    *,
    data: Annotated[Path, typer.Option(help="Folder with the public data sets.")] = Path("../shared/data"),
    suites: Annotated[Path, typer.Option(help="Folder with the suites.")] = Path("../shared/suites"),
    corpus: Annotated[Path, typer.Option(help="Plain texts, for the baselines.")] = Path("../shared/corpus"),
    bundle: Annotated[
        list[Path] | None, typer.Option(help="A bundle beside those that ship; may be repeated.")
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A local Hugging Face classifier; may be repeated.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(help="What the labels of each checkpoint mean, in their order; empty if it says so."),
    ] = None,
    half: Annotated[str, typer.Option(help="The half that judges: test, or dev to rehearse.")] = "test",
    limit: Annotated[int, typer.Option(help="Take so many rows of each set, to rehearse; 0 for all.")] = 0,
    baselines: Annotated[bool, typer.Option(help="Make the two baselines.")] = True,
) -> None:
    """Measure everything on every visible set and write the page."""
    begun = time.monotonic()

    def tell(line: str) -> None:
        typer.echo(f"{time.monotonic() - begun:7.1f} s  {line}", err=True)

    if half not in {"test", "dev"}:
        raise typer.BadParameter("test or dev", param_hint="--half")
    sets = Sets(data=data, suites=suites, half=half, limit=limit)
    absent = missing(sets)
    for path in absent:
        tell(f"not there: {path}")
    results = []
    try:
        if baselines:
            results += [judged(one, sets, tell) for one in _baselines(data, corpus, tell)]
        results += [judged(one, sets, tell) for one in _bundles(bundle or [])]
        results += [judged(one, sets, tell) for one in _checkpoints(checkpoint or [], labels or [])]
    except (CharterViolation, ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    out.write_text(page(results, absent, _head(sets)), encoding="utf-8")
    typer.echo(f"{len(results)} classifiers in {out}")


def _baselines(data: Path, corpus: Path, tell: Tell) -> Iterator[Contestant]:
    # Imported here, because a page without baselines needs no training extra.
    from learning.training.baselines import HEADS, make_subwords, make_tfidf  # noqa: PLC0415
    from learning.training.recipe import TEXTS, read_recipe  # noqa: PLC0415
    from learning.training.sources import Roots, read_lessons  # noqa: PLC0415

    recipe, _ = read_recipe("linear")
    roots = Roots(data=data, corpus=corpus, texts=TEXTS)
    lessons = read_lessons(recipe.harms.sources, HEADS, roots, recipe.seed)
    beside = load_bundle(SHIPPED)
    for make in (make_tfidf, make_subwords):
        made = make(lessons, beside, seed=recipe.seed, tell=tell)
        yield Contestant(f"{made.name} (baseline)", made, reads=False)


def _bundles(further: Sequence[Path]) -> Iterator[Contestant]:
    shipped = sorted(path for path in SHIPPED.parent.iterdir() if (path / "manifest.json").is_file())
    for folder in (*shipped, *further):
        loaded = load_bundle(folder)
        yield Contestant(loaded.name, loaded)


def _checkpoints(checkpoints: Sequence[Path], labels: Sequence[str]) -> Iterator[Contestant]:
    for place, path in enumerate(checkpoints):
        loaded = open_classifier(None, path, labels[place] if place < len(labels) else "")
        yield Contestant(loaded.name, loaded, reads=False)


def _head(sets: Sets) -> str:
    """Return when, where and of what the page was made."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    made = (
        f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC by `tingjian scoreboard`, "
        f"{platform.system()} {platform.machine()}, {cores} cores, Python {platform.python_version()}, "
        f"revision {_revision()}."
    )
    lines = [made]
    if sets.limit or sets.half != "test":
        taken = f"at most {sets.limit} rows of each set" if sets.limit else "all rows"
        lines.append(f"**A rehearsal: {taken}, judged on the {sets.half} half. Quote nothing from it.**")
    return "\n\n".join(lines)


def _revision() -> str:
    """Return the revision of the working tree, marked if files differ from it."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],  # noqa: S607 - the operator's own git
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told.stdout.strip() or "unknown"
