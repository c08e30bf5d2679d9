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
from sentiment.demand import measures, refining  # noqa: E402
from sentiment.demand.clustering import cluster  # noqa: E402
from sentiment.demand.grouping import item_of  # noqa: E402
from sentiment.demand.refining import Compared, Membership, membership_parts  # noqa: E402
from sentiment.demand.scoring import PARTS, TABLE, Item, Scorer, parts, profile  # noqa: E402
from sentiment.pipeline import load_reader  # noqa: E402
from sentiment.place import load_gazetteer  # noqa: E402

MONTHS = ROOT / "learning" / "training" / "texts" / "needs_demands.jsonl"
RIDGE = 2.0
STEPS = 30
SEED = 20261121
STRANGERS = 0.4
"""Share of the groups to learn from that hold posts which do not belong."""

Month = tuple[list[Item], list[str | None]]


def months() -> dict[str, Month]:
    """Return the items and gold labels of each month."""
    rows = [json.loads(line) for line in MONTHS.read_text(encoding="utf-8").splitlines()]
    reader = load_reader(load_bundle(), load_gazetteer())
    reads = reader.read([row["text"] for row in rows], [row["org"] for row in rows])
    made: dict[str, Month] = {}
    for row, read in zip(rows, reads, strict=True):
        items, gold = made.setdefault(row["month"], ([], []))
        items.append(
            item_of(
                key=row["id"],
                author=row["author"],
                organisation=row["org"],
                posted=datetime.fromisoformat(row["time"]),
                text=row["text"],
                vector=read.vector,
                domain=read.domain,
                domain_probability=read.domain_probability,
                need=read.need,
                place=None,
            )
        )
        gold.append(row["demand"])
    return made


def pair_rows(items: list[Item], gold: list[str | None]) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of every pair and whether it shares a demand."""
    every = np.arange(len(items))
    values = parts(profile(items), every, every)
    left, right = np.triu_indices(len(items), 1)
    same = np.array([gold[a] is not None and gold[a] == gold[b] for a, b in zip(left, right, strict=True)])
    return values[left, right].astype(np.float64), same


def fit_pairs(made: list[Month]) -> tuple[float, tuple[float, ...]]:
    """Return bias and weights of the pair scorer."""
    rows = [pair_rows(items, gold) for items, gold in made]
    return logistic(np.vstack([x for x, _ in rows]), np.concatenate([y for _, y in rows]))


def fit_membership(made: list[Month], scorer: Scorer) -> tuple[float, tuple[float, ...]]:
    """Return bias and weights of the membership model.

    Groups to learn from are parts of true demands, some with strangers in them, as they are when a
    demand grows; every post of the month is asked about each.
    """
    random = np.random.default_rng(SEED)
    xs, ys = [], []
    for items, gold in made:
        ordered = sorted(range(len(items)), key=lambda row: (items[row].day, items[row].key))
        labels = [gold[row] for row in ordered]
        compared = Compared(profile([items[row] for row in ordered]), scorer)
        every = np.arange(len(items))
        for demand in sorted({label for label in labels if label is not None}):
            members = np.flatnonzero([label == demand for label in labels])
            for _ in range(3):
                size = int(random.integers(2, len(members) + 1))
                group = random.choice(members, size, replace=False)
                if random.random() < STRANGERS:
                    group = np.union1d(group, random.choice(every, max(1, size // 5)))
                x = membership_parts(compared, every, np.sort(group))
                y = np.array([label == demand for label in labels])
                asked = y | (x[:, 0] >= 0.02) | (random.random(len(every)) < 0.2)  # noqa: PLR2004
                xs.append(x[asked].astype(np.float64))
                ys.append(y[asked])
    return logistic(np.vstack(xs), np.concatenate(ys))


def logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """Return bias and weights of the logistic model, by Newton's method with a ridge."""
    middle, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = np.hstack([np.ones((len(x), 1)), (x - middle) / spread])
    ridge = RIDGE * np.eye(x.shape[1])
    ridge[0, 0] = 0.0
    w = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ w)))
        gradient = x.T @ (p - y) + ridge @ w
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge
        w -= np.linalg.solve(hessian, gradient)
    weights = w[1:] / spread
    return float(w[0] - weights @ middle), tuple(float(value) for value in weights)


def judge(
    items: list[Item], gold: list[str | None], scorer: Scorer, membership: Membership
) -> dict[str, float]:
    """Return the figures of one month."""
    groups = cluster([item for item in items if item.need >= scorer.need], scorer, membership)
    where = {member.key: number for number, group in enumerate(groups) for member in group.members}
    found = [where.get(item.key) for item in items]
    sizes = Counter(found)
    proposed = [label if label is not None and sizes[label] >= 10 else None for label in found]  # noqa: PLR2004 - the charter's number
    score = measures.bcubed(gold, found)
    event = measures.events(gold, proposed, [item.author for item in items], minimum=10)
    return {
        "f1": score.f1,
        "proposed": event.proposed,
        "right": len(event.right),
        "true": event.true,
    }


def main() -> None:
    """Fit, choose the bounds by the months held out, and write the table."""
    made = months()
    held_out = {}
    for name in sorted(made):
        rest = [month for other, month in made.items() if other != name]
        pair = fit_pairs(rest)
        held_out[name] = pair, fit_membership(rest, Scorer(*pair, 0.2, 0.1))
    best, bounds = -1.0, (0.2, 0.1, 0.5, 0.5)
    for join, need, belongs, merges in itertools.product(
        (0.2, 0.3), (0.1, 0.2), (0.3, 0.4, 0.5), (0.3, 0.4, 0.5)
    ):
        figures = [
            judge(*made[name], Scorer(*pair, join, need), Membership(*member, belongs, merges))
            for name, (pair, member) in held_out.items()
        ]
        mean = float(np.mean([month["f1"] for month in figures]))
        right, proposed, true = (
            sum(month[key] for month in figures) for key in ("right", "proposed", "true")
        )
        value = mean + 0.25 * (right / max(proposed, 1)) + 0.5 * right / true
        sys.stdout.write(
            f"join {join} need {need} belongs {belongs} merges {merges} f1 {mean:.3f} "
            f"events {right}/{proposed} of {true}\n"
        )
        if value > best:
            best, bounds = value, (join, need, belongs, merges)
    join, need, belongs, merges = bounds
    pair = fit_pairs(list(made.values()))
    member = fit_membership(list(made.values()), Scorer(*pair, join, need))
    table = {
        "pair": {"bias": round(pair[0], 4), "weights": named(PARTS, pair[1]), "join": join, "need": need},
        "membership": {
            "bias": round(member[0], 4),
            "weights": named(refining.PARTS, member[1]),
            "belongs": belongs,
            "merges": merges,
        },
    }
    text = json.dumps(table, indent=2) + "\n"
    sys.stdout.write(text)
    if "--show" not in sys.argv:
        TABLE.write_text(text, encoding="utf-8")


def named(names: tuple[str, ...], weights: tuple[float, ...]) -> dict[str, float]:
    """Return the weights by name, rounded."""
    return {name: round(weight, 4) for name, weight in zip(names, weights, strict=True)}


if __name__ == "__main__":
    main()
