"""Measure how the work of the grouping grows with the posts of the window.

    python -m tests.benchmark.demand_growth [--posts 10000 100000 1000000] [--like clouds] [--bertopic]

Makes posts with given vectors, as a province's boards might hold them, in the order of time: a window of n
posts has n / 150 boards, few of them large, and a demand for every 14 of six tenths of its posts, some of
them large; the others are noise. A demand is about a matter, and matters come again on other boards; words
and topics are drawn as often as in life. `--like clouds` takes the first form of this benchmark instead:
every demand a matter of its own, all of one size, all boards alike, words evenly drawn, no topics.

`whole` groups the window from nothing, as the nightly look does; `turn` takes in twenty new posts, as the
live job does. What speaks for each post is computed for whoever asks, and nobody asks here. Seconds are of
the processor, one thread. With `--bertopic` the first size is also grouped by BERTopic on the same vectors,
where it is installed. The last line is one JSON object. Asserts nothing about time.
"""

import argparse
import json
import math
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.vocabulary import Domain
from sentiment.demand import measures
from sentiment.demand.beside import topics
from sentiment.demand.clustering import cluster
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.columns import Columns
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer
from sentiment.demand.territory import regroup
from sentiment.topics import load_topics

SEED = 20261121
DIMENSIONS = 128
IN_DEMANDS = 0.6
PER_DEMAND = 14
PER_BOARD = 150
SPREAD = 0.25
COMMON = 0.2
DAYS = 30
VOCABULARY = 30
NEW = 20
FIRST_DAY = 20_000.0
AT_ONCE = 4096


@dataclass(frozen=True)
class Kind:
    """What made posts are like.

    Attributes
    ----------
    matters
        Matters for the square root of the number of demands; 0: each demand its own.
    own
        Length of what sets a demand apart from others of its matter, beside 1 of the matter.
    noise
        Length of what sets a post apart.
    uneven
        Spread of the logarithm of a demand's size.
    boards, words
        Exponents with which boards and words grow rarer; 0: all alike.
    topical
        Share of a demand's posts that name its topic.
    """

    matters: float = 3.0
    own: float = 0.4
    noise: float = 1.5
    uneven: float = 1.0
    boards: float = 0.8
    words: float = 1.0
    topical: float = 0.7


LIFE = Kind()
CLOUDS = Kind(matters=0, own=0, noise=1.2, uneven=0, boards=0, words=0, topical=0)
WORDS = 30_000


def _rarer(count: int, exponent: float) -> npt.NDArray[np.float64]:
    """Return weights that sum to 1, the tenth place and later falling with the exponent."""
    weights = (np.arange(count) + 10.0) ** -exponent
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def made(count: int, kind: Kind = LIFE) -> tuple[list[Item], list[int | None]]:
    """Return `count` posts in the order of time, and the demand of each."""
    both = list(stream(count, kind))
    return [item for item, _ in both], [demand for _, demand in both]


def stream(count: int, kind: Kind = LIFE) -> Iterator[tuple[Item, int | None]]:
    """Yield `count` posts in the order of time, with the demand of each."""
    draw = np.random.default_rng(SEED)
    demands, boards = max(1, int(count * IN_DEMANDS / PER_DEMAND)), max(4, count // PER_BOARD)
    matters = 20 + int(kind.matters * demands**0.5) if kind.matters else demands
    unit = (1 / DIMENSIONS) ** 0.5 if kind.matters else 1.0
    matter = draw.integers(0, matters, demands) if kind.matters else np.arange(demands)
    middles = draw.normal(size=(matters, DIMENSIONS)).astype(np.float32)[matter] * np.float32(unit)
    middles += draw.normal(size=(demands, DIMENSIONS)).astype(np.float32) * np.float32(kind.own * unit)
    names = len(load_topics().names)
    domains, about = draw.integers(0, len(Domain) - 1, matters)[matter], draw.integers(0, names, matters)
    at_boards = _rarer(boards, kind.boards)
    homes = draw.choice(boards, demands, p=at_boards)
    begun, everywhere = draw.uniform(0, DAYS, demands), draw.random(demands) < SPREAD
    said = np.cumsum(_rarer(WORDS, kind.words))
    spelt = draw.integers(0, 2**32 - 1, WORDS, dtype=np.uint32)
    words = spelt[np.searchsorted(said, draw.random((demands, VOCABULARY)))]
    sizes = draw.lognormal(0, kind.uneven, demands)
    own = draw.random(count) < IN_DEMANDS
    demand = np.where(own, draw.choice(demands, count, p=sizes / sizes.sum()), -1)
    board = np.where(own & ~everywhere[demand], homes[demand], draw.choice(boards, count, p=at_boards))
    day = np.where(own, begun[demand] + draw.exponential(3.0, count), draw.uniform(0, DAYS, count))
    day = np.minimum(day, DAYS)
    order = np.argsort(day, kind="stable")
    sure = np.full((len(Domain), len(Domain)), 0.02, dtype=np.float32) + 0.7 * np.eye(
        len(Domain), dtype=np.float32
    )
    no_topics, one_topic = np.zeros(names, dtype=np.float32), np.eye(names, dtype=np.float32)
    for start in range(0, count, AT_ONCE):
        rows = order[start : start + AT_ONCE]
        vectors = draw.normal(size=(len(rows), DIMENSIONS)).astype(np.float32) * np.float32(kind.noise * unit)
        vectors[own[rows]] += middles[demand[rows][own[rows]]]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        terms = spelt[np.searchsorted(said, draw.random((len(rows), 12)))]
        if not kind.words:
            terms = draw.integers(0, 2**32 - 1, (len(rows), 12), dtype=np.uint32)
        common, topical = draw.random(len(rows)) < COMMON, draw.random(len(rows))
        anything = draw.integers(0, len(Domain) - 1, len(rows))
        for place, row in enumerate(rows.tolist()):
            which = int(demand[row])
            topic = no_topics
            if which >= 0:
                terms[place, :3] = draw.choice(words[which], 3)
                topic = one_topic[about[matter[which]]] if topical[place] < kind.topical else no_topics
            elif topical[place] < kind.topical / 2:
                topic = one_topic[int(anything[place]) * 31 % names]
            yield (
                Item(
                    key=f"{start + place:08}",
                    author=f"a{row}",
                    organisation="gd" if common[place] else f"gd/b{board[row]}",
                    day=FIRST_DAY + float(day[row]),
                    terms=np.unique(terms[place]),
                    topics=topic,
                    vector=vectors[place].astype(np.float16),
                    domain=sure[int(domains[which]) if which >= 0 else int(anything[place])],
                    need=0.9,
                ),
                which if which >= 0 else None,
            )


def held(count: int, kind: Kind) -> tuple[Columns, list[int | None]]:
    """Return the posts in columns, none of them ever an object for long, and the demand of each."""
    gold: list[int | None] = []

    def items() -> Iterator[Item]:
        for item, demand in stream(count, kind):
            gold.append(demand)
            yield item

    return Columns(items()), gold


def _peak() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def measured(count: int, kind: Kind) -> tuple[dict[str, Any], Columns, list[int | None]]:
    """Return the figures of one size, and its posts."""
    items, gold = held(count, kind)
    figures: dict[str, Any] = {"posts": count, "posts_gib": _peak()}
    begun = time.process_time()
    groups = cluster(items, load_scorer(), load_membership(), cohesion=load_cohesion())
    figures["whole_seconds"] = round(time.process_time() - begun, 2)
    figures["whole_gib"] = _peak()
    where = {key: number for number, group in enumerate(groups) for key in group.keys}
    figures["bcubed_f1"] = round(measures.bcubed(gold, [where[key] for key in items.keys]).f1, 3)
    large = {number for number, group in enumerate(groups) if len(group.members) > 2}
    del groups
    fresh = items.keys[-NEW:]
    stands = {key: str(number) for key, number in where.items() if number in large}
    for key in fresh:
        stands.pop(key, None)
    begun = time.process_time()
    regroup(
        items, load_scorer(), load_membership(), stands=stands, fresh=set(fresh), cohesion=load_cohesion()
    )
    figures["turn_seconds"] = round(time.process_time() - begun, 3)
    figures["peak_gib"] = _peak()
    sys.stdout.write(f"{figures}\n")
    sys.stdout.flush()
    return figures, items, gold


def main() -> None:
    """Measure every size, and how the work grows from each to the next."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--posts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    reader.add_argument("--like", choices=["life", "clouds"], default="life")
    reader.add_argument("--bertopic", action="store_true")
    asked = reader.parse_args()
    result: dict[str, Any] = {"sizes": []}
    for place, count in enumerate(asked.posts):
        figures, items, gold = measured(count, CLOUDS if asked.like == "clouds" else LIFE)
        if asked.bertopic and not place:
            vectors = np.stack([item.vector for item in items])
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
