"""Measure an officer's work over HTTP with very many posts waiting.

    python -m tests.benchmark.queue_speed [--held 100000] [--decisions 50] [--database sqlite|postgresql]

Makes held posts straight through the records, as many authors and places and kinds of harm as a
province has, then lets one officer take, see beside, decide and take the next, and look at the list
now and then; then decide as often by key at the desk (`key` is the decision, `key_next` the page that
opens by itself); at last take a hundred near-duplicates in hand and decide about them in one. A time is
that of one request as the officer's tool feels it, the network excepted. The last line is one JSON
object. Asserts nothing about time.
"""

import argparse
import json
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from sqlmodel import SQLModel

from api import sessions
from api.settings import Settings
from api.wiring import Keys
from models.account import SignIn
from models.base import new_id
from models.database import Database
from models.review import ReviewTask
from models.vocabulary import CLAUSES, Category, PostKind, PostState, Role, TaskState, Verdict
from moderation import similarity
from moderation.behaviour import fingerprints
from moderation.normalise import fold
from moderation.screening import DUE_AFTER, LEAST_URGENT, URGENCY
from tests.benchmark.http_latency import SOURCE, server, texts
from tests.support import databases
from tests.support.browser import free_port
from tests.support.services import make_account, plant

CHUNK = 5_000
HARMS = [
    Category.SPAM,
    Category.SCAM,
    Category.HARASSMENT,
    Category.HATE,
    Category.DOXXING,
    Category.SEXUAL,
    Category.ILLEGAL_GOODS,
    Category.THREAT,
    None,
]
PLACES = ["gd", "gd/dongguan", "gd/dongguan/houjie", "gd/foshan"]
COPIES = 100
COPY = "开学大促销全场半价先加薇领取优惠券名额有限先到先得第{}批"


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty, migrated database."""
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'queue.db'}"
        else:
            address = stack.enter_context(databases.postgresql_server())
            name = databases.create_database(address)
            stack.callback(databases.drop_database, address, name)
            url = databases.server_url(address, name)
        database = Database(url)
        database.migrate()
        database.close()
        yield url


def hold(database: Database, count: int, now: datetime) -> None:
    """Put so many held posts on record, each with its revision, its screening and its task."""
    bodies = texts()
    dice = random.Random(5)  # noqa: S311 - the same posts in every run
    for begin in range(0, count, CHUNK):
        rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for number in range(begin, min(count, begin + CHUNK)):
            _add(rows, number, f"{bodies[number % len(bodies)]} {number}", dice, now)
        with database.transaction() as session:
            for table in ("post", "postrevision", "screening", "reviewtask"):
                session.connection().execute(sa.insert(SQLModel.metadata.tables[table]), rows[table])


def hold_copies(database: Database, count: int, salt: bytes, now: datetime) -> list[str]:
    """Put near-duplicates on record that waited long, with their fingerprints; return their tasks."""
    rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(count):
        name = 10_000_000 + number
        _add(rows, name, COPY.format(number), random.Random(number), now, category=Category.SPAM)  # noqa: S311
    tasks = [row["id"] for row in rows["reviewtask"]]
    with database.transaction() as session:
        for table in ("post", "postrevision", "screening", "reviewtask"):
            session.connection().execute(sa.insert(SQLModel.metadata.tables[table]), rows[table])
        found = fingerprints([fold(row["text"]) for row in rows["postrevision"]], salt)
        for task, copy in zip(tasks, found, strict=True):
            similarity.note(session, session.get_one(ReviewTask, task), copy, salt, now)
    return tasks


def _add(
    rows: dict[str, list[dict[str, Any]]],
    number: int,
    text: str,
    dice: random.Random,
    now: datetime,
    *,
    category: Category | None = None,
) -> None:
    post, screening = new_id(), new_id()
    category = category or dice.choice(HARMS)
    at = now - timedelta(seconds=dice.randrange(48 * 3600))
    place = dice.choice(PLACES)
    urgency = URGENCY[category] if category else LEAST_URGENT
    rows["post"].append(
        {
            "id": post,
            "source": SOURCE,
            "external_id": f"held-{number}",
            "revision": 1,
            "kind": dice.choice(list(PostKind)),
            "organisation": place,
            "author": f"{number % 7919:064x}",
            "state": PostState.HELD,
            "category": category,
            "likes": 0,
            "created_at": at,
            "received_at": at,
            "read_revision": 0,
            "version": 1,
        }
    )
    rows["postrevision"].append(
        {
            "id": new_id(),
            "post_id": post,
            "revision": 1,
            "text": text,
            "fingerprint": f"{number:064x}",
            "received_at": at,
        }
    )
    reason = {
        "source": "rule",
        "rule": f"{category.value}.benchmark" if category else "no-classifier",
        "category": category.value if category else None,
        "clause": CLAUSES[category].number if category else None,
        "spans": [[0, 2]],
        "probability": None,
    }
    rows["screening"].append(
        {
            "id": screening,
            "post_id": post,
            "revision": 1,
            "sequence": 1,
            "verdict": Verdict.HOLD,
            "category": category,
            "reasons": [reason],
            "probabilities": {},
            "rulebook": "benchmark",
            "bundle": None,
            "policy": "benchmark",
            "screened_at": at,
        }
    )
    rows["reviewtask"].append(
        {
            "id": new_id(),
            "post_id": post,
            "screening_id": screening,
            "organisation": place,
            "category": category,
            "urgency": urgency,
            "state": TaskState.OPEN,
            "due_at": at + DUE_AFTER[urgency],
            "version": 1,
            "created_at": at,
            "rule": reason["rule"],
        }
    )


def _sign_in(database: Database, keys: Keys, now: datetime) -> str:
    """Return the cookie of an officer at the province."""
    account = make_account(database, now, "officer", (Role.OFFICER, "gd"))
    with database.transaction() as session:
        opened = SignIn(
            account_id=account.id, csrf="csrf", created_at=now, expires_at=now + timedelta(days=1)
        )
        session.add(opened)
    return keys.cookies.sign(opened.id).decode()


class Officer:
    """One officer at work, and how long each request took. Unit: milliseconds."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.took: defaultdict[str, list[float]] = defaultdict(list)

    def _ask(self, what: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        began = time.perf_counter()
        answer = self.client.request(method, path, json=body)
        self.took[what].append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
        return answer.json() if "json" in answer.headers.get("content-type", "") else None

    def decide(self, number: int) -> None:
        """Take the next post, look at what stands beside it, and decide."""
        task = self._ask("next", "POST", "/v1/reviews/next")
        self._ask("card", "POST", f"/v1/reviews/{task['task_id']}/card")
        ruling: dict[str, Any] = {"action": "publish", "version": task["version"]}
        if number % 2:
            ruling |= {"action": "remove", "category": "spam", "reason": "广告，与讨论无关。"}
        self._ask("decide", "POST", f"/v1/reviews/{task['task_id']}/decision", ruling)

    def press(self, number: int, shown: str) -> str:
        """Decide by one key about the post on a page of the desk; return the page that opens by itself."""
        found = re.search(r'data-task="(\w+)".*?name="version" value="(\d+)"', shown, re.DOTALL)
        if found is None:
            raise RuntimeError("no post is open at the desk")
        form = {"csrf": "csrf", "version": found[2], "action": "publish"}
        if number % 2:
            form |= {"action": "remove", "category": "spam", "quick": "1"}
        began = time.perf_counter()
        made = self.client.post(f"/queue/{found[1]}", data=form, follow_redirects=False)
        self.took["key"].append((time.perf_counter() - began) * 1000)
        if made.status_code != httpx.codes.SEE_OTHER:
            raise RuntimeError(f"the decision was answered with {made.status_code}")
        began = time.perf_counter()
        following = self.client.get(made.headers["location"])
        self.took["key_next"].append((time.perf_counter() - began) * 1000)
        self.took["key_and_next"].append(self.took["key"][-1] + self.took["key_next"][-1])
        return following.raise_for_status().text

    def decide_copies(self, first: str) -> int:
        """Take near-duplicates in hand, decide about all in one, and take it back; return how many."""
        seen = self._ask("take_100_copies", "POST", f"/v1/reviews/{first}/alike")
        ruling = {"action": "remove", "category": "spam", "reason": "广告，与讨论无关。"}
        tasks = [{"task_id": one["task_id"], "version": one["version"]} for one in seen]
        made = self._ask("bulk_of_100", "POST", "/v1/reviews/decisions", {"tasks": tasks, **ruling})
        decision = made["decided"][0]["id"]
        self._ask("undo_of_100", "POST", f"/v1/reviews/decisions/{decision}/undo")
        return len(made["decided"])

    def look(self) -> None:
        """Look at the list, with and without a filter, and at the desk's page."""
        self._ask("list", "GET", "/v1/reviews")
        self._ask("list_of_a_category", "GET", "/v1/reviews?category=scam")
        self._ask("list_overdue", "GET", "/v1/reviews?overdue=true")
        self._ask("desk", "GET", "/queue")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--held", type=int, default=100_000)
    parser.add_argument("--decisions", type=int, default=50)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(database_of(given.database, folder))
        settings = Settings(database_url=url, secret_file=folder / "secret")
        now = datetime.now(UTC)
        database = Database(url)
        plant(database, now)
        began = time.perf_counter()
        hold(database, given.held, now)
        keys = Keys(settings.secret_bytes())
        copies = hold_copies(database, COPIES, keys.likeness, now)
        if not database.is_sqlite:
            # A server of PostgreSQL does it by itself within a minute; without it every plan is a guess.
            with database.engine.begin() as connection:
                connection.exec_driver_sql("ANALYZE")
        sys.stderr.write(f"{given.held} held posts after {time.perf_counter() - began:.1f} s\n")
        cookie = _sign_in(database, keys, now)
        database.close()
        running = stack.enter_context(server(url, folder, free_port()))
        client = stack.enter_context(
            httpx.Client(base_url=running.address, timeout=60, trust_env=False, follow_redirects=True)
        )
        client.cookies.set(sessions.cookie_name(settings), cookie)
        client.headers["x-csrf-token"] = "csrf"
        officer = Officer(client)
        officer.look()
        officer.took.clear()
        for number in range(given.decisions):
            officer.decide(number)
            if number % 5 == 0:
                officer.look()
        shown = client.get("/queue").text
        worked = running.seconds()[0]
        for number in range(given.decisions):
            shown = officer.press(number, shown)
        worked = (running.seconds()[0] - worked) * 1000 / given.decisions
        copied = officer.decide_copies(copies[0])
        load = os.getloadavg()[0]
    figures = {
        what: {"median_ms": round(statistics.median(took), 1), "max_ms": round(max(took), 1)}
        for what, took in officer.took.items()
    }
    said = {
        "database": given.database,
        "held": given.held,
        "copies": copied,
        "load": round(load, 1),
        "processor_ms_of_the_server_for_key_and_next": round(worked, 1),
    }
    sys.stdout.write(json.dumps(said | figures) + "\n")


if __name__ == "__main__":
    main()
