"""Measure how soon a demand is proposed, with the service and its worker running and posts coming in.

    python -m tests.benchmark.live_delay [--rate 20] [--seconds 300] [--database URL]

Posts of two written months come as if they were written now: each demand's within a minute or two of one
another, harmless others between them until the rate is reached. The delay is what the service itself keeps
and publishes: from the post of the person who made the number to the proposal. The worker runs with the
waits that ship. The last line is one JSON object. Asserts nothing about time.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlmodel import col, select

from api import organisations
from models.database import Database
from models.demand import Demand
from models.organisation import ancestors
from models.vocabulary import DemandState, KeyScope
from tests.benchmark.http_latency import ROOT, SOURCE, server, texts
from tests.support.services import OPERATOR, make_key

MONTHS = ("needs_demands.jsonl", "demands_november.jsonl")
PEOPLE = 10
BURST_SECONDS = 90.0
SEED = 20261121
AFTER_SECONDS = 180.0


def demands() -> dict[str, list[dict[str, Any]]]:
    """Return the posts of each written demand that enough people voice."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in MONTHS:
        for line in (ROOT / "learning/training/texts" / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["demand"]:
                found[f"{row['month']}-{row['demand']}"].append(row)
    return {name: rows for name, rows in found.items() if len({row["author"] for row in rows}) >= PEOPLE}


def stream(rate: float, seconds: float) -> list[dict[str, Any]]:
    """Return posts with the second at which each leaves, in that order."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    posts: list[dict[str, Any]] = []
    for rows in demands().values():
        begins = chance.uniform(0, max(seconds - BURST_SECONDS, 0))
        posts += [
            {"at": begins + chance.uniform(0, BURST_SECONDS), "org": row["org"], "author": row["author"],
             "text": row["text"]}
            for row in rows
        ]  # fmt: skip
    places = sorted({post["org"] for post in posts})
    others = texts("benign", "benign_varied", "benign_wide", "benign_people")
    while len(posts) < rate * seconds:
        number = len(posts)
        posts.append(
            {"at": chance.uniform(0, seconds), "org": chance.choice(places), "author": f"o{number}",
             "text": others[number % len(others)]}
        )  # fmt: skip
    return sorted(posts, key=lambda post: float(post["at"]))


def row(path: str) -> dict[str, Any]:
    """Return a node of the tree for a path of the written months."""
    parts = path.split("/")
    kind = (
        "campus"
        if parts[1:2] == ["campus"] and len(parts) > 2
        else ("province", "city", "county")[min(len(parts), 3) - 1]
    )
    return {"path": path, "name": parts[-1], "kind": kind}


def send(address: str, key: str, posts: list[dict[str, Any]]) -> int:
    """Send each post when it is due; return how many were refused."""
    refused = 0
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False
    ) as client:
        began = time.monotonic()
        for number, post in enumerate(posts):
            time.sleep(max(0.0, began + post["at"] - time.monotonic()))
            answer = client.post(
                "/v1/posts",
                json={
                    "source": SOURCE, "external_id": f"l{number}", "revision": 1, "kind": "question",
                    "organisation": post["org"], "author": post["author"], "text": post["text"],
                    "created_at": datetime.now(UTC).isoformat(),
                },
            )  # fmt: skip
            refused += answer.is_error
    return refused


def waited(database: Database) -> list[Demand]:
    """Return what was proposed, once nothing more comes."""
    ends, known = time.monotonic() + AFTER_SECONDS, -1
    proposed: list[Demand] = []
    while time.monotonic() < ends:
        time.sleep(45)
        with database.reading() as session:
            proposed = list(
                session.exec(
                    select(Demand).where(
                        col(Demand.delay_seconds).is_not(None), col(Demand.state) == DemandState.PROPOSED
                    )
                )
            )
        if len(proposed) == known:
            break
        known = len(proposed)
    return proposed


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--database", help="SQLite in a temporary folder if unset; must be empty")
    parser.add_argument("--port", type=int, default=8398)
    given = parser.parse_args()
    posts = stream(given.rate, given.seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = given.database or f"sqlite:///{folder / 'tingjian.db'}"
        database = Database(url)
        database.migrate()
        now = datetime.now(UTC)
        tree = sorted({path for post in posts for path in ancestors(post["org"])})
        with database.transaction() as session:
            organisations.load_organisations(session, OPERATOR, [row(path) for path in tree], now)
        key = make_key(database, now, KeyScope.POSTS_WRITE, source=SOURCE, organisation="gd")
        with server(url, folder, given.port, with_worker=True, often=False) as running:
            refused = send(running.address, key, posts)
            proposed = waited(database)
        database.close()
    delays = [float(one.delay_seconds or 0) for one in proposed]
    behind = [int(one.delay_posts or 0) for one in proposed]
    result: dict[str, Any] = {
        "posts": len(posts), "refused": refused, "rate": given.rate, "demands_written": len(demands()),
        "proposed": len(proposed), "load_average": os.getloadavg()[0],
    }  # fmt: skip
    if delays:
        result |= {
            "seconds_p50": round(float(np.percentile(delays, 50)), 1),
            "seconds_p95": round(float(np.percentile(delays, 95)), 1),
            "seconds_max": round(max(delays), 1),
            "posts_p50": float(np.percentile(behind, 50)),
            "posts_p95": float(np.percentile(behind, 95)),
        }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
