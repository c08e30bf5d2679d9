"""Measure a round of the live grouping, records and all, with a large window on record.

    python -m tests.benchmark.demand_rounds [--posts 20000] [--rounds 5]

Puts the posts of `demand_growth` into an empty SQLite database, read and grouped as they were made, then
twenty new ones before every round. The first round fills what stands ready in memory; the others are what
a service does every half minute. Seconds of the processor, one thread. The last line is one JSON object.
Asserts nothing about time.
"""

import argparse
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from learning.bundle import FloatArray
from models.base import new_id
from models.database import Database
from models.demand import Demand, DemandMember
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import DemandState, Domain, OrganisationKind, PostKind, PostState, Tone
from sentiment.demand.grouping import group_due
from sentiment.demand.scoring import Item
from sentiment.settings import SentimentSettings
from tests.benchmark.demand_growth import DIMENSIONS, FIRST_DAY, stream
from tests.support.wording import ListeningBundle

NEW = 20
SMALLEST = 3
AT_ONCE = 2000
NOW = datetime.fromtimestamp(FIRST_DAY * 86_400, UTC) + timedelta(days=30)
SYLLABLES = "水电网饭舍课考工资租房医院车站图书馆奖学金停退贷押兼职面试证书假班费票修坏吵脏"


class Vectors(ListeningBundle):
    """Encodes nothing: the vectors are on record. Says only how long one is."""

    name = "made-vectors"

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return zeros. Shape (n, 64)."""
        return np.zeros((len(texts), DIMENSIONS), dtype=np.float32)


def _text(item: Item) -> str:
    """Return a text with a pair of characters for each term, so that equal terms are equal words."""
    size = len(SYLLABLES)
    return "，".join(SYLLABLES[int(term) % size] + SYLLABLES[int(term) // size % size] for term in item.terms)


def _rows(item: Item, demand: str | None, *, clustered: bool) -> dict[type, dict[str, Any]]:
    at = datetime.fromtimestamp(item.day * 86_400, UTC)
    post, domain = new_id(), list(Domain)[int(item.domain.argmax())]
    made: dict[type, dict[str, Any]] = {
        Post: {
            "id": post, "source": "forum", "external_id": post, "revision": 1, "kind": PostKind.QUESTION,
            "organisation": item.organisation, "author": item.author, "state": PostState.PUBLISHED,
            "created_at": at, "received_at": at, "read_revision": 1,
        },
        PostRevision: {
            "id": new_id(), "post_id": post, "revision": 1, "text": _text(item), "fingerprint": "",
            "received_at": at,
        },
        Reading: {
            "id": new_id(), "post_id": post, "revision": 1, "organisation": item.organisation,
            "is_need": True, "need_probability": item.need, "domain": domain,
            "domain_probability": 0.72, "tone": Tone.NEUTRAL,
            "vector": item.vector.astype("<f2").tobytes(), "bundle": Vectors.name, "posted_at": at,
            "read_at": at, "clustered_at": at if clustered else None,
        },
    }  # fmt: skip
    if demand is not None:
        made[DemandMember] = {
            "id": new_id(), "demand_id": demand, "post_id": post, "probability": 1.0, "parts": {},
            "joined_at": at,
        }  # fmt: skip
    return made


def _put(database: Database, made: list[dict[type, dict[str, Any]]]) -> None:
    with database.transaction() as session:
        for kind in (Post, PostRevision, Reading, DemandMember):
            rows = [one[kind] for one in made if kind in one]
            if rows:
                session.execute(sa.insert(kind), rows)


def _fill(database: Database, posts: list[tuple[Item, int | None]]) -> None:
    """Put grouped posts on record, with the demands of three people and more."""
    members: dict[int, list[Item]] = {}
    for item, demand in posts:
        if demand is not None:
            members.setdefault(demand, []).append(item)
    ids = {demand: new_id() for demand, items in members.items() if len(items) >= SMALLEST}
    paths = sorted({"gd", *(item.organisation for item, _ in posts)})
    with database.transaction() as session:
        session.execute(
            sa.insert(Organisation),
            [
                {"path": path, "name": path, "kind": OrganisationKind.CAMPUS, "created_at": NOW}
                for path in paths
            ],
        )
        session.execute(
            sa.insert(Demand),
            [
                {
                    "id": ids[demand], "title": "", "domain": list(Domain)[int(items[0].domain.argmax())],
                    "organisation": items[0].organisation, "state": DemandState.GATHERING,
                    "posts": len(items), "authors": len(items), "terms": [],
                    "first_posted_at": datetime.fromtimestamp(items[0].day * 86_400, UTC),
                    "last_posted_at": datetime.fromtimestamp(items[-1].day * 86_400, UTC),
                }
                for demand, items in members.items()
                if demand in ids
            ],
        )  # fmt: skip
    for start in range(0, len(posts), AT_ONCE):
        some = posts[start : start + AT_ONCE]
        _put(
            database,
            [
                _rows(item, None if demand is None else ids.get(demand), clustered=True)
                for item, demand in some
            ],
        )


def main() -> None:
    """Fill a database, run the rounds and write what each took."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--posts", type=int, default=20_000)
    reader.add_argument("--rounds", type=int, default=5)
    asked = reader.parse_args()
    posts = stream(asked.posts + NEW * asked.rounds)
    settings = SentimentSettings(window=timedelta(days=31))
    seconds, grouped = [], []
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'window.db'}")
        database.migrate()
        _fill(database, list(itertools.islice(posts, asked.posts)))
        for number in range(asked.rounds):
            new = list(itertools.islice(posts, NEW))
            _put(database, [_rows(item, None, clustered=False) for item, _ in new])
            begun = time.process_time()
            report = group_due(database, Vectors(), settings, NOW + timedelta(seconds=30 * number))
            seconds.append(round(time.process_time() - begun, 2))
            grouped.append((report.grouped, report.joined, report.left))
            sys.stdout.write(f"round {number}: {seconds[-1]} s, {grouped[-1]}\n")
            sys.stdout.flush()
        database.close()
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    sys.stdout.write(
        json.dumps({"posts": asked.posts, "seconds": seconds, "grouped": grouped, "peak_gib": peak}) + "\n"
    )


if __name__ == "__main__":
    main()
