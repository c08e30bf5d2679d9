"""`tingjian train RECIPE`: make a bundle again from its recipe.

Needs the extra `train`. Serving never does.

Neighbours: `learning/training` does the work; `command_line` mounts the function.
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from learning.training.making import make_bundle
from learning.training.recipe import TEXTS, read_recipe
from learning.training.sources import Roots
from models.errors import ConfigurationError


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, such as linear, or a path.")],
    data: Annotated[Path, typer.Option(help="Folder with the public data sets.")] = Path("../shared/data"),
    corpus: Annotated[Path, typer.Option(help="Folder with the plain texts.")] = Path("../shared/corpus"),
    texts: Annotated[Path, typer.Option(help="Folder with the project's own texts.")] = TEXTS,
    out: Annotated[
        Path | None, typer.Option(help="Where the bundle goes. Default: var/bundles/NAME.")
    ] = None,
) -> None:
    """Make a bundle from RECIPE. The same recipe, data and libraries give the same bytes."""
    begun = time.monotonic()

    def tell(line: str) -> None:
        typer.echo(f"{time.monotonic() - begun:7.1f} s  {line}", err=True)

    try:
        followed, sha256 = read_recipe(recipe)
        folder = Path("var/bundles") / followed.name if out is None else out
        manifest = make_bundle(followed, sha256, Roots(data=data, corpus=corpus, texts=texts), folder, tell)
    except ConfigurationError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    for head, figures in manifest.scores.items():
        typer.echo(f"{head:16}" + "  ".join(f"{name} {value:g}" for name, value in figures.items()))
    typer.echo(f"{manifest.name} in {folder}")
