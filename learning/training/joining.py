"""Join the two stages of a cascade: one calibrated line per head over both logits.

A line is fitted on scores of texts that neither stage had seen: the lessons' by folds and by the teacher
that was taught without them, and those of the recipe's own calibrating texts, which teach nobody.

Neighbours: `encoding` makes both stages; `cascade` serves the lines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.cascade import CascadeBundle, joint
from learning.features import FloatArray
from learning.manifest import JointEntry
from learning.measures import auroc, average_precision, calibration_error, f1
from learning.training.fitting import FEWEST
from learning.training.multitask import Floats
from learning.training.outputs import ALONE, GROUPS, HARMS
from learning.training.recipe import CascadeRecipe, Recipe
from learning.training.sources import COUNTER_EXAMPLE, EXAMPLE, SILENT, Lessons
from models.errors import ConfigurationError

Tell = Callable[[str], None]

FIRST_ALONE: Final = JointEntry(linear=1.0, encoder=0.0, offset=0.0, trained=True, most=0.0)
"""The line of a head that the first stage answers for."""

_EVEN: Final = 0.5
_CLIP: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Unseen:
    """What both stages say about n texts that neither had seen.

    Attributes
    ----------
    linear, encoder
        Shape (n, k) float32: logits; NaN where the encoder's head had seen the text.
    """

    lessons: Lessons
    linear: FloatArray
    encoder: FloatArray


def together(one: Unseen, other: Unseen) -> Unseen:
    """Return the texts of both."""
    first, second = one.lessons, other.lessons
    lessons = replace(
        first,
        texts=[*first.texts, *second.texts],
        says=np.concatenate([first.says, second.says]),
        weight=np.concatenate([first.weight, second.weight]),
        calibrates=np.concatenate([first.calibrates, second.calibrates]),
        derived=np.concatenate([first.derived, second.derived]),
        origin=np.concatenate([first.origin, second.origin]),
        values=[*first.values, *second.values],
    )
    return Unseen(
        lessons, np.concatenate([one.linear, other.linear]), np.concatenate([one.encoder, other.encoder])
    )


def _line(
    first: FloatArray, second: FloatArray, truth: Floats, weight: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return the two weights (both ≥ 0) and the offset that explain soft `truth` best."""
    from scipy.optimize import minimize  # noqa: PLC0415 - an optional library

    columns = np.stack([first, second, np.ones_like(first)], axis=1).astype(np.float64)

    def loss(line: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        logit = columns @ line
        value = weight @ (np.logaddexp(0.0, logit) - truth * logit) / weight.sum()
        gap = weight * (1.0 / (1.0 + np.exp(-logit)) - truth) / weight.sum()
        penalty = 1e-4 * float(line @ line)
        return float(value + penalty), columns.T @ gap + 2e-4 * line

    found = minimize(
        loss,
        np.array([0.5, 0.5, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 4.0), (0.0, 4.0), (-30.0, 30.0)],
    )
    return float(found.x[0]), float(found.x[1]), float(found.x[2])


def _judging(lessons: Lessons, head: int) -> npt.NDArray[np.bool_]:
    result: npt.NDArray[np.bool_] = (lessons.calibrates[:, head] > 0.0) & (lessons.says[:, head] != SILENT)
    return result


def joint_harms(unseen: Unseen) -> list[JointEntry]:
    """Return a line for each harm."""
    lessons, entries = unseen.lessons, []
    for head in range(len(HARMS)):
        judged = _judging(lessons, head) & ~np.isnan(unseen.encoder[:, head])
        truth = (lessons.says[judged, head] == EXAMPLE).astype(np.float32)
        if truth.sum() < 1.0:
            entries.append(JointEntry(linear=1.0, encoder=0.0, offset=0.0, trained=False, most=0.0))
            continue
        first, second = unseen.linear[judged, head], unseen.encoder[judged, head]
        a, b, c = _line(first, second, truth, lessons.calibrates[judged, head])
        most = float(np.nanmax(unseen.encoder[:, head]))
        entries.append(JointEntry(linear=a, encoder=b, offset=c, trained=True, most=most))
    return entries


def joined_where_enough(unseen: Unseen, tell: Tell) -> list[JointEntry]:
    """Return a line for each harm; a head with too few texts that neither stage saw is the first stage's."""
    entries = [
        entry if _enough(unseen, head) else FIRST_ALONE for head, entry in enumerate(joint_harms(unseen))
    ]
    for name, entry in zip(HARMS, entries, strict=True):
        tell(f"{name}: {entry.linear:.2f} of the first stage, {entry.encoder:.2f} of the encoder")
    return entries


def _enough(unseen: Unseen, head: int) -> bool:
    """Tell whether a line can be fitted for this head: both sides have texts that calibrate it."""
    judged = _judging(unseen.lessons, head) & ~np.isnan(unseen.encoder[:, head])
    says = unseen.lessons.says[judged, head]
    return min(int(np.sum(says == EXAMPLE)), int(np.sum(says == COUNTER_EXAMPLE))) >= FEWEST


def fresh_sources(recipe: CascadeRecipe, lessons: Recipe) -> list[bool]:
    """Return which sources of the lessons came after the encoder.

    Raises
    ------
    ConfigurationError
        If the lessons lack a source that the recipe calls fresh.
    """
    fresh = [source.name in recipe.fresh for source in lessons.harms.sources]
    if sum(fresh) != len(recipe.fresh):
        raise ConfigurationError(f"the recipe {lessons.name} lacks a source that {recipe.name} calls fresh")
    return fresh


def fresh_texts(recipe: CascadeRecipe, lessons: Recipe, harmful: Lessons) -> set[str]:
    """Return the texts among `harmful` that came after the encoder.

    Raises
    ------
    ConfigurationError
        As `fresh_sources`.
    """
    fresh = np.array(fresh_sources(recipe, lessons), dtype=bool)
    return {text for text, origin in zip(harmful.texts, harmful.origin, strict=True) if fresh[origin]}


def joint_reads(
    linear: dict[str, FloatArray], reading: dict[str, Lessons], found: dict[str, FloatArray]
) -> list[JointEntry]:
    """Return need as one line, domain and tone with one pair of weights for all their classes."""
    needing = reading["need"]
    encoder = np.stack([found[text] for text in needing.texts])[:, ALONE - 1]
    judged = _judging(needing, 0) & ~np.isnan(encoder)
    truth = (needing.says[judged, 0] == EXAMPLE).astype(np.float32)
    a, b, c = _line(linear["need"][judged, 0], encoder[judged], truth, needing.calibrates[judged, 0])
    entries = [JointEntry(linear=a, encoder=b, offset=c, trained=True)]
    for name, (begin, end) in zip(("domain", "tone"), GROUPS, strict=True):
        lessons = reading[name]
        second = np.stack([found[text] for text in lessons.texts])
        judged = (lessons.calibrates[:, 0] > 0.0) & ~np.isnan(second[:, begin])
        second = second[judged, begin:end]
        truth = lessons.says[judged].argmax(axis=1)
        a, b = _temperatures(linear[name][judged], second, truth)
        entries += [JointEntry(linear=a, encoder=b, offset=0.0, trained=True)] * (end - begin)
    return entries


def _temperatures(first: FloatArray, second: FloatArray, truth: npt.NDArray[np.int64]) -> tuple[float, float]:
    from scipy.optimize import minimize  # noqa: PLC0415 - an optional library

    def loss(pair: npt.NDArray[np.float64]) -> float:
        logits = pair[0] * first.astype(np.float64) + pair[1] * second.astype(np.float64)
        whole = np.logaddexp.reduce(logits, axis=1)
        return float(np.mean(whole - logits[np.arange(len(truth)), truth]))

    found = minimize(loss, np.array([0.5, 0.5]), method="L-BFGS-B", bounds=[(0.0, 4.0), (0.0, 4.0)])
    return float(found.x[0]), float(found.x[1])


def held_down(
    entries: list[JointEntry], bundle: CascadeBundle, never: Sequence[str], ceiling: float, tell: Tell
) -> list[JointEntry]:
    """Return heads of which none is surer than `ceiling` about a protected text (charter, 2)."""
    limit = float(np.log(ceiling / (1.0 - ceiling)))
    even = np.clip(bundle.harms(never).astype(np.float64), _CLIP, 1.0 - _CLIP)
    tops = np.log(even / (1.0 - even)).max(axis=0)
    result = []
    for head, entry in enumerate(entries):
        factor = min(1.0, limit / tops[head]) if tops[head] > 0.0 else 1.0
        if factor < 1.0:
            tell(f"{HARMS[head]} is held down by the factor {factor:.2f}")
        result.append(entry.model_copy(update={"upper": factor}))
    return result


def judged(
    recipe: CascadeRecipe, entries: Sequence[JointEntry], unseen: Unseen, tell: Tell
) -> tuple[dict[str, dict[str, float]], list[float]]:
    """Return scores on unseen texts, and what each linear head calls plain."""
    lessons, linear, encoder = unseen.lessons, unseen.linear, unseen.encoder
    logits = joint(entries).logits(linear, np.nan_to_num(encoder))
    probability = 1.0 / (1.0 + np.exp(-logits))
    scores: dict[str, dict[str, float]] = {}
    harm = np.zeros(len(lessons.texts), dtype=bool)
    own = np.zeros(len(lessons.texts), dtype=bool)
    for head, name in enumerate(HARMS):
        seen = ~np.isnan(encoder[:, head])
        heard = _judging(lessons, head) & seen
        truth = lessons.says[heard, head] == EXAMPLE
        if entries[head].trained and truth.any():
            scores[name] = {
                "examples": float(truth.sum()),
                "against": float((~truth).sum()),
                "auroc": round(auroc(truth, probability[heard, head]), 4),
                "average_precision": round(average_precision(truth, probability[heard, head]), 4),
                "f1": round(f1(truth, probability[heard, head] >= _EVEN), 4),
                "calibration_error": round(calibration_error(truth, probability[heard, head]), 4),
            }
            harm |= (lessons.says[:, head] == EXAMPLE) & (probability[:, head] >= _EVEN) & seen
        own |= heard
    # Plain: the surest linear head of a text that both stages together find is hardly ever below it.
    surest = linear.max(axis=1)
    level = float(np.quantile(surest[harm & own], recipe.missed)) if (harm & own).any() else -np.inf
    asked = float(np.mean(surest[own & ~harm] >= level))
    tell(f"plain below {level:.2f}; the encoder reads {asked:.0%} of the harmless lessons")
    scores["cascade"] = {"plain": round(level, 4), "asked_of_harmless": round(asked, 4)}
    return scores, [level] * len(HARMS)
