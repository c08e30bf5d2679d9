"""A process that has everything loaded and forks a life of the server or of the worker when asked.

    python -m tests.kills.nursery --port 8400 --seed 1

It reads one order a line from standard input and answers each with one line, both JSON. A life is a
process of its own: it opens its own connections and threads after the fork, serves or runs the
timetable as the commands do, and ends by SIGKILL alone. The nursery has one thread and no connection,
so nothing of that is shared. What a life does not do is import and build what it was born with; `Cold`
lives do, and are started by `lives` instead.

Most workers run what delivers, one in `EVERY` the whole timetable. The nursery ends with its standard
input, and its lives with it.
"""

import argparse
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import configure_mappers
from starlette.types import ASGIApp

from api import logging
from api.app import create_app, settle
from api.settings import Settings
from api.timetable import Timetable, jobs_of
from api.wiring import Service, build_service
from api.worker import run_worker
from tests.kills.phases import Board, Phase, Watched, mark_delivery, mark_steps

SERVER, WORKER = "server", "worker"
EVERY = 20
LOOK_S = 0.0005
SETTLED_S = 20.0
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class Nursery:
    """Forks lives, kills them, and tells in which phases they were."""

    def __init__(self, service: Service, app: FastAPI, port: int, folder: Path) -> None:
        self.service, self.app, self.port, self.folder = service, app, port, folder
        self.boards = {SERVER: Board(), WORKER: Board()}
        self.living: dict[str, int] = {}
        self.born = 0

    def start(self, name: str, *, ahead: float = 0.0) -> int:
        """Fork a life; a worker's clock goes `ahead`. Unit: seconds."""
        if threading.active_count() != 1 or self.service.database.engine.pool.checkedin():  # type: ignore[attr-defined]
            raise RuntimeError("the nursery has a thread or a connection that a life would share")
        self.boards[name].clear()
        self.born += 1
        child = os.fork()
        if child:
            self.living[name] = child
            return child
        try:
            self._live(name, ahead)
        finally:
            os._exit(1)

    def _live(self, name: str, ahead: float) -> None:
        if ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL) or os.getppid() == 1:
            return
        words = os.open(self.folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, file in ((0, nothing), (1, words), (2, words)):
            os.dup2(file, number)
        try:
            if name == SERVER:
                self._serve()
            else:
                self._work(ahead)
        except BaseException as error:
            sys.stderr.write(f"ended by itself: {type(error).__name__}\n")
            raise

    def _serve(self) -> None:
        self.service.database.refuse_other_schema()
        uvicorn.Server(self.server(Watched(self.app, self.boards[SERVER]))).run()

    def server(self, app: ASGIApp) -> uvicorn.Config:
        """Return how the command serves."""
        return uvicorn.Config(
            app,
            host="127.0.0.1",
            port=self.port,
            access_log=False,
            server_header=False,
            log_config=None,
        )

    def _work(self, ahead: float) -> None:
        mark_delivery(self.boards[WORKER])
        if ahead:
            self.service.clock = lambda: datetime.now(UTC) + timedelta(seconds=ahead)
        self.service.database.refuse_other_schema()
        if self.born % EVERY == 0:
            run_worker(self.service)
            return
        self.service.database.gives_way = True
        jobs = [job for job in jobs_of(self.service) if job.name == "deliver"]
        Timetable(jobs, self.service.clock).start()
        threading.Event().wait()

    def strike(
        self, name: str, *, after: float, phase: Phase | None, entry: int, within: float
    ) -> dict[str, Any]:
        """Kill a life, and tell in which phases it was.

        Without a phase it ends `after` so many seconds. With one it ends by itself at the `entry`-th
        entry; with entry 0 it is killed `after` somebody is seen in the phase. If nothing of that comes
        `within` so many seconds, it is killed all the same.
        """
        board, child = self.boards[name], self.living.pop(name)
        until = time.monotonic() + within
        if phase is None:
            time.sleep(after)
        elif entry:
            board.aim(phase, entry)
            _look(lambda: _ended(child), until)
        else:
            _look(lambda: phase in board.standing(), until)
            time.sleep(after)
        by_itself = phase is not None and entry > 0 and _ended(child)
        if not by_itself:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return {"phases": board.standing(), "killed": killed, "by_itself": by_itself}


def _ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _look(seen: Callable[[], bool], until: float) -> None:
    while not seen() and time.monotonic() < until:
        time.sleep(LOOK_S)


def main() -> None:
    """Load everything, then take orders until there are no more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    settings = Settings.from_environment()
    logging.configure(settings.log_level)
    service = build_service(settings)
    nursery = Nursery(service, create_app(service), given.port, given.folder)
    mark_steps()
    _warm_up(nursery)
    settle()
    _answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        name = order["name"]
        answer: dict[str, Any] = {}
        if "strike" in order:
            strike = order["strike"]
            phase = strike.pop("phase")
            answer = nursery.strike(name, phase=phase and Phase(phase), **strike)
        if "start" in order:
            answer["pid"] = nursery.start(name, **order["start"])
        _answer(answer)
    for child in nursery.living.values():
        os.kill(child, signal.SIGKILL)


def _warm_up(nursery: Nursery) -> None:
    """Let everything be imported and compiled that the first request or round would otherwise wait for."""
    configure_mappers()
    jobs_of(nursery.service)
    serving = nursery.server(nursery.app)
    serving.load()
    serving.get_loop_factory()
    TestClient(nursery.app).get("/v1/cases/nobody-asks")
    until = time.monotonic() + SETTLED_S
    _look(lambda: threading.active_count() == 1, until)


def _answer(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
