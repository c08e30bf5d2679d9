"""The process that runs the jobs: `tingjian worker`, and the one that `serve --with-worker` keeps beside it.

SIGTERM and SIGINT let the rounds that run come to their end, then the process ends. A process that
is killed instead loses nothing: what it had leased becomes due again.

A server keeps its worker as a child, because a round of grouping takes one processor for seconds and
would stall every answer of the process it runs in. The child is started again whenever it ends. It
ends with its parent, however that ends: it holds the reading end of a pipe, and nobody else holds
the other. What its rounds came to it tells on its standard output, and the server counts it.

Neighbours: `timetable` knows the jobs; `commands/worker` and `app` start this.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final

import orjson
import structlog

from api import metrics
from api.timetable import Ended, Timetable, jobs_of
from api.wiring import Service

log = structlog.get_logger("worker")

COMMAND: Final = (sys.executable, "-m", "api.command_line", "worker", "--beside")
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
STOP_S: Final = 25.0
"""How long rounds that run may take to come to their end; then the child is ended and its work left due."""

START_S: Final = 2.0
"""What a child gets to end that has not begun its first round: it holds nothing."""


def run_worker(
    service: Service, *, stop: threading.Event | None = None, told: Callable[[Ended], None] | None = None
) -> None:
    """Run the timetable until `stop` is set, or this process is told to end; tell each round that ended."""
    if stop is None:
        stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    service.database.gives_way = True
    timetable = Timetable(jobs_of(service), service.clock, told=told)
    timetable.start()
    try:
        stop.wait()
    finally:
        timetable.stop()


def run_beside(service: Service, parent: IO[bytes], answers: IO[bytes]) -> None:
    """Run the timetable beside a server until `parent`, the pipe from it, comes to its end."""
    stop = threading.Event()
    writing = threading.Lock()

    def watch() -> None:
        parent.read()
        stop.set()
        # A round that takes too long is cut off: nobody would wait for it any more.
        threading.Event().wait(STOP_S)
        os._exit(1)

    def tell(ended: Ended) -> None:
        line = orjson.dumps({"job": ended.job, "outcome": ended.outcome, "seconds": ended.seconds}) + b"\n"
        try:
            with writing:
                answers.write(line)
                answers.flush()
        except OSError:
            stop.set()  # nobody reads any more

    threading.Thread(target=watch, name="parent", daemon=True).start()
    run_worker(service, stop=stop, told=tell)


class WorkerBeside:
    """The jobs in a process of their own, for as long as this one serves.

    Parameters
    ----------
    environment
        What the child's environment has beside this process's own.
    command
        What to run; tests hand in their own.
    """

    def __init__(self, environment: Mapping[str, str], command: Sequence[str] = COMMAND) -> None:
        self._environment = {**os.environ, **environment}
        self._command = list(command)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._heard = False
        self._thread = threading.Thread(target=self._keep, name="worker", daemon=True)

    @property
    def pid(self) -> int | None:
        """The child's process id, or None between two of them."""
        child = self._child
        return child.pid if child else None

    def start(self) -> None:
        """Start the child, and from now on again whenever it ends."""
        self._thread.start()

    def stop(self) -> None:
        """Let the child's rounds come to their end, and start no other child."""
        with self._lock:
            self._stop.set()
            child = self._child
            if child is not None and child.stdin is not None:
                child.stdin.close()
        if child is not None:
            try:
                # A child that has not told of a round yet is still loading, and hears nothing meanwhile.
                child.wait(STOP_S if self._heard else START_S)
            except subprocess.TimeoutExpired:
                child.kill()
        self._thread.join()

    def _keep(self) -> None:
        wait = FIRST_WAIT_S
        while True:
            with self._lock:
                if self._stop.is_set():
                    return
                # A session of its own: an interrupt from the keyboard reaches the server alone, which
                # then ends this child in good order.
                self._heard = False
                self._child = subprocess.Popen(  # noqa: S603 - our own command, or a test's
                    self._command,
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                )
            with self._child as child:
                rounds = self._listen(child)
                status = child.wait()
            self._child = None
            if self._stop.is_set():
                return
            wait = FIRST_WAIT_S if rounds else min(LONGEST_WAIT_S, 2 * wait)
            log.error("worker.ended", status=status, again_in_s=wait)
            self._stop.wait(wait)

    def _listen(self, child: "subprocess.Popen[bytes]") -> int:
        """Count every round that the child tells of, until it ends; return how many there were."""
        rounds = 0
        assert child.stdout is not None  # noqa: S101 - it was opened with a pipe
        for line in child.stdout:
            self._heard = True
            try:
                metrics.count_round(**orjson.loads(line))
            except (ValueError, TypeError):
                log.warning("worker.unclear")
            rounds += 1
        return rounds
