"""Propose the bands of a policy for a bundle, one pair per category, from texts that must not be reached.

    python -m scripts.fit_bands FOLDER [--scores UNSEEN]

A probability asks for review above every protected text of the door that the policy does not excuse from
probabilities, above all but one of the protected half kept for tuning in tests/benchmark/blind_2026_11.jsonl,
and where at most 4 in 1,000 of the project's own innocent twins are reached, scored by linear heads that had
not seen them (`--scores`, written when the first stage was made; the encoder has seen most of them). Beside
a rule that signals, 30 in 1,000 may be. No band is lower than the code allows. It proposes; whoever writes
the policy decides, and says why.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import orjson

from api.labelled import measuring_screener, outcomes_of, probabilities_of
from learning.bundle import load_bundle
from learning.cascade import CascadeBundle
from learning.encoder import HARM_COLUMNS
from learning.features import FloatArray
from learning.heads import sigmoid
from learning.training.recipe import TEXTS, read_recipe
from learning.training.sources import COUNTER_EXAMPLE, Roots, read_lessons
from moderation.pipeline import Screener
from moderation.policy import LOWEST_REVIEW, LOWEST_WITH_SIGNAL, excused
from moderation.settings import SHIPPED_SUITE

ALONE: Final = 0.004
SIGNALLED: Final = 0.03
STEP: Final = 0.01
HEADS: Final = tuple(word.value for word in HARM_COLUMNS)
KEPT: Final = Path("tests/benchmark/blind_2026_11.jsonl")


def main() -> None:
    """Print a line of YAML for each category."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("bundle", type=Path)
    asked.add_argument("--scores", type=Path, required=True)
    asked.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked.add_argument("--corpus", type=Path, default=Path("../shared/corpus"))
    given = asked.parse_args()
    bundle = load_bundle(given.bundle)
    if not isinstance(bundle, CascadeBundle):
        raise SystemExit("bands are fitted for a cascade")
    screener = measuring_screener(bundle)
    door = _reached(
        screener, [row["text"] for path in sorted(SHIPPED_SUITE.glob("*.jsonl")) for row in _rows(path)]
    )
    kept = _reached(
        screener, [row["text"] for row in _rows(KEPT) if row["half"] == "dev" and row["expect"] == "allow"]
    )
    twins = _twins(bundle, Roots(data=given.data, corpus=given.corpus, texts=TEXTS), given.scores)
    for place, name in enumerate(HEADS):
        found = []
        for column, lowest, share in ((0, LOWEST_REVIEW, ALONE), (1, LOWEST_WITH_SIGNAL, SIGNALLED)):
            above = max(float(door[column][:, place].max()), float(np.sort(kept[column][:, place])[-2]))
            quantile = float(np.quantile(twins[:, place], 1.0 - share))
            found.append(float(np.ceil(max(lowest, above + STEP / 2, quantile) / STEP) * STEP))
        print(f"  {name}: {{review: {found[0]:.2f}, with_signal: {min(found):.2f}, takedown: null}}")


def _reached(screener: Screener, texts: list[str]) -> tuple[FloatArray, FloatArray]:
    """Return probabilities that count alone, and those that count beside a rule that signals; else 0."""
    outcomes = outcomes_of(screener, texts)
    alone = probabilities_of(outcomes)
    beside = np.zeros_like(alone)
    for row, outcome in enumerate(outcomes):
        evidence = outcome.evidence
        if evidence is None:
            continue
        signalled = {hit.rule.category for hit in evidence.hits}
        for place, category in enumerate(HARM_COLUMNS):
            if category in signalled and not excused(category, evidence, signalled=True):
                beside[row, place] = alone[row, place]
            if excused(category, evidence, signalled=False):
                alone[row, place] = 0.0
    return alone, beside


def _rows(path: Path) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def _twins(bundle: CascadeBundle, roots: Roots, scores: Path) -> FloatArray:
    """Return what both stages say of the innocent twins, the first without having seen them."""
    recipe, _ = read_recipe("linear")
    lessons = read_lessons(recipe.harms.sources, HEADS, roots, recipe.seed)
    even = np.clip(np.load(scores)["harms"].astype(np.float64), 1e-6, 1.0 - 1e-6)
    if len(even) != len(lessons.texts):
        raise SystemExit("the scores are of other lessons")
    own = [
        source.root == "texts" and source.calibrates.get("*", 0.0) > 1.0 for source in recipe.harms.sources
    ]
    innocent = (lessons.says <= COUNTER_EXAMPLE).all(axis=1) & np.array(own)[lessons.origin]
    at = np.flatnonzero(innocent)
    first = np.log(even[at] / (1.0 - even[at])).astype(np.float32)
    second = bundle.encoder.read([lessons.texts[place] for place in at])[0][:, : len(HEADS)]
    return sigmoid(bundle.harm_heads.logits(first, second)) * bundle.trained


if __name__ == "__main__":
    main()
