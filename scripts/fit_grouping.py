"""Fit the pair scorer of the grouping on the project's own months, and write its table.

Usage: `scripts/fit_grouping.py [--show]`. Reads `learning/training/texts/needs_demands.jsonl`,
holds each month out in turn to choose the bounds, then fits on all of them. It never reads another
file; the sample month is for judging only. Deterministic.
"""

import itertools
import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from learning.bundle import load_bundle  # noqa: E402 - the package is found only now
from sentiment.demand import measures  # noqa: E402
from sentiment.demand.clustering import cluster  # noqa: E402
from sentiment.demand.grouping import item_of  # noqa: E402
from sentiment.demand.scoring import PARTS, TABLE, Item, Scorer, parts, profile  # noqa: E402
from sentiment.pipeline import load_reader  # noqa: E402
from sentiment.place import load_gazetteer  # noqa: E402

MONTHS = ROOT / "learning" / "training" / "texts" / "needs_demands.jsonl"
RIDGE = 1.0
STEPS = 30


def months() -> dict[str, tuple[list[Item], list[str | None]]]:
    """Return the items and gold labels of each month."""
    rows = [json.loads(line) for line in MONTHS.read_text(encoding="utf-8").splitlines()]
    reader = load_reader(load_bundle(), load_gazetteer())
    reads = reader.read([row["text"] for row in rows], [row["org"] for row in rows])
    made: dict[str, tuple[list[Item], list[str | None]]] = {}
    for row, read in zip(rows, reads, strict=True):
        items, gold = made.setdefault(row["month"], ([], []))
        items.append(
            item_of(
                row["id"], row["author"], row["org"], datetime.fromisoformat(row["time"]), row["text"],
                read.vector, read.domain, read.domain_probability, read.need, None,
            )
        )  # fmt: skip
        gold.append(row["demand"])
    return made


def pair_rows(items: list[Item], gold: list[str | None]) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of every pair and whether it shares a demand."""
    every = np.arange(len(items))
    values = parts(profile(items), every, every)
    left, right = np.triu_indices(len(items), 1)
    same = np.array([gold[a] is not None and gold[a] == gold[b] for a, b in zip(left, right, strict=True)])
    return values[left, right].astype(np.float64), same


def fit(months_of: list[tuple[list[Item], list[str | None]]]) -> tuple[float, tuple[float, ...]]:
    """Return bias and weights of the logistic model, by Newton's method with a ridge."""
    rows = [pair_rows(items, gold) for items, gold in months_of]
    x = np.vstack([values for values, _ in rows])
    y = np.concatenate([same for _, same in rows]).astype(np.float64)
    x = np.hstack([np.ones((len(x), 1)), x])
    ridge = RIDGE * np.eye(x.shape[1])
    ridge[0, 0] = 0.0
    w = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (p - y) + ridge @ w
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        w -= np.linalg.solve(hessian, gradient)
    return float(w[0]), tuple(float(value) for value in w[1:])


def judge(items: list[Item], gold: list[str | None], scorer: Scorer) -> dict[str, float]:
    """Return the figures of one month."""
    inside = [item for item in items if item.need >= scorer.need]
    groups = cluster(inside, scorer)
    where = {member.key: number for number, group in enumerate(groups) for member in group.members}
    found = [where.get(item.key) for item in items]
    authors = [item.author for item in items]
    sizes = Counter(found)
    proposed = [label if label is not None and sizes[label] >= 10 else None for label in found]  # noqa: PLR2004 - the charter's number
    score = measures.bcubed(gold, found)
    event = measures.events(gold, proposed, authors, minimum=10)
    return {
        "precision": score.precision, "recall": score.recall, "f1": score.f1,
        "proposed": event.proposed, "right": len(event.right), "true": event.true,
    }  # fmt: skip


def main() -> None:
    """Fit, choose the bounds by the months held out, and write the table."""
    made = months()
    held_out = {name: fit([month for other, month in made.items() if other != name]) for name in sorted(made)}
    best, bounds = -1.0, (0.1, 0.2)
    for join, need in itertools.product((0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3), (0.1, 0.2, 0.3)):
        figures = [
            judge(*made[name], Scorer(*coefficients, join, need)) for name, coefficients in held_out.items()
        ]
        mean = float(np.mean([month["f1"] for month in figures]))
        right, proposed, true = (
            sum(month[key] for month in figures) for key in ("right", "proposed", "true")
        )
        sys.stdout.write(f"join {join} need {need} f1 {mean:.3f} events {right}/{proposed} of {true}\n")
        value = mean + 0.5 * (right / max(proposed, 1)) + 0.5 * right / true
        if value > best:
            best, bounds = value, (join, need)
    bias, weights = fit(list(made.values()))
    table = {
        "bias": round(bias, 4),
        "weights": {name: round(weight, 4) for name, weight in zip(PARTS, weights, strict=True)},
        "join": bounds[0],
        "need": bounds[1],
    }
    text = json.dumps(table, indent=2) + "\n"
    sys.stdout.write(text)
    if "--show" not in sys.argv:
        TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
