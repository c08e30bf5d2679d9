"""`tingjian train RECIPE`: make a bundle from its recipe, fine-tune a checkpoint, or learn from officers.

What is made depends on the recipe: a bundle that ships is made again from its own (a cascade begins
with a linear bundle that is there already); one of the kind *finetune* turns the checkpoint at `--from`
into a classifier; the word `officers` fits the harm heads of a bundle anew with the reviewed posts in
`--rows`. Whatever is made judges nothing until somebody switches it on, through the door.

Needs the extra `train`. Serving never does.

Neighbours: `learning/training` does the work; `moderation/cloaking` makes the disguised copies;
`command_line` mounts the function.
"""

import random
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from learning.training.making import make_bundle
from learning.training.recipe import RECIPES, TEXTS, read_recipe
from learning.training.sources import Roots
from models.errors import CharterViolation, ConfigurationError, InvalidInput
from moderation.cloaking import Cloak, cloak

OFFICERS: Final = "officers"
BUNDLES: Final = Path("var/bundles")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for on the command line."""

    recipe: str
    roots: Roots
    out: Path | None
    base: Path | None
    rows: Path | None
    bundle: Path | None
    share: float
    lessons: str
    name: str
    work: Path | None
    encoder: Path | None = None
    onward: Path | None = None


def train(
    recipe: Annotated[
        str, typer.Argument(help="Name of a shipped recipe, such as linear, or a path; or the word officers.")
    ],
    *,
    data: Annotated[Path, typer.Option(help="Folder with the public data sets.")] = Path("../shared/data"),
    corpus: Annotated[Path, typer.Option(help="Folder with the plain texts.")] = Path("../shared/corpus"),
    texts: Annotated[Path, typer.Option(help="Folder with the project's own texts.")] = TEXTS,
    out: Annotated[
        Path | None, typer.Option(help="Where the bundle goes. Default: var/bundles/NAME.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--from", help="For fine-tuning: the folder of a local checkpoint.")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(help="For officers: the file that `tingjian export training` wrote.")
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="For officers the present bundle, for a cascade its first. Default: what ships."),
    ] = None,
    share: Annotated[
        float, typer.Option(help="For officers: the largest share of the rows that one may have decided.")
    ] = 0.4,
    lessons: Annotated[
        str, typer.Option(help="For officers: the recipe whose texts teach beside the reviewed posts.")
    ] = "linear",
    name: Annotated[str, typer.Option(help="Name of what is fine-tuned or refitted.")] = "",
    work: Annotated[
        Path | None, typer.Option(help="For a cascade: where a run that was stopped goes on.")
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(help="For a cascade: keep the encoder of the one in this folder, join it anew."),
    ] = None,
    onward: Annotated[
        Path | None,
        typer.Option(help="For a cascade: teach the encoder of the one in this folder further."),
    ] = None,
) -> None:
    """Make a bundle from RECIPE. The same recipe, data and libraries give the same bytes."""
    begun = time.monotonic()

    def tell(line: str) -> None:
        typer.echo(f"{time.monotonic() - begun:7.1f} s  {line}", err=True)

    roots = Roots(data=data, corpus=corpus, texts=texts)
    asked = Asked(recipe, roots, out, base, rows, bundle, share, lessons, name, work, encoder, onward)
    try:
        if recipe == OFFICERS:
            _officers(asked, tell)
        else:
            found = found_recipe(recipe)
            _MAKERS[_kind(found)](asked, found, tell)
    except (CharterViolation, ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error


def found_recipe(name: str) -> Path:
    """Return where a recipe is: a shipped one by its name or as recipes/NAME.toml, or a path."""
    candidates = (RECIPES / f"{name}.toml", RECIPES.parent / name, Path(name))
    return next((path for path in candidates if path.is_file()), Path(name))


def _kind(recipe: Path) -> str:
    """Return the kind of a recipe. One without a kind makes a cascade if it pretrains, else linear heads."""
    try:
        document = tomllib.loads(recipe.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"no recipe can be read from {recipe}") from error
    kind = str(document.get("kind", "cascade" if "pretraining" in document else "linear"))
    if kind not in _MAKERS:
        raise ConfigurationError(f"a recipe of the kind {kind} makes nothing here")
    return kind


def _made(asked: Asked, recipe: Path, tell: Tell) -> None:
    followed, sha256 = read_recipe(str(recipe))
    folder = asked.out or BUNDLES / followed.name
    _print(make_bundle(followed, sha256, asked.roots, folder, tell).scores, followed.name, folder)


def _cascaded(asked: Asked, recipe: Path, tell: Tell) -> None:
    # Imported here, because torch takes seconds that the other recipes need not wait for.
    from learning.training.encoding import UNSEEN, kept_scores, make_cascade  # noqa: PLC0415
    from learning.training.onward import make_onward  # noqa: PLC0415
    from learning.training.recipe import read_cascade_recipe  # noqa: PLC0415
    from learning.training.rejoining import rejoin  # noqa: PLC0415

    followed, sha256 = read_cascade_recipe(str(recipe))
    lessons, first_sha256 = read_recipe(followed.lessons)
    folder = asked.out or BUNDLES / followed.name
    first = folder.parent / lessons.name
    work = asked.work or folder.with_name(f".{folder.name}.work")
    if not first.is_dir():
        make_bundle(lessons, first_sha256, asked.roots, first, tell, kept=work / UNSEEN)
    present = asked.encoder or asked.onward
    if present is not None:
        kept = kept_scores(work / UNSEEN, first)
        if kept is None:
            raise ConfigurationError(f"{work} holds no scores of the lessons of {first.name}: make it anew")
        going_on = partial(make_onward, work=work) if asked.encoder is None else rejoin
        manifest = going_on(
            followed,
            sha256,
            lessons,
            first=first,
            scores=kept["harms"],
            present=present,
            roots=asked.roots,
            out=folder,
            tell=tell,
        )
        _print(manifest.scores, manifest.name, folder)
        return
    manifest = make_cascade(
        followed,
        sha256,
        lessons,
        first,
        roots=asked.roots,
        work=work,
        out=folder,
        tell=tell,
    )
    _print(manifest.scores, manifest.name, folder)


def _finetuned(asked: Asked, recipe: Path, tell: Tell) -> None:
    # Imported here as above.
    from learning.training.finetune import finetune, read_finetune_recipe  # noqa: PLC0415

    if asked.base is None:
        raise ConfigurationError("name the checkpoint to fine-tune: --from PATH")
    followed, sha256 = read_finetune_recipe(recipe)
    if asked.name:
        followed = followed.model_copy(update={"name": asked.name})
    folder = asked.out or BUNDLES / followed.name
    manifest = finetune(followed, sha256, asked.base, asked.roots, folder, cloaked=any_cloak, tell=tell)
    _print(manifest.scores, manifest.name, folder)
    typer.echo(f"Try it: tingjian evaluate screening SUITE --transformer {folder}")


def any_cloak(text: str, rng: random.Random) -> str:
    """Return a copy under one of the cloaks, each as likely as the others."""
    return cloak(text, rng.choice(list(Cloak)), rng)


def _officers(asked: Asked, tell: Tell) -> None:
    # Imported here as above: this part opens the rulebook, too.
    from api.labelled import measuring_screener, screened_harms  # noqa: PLC0415
    from learning.bundle import SHIPPED, load_bundle  # noqa: PLC0415
    from learning.training import officers  # noqa: PLC0415
    from learning.training.comparison import compare, report  # noqa: PLC0415
    from learning.training.refitting import refit  # noqa: PLC0415
    from models.vocabulary import Category  # noqa: PLC0415

    if asked.rows is None:
        raise ConfigurationError("name the reviewed posts to learn from: --rows FILE")
    now = datetime.now(UTC)
    present = asked.bundle or SHIPPED
    before = load_bundle(present)
    followed, sha256 = read_recipe(asked.lessons)
    admitted = officers.admit(
        officers.read_officer_rows(asked.rows, now=now), share=asked.share, seed=followed.seed
    )
    if not admitted.held_back:
        raise ConfigurationError("no reviewed post is held back, so nothing could judge the new bundle")
    tell(f"{len(admitted.teach)} reviewed posts teach, {len(admitted.held_back)} judge")
    folder = asked.out or BUNDLES / (asked.name or f"{before.name}-officers-{now:%Y%m%d}")
    made = refit(followed, sha256, admitted.teach, asked.roots, present=present, out=folder, tell=tell)
    after = load_bundle(made.folder)
    screener = measuring_screener(before)
    bands = [screener.policy.bands[word].review for word in Category]
    texts = [row.text for row in admitted.held_back]
    compared = compare(
        admitted.held_back,
        screened_harms(screener, texts),
        screened_harms(measuring_screener(after), texts),
        bands,
    )
    written = report(made, before.name, admitted, compared, gate=_gate(made.folder), now=now)
    beside = made.folder.with_name(f"{made.folder.name}.md")
    beside.write_text(written, encoding="utf-8")
    typer.echo(written)
    typer.echo(f"{made.name} in {made.folder}, the report in {beside}")


def _gate(folder: Path) -> str:
    """Return what the one door says to the bundle. It is not switched on by this."""
    from learning.bundle import load_bundle  # noqa: PLC0415 - as above
    from moderation.pipeline import load_screener  # noqa: PLC0415 - as above
    from moderation.settings import ModerationSettings  # noqa: PLC0415 - as above

    try:
        load_screener(ModerationSettings(), load_bundle(folder))
    except CharterViolation as error:
        return f"refused. {error.detail}"
    return "passed: with the shipped rules and policy no protected text would be acted upon."


def _print(scores: dict[str, dict[str, float]], name: str, folder: Path) -> None:
    for head, figures in scores.items():
        typer.echo(f"{head:16}" + "  ".join(f"{figure} {value:g}" for figure, value in figures.items()))
    typer.echo(f"{name} in {folder}")


_MAKERS: Final = {"linear": _made, "cascade": _cascaded, "finetune": _finetuned}
