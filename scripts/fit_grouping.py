"""Fit the models of the grouping on the project's own months, and write their table.

Usage: `scripts/fit_grouping.py [--show] [--busy]`. Reads four months of `learning/training/texts/`, and puts
single posts of the other texts there among them as noise, because the months' own noise is too easy.
It holds each month out in turn to choose the bounds, then fits on all of them. What busy boards weigh is
fitted last, with everything else as it is, on made months that are pressed together and crowded with other
posts; `--busy` fits this alone. The sample month and the suites are for judging only, and are never read
here. Deterministic.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from learning.bundle import load_bundle  # noqa: E402 - the package is found only now
from learning.matters import Matters  # noqa: E402
from learning.training.matters import ELLIPTIC, PLAIN, read_written, taught  # noqa: E402
from learning.training.months import made_month  # noqa: E402
from models.vocabulary import Domain  # noqa: E402
from scripts.fit_matters import first_stage, lessons  # noqa: E402
from sentiment.demand import cohesion, measures, refining  # noqa: E402
from sentiment.demand.clustering import cluster  # noqa: E402
from sentiment.demand.cohesion import Cohesion, cohesion_parts, load_cohesion  # noqa: E402
from sentiment.demand.grouping import item_of  # noqa: E402
from sentiment.demand.refining import Compared, Membership, load_membership, membership_parts  # noqa: E402
from sentiment.demand.scoring import (  # noqa: E402
    PARTS,
    TABLE,
    Item,
    Scorer,
    load_scorer,
    pair_parts,
    parts,
    profile,
)
from sentiment.pipeline import Read, load_reader  # noqa: E402
from sentiment.place import load_gazetteer  # noqa: E402
from sentiment.topics import DOMAINS  # noqa: E402

TEXTS = ROOT / "learning" / "training" / "texts"
MONTHS = ("needs_demands.jsonl", "demands_november.jsonl")
NOISE = ("needs.jsonl", "benign_varied.jsonl")
CROWD = ("needs.jsonl", "benign_new_words.jsonl", "benign_veiled.jsonl")
"""What a month is crowded with, to learn what a busy board says."""

CROWDED = (
    (30.0, 0, None), (30.0, 3, None), (3.0, 0, None), (3.0, 3, None), (0.2, 0, 0.05), (0.2, 4, 0.05),
    (0.004, 5, 0.001),
)  # fmt: skip
"""Days into which a month is pressed, posts put among its own for each of them, and days in which each demand
is voiced, if not over as much of the time as it was."""

CROWDED_MONTHS = ("made-0-0", "made-1-0", "made-2-0", "made-3-0")
STRANGERS_ASKED = 40_000
"""Pairs of no demand that are drawn from one crowded month, and weigh for all of them."""

NOISE_PER_POST = 0.35
"""Single posts put among those of a month, for each post of it."""

LEAST_PRECISION = 0.8
"""Share of held-out proposals that must be right; the bound is the lowest that reaches it. Months by hand
and made months count alike, however many groups they have: made ones put many near twins on one board."""

FEWEST = 0.05
"""Share of the held-out groups that a bound must let through for its figure to say anything."""

PEOPLE = 10
"""People from which a group can be proposed (charter, 5)."""

NEED = 0.1
"""Least probability of a need with which a post may stand in a demand."""

RIDGE = 2.0
STEPS = 12
SEED = 20261121
DEALS = 4
"""Parts into which the matters are dealt. Each part makes two months out of texts that say what they are
about. Of the second one the vectors saw the elliptic texts of the same matters, of the first none: some of
what life brings was written about before. No text of a month is ever seen by its vectors."""

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC).isoformat()
NOWHERE = np.zeros(0, dtype=np.float32)
FOLDS = 4
"""Parts into which the months are dealt; each is judged by models that saw the others."""

BUSY = 2
"""Parts of both models, the last ones, that say how busy it is."""

STRANGERS = 0.4
"""Share of the groups to learn from that hold posts which do not belong."""

Month = tuple[list[Item], list[str | None]]
Fitted = tuple[float, tuple[float, ...]]
Reads = dict[str, Read]


def read_items(rows: list[dict[str, str]], read: Reads) -> list[Item]:
    """Return what the live job would know of each row, but for the vector, which each month has its own."""
    return [
        item_of(
            key=row["id"],
            author=row["author"],
            organisation=row["org"],
            posted=datetime.fromisoformat(row["time"]),
            text=row["text"],
            vector=NOWHERE,
            domain=read[row["text"]].domain,
            domain_probability=read[row["text"]].domain_probability,
            need=read[row["text"]].need,
            place=None,
        )
        for row in rows
    ]


def read_texts(texts: list[str]) -> Reads:
    """Return what the live job would read in each text, each once."""
    every = sorted(set(texts))
    reader = load_reader(load_bundle(), load_gazetteer())
    return dict(zip(every, reader.read(every, [None] * len(every)), strict=True))


def rows_in(name: str) -> list[dict[str, Any]]:
    """Return the rows of one file of texts."""
    return [json.loads(line) for line in (TEXTS / name).read_text(encoding="utf-8").splitlines()]


def months() -> tuple[dict[str, Month], dict[str, list[Item]]]:
    """Return items and gold labels of each month, by hand or made of matters, and posts to crowd some with.

    A month's vectors come from a table that saw none of its demands, as life will bring new ones.
    """
    every, plain, elliptic = read_written(), read_written(PLAIN), read_written(ELLIPTIC)
    random = np.random.default_rng(SEED)
    dealt = sorted(random.permutation(len(plain)), key=lambda at: -len(plain[at].texts))
    chat = [row["text"] for name in NOISE for row in rows_in(name)]
    rows: dict[str, list[dict[str, Any]]] = {}
    hidden: dict[str, set[str]] = {}
    known: dict[str, set[str]] = {}
    for name in MONTHS:
        for row in rows_in(name):
            rows.setdefault(row["month"], []).append(row)
            hidden.setdefault(row["month"], set()).add(row["demand"])
    for deal, number in itertools.product(range(DEALS), range(2)):
        name = f"made-{deal}-{number}"
        mine = [plain[at] for at in dealt[deal::DEALS]]
        hidden[name] = {matter.title for matter in mine}
        if number:
            known[name] = {
                text for matter in elliptic if matter.title in hidden[name] for text in matter.texts
            }
        others = [text for matter in every if matter.title not in hidden[name] for text in matter.texts]
        made = made_month(name, mine, chat, others, SEED + DEALS * number + deal)
        rows[name] = [
            {
                "id": post.key,
                "author": post.author,
                "org": post.organisation,
                "time": post.time.isoformat(),
                "text": post.text,
                "demand": post.demand,
            }
            for post in made
        ]
    crowd = [row["text"] for name in CROWD for row in rows_in(name)]
    crowds: dict[str, list[Item]] = {}
    read = read_texts([row["text"] for month in rows.values() for row in month] + chat + crowd)
    opened, taught_by = first_stage(), lessons()
    made_items: dict[str, Month] = {}
    for number, (name, those) in enumerate(rows.items()):
        rest = [
            (text, matter)
            for text, matter, _ in taught_by
            if matter not in hidden[name] or text in known.get(name, ())
        ]
        fold = opened.vectors.hashing.folded
        table = taught(name, [text for text, _ in rest], [matter for _, matter in rest], fold, opened.encode)

        def seen(texts: list[str], table: Matters = table) -> np.ndarray:
            return table.encode([opened.vectors.hashing.folded(text) for text in texts], opened.encode(texts))

        def single(texts: list[str], seen: Callable[[list[str]], np.ndarray] = seen) -> list[Item]:
            lines = [
                {"id": f"noise-{n}", "author": f"noise-{n}", "org": "gd", "time": LONG_AGO, "text": text}
                for n, text in enumerate(texts)
            ]
            return with_vectors(read_items(lines, read), seen(texts))

        items = with_vectors(read_items(those, read), seen([row["text"] for row in those]))
        month = items, [row["demand"] for row in those]
        if not name.startswith("made"):
            month = with_noise(month, single(chat), SEED + number)
        if name in CROWDED_MONTHS:
            crowds[name] = meant((single(crowd), [None] * len(crowd)))[0]
        made_items[name] = meant(month)
        sys.stdout.write(f"{name}: {len(made_items[name][0])} posts\n")
    return made_items, crowds


def with_vectors(items: list[Item], vectors: np.ndarray) -> list[Item]:
    """Return the items with their vectors."""
    return [replace(item, vector=vector) for item, vector in zip(items, vectors, strict=True)]


def with_noise(month: Month, pool: list[Item], seed: int) -> Month:
    """Return the month with posts of `pool` among its own, on its boards and in its days."""
    random = np.random.default_rng(seed)
    items, gold = month
    days = [item.day for item in items]
    chosen = random.choice(len(pool), int(NOISE_PER_POST * len(items)), replace=False)
    added = [
        replace(
            pool[number],
            organisation=items[random.integers(len(items))].organisation,
            day=float(random.uniform(min(days), max(days))),
        )
        for number in chosen
    ]
    return [*items, *added], [*gold, *(None for _ in added)]


def meant(month: Month) -> Month:
    """Return the posts that the live job would group: a service domain fits them."""
    kept = [
        (item, label)
        for item, label in zip(*month, strict=True)
        if DOMAINS[item.domain.argmax()] is not Domain.NONE
    ]
    return [item for item, _ in kept], [label for _, label in kept]


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
    return quiet(np.vstack([x for x, _ in rows]), np.concatenate([y for _, y in rows]))


def quiet(x: np.ndarray, y: np.ndarray) -> Fitted:
    """Return bias and weights with what is busy left out: in a quiet month it says nothing."""
    bias, weights = logistic(x[:, :-BUSY], y)
    return bias, (*weights, *(0.0,) * BUSY)


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
                asked = y | (x[:, 0] >= 0.02) | (random.random(len(every)) < 0.1)  # noqa: PLR2004
                xs.append(x[asked].astype(np.float64))
                ys.append(y[asked])
    return quiet(np.vstack(xs), np.concatenate(ys))


def crowded(month: Month, pool: list[Item], how: tuple[float, int, float | None], seed: int) -> Month:
    """Return a month pressed together as a line of `CROWDED` says, with posts of `pool` in it, in order."""
    days, among, burst = how
    random = np.random.default_rng(seed)
    items, gold = month
    first = min(item.day for item in items)
    if burst is None:
        when = [(item.day - first) * days / 30 for item in items]
    else:
        begun = {label: random.uniform(0, days - burst) for label in sorted({one for one in gold if one})}
        when = [
            begun[label] + random.uniform(0, burst) if label else random.uniform(0, days) for label in gold
        ]
    pressed = [replace(item, day=first + day) for item, day in zip(items, when, strict=True)]
    chosen = random.choice(len(pool), min(among * len(items), len(pool)), replace=False)
    others = [
        replace(
            pool[number],
            organisation=items[random.integers(len(items))].organisation,
            day=first + float(random.uniform(0, days)),
        )
        for number in chosen
    ]
    rows = [
        (item, label)
        for item, label in zip([*pressed, *others], [*gold, *(None for _ in others)], strict=True)
        if item.need >= NEED
    ]
    rows.sort(key=lambda row: (row[0].day, row[0].key))
    return [item for item, _ in rows], [label for _, label in rows]


def fit_busy(
    made: dict[str, Month], crowds: dict[str, list[Item]], scorer: Scorer, membership: Membership
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what busy boards weigh, for the scorer and for the membership model, all else as it is."""
    busy = [
        crowded(made[name], crowds[name], how, seed)
        for name, (seed, how) in itertools.product(CROWDED_MONTHS, enumerate(CROWDED))
    ]
    xs, ys, ws = zip(*(busy_pairs(items, gold, seed) for seed, (items, gold) in enumerate(busy)), strict=True)
    x = np.vstack(xs)
    known = x[:, :-BUSY] @ np.array(scorer.weights[:-BUSY]) + scorer.bias
    pair = added(x[:, -BUSY:], known, np.concatenate(ys), np.concatenate(ws))
    sys.stdout.write(f"busy: {pair} of the pair\n")
    told = replace(scorer, weights=(*scorer.weights[:-BUSY], *pair))
    rows = [busy_members(items, gold, told, seed) for seed, (items, gold) in enumerate(busy)]
    x, y = np.vstack([x for x, _ in rows]), np.concatenate([y for _, y in rows])
    known = x[:, :-BUSY] @ np.array(membership.weights[:-BUSY]) + membership.bias
    return pair, added(x[:, -BUSY:], known, y, np.ones(len(y)))


def busy_pairs(
    items: list[Item], gold: list[str | None], seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the parts of every pair of one demand and of some others, which each is, and what it weighs."""
    left, right = np.triu_indices(len(items), 1)
    numbers = {label: number for number, label in enumerate(sorted({one for one in gold if one}), start=1)}
    labels = np.array([numbers.get(label or "", 0) for label in gold])
    same = (labels[left] == labels[right]) & (labels[left] > 0)
    others = np.flatnonzero(~same)
    drawn = np.random.default_rng(seed).choice(others, min(STRANGERS_ASKED, len(others)), replace=False)
    chosen = np.concatenate([np.flatnonzero(same), drawn])
    weight = np.where(same[chosen], 1.0, len(others) / len(drawn))
    return pair_parts(profile(items), left[chosen], right[chosen]), same[chosen], weight


def busy_members(
    items: list[Item], gold: list[str | None], scorer: Scorer, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of posts that are near to a part of a demand, some with strangers in it."""
    random = np.random.default_rng(seed)
    compared, every = Compared(profile(items), scorer), np.arange(len(items))
    xs, ys = [], []
    for demand in sorted({label for label in gold if label is not None}):
        same = np.array([label == demand for label in gold])
        members = np.flatnonzero(same)
        for _ in range(2 if len(members) > 1 else 0):
            group = random.choice(members, int(random.integers(2, len(members) + 1)), replace=False)
            if random.random() < STRANGERS:
                group = np.union1d(group, random.choice(every, max(1, len(group) // 5)))
            near = compared.probabilities(every, np.sort(group)).max(axis=1) >= refining.NEAR_ENOUGH
            asked = same | near | (random.random(len(every)) < 0.1)  # noqa: PLR2004
            xs.append(membership_parts(compared, every[asked], np.sort(group)))
            ys.append(same[asked])
    return np.vstack(xs), np.concatenate(ys)


def added(x: np.ndarray, known: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, ...]:
    """Return weights of what is added to logits that are known, by Newton's method with a ridge."""
    w = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-(x @ w + known)))
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.eye(len(w))
        w -= np.linalg.solve(hessian, x.T @ (weight * (p - y)) + w)
    return tuple(round(float(one), 2) for one in w)


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


def judge(month: Month, scorer: Scorer, membership: Membership) -> dict[str, float]:
    """Return the figures of one month, with every group of enough people proposed."""
    items, gold = month
    groups = cluster([item for item in items if item.need >= scorer.need], scorer, membership)
    author = {item.key: item.author for item in items}
    where = {member.key: number for number, group in enumerate(groups) for member in group.members}
    found = [where.get(item.key) for item in items]
    large = {
        number
        for number, group in enumerate(groups)
        if len({author[member.key] for member in group.members}) >= PEOPLE
    }
    event = measures.events(
        gold,
        [label if label in large else None for label in found],
        [item.author for item in items],
        minimum=PEOPLE,
    )
    return {
        "f1": measures.bcubed(gold, found).f1,
        "pairs": measures.pairs(gold, [where.get(item.key) for item in items]).precision,
        "proposed": event.proposed,
        "right": len(event.right),
        "found": len(set(event.right.values())),
        "true": event.true,
    }


def groups_of(month: Month, scorer: Scorer, membership: Membership) -> list[tuple[np.ndarray, bool, bool]]:
    """Return for each larger group its parts, whether it is one demand, and whether it has ten people.

    Beside each stands what it would be with posts of its own boards in the place of two thirds of it: no
    demand, and judged by nobody, but to be known as none.
    """
    items = [item for item in month[0] if item.need >= scorer.need]
    items.sort(key=lambda item: (item.day, item.key))
    label = dict(zip((item.key for item in month[0]), month[1], strict=True))
    row = {item.key: number for number, item in enumerate(items)}
    compared = Compared(profile(items), scorer)
    random = np.random.default_rng(SEED)
    result = []
    for group in cluster(items, scorer, membership):
        rows = [row[member.key] for member in group.members]
        people = len({items[number].author for number in rows})
        if people < PEOPLE - 2:
            continue
        labels = Counter(label[member.key] for member in group.members)
        labels.pop(None, None)
        pure = max(labels.values(), default=0) >= measures.RIGHT_SHARE * len(rows)
        values = cohesion_parts(compared, membership, rows).astype(np.float64)
        result.append((values, pure, people >= PEOPLE))
        mixed = mixed_with_neighbours(rows, items, random)
        result.append((cohesion_parts(compared, membership, mixed).astype(np.float64), False, False))
    return result


def mixed_with_neighbours(rows: list[int], items: list[Item], random: np.random.Generator) -> list[int]:
    """Return a third of the rows, and as many others as are left out, of the same boards."""
    boards = {items[row].organisation for row in rows}
    inside = set(rows)
    others = [row for row, item in enumerate(items) if row not in inside and item.organisation in boards]
    kept = random.choice(rows, max(1, len(rows) // 3), replace=False).tolist()
    wanted = min(len(rows) - len(kept), len(others))
    return sorted(kept + random.choice(others, wanted, replace=False).tolist())


def fit_cohesion(
    made: dict[str, Month], held_out: dict[str, tuple[Fitted, Fitted]], join: float, need: float
) -> tuple[Fitted, float]:
    """Return bias and weights of the cohesion model, and the bound from which a group is proposed.

    The groups to learn from are those that models make on a month which they have not seen, strict
    and lax, in the middle and at the end of the month. Many of them are nearly the same group, so their
    number says more than they do.
    """
    found: dict[str, list[tuple[np.ndarray, bool, bool]]] = {name: [] for name in made}
    for (name, (pair, member)), share in itertools.product(held_out.items(), (0.5, 0.75, 1.0)):
        items, gold = made[name]
        until = np.quantile([item.day for item in items], share)
        rows = [row for row, item in enumerate(items) if item.day <= until]
        part = [items[row] for row in rows], [gold[row] for row in rows]
        for belongs, merges in itertools.product((0.2, 0.3, 0.4), (0.2, 0.35)):
            found[name] += groups_of(part, Scorer(*pair, join, need), Membership(*member, belongs, merges))
    judged: dict[str, list[tuple[float, bool]]] = {"made": [], "by hand": []}
    for name, groups in found.items():
        rest = [group for other, theirs in found.items() if other != name for group in theirs]
        fitted = logistic(
            np.stack([values for values, _, _ in rest]), np.array([pure for _, pure, _ in rest])
        )
        model = Cohesion(*fitted, 0.5)
        of_kind = judged["made" if name.startswith("made") else "by hand"]
        of_kind += [(model.probability(values), pure) for values, pure, large in groups if large]
    precise: dict[float, float] = {}
    # Below 0.3 strangers of one board and week pass (tests/unit/sentiment/test_cohesion.py).
    for bound in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85):
        kept = {
            kind: [pure for probability, pure in those if probability >= bound]
            for kind, those in judged.items()
        }
        for kind, those in judged.items():
            could = sum(pure for _, pure in those)
            sys.stdout.write(f"proposes {bound} {kind}: {sum(kept[kind])} of {len(kept[kind])}, of {could}\n")
        if all(len(kept[kind]) >= FEWEST * len(those) for kind, those in judged.items()):
            precise[bound] = float(np.mean([np.mean(those) for those in kept.values()]))
    enough = [bound for bound, share in precise.items() if share >= LEAST_PRECISION]
    proposes = min(enough) if enough else max(precise, key=precise.__getitem__)
    every = [group for groups in found.values() for group in groups]
    fitted = logistic(np.stack([values for values, _, _ in every]), np.array([pure for _, pure, _ in every]))
    return fitted, proposes


def main() -> None:
    """Fit, choose the bounds by the months held out, and write the table."""
    made, crowds = months()
    if "--busy" in sys.argv:
        write(table_of(*with_busy(made, crowds, load_scorer(), load_membership()), load_cohesion()))
        return
    held_out: dict[str, tuple[Fitted, Fitted]] = {}
    names = sorted(made)
    for fold in range(FOLDS):
        # Both months of one deal are of the same matters: they are held out together.
        hidden = [name for name in names if name.startswith(f"made-{fold}-")] + ["ABCD"[fold]]
        rest = [month for name, month in made.items() if name not in hidden]
        pair = fit_pairs(rest)
        member = fit_membership(rest, Scorer(*pair, 0.2, NEED))
        held_out |= dict.fromkeys(hidden, (pair, member))
    best, bounds = -1.0, (0.2, 0.3, 0.3)
    for join, belongs, merges in itertools.product((0.1, 0.2, 0.3), (0.3, 0.4, 0.5), (0.2, 0.35)):
        figures = [
            judge(made[name], Scorer(*pair, join, NEED), Membership(*member, belongs, merges))
            for name, (pair, member) in held_out.items()
        ]
        mean = float(np.mean([month["f1"] for month in figures]))
        pure = float(np.mean([month["pairs"] for month in figures]))
        right, proposed, found, true = (
            sum(month[key] for month in figures) for key in ("right", "proposed", "found", "true")
        )
        value = mean + found / true
        sys.stdout.write(
            f"join {join} belongs {belongs} merges {merges} f1 {mean:.3f} pairs {pure:.3f} "
            f"pure {right}/{proposed}, found {found} of {true}\n"
        )
        if value > best:
            best, bounds = value, (join, belongs, merges)
    join, belongs, merges = bounds
    whole, proposes = fit_cohesion(made, held_out, join, NEED)
    every = list(made.values())
    pair = fit_pairs(every)
    member = fit_membership(every, Scorer(*pair, join, NEED))
    scorer, membership = Scorer(*pair, join, NEED), Membership(*member, belongs, merges)
    write(table_of(*with_busy(made, crowds, scorer, membership), Cohesion(*whole, proposes)))


def with_busy(
    made: dict[str, Month], crowds: dict[str, list[Item]], scorer: Scorer, membership: Membership
) -> tuple[Scorer, Membership]:
    """Return both models with what busy boards weigh fitted anew."""
    pair, member = fit_busy(made, crowds, scorer, membership)
    return (
        replace(scorer, weights=(*scorer.weights[:-BUSY], *pair)),
        replace(membership, weights=(*membership.weights[:-BUSY], *member)),
    )


def table_of(scorer: Scorer, membership: Membership, model: Cohesion) -> dict[str, Any]:
    """Return the models as the table has them."""
    return {
        "pair": {
            "bias": round(scorer.bias, 4),
            "weights": named(PARTS, scorer.weights),
            "join": scorer.join,
            "need": scorer.need,
        },
        "membership": {
            "bias": round(membership.bias, 4),
            "weights": named(refining.PARTS, membership.weights),
            "belongs": membership.belongs,
            "merges": membership.merges,
        },
        "cohesion": {
            "bias": round(model.bias, 4),
            "weights": named(cohesion.PARTS, model.weights),
            "proposes": model.proposes,
        },
    }


def write(table: dict[str, Any]) -> None:
    """Show the table, and write it unless it is only to be shown."""
    text = json.dumps(table, indent=2) + "\n"
    sys.stdout.write(text)
    if "--show" not in sys.argv:
        TABLE.write_text(text, encoding="utf-8")


def named(names: tuple[str, ...], weights: tuple[float, ...]) -> dict[str, float]:
    """Return the weights by name, rounded."""
    return {name: round(weight, 4) for name, weight in zip(names, weights, strict=True)}


if __name__ == "__main__":
    main()
