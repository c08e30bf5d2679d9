"""Follow a recipe from texts to a bundle.

It reads, fits, measures on texts that the heads did not see, and writes. It prints nothing:
`tell` receives one line per step.

Neighbours: `tingjian train` calls this; everything it does lies in the modules beside it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from learning import linear
from learning.encoder import DOMAIN_COLUMNS, HARM_COLUMNS, TONE_COLUMNS
from learning.features import Hashing, folding_table
from learning.linear import hashing_of
from learning.manifest import Manifest, our_labels
from learning.manifest import Source as SourceRecord
from learning.measures import accuracy, auroc, average_precision, calibration_error, f1
from learning.training.fitting import (
    Fitted,
    Space,
    Tell,
    fit_classes,
    fit_heads,
    held_down,
    narrowed,
    need_training_extra,
    space_of,
)
from learning.training.recipe import HeadsEntry, Recipe, SourceEntry
from learning.training.sounds import Copies, homophone_copies, sound_table
from learning.training.sources import EXAMPLE, SILENT, Lessons, Roots, read_lessons, read_texts
from learning.training.vectors import FittedGrams, fit_grams
from learning.training.writing import write_bundle

_HARMS = tuple(word.value for word in HARM_COLUMNS)
_DOMAINS = tuple(word.value for word in DOMAIN_COLUMNS)
_TONES = tuple(word.value for word in TONE_COLUMNS)
_EVEN: Final = 0.5


def make_bundle(
    recipe: Recipe, recipe_sha256: str, roots: Roots, out: Path, tell: Tell, *, kept: Path | None = None
) -> Manifest:
    """Make the bundle of `recipe` in the folder `out` and return its manifest.

    The same recipe, files, libraries and machine give the same bytes. What the heads said of lessons
    that they had not seen is written to `kept`, so that a cascade need not fit them again.

    Raises
    ------
    ConfigurationError
        If a source cannot be read, or the libraries of the extra `train` are missing.
    """
    need_training_extra()
    table = simplified_table()
    sounds = sound_table()
    hashing = {name: hashing_of(entry, table, sounds) for name, entry in recipe.hashing.items()}
    counted: dict[str, SourceRecord] = {}

    def lessons_of(entry: HeadsEntry, heads: Sequence[str]) -> Lessons:
        lessons = read_lessons(entry.sources, heads, roots, recipe.seed)
        for place, source in enumerate(entry.sources):
            _count(counted, source, int(np.sum(lessons.origin == place)))
        return lessons

    def texts_of(sources: Sequence[SourceEntry]) -> list[str]:
        found = [read_texts([source], roots, recipe.seed) for source in sources]
        for source, texts in zip(sources, found, strict=True):
            _count(counted, source, len(texts))
        return [text for texts in found for text in texts]

    needing = lessons_of(recipe.need, ("need",))
    placed = lessons_of(recipe.domain, _DOMAINS)
    toned = lessons_of(recipe.tone, _TONES)
    read = sorted({*needing.texts, *placed.texts, *toned.texts})
    corpus = texts_of(recipe.grams.sources)
    grams = fit_grams(recipe.grams, corpus, read, hashing["grams"], seed=recipe.seed, tell=tell)

    space = space_of(read, hashing["reads"], recipe.rarest["reads"], grams.served(hashing["grams"]))
    need = fit_heads(recipe.need, ("need",), needing, space, seed=recipe.seed, tell=tell)
    domain = fit_classes(recipe.domain, _DOMAINS, placed, space, seed=recipe.seed, tell=tell)
    tone = fit_classes(recipe.tone, _TONES, toned, space, seed=recipe.seed, tell=tell)
    tables = {
        linear.READS: table_of(space, [need, domain, tone]),
        linear.READS_DENSE: np.concatenate([need.dense, domain.dense, tone.dense], axis=1),
    }

    harmful = lessons_of(recipe.harms, _HARMS)
    copies = copies_of(recipe, harmful, sounds)
    space = harm_space(recipe, harmful, hashing["harms"], copies, tell)
    harms = fit_heads(recipe.harms, _HARMS, harmful, space, seed=recipe.seed, tell=tell, copies=copies)
    if recipe.harms.protected:
        never = texts_of(recipe.harms.protected)
        harms = held_down(harms, space, never, recipe.harms.ceiling, tell)
    tables[linear.HARMS] = table_of(space, [harms])
    if space.keys is not None:
        tables[linear.HARM_KEYS] = space.keys
    if any(entry.heard for entry in recipe.hashing.values()):
        tables[linear.SOUNDS] = sounds

    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            kept,
            recipe=recipe_sha256,
            harms=harms.unseen,
            need=need.unseen,
            domain=domain.unseen,
            tone=tone.unseen,
        )
    said = {
        "format": 1,
        "kind": "linear",
        "name": recipe.name,
        "recipe": recipe.name,
        "recipe_sha256": recipe_sha256,
        "seed": recipe.seed,
        "labels": our_labels(),
        "hashing": recipe.hashing,
        "heads": {
            "harms": harms.entries,
            "need": need.entries,
            "domain": domain.entries,
            "tone": tone.entries,
        },
        "sources": list(counted.values()),
        "scores": {
            **{head: head_scores(harmful, harms, place) for place, head in enumerate(_HARMS)},
            "need": head_scores(needing, need, 0),
            "domain": _class_scores(placed, domain),
            "tone": _class_scores(toned, tone),
        },
    }
    return write_bundle(out, said, _arrays(table, tables, grams))


def harm_space(
    recipe: Recipe, harmful: Lessons, hashing: Hashing, copies: Copies | None, tell: Tell
) -> Space:
    """Return the space of the heads of harm, as wide as the recipe says."""
    return narrowed(
        recipe.harms,
        harmful,
        hashing,
        recipe.rarest["harms"],
        recipe.kept,
        seed=recipe.seed,
        tell=tell,
        copies=copies,
    )


def copies_of(recipe: Recipe, harmful: Lessons, sounds: npt.NDArray[np.uint16]) -> Copies | None:
    """Return the copies in homophones that the recipe asks for beside the lessons of harm, or None."""
    entry = recipe.harms.homophones
    if entry is None:
        return None
    return homophone_copies(harmful, recipe.harms.sources, entry, sounds, recipe.seed)


def simplified_table() -> npt.NDArray[np.uint32]:
    """Return the folding table in which traditional characters are read as simplified ones."""
    import opencc  # noqa: PLC0415 - serving reads the table from the bundle and needs no converter

    convert = opencc.OpenCC("t2s").convert
    characters = [chr(code) for code in range(0x10000)]
    for code in range(0x3400, 0xA000):
        converted = convert(characters[code])
        if len(converted) == 1:
            characters[code] = converted
    return folding_table(characters)


def _count(counted: dict[str, SourceRecord], source: SourceEntry, rows: int) -> None:
    """Note that `rows` texts of `source` were used; a source that is used twice is noted once per use."""
    counted[f"{source.name}: {source.use}"] = SourceRecord(
        name=source.name, licence=source.licence, rows=rows, use=source.use
    )


def table_of(space: Space, groups: Sequence[Fitted]) -> npt.NDArray[np.float16]:
    """Return the weights of all heads side by side, and the squared rarity as the last column."""
    columns = [group.weights for group in groups]
    return np.concatenate([*columns, (space.rare**2)[:, None]], axis=1).astype(np.float16)


def head_scores(lessons: Lessons, fitted: Fitted, place: int) -> dict[str, float]:
    """Return how one head does on calibrating texts that it did not see."""
    judged = (lessons.calibrates[:, place] > 0.0) & (lessons.says[:, place] != SILENT)
    truth = lessons.says[judged, place] == EXAMPLE
    if not fitted.entries[place].trained or not judged.any():
        return {"examples": float(truth.sum())}
    probability = fitted.unseen[judged, place]
    return {
        "examples": float(truth.sum()),
        "against": float((~truth).sum()),
        "auroc": round(auroc(truth, probability), 4),
        "average_precision": round(average_precision(truth, probability), 4),
        "f1": round(f1(truth, probability >= _EVEN), 4),
        "calibration_error": round(calibration_error(truth, probability), 4),
    }


def _class_scores(lessons: Lessons, fitted: Fitted) -> dict[str, float]:
    """Return how a group of classes does on calibrating texts that it did not see."""
    judged = lessons.calibrates[:, 0] > 0.0
    truth, chosen = lessons.says[judged].argmax(axis=1), fitted.unseen[judged].argmax(axis=1)
    classes = np.unique(truth)
    return {
        "texts": float(judged.sum()),
        "accuracy": round(accuracy(truth, chosen), 4),
        "macro_f1": round(float(np.mean([f1(truth == place, chosen == place) for place in classes])), 4),
        "calibration_error": round(calibration_error(truth == chosen, fitted.unseen[judged].max(axis=1)), 4),
    }


def _arrays(
    table: npt.NDArray[np.uint32], tables: Mapping[str, npt.NDArray[Any]], grams: FittedGrams
) -> dict[str, npt.NDArray[Any]]:
    """Return every file of the bundle but the manifest."""
    return {
        linear.FOLDING: table.astype(np.uint16),
        **tables,
        linear.GRAM_KEYS: grams.keys,
        linear.GRAM_VECTORS: grams.vectors,
        linear.GRAM_SCALES: grams.scales,
        linear.GRAM_SHARED: grams.shared,
    }
