"""Put a new first stage under the encoder of a cascade that is there.

Teaching an encoder takes hours, fitting linear heads takes minutes. Here the encoder stays as it is, and
only the lines that join both stages are fitted anew: on lessons from the sources that the recipe calls
fresh, because the encoder was not taught by them, scored by linear heads that did not see them, and on the
recipe's own calibrating texts, which teach nobody. A head with too few such texts is left to the first
stage. What reads needs stays.

Neighbours: `joining` fits the lines; `making` made the first stage; `encoding` makes a cascade from nothing.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from learning.bundle import load_bundle
from learning.cascade import CascadeBundle, joint
from learning.features import FloatArray
from learning.linear import LinearBundle
from learning.manifest import MANIFEST, CascadeManifest, FirstStage, read_manifest
from learning.manifest import Source as SourceRecord
from learning.training.joining import (
    Unseen,
    fresh_sources,
    held_down,
    joined_where_enough,
    judged,
    together,
)
from learning.training.outputs import HARMS
from learning.training.recipe import CascadeRecipe, Recipe
from learning.training.sources import Lessons, Roots, read_lessons, read_texts
from learning.training.writing import write_cascade
from models.errors import ConfigurationError

Tell = Callable[[str], None]


def rejoin(
    recipe: CascadeRecipe,
    recipe_sha256: str,
    lessons: Recipe,
    *,
    first: Path,
    scores: FloatArray,
    present: Path,
    roots: Roots,
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
        The folder of the cascade whose encoder stays.

    Raises
    ------
    ConfigurationError
        If a source cannot be read, the bundles are not of their kinds, or `scores` are of other lessons.
    """
    said, bundle, opened = read_manifest(present), load_bundle(present), load_bundle(first)
    if not isinstance(said, CascadeManifest) or not isinstance(bundle, CascadeBundle):
        raise ConfigurationError(f"the bundle {present.name} is no cascade")
    if not isinstance(opened, LinearBundle):
        raise ConfigurationError(f"the bundle {first.name} is not linear")
    harmful = read_lessons(lessons.harms.sources, HARMS, roots, lessons.seed)
    fresh = fresh_sources(recipe, lessons)
    if len(scores) != len(harmful.texts):
        raise ConfigurationError(f"the texts of {lessons.name} have changed since its bundle was made")
    at = np.flatnonzero(np.array(fresh, dtype=bool)[harmful.origin])
    own = read_lessons(recipe.calibrating, HARMS, roots, recipe.seed)
    tell(f"{len(at)} lessons and {len(own.texts)} calibrating texts that the encoder never saw")
    unseen = together(
        _heard(bundle, among(harmful, at), scores[at]),
        _heard(bundle, own, opened.harm_heads.logits(own.texts)),
    )
    entries = joined_where_enough(unseen, tell)
    ready = replace(
        bundle,
        name=recipe.name,
        first=opened,
        plain=np.full(len(HARMS), -np.inf, dtype=np.float32),
        harm_heads=joint(entries),
    )
    never = read_texts(lessons.harms.protected, roots, lessons.seed)
    entries = held_down(entries, ready, never, recipe.ceiling, tell)
    scored, plain = judged(recipe, entries, unseen, tell)
    listed = {source.name for source in said.sources}
    taught = [
        SourceRecord(
            name=source.name,
            licence=source.licence,
            rows=int(np.sum(harmful.origin == place)),
            use=source.use,
        )
        for place, source in enumerate(lessons.harms.sources)
        if fresh[place] and source.name not in listed
    ]
    document = said.model_dump(exclude={"files"}) | {
        "name": recipe.name,
        "recipe": recipe.name,
        "recipe_sha256": recipe_sha256,
        "seed": recipe.seed,
        "first": FirstStage(
            name=opened.name, manifest_sha256=hashlib.sha256((first / MANIFEST).read_bytes()).hexdigest()
        ),
        "plain": plain,
        "heads": {**said.heads, "harms": entries},
        "sources": [*said.sources, *taught],
        "scores": scored,
    }
    return write_cascade(out, document, {}, {name: (present / name).read_bytes() for name in said.files})


def among(lessons: Lessons, places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Lessons:
    """Return the lessons at `places`."""
    return Lessons(
        texts=[lessons.texts[place] for place in places],
        says=lessons.says[places],
        weight=lessons.weight[places],
        calibrates=lessons.calibrates[places],
        derived=lessons.derived[places],
        origin=lessons.origin[places],
        values=[lessons.values[place] for place in places],
    )


def _heard(bundle: CascadeBundle, lessons: Lessons, linear: FloatArray) -> Unseen:
    """Return what both stages say of texts that neither saw."""
    said = bundle.encoder.read(lessons.texts)[0] if lessons.texts else np.empty((0, len(HARMS)))
    return Unseen(lessons, linear, said[:, : len(HARMS)].astype(np.float32))
