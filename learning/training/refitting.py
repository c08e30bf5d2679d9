"""Fit the harm heads of a bundle anew, with reviewed posts beside the recipe's texts.

The linear heads are fitted on the texts of the recipe and on the rows. Of a cascade the first stage
is made anew, and the line that joins both stages moves as far as the rows ask for it. What reads needs
and what means what stay as they are. Calibration stays with the recipe's texts: reviewed posts are
those that something held, so harms are commoner among them than in the stream.

Refuses: to switch anything on. The new bundle goes through the same door as every other.

Neighbours: `officers` says which rows teach; `fitting` fits; `writing` writes; `comparison` judges.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from learning import linear
from learning.bundle import load_bundle
from learning.cascade import CascadeBundle
from learning.encoder import HARM_COLUMNS
from learning.manifest import MANIFEST, CascadeManifest, FirstStage, JointEntry, Manifest, read_manifest
from learning.manifest import Source as SourceRecord
from learning.training.fitting import (
    FEWEST,
    Fitted,
    Tell,
    fit_heads,
    held_down,
    need_training_extra,
)
from learning.training.making import copies_of, harm_space, head_scores, table_of
from learning.training.officers import OfficerRow
from learning.training.recipe import Recipe
from learning.training.sources import COUNTER_EXAMPLE, EXAMPLE, Lessons, Roots, read_lessons, read_texts
from learning.training.writing import write_bundle, write_cascade
from models.errors import ConfigurationError

HEADS: Final = tuple(word.value for word in HARM_COLUMNS)

WEIGHT: Final = 3.0
"""How much a reviewed post counts, as much as a text that was written for the bundle."""

PULL: Final = 20.0
"""How many rows the present line of a head weighs when the rows ask for another."""


@dataclass(frozen=True, slots=True)
class Refitted:
    """A new bundle: its folder, its name, and how many rows taught each head."""

    folder: Path
    name: str
    taught: Mapping[str, int]


def refit(
    recipe: Recipe,
    recipe_sha256: str,
    rows: Sequence[OfficerRow],
    roots: Roots,
    *,
    present: Path,
    out: Path,
    tell: Tell,
    weight: float = WEIGHT,
) -> Refitted:
    """Fit the heads of the bundle in `present` anew with `rows`, and write the new bundle to `out`.

    Of a cascade two folders are written: `out`, and beside it the first stage that it begins with.

    Raises
    ------
    ConfigurationError
        If a source of the recipe or the present bundle cannot be read, no row teaches, or the extra
        `train` is missing.
    """
    need_training_extra()
    if not rows:
        raise ConfigurationError("no reviewed post may teach")
    said = read_manifest(present)
    first = present if isinstance(said, Manifest) else present.parent / said.first.name
    stage = said if isinstance(said, Manifest) else read_manifest(first)
    if not isinstance(stage, Manifest):
        raise ConfigurationError(f"the bundle {stage.name} does not begin with linear heads")
    folder = out if isinstance(said, Manifest) else out.with_name(f"{out.name}-first")
    read = read_lessons(recipe.harms.sources, HEADS, roots, recipe.seed)
    lessons = joined(read, rows, weight)
    entry = stage.hashing["harms"]
    sounds = np.load(first / linear.SOUNDS) if entry.heard else None
    hashing = linear.hashing_of(entry, np.load(first / linear.FOLDING).astype(np.uint32), sounds)
    copies = copies_of(recipe, read, sounds) if sounds is not None else None
    space = harm_space(recipe, lessons, hashing, copies, tell)
    harms = fit_heads(recipe.harms, HEADS, lessons, space, seed=recipe.seed, tell=tell, copies=copies)
    if recipe.harms.protected:
        never = read_texts(recipe.harms.protected, roots, recipe.seed)
        harms = held_down(harms, space, never, recipe.harms.ceiling, tell)
    arrays = {name: np.load(first / name, allow_pickle=False) for name in stage.files}
    arrays[linear.HARMS] = table_of(space, [harms])
    arrays.pop(linear.HARM_KEYS, None)
    if space.keys is not None:
        arrays[linear.HARM_KEYS] = space.keys
    source = SourceRecord(
        name="Reviewed posts", licence="the platform's own, by consent", rows=len(rows), use="harms"
    )
    document: dict[str, Any] = stage.model_dump(exclude={"files"}) | {
        "name": folder.name,
        "recipe": recipe.name,
        "recipe_sha256": recipe_sha256,
        "seed": recipe.seed,
        "sources": [*stage.sources, source],
        "heads": {**stage.heads, "harms": harms.entries},
        "scores": {
            **stage.scores,
            **{head: head_scores(lessons, harms, place) for place, head in enumerate(HEADS)},
        },
    }
    write_bundle(folder, document, arrays)
    if isinstance(said, CascadeManifest):
        learned = _Learned(lessons.texts[-len(rows) :], lessons.says[-len(rows) :], harms)
        _rejoin(said, learned, source, present=present, first=folder, out=out)
    return Refitted(folder=out, name=out.name, taught=taught(rows))


def taught(rows: Sequence[OfficerRow]) -> dict[str, int]:
    """Return how many rows are an example of each harm, and of none."""
    counts = Counter(row.category.value if row.category else "none" for row in rows)
    return {name: counts[name] for name in (*HEADS, "none") if counts[name]}


def joined(lessons: Lessons, rows: Sequence[OfficerRow], weight: float) -> Lessons:
    """Return the lessons with the reviewed posts behind them, which calibrate nothing."""
    says = np.full((len(rows), len(HEADS)), COUNTER_EXAMPLE, dtype=np.int8)
    for place, row in enumerate(rows):
        if row.category is not None:
            says[place, HEADS.index(row.category.value)] = EXAMPLE
    behind = int(lessons.origin.max(initial=-1)) + 1
    return Lessons(
        texts=[*lessons.texts, *(row.text for row in rows)],
        says=np.concatenate([lessons.says, says]),
        weight=np.concatenate([lessons.weight, np.full(len(rows), weight)]),
        calibrates=np.concatenate([lessons.calibrates, np.zeros((len(rows), len(HEADS)))]),
        derived=np.concatenate([lessons.derived, np.zeros(len(rows), dtype=bool)]),
        origin=np.concatenate([lessons.origin, np.full(len(rows), behind, dtype=np.int64)]),
        values=[*lessons.values, *(row.category.value if row.category else "none" for row in rows)],
    )


@dataclass(frozen=True, slots=True)
class _Learned:
    """The texts of the rows, what they say, and the heads of the first stage; its last lessons are they."""

    texts: Sequence[str]
    says: npt.NDArray[np.int8]
    harms: Fitted


def _rejoin(
    said: CascadeManifest, learned: _Learned, source: SourceRecord, *, present: Path, first: Path, out: Path
) -> None:
    """Write the cascade that begins with the new first stage, its lines moved as the rows ask."""
    bundle = load_bundle(present)
    if not isinstance(bundle, CascadeBundle):
        raise ConfigurationError(f"the bundle {said.name} is no cascade")
    # The first stage's logits come from heads that did not see the row, as they will not have in service.
    even = np.clip(learned.harms.unseen[-len(learned.texts) :].astype(np.float64), 1e-6, 1.0 - 1e-6)
    one = np.log(even / (1.0 - even))
    two = bundle.encoder.read(learned.texts)[0][:, : len(HEADS)].astype(np.float64)
    heads = [
        moved(head, one[:, place], two[:, place], learned.says[:, place] == EXAMPLE)
        for place, head in enumerate(said.heads["harms"])
    ]
    document = said.model_dump(exclude={"files"}) | {
        "name": out.name,
        "first": FirstStage(
            name=first.name,
            manifest_sha256=hashlib.sha256((first / MANIFEST).read_bytes()).hexdigest(),
        ),
        "sources": [*said.sources, source],
        "heads": {**said.heads, "harms": heads},
    }
    write_cascade(out, document, {}, {name: (present / name).read_bytes() for name in said.files})


def moved(
    head: JointEntry,
    one: npt.NDArray[np.float64],
    two: npt.NDArray[np.float64],
    truth: npt.NDArray[np.bool_],
) -> JointEntry:
    """Return the line over both stages that fits the rows, pulled to where it was.

    It minimises the mean loss over the rows plus `PULL / n` times the squared distance to the present
    line, under slopes that are not negative: more evidence never makes a post look better. A head that
    is not trained, or has too few rows on a side, stays.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 - an optional library

    if not head.trained or min(truth.sum(), (~truth).sum()) < FEWEST:
        return head
    before = np.array([head.linear, head.encoder, head.offset])
    rows = np.stack([one, two, np.ones_like(one)], axis=1)
    pull = PULL / len(truth)

    def loss(line: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logit = rows @ line
        away = line - before
        gap = 1.0 / (1.0 + np.exp(-logit)) - truth
        value = np.mean(np.logaddexp(0.0, logit) - truth * logit) + pull * float(away @ away)
        return float(value), rows.T @ gap / len(truth) + 2.0 * pull * away

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(loss, before, jac=True, method="L-BFGS-B", bounds=bounds).x
    first, second, offset = (float(value) for value in found)
    return head.model_copy(update={"linear": first, "encoder": second, "offset": offset})
