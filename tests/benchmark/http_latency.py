"""Measure how long one post takes over HTTP at a given rate, against a real server.

    python -m tests.benchmark.http_latency [--rate 200] [--seconds 20] [--database URL] [--bundle PATH]
    python -m tests.benchmark.http_latency --with-worker --before 5000     # grouped meanwhile
    python -m tests.benchmark.http_latency --beside 1000                   # batches of 1,000 meanwhile
    python -m tests.benchmark.http_latency --long 0.01                     # 1 % have 20,000 characters
    python -m tests.benchmark.http_latency --batch 500 [--seconds 20]      # batches alone

Posts leave on a fixed timetable whether or not earlier ones were answered, and a wait is counted
from the moment a post was due, so that a stall is felt by every post behind it. The texts are the
project's own training texts, harmless and harmful as they come. With `--batch`, batches of so many
new posts follow each other instead, and the rate is what comes out. The last line is one JSON object;
it tells the processor time of the server, of its worker and of this client too, because all of them
share the machine. Asserts nothing about time.
"""

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast

import httpx
import uvloop

from models.database import Database
from models.vocabulary import KeyScope
from tests.support.services import make_key, plant

ROOT = Path(__file__).parents[2]
TEXTS = ROOT / "learning/training/texts"
SOURCE = "forum"
START_SECONDS = 180
CONNECTIONS = 64
LONGEST_TEXT = 20_000
TICKS = os.sysconf("SC_CLK_TCK")


def texts(*names: str) -> list[str]:
    """Return harmless and harmful texts in a fixed random order."""
    found = [
        json.loads(line)["text"]
        for name in names or ("benign", "needs", "harms")
        for line in (TEXTS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    random.Random(11).shuffle(found)  # noqa: S311 - no secret
    return found


@dataclass
class Server:
    """A running server."""

    address: str
    pid: int

    def seconds(self) -> tuple[float, float]:
        """Return the processor time of the server and of its children so far. Unit: seconds."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        found = [_seconds_of(int(child)) for child in children]
        return _seconds_of(self.pid), sum(found)


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextmanager
def server(
    database_url: str,
    folder: Path,
    port: int,
    bundle: str | None = None,
    *,
    with_worker: bool = False,
    often: bool = True,
) -> Iterator[Server]:
    """Run `tingjian serve` over a database until it is no longer wanted.

    `often` lets the worker read and group every second; otherwise it waits as it is shipped to.
    """
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
        if often:
            # New needs come all the time, so that it groups all the time.
            environment |= {"TINGJIAN_READ_SECONDS": "1", "TINGJIAN_GROUP_SECONDS": "1"}
    address = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            while process.poll() is None and time.monotonic() < began + START_SECONDS:
                try:
                    if httpx.get(f"{address}/health/ready", timeout=2, trust_env=False).is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            else:
                raise RuntimeError("the server did not come up")
            sys.stderr.write(f"ready after {time.monotonic() - began:.1f} s\n")
            yield Server(address, process.pid)
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


def _send_batches(
    address: str, key: str, size: int, *, ended: threading.Event, most: int | None = None, needs: bool = False
) -> int:
    """Send batches one after another until told to end, or so many posts were sent; return how many."""
    bodies = texts("needs") if needs else texts()
    run = f"b{time.time():.3f}"
    sent = 0
    with httpx.Client(
        base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False
    ) as client:
        while not ended.is_set() and (most is None or sent < most):
            # A word of its own for each post, so that no text comes twice.
            batch = [
                _post(number, f"{bodies[number % len(bodies)]} {number}", run)
                for number in range(sent, sent + size)
            ]
            client.post("/v1/posts:batch", json=batch).raise_for_status()
            sent += size
    return sent


class _Connection(asyncio.Protocol):
    """One connection that sends a request and waits for its answer: no more HTTP than that needs.

    A client with more comfort takes more of the processors than the server, which share them.
    """

    def __init__(self, free: "deque[_Connection]") -> None:
        self.free = free
        self.received = b""
        self.transport: asyncio.Transport | None = None
        self.answered: Callable[[int], None] = lambda _: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class
        self.free.append(self)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            status = int(self.received[9:12])
            self.received = b""
            self.free.append(self)
            self.answered(status)

    def connection_lost(self, error: Exception | None) -> None:
        del error
        if self in self.free:
            self.free.remove(self)

    def send(self, request: bytes, answered: Callable[[int], None]) -> None:
        assert self.transport is not None
        self.answered = answered
        self.transport.write(request)


@dataclass
class Load:
    """Posts that leave on a timetable, and what became of them."""

    port: int
    key: str
    rate: float
    seconds: float
    long: float = 0.0
    waits: list[float] = field(default_factory=list)
    failed: int = 0

    async def run(self) -> None:
        """Send posts on the timetable; keep each one's milliseconds and how many failed."""
        loop = asyncio.get_running_loop()
        # In turn, so that no connection is idle for so long that the server closes it.
        free: deque[_Connection] = deque()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: _Connection(free), "127.0.0.1", self.port)
        waiting: deque[tuple[float, bytes]] = deque()
        done = asyncio.Event()
        count = int(self.rate * self.seconds)

        def send() -> None:
            while free and waiting:
                due, request = waiting.popleft()
                free.popleft().send(request, partial(answered, due))

        def answered(due: float, status: int) -> None:
            self.waits.append((time.perf_counter() - due) * 1000)
            self.failed += status >= httpx.codes.BAD_REQUEST
            if len(self.waits) == count:
                done.set()
            send()

        began = time.perf_counter() + 0.5
        for number, request in enumerate(self._requests(count)):
            due = began + number / self.rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            waiting.append((due, request))
            send()
        await asyncio.wait_for(done.wait(), 120)

    def _requests(self, count: int) -> Iterator[bytes]:
        bodies = texts()
        run = f"{time.time():.3f}"
        every = round(1 / self.long) if self.long else 0
        for number in range(count):
            text = bodies[number % len(bodies)]
            if every and number % every == 0:
                text = (text * (LONGEST_TEXT // len(text) + 1))[:LONGEST_TEXT]
            body = json.dumps(_post(number, text, run)).encode()
            head = (
                f"POST /v1/posts HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {self.key}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            yield head.encode() + body

    def figures(self) -> dict[str, float]:
        """Return the ranks of the waits. Unit: milliseconds."""
        ordered = sorted(self.waits)

        def rank(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)

        return {
            "n": len(ordered),
            "failed": self.failed,
            "rate": self.rate,
            "ms_p50": rank(0.5),
            "ms_p95": rank(0.95),
            "ms_p99": rank(0.99),
            "ms_max": round(ordered[-1], 1),
        }


def _rounds(address: str) -> dict[str, str]:
    """Return how often the server's worker has read and grouped, and the seconds that took."""
    told = httpx.get(f"{address}/metrics", trust_env=False).text
    found = re.findall(r'^tingjian_job_seconds_(sum|count){job="(read|group)"} (\S+)$', told, re.MULTILINE)
    return {f"{job}_{what}": value for what, job, value in found}


def _measure(given: argparse.Namespace, running: Server, key: str) -> dict[str, object]:
    ended = threading.Event()
    if given.batch:
        threading.Timer(given.seconds, ended.set).start()
        began = time.perf_counter()
        sent = _send_batches(running.address, key, given.batch, ended=ended)
        return {
            "n": sent,
            "batch": given.batch,
            "posts_per_second": round(sent / (time.perf_counter() - began)),
        }
    if given.before:
        _send_batches(running.address, key, 500, ended=ended, most=given.before, needs=True)
    uvloop.run(Load(given.port, key, min(given.rate, 50), 3).run())
    beside: list[int] = []
    batches = threading.Thread(
        target=lambda: beside.append(_send_batches(running.address, key, given.beside, ended=ended))
    )
    if given.beside:
        batches.start()
    load = Load(given.port, key, given.rate, given.seconds, given.long)
    before, mine, rounds = running.seconds(), time.process_time(), _rounds(running.address)
    uvloop.run(load.run())
    after = running.seconds()
    ended.set()
    if given.beside:
        batches.join()
    each = 1000 / len(load.waits)
    return {
        **load.figures(),
        "server_ms_per_post": round((after[0] - before[0]) * each, 2),
        "worker_seconds": round(after[1] - before[1], 1),
        "client_ms_per_post": round((time.process_time() - mine) * each, 2),
        **({"batched_beside": beside[0]} if beside else {}),
        **({"rounds": [rounds, _rounds(running.address)]} if given.with_worker else {}),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--database", help="SQLite in a temporary folder if unset; must be empty")
    parser.add_argument("--bundle")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--beside", type=int, help="send batches of so many all the while")
    parser.add_argument("--long", type=float, default=0.0, help="share of posts with 20,000 characters")
    parser.add_argument("--before", type=int, help="so many needs are there before")
    parser.add_argument("--with-worker", action="store_true", help="the jobs run beside the server")
    parser.add_argument("--port", type=int, default=8397)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = given.database or f"sqlite:///{folder / 'tingjian.db'}"
        database = Database(url)
        database.migrate()
        now = datetime.now(UTC)
        plant(database, now)
        key = make_key(database, now, KeyScope.POSTS_WRITE, source=SOURCE, organisation="gd")
        database.close()
        with server(url, folder, given.port, given.bundle, with_worker=given.with_worker) as running:
            result = _measure(given, running, key)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
