"""Measure how long one post takes over HTTP at a given rate, against a real server.

    python -m tests.benchmark.http_latency [--rate 200] [--seconds 20] [--database URL] [--bundle PATH]
    python -m tests.benchmark.http_latency --batch 500 [--seconds 20]

Posts leave on a fixed timetable whether or not earlier ones were answered, and a wait is counted
from the moment a post was due, so that a stall is felt by every post behind it. The texts are the
project's own training texts, harmless and harmful as they come. With `--batch`, batches of so many
new posts follow each other instead, and the rate is what comes out. The last line is one JSON object.
Asserts nothing about time.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from models.database import Database
from models.vocabulary import KeyScope
from tests.support.services import make_key, plant

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "learning/training/texts"
SOURCE = "forum"
START_SECONDS = 60


def texts() -> list[str]:
    """Return harmless and harmful texts in a fixed random order."""
    found = [
        json.loads(line)["text"]
        for name in ("benign", "needs", "harms")
        for line in (TEXTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    random.Random(11).shuffle(found)  # noqa: S311 - no secret
    return found


@contextmanager
def server(
    database_url: str, folder: Path, port: int, bundle: str | None, *, with_worker: bool
) -> "Iterator[str]":
    """Run `tingjian serve` over a database and yield its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")}
    environment |= {
        "TINGJIAN_DATABASE_URL": database_url,
        "TINGJIAN_SECRET_FILE": str(folder / "secret"),
        "TINGJIAN_LOG_LEVEL": "warning",
        "OMP_NUM_THREADS": "1",
    }
    if bundle:
        environment["TINGJIAN_BUNDLE"] = bundle
    command = [sys.executable, "-m", "api.command_line", "serve", "--port", str(port)]
    if with_worker:
        command.append("--with-worker")
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            ends = time.monotonic() + START_SECONDS
            while time.monotonic() < ends:
                try:
                    if httpx.get(f"{address}/health/ready", timeout=2).is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            else:
                raise RuntimeError("the server did not come up")
            yield address
        finally:
            process.terminate()


def _post(number: int, text: str, run: str) -> dict[str, object]:
    return {
        "source": SOURCE,
        "external_id": f"{run}-{number}",
        "revision": 1,
        "kind": "question",
        "organisation": "gd",
        "author": f"a{number % 997}",
        "text": text,
        "created_at": datetime.now(UTC).isoformat(),
    }


def _send_batches(address: str, key: str, size: int, seconds: float) -> dict[str, float]:
    """Send batches one after another for so long; return posts a second."""
    bodies = texts()
    run = f"{time.time():.0f}"
    sent = 0
    began = time.perf_counter()
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        while time.perf_counter() - began < seconds:
            # A word of its own for each post, so that no text comes twice.
            batch = [
                _post(number, f"{bodies[number % len(bodies)]} {number}", run)
                for number in range(sent, sent + size)
            ]
            client.post("/v1/posts:batch", json=batch).raise_for_status()
            sent += size
    return {"n": sent, "batch": size, "posts_per_second": round(sent / (time.perf_counter() - began))}


async def _send_all(address: str, key: str, rate: float, seconds: float) -> tuple[list[float], int]:
    """Send posts on the timetable; return each one's milliseconds and how many failed."""
    bodies = texts()
    run = f"{time.time():.0f}"
    waits: list[float] = []
    failed = 0
    limits = httpx.Limits(max_connections=64)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=30) as client:
        began = time.perf_counter() + 0.5

        async def send(number: int) -> None:
            nonlocal failed
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            answer = await client.post(
                "/v1/posts",
                json=_post(number, bodies[number % len(bodies)], run),
            )
            waits.append((time.perf_counter() - due) * 1000)
            failed += answer.status_code >= httpx.codes.BAD_REQUEST

        await asyncio.gather(*(send(number) for number in range(int(rate * seconds))))
    return waits, failed


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--database", help="SQLite in a temporary folder if unset; must be empty")
    parser.add_argument("--bundle")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--with-worker", action="store_true", help="the jobs run in the same process")
    parser.add_argument("--port", type=int, default=8397)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = given.database or f"sqlite:///{folder / 'tingjian.db'}"
        database = Database(url)
        database.migrate()
        now = datetime.now(UTC)
        plant(database, now)
        key = make_key(database, now, *KeyScope, source=SOURCE, organisation="gd")
        database.close()
        with server(url, folder, given.port, given.bundle, with_worker=given.with_worker) as address:
            if given.batch:
                result = _send_batches(address, key, given.batch, given.seconds)
                sys.stdout.write(json.dumps(result) + "\n")
                return
            asyncio.run(_send_all(address, key, min(given.rate, 50), 3))
            waits, failed = asyncio.run(_send_all(address, key, given.rate, given.seconds))
    ordered = sorted(waits)

    def rank(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

    result = {
        "n": len(waits),
        "failed": failed,
        "rate": given.rate,
        "ms_p50": rank(0.5),
        "ms_p95": rank(0.95),
        "ms_p99": rank(0.99),
        "ms_max": round(ordered[-1], 1),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
