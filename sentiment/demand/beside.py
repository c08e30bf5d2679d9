"""Other ways to find demands, to measure ours against: first-story detection, HDBSCAN, BERTopic.

Each takes the same posts, those on vectors the very vectors that ours uses, and each is given the best
setting of a short list **on the file it is judged on**, which ours never is: so a comparison flatters
them. None knows an organisation or a place.

It refuses to serve: nothing here is part of the product's way. HDBSCAN needs the extra `train`, BERTopic an
environment in which it is installed; what is not there is left out, and said.

Neighbours: `learning/training/densities` clusters; `api/commands/demand_methods` shows the table.

Source
------
Mazoyer et al. (2020), twembeddings: first-story detection with tf-idf, a nearest neighbour in a window.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from learning.training import densities
from sentiment.demand.measures import Label, bcubed
from sentiment.demand.scoring import FloatArray, Item, profile

FIRST_STORY: Final = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4)
"""Least cosine with an earlier post to join it."""

SMALLEST: Final = (3, 5, 8, 10)
"""Least posts of a cluster."""

WINDOW: Final = 2_000
"""Earlier posts that a new one is compared with."""

_NO_CLUSTER: Final = -1


@dataclass(frozen=True, slots=True)
class Beside:
    """What one method found at its best setting: a group for each post, or None, and the seconds it took."""

    name: str
    setting: str
    found: list[Label]
    seconds: float


def first_story(items: Sequence[Item], least: float) -> list[Label]:
    """Return groups by the nearest earlier post's tf-idf; items in the order of time."""
    terms = profile(items).terms
    found: list[Label] = []
    for row in range(len(items)):
        begin = max(0, row - WINDOW)
        alike = terms[begin:row] @ terms[row]
        near = int(alike.argmax()) + begin if row else -1
        found.append(found[near] if near >= 0 and alike[near - begin] >= least else row)
    return found


def density(vectors: FloatArray, smallest: int) -> list[Label]:
    """Return HDBSCAN's clusters."""
    return _named(densities.density(vectors, smallest))


def topics(texts: Sequence[str], vectors: FloatArray, smallest: int) -> list[Label]:
    """Return BERTopic's topics on given vectors."""
    return _named(densities.topics(texts, vectors, smallest))


def _named(labels: densities.Labels) -> list[Label]:
    return [None if label == _NO_CLUSTER else int(label) for label in labels]


def beside(
    items: Sequence[Item], texts: Sequence[str], gold: Sequence[Label], *, tell: Callable[[str], None]
) -> list[Beside]:
    """Return every method that can be run here at its best setting for B-cubed."""
    vectors = np.stack([item.vector for item in items])
    methods: list[tuple[str, Sequence[float], Callable[[Any], list[Label]]]] = [
        ("tf-idf first story", FIRST_STORY, lambda least: first_story(items, least)),
        ("HDBSCAN", SMALLEST, lambda smallest: density(vectors, smallest)),
        ("BERTopic", SMALLEST, lambda smallest: topics(texts, vectors, smallest)),
    ]
    result = []
    for name, choices, run in methods:
        try:
            tried = [_timed(name, choice, run) for choice in choices]
        except ImportError as error:
            tell(f"{name} is left out: {error.name} is not installed")
            continue
        result.append(max(tried, key=lambda one: bcubed(gold, one.found).f1))
    return result


def _timed(name: str, choice: float, run: Callable[[Any], list[Label]]) -> Beside:
    begun = time.perf_counter()
    found = run(choice)
    return Beside(name, str(choice), found, time.perf_counter() - begun)
