"""Compare ways to find demands on one month: other methods, and the vectors of another encoder.

Neighbours: `evaluate_demands` calls it; `sentiment/demand/beside.py` holds the methods.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer

from learning.bundle import Bundle, FloatArray, Reads
from learning.transformer import open_transformer
from sentiment.demand import measures
from sentiment.demand.beside import Beside, beside
from sentiment.demand.grouping import item_of
from sentiment.demand.scoring import Item, load_scorer, profile
from sentiment.pipeline import load_reader
from sentiment.place import load_gazetteer
from sentiment.replay import Replayed

Judged = tuple[Replayed, str | None]


@dataclass(frozen=True, slots=True)
class OtherVectors:
    """A bundle whose vectors are another encoder's, less what all texts of a month share."""

    bundle: Bundle
    encoder: Bundle
    middle: FloatArray

    @property
    def name(self) -> str:
        """The names of both."""
        return f"{self.bundle.name}+{self.encoder.name}"[:64]

    def harms(self, texts: Sequence[str]) -> FloatArray:
        """Return what the bundle says."""
        return self.bundle.harms(texts)

    def reads(self, texts: Sequence[str]) -> Reads:
        """Return what the bundle says."""
        return self.bundle.reads(texts)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return the encoder's vectors without the middle, at unit length."""
        apart = self.encoder.encode(texts) - self.middle
        lengths = np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
        return np.asarray(apart / lengths, dtype=np.float32)


def with_vectors_of(path: Path, bundle: Bundle, texts: Sequence[str]) -> OtherVectors:
    """Return `bundle` with the vectors of the checkpoint at `path`.

    Encoders put all texts into a narrow cone; the mean over the month's texts is taken out, no label is
    looked at. The weights of the grouping stay those that were fitted with our own vectors.
    """
    encoder = open_transformer(path, {}, bundle)
    return OtherVectors(bundle, encoder, encoder.encode(list(texts)).mean(axis=0))


def items_of(rows: Sequence[Judged], bundle: Bundle) -> list[Item]:
    """Return what the live job would know of each post."""
    posts = [post for post, _ in rows]
    reads = load_reader(bundle, load_gazetteer()).read(
        [post.text for post in posts], [post.organisation for post in posts]
    )
    return [
        item_of(
            key=post.key,
            author=post.author,
            organisation=post.organisation,
            posted=post.created_at,
            text=post.text,
            vector=read.vector,
            domain=read.domain,
            domain_probability=read.domain_probability,
            need=read.need,
            place=read.place.name if read.place else None,
        )
        for post, read in zip(posts, reads, strict=True)
    ]


def auc_of(rows: Sequence[Judged], bundle: Bundle) -> dict[str, float | None]:
    """Return how surely pairs of one demand are told from pairs of two, on one board: scorer and vectors."""
    items = items_of(rows, bundle)
    profiles, every = profile(items), np.arange(len(items), dtype=np.int64)
    gold = [demand for _, demand in rows]
    boards = [item.organisation for item in items]
    alike = {
        "scorer": load_scorer().between(profiles, every, every),
        "vectors": profiles.vectors @ profiles.vectors.T,
        "words": profiles.terms @ profiles.terms.T,
    }
    return {name: measures.board_auc(gold, boards, values) for name, values in alike.items()}


def compared_with(
    rows: Sequence[Judged], bundle: Bundle, ours: Mapping[str, Any], minimum: int
) -> dict[str, dict[str, float]]:
    """Print one table of all methods and return its figures."""
    ordered = sorted(rows, key=lambda row: (row[0].created_at, row[0].key))
    items = items_of(ordered, bundle)
    gold = [demand for _, demand in ordered]
    found = beside(
        items, [post.text for post, _ in ordered], gold, tell=lambda line: typer.echo(line, err=True)
    )
    table = {"ours": _ours(ours)} | {
        f"{one.name} ({one.setting})": _figures(one, items, gold, minimum) for one in found
    }
    columns = ("precision", "recall", "f1", "pair precision", "event precision", "event recall", "seconds")
    typer.echo(f"{'method (its best setting here)':32}" + "".join(f"{name:>16}" for name in columns))
    for name, figures in table.items():
        typer.echo(f"{name:32}" + "".join(f"{figures.get(key, float('nan')):16.3f}" for key in columns))
    return table


def _ours(figures: Mapping[str, Any]) -> dict[str, float]:
    return {
        **figures["bcubed"],
        "pair precision": figures["pair"]["precision"],
        "event precision": figures["event"]["precision"],
        "event recall": figures["event"]["recall"],
    }


def _figures(
    one: Beside, items: Sequence[Item], gold: Sequence[Hashable | None], minimum: int
) -> dict[str, float]:
    """Return the figures of one method; a group of enough authors counts as proposed."""
    people: defaultdict[Hashable, set[str]] = defaultdict(set)
    for label, item in zip(one.found, items, strict=True):
        if label is not None:
            people[label].add(item.author)
    proposed = [label if label is not None and len(people[label]) >= minimum else None for label in one.found]
    events = measures.events(gold, proposed, [item.author for item in items], minimum=minimum)
    bcubed = measures.bcubed(gold, one.found)
    return {
        "precision": bcubed.precision,
        "recall": bcubed.recall,
        "f1": bcubed.f1,
        "pair precision": measures.pairs(gold, one.found).precision,
        "event precision": events.score.precision,
        "event recall": events.score.recall,
        "seconds": one.seconds,
    }
