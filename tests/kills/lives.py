"""The lives of the server and of the worker: cold ones as the commands start them, warm ones forked.

Neighbour: `nursery` is the process that forks the warm ones.
"""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kills.nursery import SERVER, WORKER
from tests.kills.phases import Phase

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Death:
    """How a life ended: in which phases its threads were, and whether at the very entry of the aimed one."""

    phases: tuple[Phase, ...]
    at_entry: bool


class Cold:
    """A life that the command starts: it imports, builds and opens everything. Its words go to a file."""

    def __init__(self, name: str, port: int, environment: dict[str, str], folder: Path) -> None:
        self.words = ["serve", "--port", str(port)] if name == SERVER else ["worker"]
        self.environment, self.log = environment, folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.command_line", *self.words],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class Warm:
    """The nursery seen from outside: it starts, strikes and starts again. See `nursery.Nursery`."""

    def __init__(self, port: int, environment: dict[str, str], folder: Path) -> None:
        with (folder / "nursery.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.kills.nursery", "--port", str(port), "--folder", folder],
                env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True,
            )  # fmt: skip

    def ready(self) -> None:
        """Wait until everything is loaded."""
        self._answer()

    def start(self, name: str, *, ahead: float = 0.0) -> None:
        """Start a life. A worker's clock goes `ahead`. Unit: seconds."""
        self._order({"name": name, "start": {"ahead": ahead}})

    def strike(
        self,
        name: str,
        *,
        after: float = 0.0,
        phase: Phase | None = None,
        entry: int = 0,
        within: float = 2.0,
        again: bool = True,
    ) -> Death:
        """Kill a life, start the next at once, and tell how the dead one ended.

        Raises
        ------
        RuntimeError
            If it had ended already by something else.
        """
        order: dict[str, Any] = {
            "name": name,
            "strike": {"after": after, "phase": phase, "entry": entry, "within": within},
        }
        if again:
            order["start"] = {}
        answer = self._order(order)
        if not answer["killed"]:
            raise RuntimeError(f"a {name} ended by itself; its words are in the folder of the run")
        return Death(tuple(Phase(one) for one in answer["phases"]), at_entry=answer["by_itself"])

    def end(self) -> None:
        """End the nursery, and every life with it."""
        assert self.process.stdin is not None and self.process.stdout is not None  # noqa: PT018
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _order(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the nursery ended; its words are in the folder of the run")
        answer: dict[str, Any] = json.loads(line)
        return answer


__all__ = ["SERVER", "WORKER", "Cold", "Warm"]
