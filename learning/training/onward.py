"""Follow a recipe from a cascade that is there to one whose encoder has learned more.

Teaching an encoder from nothing takes hours, most of it pretraining. Here the encoder of a cascade goes on
(`resuming`): it learns the lessons that are newer than it, what the recipe's readings say by now, and a share
of its old lessons under its own earlier answers, so that it forgets little (`revising`).

It is done twice: once without a part of the newer lessons, whose scores join the stages, because neither had
seen them; then with all of them. What reads needs is joined as it was.

Neighbours: `encoding` makes a cascade from nothing; `rejoining` keeps the encoder as it is; `finishing`
writes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from learning import cascade
from learning.features import FloatArray
from learning.manifest import CascadeManifest, read_manifest
from learning.manifest import Source as SourceRecord
from learning.training.encoding import (
    all_lessons,
    calibrating_of,
    own_scores,
    put_between,
    read_again,
    sources_of,
    tasks_of,
)
from learning.training.finishing import Joined, finished, first_stage
from learning.training.joining import Unseen, fresh_texts, joined_where_enough, together
from learning.training.multitask import Disguise, Floats, Tasks, answers, read_alphabet_rows
from learning.training.network import Reader
from learning.training.outputs import HARMS, HATE
from learning.training.recipe import CascadeRecipe, Recipe
from learning.training.resuming import resumed_letters, resumed_reader
from learning.training.revising import revise
from learning.training.sources import Roots, draw
from models.errors import ConfigurationError

Tell = Callable[[str], None]

WITHOUT: Final = "onward-teacher.npz"
WHOLE: Final = "onward.pt"


def make_onward(
    recipe: CascadeRecipe,
    recipe_sha256: str,
    lessons: Recipe,
    *,
    first: Path,
    scores: FloatArray,
    present: Path,
    roots: Roots,
    work: Path,
    out: Path,
    tell: Tell,
) -> CascadeManifest:
    """Make the bundle of `recipe` in `out` from the first stage in `first` and the encoder of `present`.

    Parameters
    ----------
    lessons
        The recipe that `first` was made from.
    scores
        Shape (n, 10) float32: the first stage's logits of its lessons, from heads that did not see them.
    present
        The folder of the cascade whose encoder goes on.
    work
        Where both goes leave their results, so that a run that is stopped goes on.

    Raises
    ------
    ConfigurationError
        If a source cannot be read, the bundles are not of their kinds, `scores` are of other lessons, or
        the recipe does not say how an encoder goes on.
    """
    said, entry = read_manifest(present), recipe.tuning.onward
    if not isinstance(said, CascadeManifest):
        raise ConfigurationError(f"the bundle {present.name} is no cascade")
    if entry is None:
        raise ConfigurationError(f"the recipe {recipe.name} does not say how an encoder goes on")
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(min(2, torch.get_num_threads()))
    harmful, reading = all_lessons(lessons, roots)
    if len(scores) != len(harmful.texts):
        raise ConfigurationError(f"the texts of {lessons.name} have changed since its bundle was made")
    letters = resumed_letters(present)
    tasks = tasks_of(recipe, harmful, reading)
    fresh, again = fresh_texts(recipe, lessons, harmful), read_again(recipe, harmful)
    newer = np.array([text in fresh for text in tasks.texts])
    read = np.array([text in again for text in tasks.texts])
    rows = read_alphabet_rows(letters.alphabet, tasks.texts)
    held = newer & (np.array([draw(text, recipe.seed) % recipe.tuning.parts for text in tasks.texts]) == 0)
    tell(f"{int(newer.sum())} of {len(tasks.texts)} texts are new to the encoder")

    def taught(places: np.ndarray[tuple[int], np.dtype[np.int64]], beside: Floats | None) -> Reader:
        part = Tasks(
            [tasks.texts[place] for place in places.tolist()],
            tasks.wanted[places],
            tasks.weight[places],
            tasks.classes[places],
            tasks.groups,
        )
        return revise(
            resumed_reader(present, attention=recipe.pretraining.attention),
            part,
            [rows[place] for place in places.tolist()],
            read=read[places],
            newer=newer[places],
            taught=None if beside is None else beside[places],
            head=HATE,
            entry=entry,
            disguise=Disguise(letters.sounds, put_between(letters), recipe.seed),
            seed=recipe.seed,
            tell=tell,
        ).eval()

    found = np.full((len(rows), cascade.OUTPUTS), np.nan, dtype=np.float32)
    kept = work / WITHOUT
    if kept.is_file():
        found[held] = np.load(kept)["logits"]
    else:
        tell(f"without {int(held.sum())} of the new texts")
        reader = taught(np.flatnonzero(~held), None)
        found[held] = answers(reader, [rows[place] for place in np.flatnonzero(held)])[0]
        np.savez(kept, logits=found[held])
    kept = work / WHOLE
    if kept.is_file():
        reader = resumed_reader(present, attention=recipe.pretraining.attention)
        reader.load_state_dict(torch.load(kept, weights_only=True))
        reader.eval()
    else:
        tell("with all of them")
        reader = taught(np.arange(len(rows)), found)
        torch.save(reader.state_dict(), kept)

    at = dict(zip(tasks.texts, found, strict=True))
    heard = np.stack([at[text] for text in harmful.texts])[:, : len(HARMS)]
    unseen = together(
        Unseen(harmful, scores, heard), own_scores(recipe, first_stage(first), reader, letters, roots)
    )
    return finished(
        recipe,
        recipe_sha256,
        reader,
        letters,
        lessons=lessons,
        first=first,
        joined=Joined(joined_where_enough(unseen, tell), list(said.heads["reads"]), unseen),
        sources=_once(
            [
                *said.sources,
                *sources_of(lessons, harmful, reading),
                *calibrating_of(recipe, unseen, harmful),
            ]
        ),
        roots=roots,
        work=work,
        out=out,
        tell=tell,
    )


def _once(sources: list[SourceRecord]) -> list[SourceRecord]:
    """Return every source once per use, with as many texts as it has by now."""
    return list({(source.name, source.use): source for source in sources}.values())
