"""Measure a round of the live grouping, records and all, with a large window on record.

    python -m tests.benchmark.demand_rounds [--posts 20000] [--new 100] [--postgresql] [--ungrouped]

Puts the posts of `demand_growth` on record in an empty database, read and grouped as they were made, then
new ones before every round. The first round fills what stands ready in memory; the others are what a
service does every half minute. With `--ungrouped` nothing is grouped yet, and the first round does it all.
The database is SQLite, or with `--postgresql` a server of its own; `--database URL` names another one,
which is filled if it is empty and left as it is then. It is filled by a process of its own, so that the
memory is that of the rounds. Seconds of the processor of this process, one thread, and of the clock. The
last line is one JSON object. Asserts nothing about time.
"""

import argparse
import contextlib
import itertools
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlmodel import col

import models.account  # noqa: F401 - a demand points at it
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
from tests.support.databases import create_database, postgresql_server, server_url
from tests.support.wording import ListeningBundle

SMALLEST = 3
LATER = 2000
AT_ONCE = 2000
NOW = datetime.fromtimestamp(FIRST_DAY * 86_400, UTC) + timedelta(days=30)
SYLLABLES = "水电网饭舍课考工资租房医院车站图书馆奖学金停退贷押兼职面试证书假班费票修坏吵脏"


class Vectors(ListeningBundle):
    """Encodes nothing: the vectors are on record. Says only how long one is."""

    name = "made-vectors"

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return zeros. Shape (n, d)."""
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


@dataclass
class Made:
    """What is known of a demand that the posts were made from."""

    first: Item
    last: Item
    posts: int = 1


def fill(url: str, count: int, *, grouped: bool) -> None:
    """Put posts on record; if they are grouped, with the demands of three posts and more."""
    database = Database(url)
    database.migrate()
    paths, demands = {"gd"}, dict[int, Made]()
    for item, demand in itertools.islice(stream(count + LATER), count):
        paths.add(item.organisation)
        if demand is not None and grouped:
            made = demands.setdefault(demand, Made(item, item, 0))
            made.last, made.posts = item, made.posts + 1
    ids = {demand: new_id() for demand, made in demands.items() if made.posts >= SMALLEST}
    with database.transaction() as session:
        session.execute(
            sa.insert(Organisation),
            [
                {"path": path, "name": path, "kind": OrganisationKind.CAMPUS, "created_at": NOW}
                for path in sorted(paths)
            ],
        )
        rows = [_demand_row(ids[demand], made) for demand, made in demands.items() if demand in ids]
        if rows:
            session.execute(sa.insert(Demand), rows)
    posts = itertools.islice(stream(count + LATER), count)
    while some := list(itertools.islice(posts, AT_ONCE)):
        _put(
            database,
            [
                _rows(item, None if demand is None else ids.get(demand), clustered=grouped)
                for item, demand in some
            ],
        )
    database.close()


def _demand_row(name: str, made: Made) -> dict[str, Any]:
    return {
        "id": name, "title": "", "domain": list(Domain)[int(made.first.domain.argmax())],
        "organisation": made.first.organisation, "state": DemandState.GATHERING,
        "posts": made.posts, "authors": made.posts, "terms": [],
        "first_posted_at": datetime.fromtimestamp(made.first.day * 86_400, UTC),
        "last_posted_at": datetime.fromtimestamp(made.last.day * 86_400, UTC),
    }  # fmt: skip


def prepare(url: str, count: int, *, grouped: bool) -> list[Item]:
    """Fill a database that is empty, and return the posts that come after those on record."""
    database = Database(url)
    database.migrate()
    with database.reading() as session:
        empty = session.execute(sa.select(col(Post.id)).limit(1)).first() is None
    database.close()
    if empty:
        fill(url, count, grouped=grouped)
    return [item for item, _ in itertools.islice(stream(count + LATER), count, None)]


@contextlib.contextmanager
def _place(asked: argparse.Namespace) -> Iterator[str]:
    """Yield the address of the database."""
    if asked.database:
        yield asked.database
    elif asked.postgresql:
        with postgresql_server() as address:
            yield server_url(address, create_database(address))
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'window.db'}"


def main() -> None:
    """Fill a database, run the rounds and write what each took."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--posts", type=int, default=20_000)
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--new", type=int, default=100)
    reader.add_argument("--postgresql", action="store_true")
    reader.add_argument("--database")
    reader.add_argument("--ungrouped", action="store_true")
    asked = reader.parse_args()
    settings = SentimentSettings(window=timedelta(days=31))
    rounds: list[dict[str, Any]] = []
    apart = multiprocessing.get_context("spawn")
    with _place(asked) as url:
        with ProcessPoolExecutor(1, mp_context=apart) as pool:
            later = pool.submit(prepare, url, asked.posts, grouped=not asked.ungrouped).result()
        database = Database(url)
        for number in range(asked.rounds):
            new, later = later[: asked.new], later[asked.new :]
            _put(database, [_rows(item, None, clustered=False) for item in new])
            begun, wall = time.process_time(), time.perf_counter()
            report = group_due(database, Vectors(), settings, NOW + timedelta(seconds=30 * number))
            rounds.append(
                {
                    "cpu_seconds": round(time.process_time() - begun, 2),
                    "seconds": round(time.perf_counter() - wall, 2),
                    "grouped": report.grouped, "joined": report.joined, "left": report.left,
                    "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
                }
            )  # fmt: skip
            sys.stdout.write(f"round {number}: {rounds[-1]}\n")
            sys.stdout.flush()
        database.close()
    sys.stdout.write(json.dumps({"posts": asked.posts, "rounds": rounds}) + "\n")


if __name__ == "__main__":
    main()
