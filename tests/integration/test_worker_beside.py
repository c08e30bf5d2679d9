"""The worker that a server keeps beside it: it comes back, it ends with its server, it works alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api import metrics
from api.worker import WorkerBeside
from models.database import Database

ROOT = Path(__file__).parents[2]
CHILD = """
import sys, threading
print('{"job": "child", "outcome": "done", "seconds": 0.1}', flush=True)
sys.stdin.read()
"""
PARENT = f"""
import sys, time
from api.worker import WorkerBeside
worker = WorkerBeside({{}}, [sys.executable, "-c", '''{CHILD}'''])
worker.start()
while worker.pid is None:
    time.sleep(0.01)
print(worker.pid, flush=True)
time.sleep(60)
"""


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.02)


def rounds() -> float:
    return (
        metrics.REGISTRY.get_sample_value("tingjian_job_runs_total", {"job": "child", "outcome": "done"})
        or 0.0
    )


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def before() -> float:
    """Return the rounds that were counted before there is a worker."""
    return rounds()


@pytest.fixture
def worker(before: float) -> Iterator[WorkerBeside]:
    del before  # it is asked first
    beside = WorkerBeside({}, [sys.executable, "-c", CHILD])
    beside.start()
    try:
        yield beside
    finally:
        beside.stop()


def test_a_worker_that_is_killed_is_started_again_and_its_rounds_are_counted(
    before: float, worker: WorkerBeside
) -> None:
    until(lambda: rounds() > before)
    first = worker.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)

    until(lambda: worker.pid not in {None, first})
    until(lambda: rounds() > before + 1)


def test_a_worker_ends_when_its_server_stops_it() -> None:
    beside = WorkerBeside({}, [sys.executable, "-c", CHILD])
    beside.start()
    until(lambda: beside.pid)
    child = beside.pid
    assert child is not None

    beside.stop()

    assert not lives(child)
    assert beside.pid is None


def test_a_worker_ends_with_a_server_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        child = int(server.stdout.readline())
        assert lives(child)

        server.kill()

        until(lambda: not lives(child))


def test_work_that_is_done_alone_is_refused_to_a_second_and_free_again_afterwards(
    database: Database,
) -> None:
    other = Database(database.engine.url.render_as_string(hide_password=False))
    try:
        with database.alone("group") as first, other.alone("group") as second, other.alone("read") as third:
            assert (first, second, third) == (True, False, True)
        with other.alone("group") as later:
            assert later
    finally:
        other.close()
