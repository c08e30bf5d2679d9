"""Measure how soon a demand is proposed, with the service and its worker running and posts coming in.

    python -m tests.benchmark.live_delay [--rate 20] [--seconds 300] [--database URL]
    python -m tests.benchmark.live_delay --rush --seconds 240   # into a window that has a month in it
    python -m tests.benchmark.live_delay --simulated [--rush]   # no server: the jobs, the clock simulated

The demands of the written months come among harmless posts until the rate is reached. As a rule each comes
whole within a minute and a half, into an empty window: two months pressed into five minutes. With `--rush`
the window already holds a month of other posts and a half hour at a tenth of the rate, and the people of
each demand write within five to thirty minutes; those before the beginning stand there when it begins.

The worker runs with the waits that ship. The delay is told twice: as the service keeps and publishes it,
over every proposal, and from the post of the tenth person of the written demand to the first proposal that
is right, which is one of which at least 80 % are of that demand when it is made. How many are never proposed,
and how many proposals are wrong, stands beside. The last line is one JSON object. Asserts nothing about time.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import sqlalchemy as sa
from sqlmodel import col, select

from api import organisations
from learning.bundle import load_bundle
from models.database import Database
from models.demand import Demand, DemandMember
from models.organisation import ancestors
from models.post import Post
from models.reading import Reading
from models.vocabulary import DemandState, KeyScope, PostState
from sentiment.demand.grouping import nth_author_at
from sentiment.demand.measures import RIGHT_SHARE
from sentiment.jobs import group_due, read_due
from sentiment.settings import SentimentSettings
from tests.benchmark.http_latency import ROOT, SOURCE, server, texts
from tests.support.services import OPERATOR, make_key
from tests.support.wording import publish

MONTHS = ("needs_demands.jsonl", "demands_november.jsonl")
PEOPLE = 10
BURST_SECONDS = 90.0
SEED = 20261121
AFTER_SECONDS = 180.0
MONTH_SECONDS = 30 * 86_400.0
OLDER = 3000
"""Posts of the month before a rush."""

HALF_HOUR = 1800.0
QUIETER = 0.1
"""Rate in the half hour before a rush, as a share of the rate in it."""

RUSHES = (300.0, HALF_HOUR)
"""Seconds within which the people of one demand write in a rush: at least, at most."""

EDGE = 30.0
"""Seconds at either end of a rush in which no demand gets its tenth person."""

LOOKS_EVERY = 2.0
SIMULATED_ROUND = 5.0
BATCH = 500


@dataclass
class Sent:
    """One post of the stream. `at` are seconds from the beginning; `created` is when it was written."""

    at: float
    org: str
    author: str
    text: str
    demand: str | None = None
    created: datetime | None = None


def demands() -> dict[str, list[dict[str, Any]]]:
    """Return the posts of each written demand that enough people voice."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name in MONTHS:
        for line in (ROOT / "learning/training/texts" / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["demand"]:
                found[f"{row['month']}-{row['demand']}"].append(row)
    return {name: rows for name, rows in found.items() if len({row["author"] for row in rows}) >= PEOPLE}


def stream(rate: float, seconds: float, *, rush: bool = False) -> list[Sent]:
    """Return posts in order, with the second at which each leaves; what is there already lies before 0."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    posts: list[Sent] = []
    for name, rows in demands().items():
        times = _rushed(rows, seconds, chance) if rush else _pressed(rows, seconds, chance)
        posts += [
            Sent(at, one["org"], one["author"], one["text"], name)
            for at, one in zip(times, rows, strict=True)
            if at <= seconds
        ]
    places = sorted({post.org for post in posts})
    others = texts("benign", "benign_varied", "benign_wide", "benign_people")
    live = sum(post.at >= 0 for post in posts)
    when = [chance.uniform(0, seconds) for _ in range(int(rate * seconds) - live)]
    if rush:
        when += [-HALF_HOUR - chance.uniform(0, MONTH_SECONDS) for _ in range(OLDER)]
        when += [-chance.uniform(0, HALF_HOUR) for _ in range(int(QUIETER * rate * HALF_HOUR))]
    posts += [
        Sent(at, chance.choice(places), f"o{number}", others[number % len(others)])
        for number, at in enumerate(when)
    ]
    return sorted(posts, key=lambda post: post.at)


def _pressed(rows: list[dict[str, Any]], seconds: float, chance: random.Random) -> list[float]:
    begins = chance.uniform(0, max(seconds - BURST_SECONDS, 0))
    return [begins + chance.uniform(0, BURST_SECONDS) for _ in rows]


def _rushed(rows: list[dict[str, Any]], seconds: float, chance: random.Random) -> list[float]:
    """Return times of which the tenth person's falls into the stream."""
    within = chance.uniform(*RUSHES)
    times = sorted(chance.uniform(0, within) for _ in rows)
    tenth = next(at for n, at in enumerate(times) if len({one["author"] for one in rows[: n + 1]}) == PEOPLE)
    moved = chance.uniform(EDGE, max(seconds - EDGE, EDGE)) - tenth
    return [at + moved for at in times]


def row(path: str) -> dict[str, Any]:
    """Return a node of the tree for a path of the written months."""
    parts = path.split("/")
    kind = (
        "campus"
        if parts[1:2] == ["campus"] and len(parts) > 2
        else ("province", "city", "county")[min(len(parts), 3) - 1]
    )
    return {"path": path, "name": parts[-1], "kind": kind}


@dataclass
class Seen:
    """Who is in each demand when it is first seen proposed, for each post its place in the stream."""

    database: Database
    posts: list[Sent]
    place: Callable[[str, str], int]
    members: dict[str, list[int]] = field(default_factory=dict)

    def look(self) -> None:
        """Note the posts of every demand that was not seen proposed before."""
        with self.database.reading() as session:
            new = set(session.exec(select(Demand.id).where(col(Demand.delay_seconds).is_not(None))))
            for demand in sorted(new - self.members.keys()):
                self.members[demand] = self._of(session, demand)

    def _of(self, session: Any, demand: str) -> list[int]:
        query = (
            select(Post.id, Post.external_id)
            .join(DemandMember, col(DemandMember.post_id) == col(Post.id))
            .where(DemandMember.demand_id == demand)
        )
        return [self.place(key, external) for key, external in session.exec(query)]

    def right(self, places: list[int]) -> str | None:
        """Return the written demand that a proposal is, or None."""
        inside = Counter(self.posts[at].demand for at in places)
        demand, count = max(inside.items(), key=lambda one: (one[0] is not None, one[1]), default=(None, 0))
        return demand if count >= RIGHT_SHARE * len(places) else None

    def figures(self) -> dict[str, Any]:
        """Return what came of the stream."""
        with self.database.reading() as session:
            ever = list(session.exec(select(Demand).where(col(Demand.delay_seconds).is_not(None))))
            last = {one.id: self._of(session, one.id) for one in ever if one.state is DemandState.PROPOSED}
        said: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for post in self.posts:
            if post.demand is not None and post.created is not None:
                said[post.demand].append((post.created, post.author))
        tenth = {demand: nth_author_at(those, PEOPLE) for demand, those in said.items()}
        late: dict[str, float] = {}
        for one in ever:
            demand = self.right(self.members.get(one.id, []))
            at = tenth.get(demand or "")
            if demand is not None and at is not None and one.proposed_at is not None:
                seconds = max(0.0, (one.proposed_at - at).total_seconds())
                late[demand] = min(seconds, late.get(demand, seconds))
        reached = sum(at is not None for at in tenth.values())
        # Whose tenth person wrote before the stream began was not noticed live, but when all that was put in.
        begun = min(post.created for post in self.posts if post.at >= 0 and post.created is not None)
        fresh = [one for one in ever if one.tenth_author_at is not None and one.tenth_author_at >= begun]
        return {
            "demands_of_ten": reached,
            "demands_found": len(late),
            "never_proposed": reached - len(late),
            "proposals": len(ever),
            "proposals_right": sum(self.right(those) is not None for those in self.members.values()),
            "at_the_end": len(last),
            "at_the_end_right": sum(self.right(those) is not None for those in last.values()),
            "proposals_of_before": len(ever) - len(fresh),
            **quantiles("seconds", [float(one.delay_seconds or 0) for one in fresh]),
            **quantiles("posts", [float(one.delay_posts or 0) for one in fresh]),
            **quantiles("seconds_from_the_true_tenth", list(late.values())),
        }


def quantiles(name: str, values: list[float]) -> dict[str, float]:
    """Return the median, the 95th percentile and the largest, rounded; nothing of nothing."""
    if not values:
        return {}
    middle, high = np.percentile(values, (50, 95))
    return {
        f"{name}_p50": round(float(middle), 1),
        f"{name}_p95": round(float(high), 1),
        f"{name}_max": round(max(values), 1),
    }


def body(number: int, post: Sent) -> dict[str, Any]:
    """Return a post as a platform sends it."""
    assert post.created is not None
    return {
        "source": SOURCE, "external_id": f"l{number}", "revision": 1, "kind": "question",
        "organisation": post.org, "author": post.author, "text": post.text,
        "created_at": post.created.isoformat(),
    }  # fmt: skip


def send(address: str, key: str, posts: list[Sent], database: Database) -> int:
    """Send what was there before in batches, then each post when it is due; return how many were refused."""
    refused = 0
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False
    ) as client:
        begun = datetime.now(UTC)
        before = [number for number, post in enumerate(posts) if post.at < 0]
        for start in range(0, len(before), BATCH):
            some = before[start : start + BATCH]
            for number in some:
                posts[number].created = begun + timedelta(seconds=posts[number].at)
            answer = client.post("/v1/posts:batch", json=[body(number, posts[number]) for number in some])
            answer.raise_for_status()
        if before:
            _all_grouped(database)
            sys.stderr.write(f"{len(before)} posts before, after {datetime.now(UTC) - begun}\n")
        began = time.monotonic()
        for number, post in enumerate(posts):
            if post.at >= 0:
                time.sleep(max(0.0, began + post.at - time.monotonic()))
                post.created = datetime.now(UTC)
                try:
                    refused += client.post("/v1/posts", json=body(number, post)).is_error
                except httpx.TransportError:
                    refused += 1
    return refused


def _all_grouped(database: Database) -> None:
    """Wait until nothing is left to read or to group."""
    unread = sa.select(sa.func.count()).where(
        col(Post.state) == PostState.PUBLISHED, col(Post.read_revision) < col(Post.revision)
    )
    ungrouped = sa.select(sa.func.count()).where(col(Reading.clustered_at).is_(None))
    while True:
        with database.reading() as session:
            if not session.execute(unread).scalar_one() and not session.execute(ungrouped).scalar_one():
                return
        time.sleep(1)


@contextmanager
def looking(seen: Seen) -> Iterator[None]:
    """Look again and again, in a thread of its own."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(LOOKS_EVERY):
            seen.look()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        seen.look()


def wait_for_the_last(seen: Seen) -> None:
    """Return once nothing more comes."""
    ends, known = time.monotonic() + AFTER_SECONDS, -1
    while time.monotonic() < ends and len(seen.members) != known:
        known = len(seen.members)
        time.sleep(45)


def live(posts: list[Sent], database: Database, folder: Path, url: str, port: int) -> dict[str, Any]:
    """Run the service with its worker, and send the posts."""
    key = make_key(database, datetime.now(UTC), KeyScope.POSTS_WRITE, source=SOURCE, organisation="gd")
    seen = Seen(database, posts, lambda _, external: int(external[1:]))
    with server(url, folder, port, with_worker=True, often=False) as running, looking(seen):
        refused = send(running.address, key, posts, database)
        wait_for_the_last(seen)
        service, worker = running.seconds()
    return {
        "refused": refused,
        "processor_seconds": [round(service, 1), round(worker, 1)],
        **seen.figures(),
    }


def simulated(posts: list[Sent], database: Database) -> dict[str, Any]:
    """Run the two jobs every five seconds of a clock that is simulated; they take no time on it."""
    bundle, settings = load_bundle(), SentimentSettings()
    begun = datetime.now(UTC)
    number_of: dict[str, int] = {}
    seen = Seen(database, posts, lambda key, _: number_of[key])
    sent, now, took = 0, 0.0, list[float]()
    while sent < len(posts):
        due = [number for number in range(sent, len(posts)) if posts[number].at <= now]
        with database.transaction() as session:
            for number in due:
                post = posts[number]
                post.created = begun + timedelta(seconds=post.at)
                key = publish(session, post.text, post.author, post.created, organisation=post.org).id
                number_of[key] = number
        sent += len(due)
        clock = begun + timedelta(seconds=now)
        read_due(database, bundle, settings, clock, limit=len(posts))
        before = time.process_time()
        group_due(database, bundle, settings, clock)
        took.append(time.process_time() - before)
        seen.look()
        now += SIMULATED_ROUND
    # The first round takes in what was there before.
    return {**quantiles("round_seconds", took[1:]), **seen.figures()}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rush", action="store_true")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--database", help="SQLite in a temporary folder if unset; must be empty")
    parser.add_argument("--port", type=int, default=8398)
    given = parser.parse_args()
    posts = stream(given.rate, given.seconds, rush=given.rush)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = given.database or f"sqlite:///{folder / 'tingjian.db'}"
        database = Database(url)
        database.migrate()
        now = datetime.now(UTC)
        tree = sorted({path for post in posts for path in ancestors(post.org)})
        with database.transaction() as session:
            organisations.load_organisations(session, OPERATOR, [row(path) for path in tree], now)
        if given.simulated:
            figures = simulated(posts, database)
        else:
            figures = live(posts, database, folder, url, given.port)
        database.close()
    sys.stdout.write(
        json.dumps(
            {
                "posts": sum(post.at >= 0 for post in posts),
                "posts_before": sum(post.at < 0 for post in posts),
                "rate": given.rate,
                "load_average": os.getloadavg()[0],
                **figures,
            }
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
