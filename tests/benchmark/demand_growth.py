"""Measure how the work of the grouping grows with the posts of the window.

    python -m tests.benchmark.demand_growth [--posts 10000 100000] [--bertopic]

Makes posts with given vectors, as a province's boards might hold them: a window of n posts has n / 150
boards and a demand for every 14 of six tenths of its posts, the others are noise. `whole` groups the
window from nothing, as the nightly look does; `turn` takes in twenty new posts, as the live job does.
Seconds are of the processor, one thread. With `--bertopic` the first size is also grouped by BERTopic on the
same vectors, where it is installed. The last line is one JSON object. Asserts nothing about time.
"""

import argparse
import json
import math
import resource
import sys
import time
from typing import Any

import numpy as np

from models.vocabulary import Domain
from sentiment.demand import measures
from sentiment.demand.beside import topics
from sentiment.demand.clustering import cluster
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer
from sentiment.demand.territory import regroup
from sentiment.topics import load_topics

SEED = 20261121
DIMENSIONS = 64
IN_DEMANDS = 0.6
PER_DEMAND = 14
PER_BOARD = 150
SPREAD = 0.25
COMMON = 0.2
DAYS = 30
VOCABULARY = 30
NEW = 20
FIRST_DAY = 20_000.0


def made(count: int) -> tuple[list[Item], list[int | None]]:
    """Return `count` posts in the order of time, and the demand of each."""
    draw = np.random.default_rng(SEED)
    demands, boards = max(1, int(count * IN_DEMANDS / PER_DEMAND)), max(4, count // PER_BOARD)
    middles = draw.normal(size=(demands, DIMENSIONS)).astype(np.float32)
    domains, homes = draw.integers(0, len(Domain) - 1, demands), draw.integers(0, boards, demands)
    begun, everywhere = draw.uniform(0, DAYS, demands), draw.random(demands) < SPREAD
    words = draw.integers(0, 2**32 - 1, (demands, VOCABULARY), dtype=np.uint32)
    no_topics = np.zeros(len(load_topics().names), dtype=np.float32)
    sure = np.full((len(Domain), len(Domain)), 0.02, dtype=np.float32) + 0.7 * np.eye(
        len(Domain), dtype=np.float32
    )
    items, gold = [], []
    for number in range(count):
        demand = int(draw.integers(0, int(demands / IN_DEMANDS)))
        own = demand < demands
        vector = draw.normal(size=DIMENSIONS).astype(np.float32) * (1.2 if own else 1.0)
        terms = draw.integers(0, 2**32 - 1, 12, dtype=np.uint32)
        domain, board, day = (
            draw.integers(0, len(Domain) - 1),
            draw.integers(0, boards),
            draw.uniform(0, DAYS),
        )
        if own:
            vector += middles[demand]
            terms[:3] = draw.choice(words[demand], 3)
            domain, day = domains[demand], min(float(DAYS), begun[demand] + draw.exponential(3.0))
            board = board if everywhere[demand] else homes[demand]
        items.append(
            Item(
                key=f"{number:08}",
                author=f"a{number}",
                organisation="gd" if draw.random() < COMMON else f"gd/b{board}",
                day=FIRST_DAY + float(day),
                terms=np.unique(terms),
                topics=no_topics,
                vector=(vector / np.linalg.norm(vector)).astype(np.float16),
                domain=sure[int(domain)],
                need=0.9,
            )
        )
        gold.append(demand if own else None)
    order = sorted(range(count), key=lambda row: (items[row].day, items[row].key))
    return [items[row] for row in order], [gold[row] for row in order]


def measured(count: int) -> tuple[dict[str, Any], list[Item], list[int | None]]:
    """Return the figures of one size, and its posts."""
    items, gold = made(count)
    begun = time.process_time()
    groups = cluster(items, load_scorer(), load_membership(), cohesion=load_cohesion())
    whole = time.process_time() - begun
    where = {member.key: number for number, group in enumerate(groups) for member in group.members}
    stands = {
        member.key: str(number)
        for number, group in enumerate(groups)
        if len(group.members) > 2
        for member in group.members
    }
    fresh = [item.key for item in items[-NEW:]]
    begun = time.process_time()
    regroup(
        items,
        load_scorer(),
        load_membership(),
        stands={key: demand for key, demand in stands.items() if key not in fresh},
        fresh=fresh,
        cohesion=load_cohesion(),
    )
    figures = {
        "posts": count,
        "whole_seconds": round(whole, 2),
        "turn_seconds": round(time.process_time() - begun, 3),
        "bcubed_f1": round(measures.bcubed(gold, [where[item.key] for item in items]).f1, 3),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    sys.stdout.write(f"{figures}\n")
    sys.stdout.flush()
    return figures, items, gold


def main() -> None:
    """Measure every size, and how the work grows from each to the next."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--posts", type=int, nargs="+", default=[10_000, 100_000])
    reader.add_argument("--bertopic", action="store_true")
    asked = reader.parse_args()
    result: dict[str, Any] = {"sizes": []}
    for place, count in enumerate(asked.posts):
        figures, items, gold = measured(count)
        if asked.bertopic and not place:
            vectors = np.stack([item.vector for item in items]).astype(np.float32)
            texts = [" ".join(f"w{int(term) % 5000}" for term in item.terms) for item in items]
            begun, wall = time.process_time(), time.perf_counter()
            found = topics(texts, vectors, 10)
            figures["bertopic_cpu_seconds"] = round(time.process_time() - begun, 2)
            figures["bertopic_wall_seconds"] = round(time.perf_counter() - wall, 2)
            figures["bertopic_bcubed_f1"] = round(measures.bcubed(gold, found).f1, 3)
            sys.stdout.write(f"{figures}\n")
        result["sizes"].append(figures)
        del items, gold
    first, last = result["sizes"][0], result["sizes"][-1]
    if last["posts"] > first["posts"]:
        grown = math.log(last["posts"] / first["posts"])
        result["exponent"] = round(math.log(last["whole_seconds"] / first["whole_seconds"]) / grown, 3)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
