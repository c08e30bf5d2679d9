"""Where a process is in its work, told in memory that outlives it.

The nursery lays the board out before it forks, so that what a life wrote there stands still at the
moment of its death. The marks go around the functions of the service and change nothing that they do.
A kill can be aimed: a life that has been told so ends by its own SIGKILL at the very entry of a phase,
which no clock from outside would meet so often.
"""

import mmap
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session
from starlette.types import ASGIApp, Receive, Scope, Send

from alerts import delivery, handling
from alerts.channels import Outcome


class Phase(StrEnum):
    """What a thread of the service is at, in the order in which it comes."""

    LEASE = "lease"
    """Messages are chosen, and their lease is not committed."""
    SEND = "send"
    """A message is leased and on its way; the receiver may have taken it."""
    SENT = "sent"
    """The receiver has answered, and nobody has begun to write that down."""
    SETTLE = "settle"
    """How it went is being written, and is not committed."""
    POST = "post"
    """A request with posts is being answered."""
    ASKED = "asked"
    """A step has arrived, and is not begun."""
    STEP = "step"
    """The step is being taken in its transaction."""
    COMMIT = "commit"
    """All of the step is written, and is not committed."""
    ANSWER = "answer"
    """The step is committed, and its answer is not out."""


DELIVERY = (Phase.LEASE, Phase.SEND, Phase.SENT, Phase.SETTLE)
STEPS = (Phase.ASKED, Phase.STEP, Phase.COMMIT, Phase.ANSWER)
PLACES = {phase: number for number, phase in enumerate(Phase)}


class Board:
    """How many threads of one life are in each phase, and at which entry it has to end.

    Shared between the nursery and the life that it forks. Counts go up to 255.
    """

    def __init__(self) -> None:
        self._counts = mmap.mmap(-1, len(Phase))
        self._fatal = mmap.mmap(-1, len(Phase))
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Begin anew, before a life begins."""
        self._counts[:] = bytes(len(Phase))
        self._fatal[:] = bytes(len(Phase))

    def standing(self) -> list[Phase]:
        """Return the phases in which some thread is, or was when its life ended."""
        return [phase for phase in Phase if self._counts[PLACES[phase]]]

    def aim(self, phase: Phase, entry: int) -> None:
        """Let the life end at its `entry`-th entry into the phase from now on. Range: 1 to 255."""
        self._fatal[PLACES[phase]] = entry

    def change(self, before: Phase | None, after: Phase | None) -> None:
        """Note that a thread goes from one phase to another; this may be the end."""
        with self._lock:
            if before is not None:
                self._counts[PLACES[before]] -= 1
            if after is None:
                return
            place = PLACES[after]
            self._counts[place] += 1
            if self._fatal[place]:
                self._fatal[place] -= 1
                if not self._fatal[place]:
                    os.kill(os.getpid(), signal.SIGKILL)


class Mark:
    """One piece of work on its way through the phases."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._at: Phase | None = None

    def at(self, phase: Phase | None) -> None:
        """Go on to a phase, or out of all."""
        before, self._at = self._at, phase
        self._board.change(before, phase)


ASKED: ContextVar[Mark | None] = ContextVar("asked", default=None)


class Watched:
    """The application, with marks at the requests that bring posts and steps."""

    def __init__(self, app: ASGIApp, board: Board) -> None:
        self._app, self._board = app, board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        phase = _asked(scope)
        if phase is None:
            await self._app(scope, receive, send)
            return
        mark = Mark(self._board)
        mark.at(phase)
        before = ASKED.set(mark if phase is Phase.ASKED else None)
        try:
            await self._app(scope, receive, send)
        finally:
            ASKED.reset(before)
            mark.at(None)


def _asked(scope: Scope) -> Phase | None:
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    if scope["path"].endswith(":step"):
        return Phase.ASKED
    return Phase.POST if scope["path"].startswith("/v1/posts") else None


def mark_steps() -> None:
    """Put marks around the taking of a step and the commit of its transaction."""
    taken = handling.take_step

    def take_step(session: Session, *given: Any, **named: Any) -> Any:
        mark = ASKED.get()
        if mark is None:
            return taken(session, *given, **named)
        mark.at(Phase.STEP)
        try:
            entry = taken(session, *given, **named)
        except BaseException:
            mark.at(Phase.ASKED)
            raise
        mark.at(Phase.COMMIT)
        session.info["mark"] = mark
        return entry

    def committed(session: Any) -> None:
        mark = session.info.pop("mark", None)
        if mark is not None:
            mark.at(Phase.ANSWER)

    handling.take_step = take_step  # type: ignore[assignment]
    sa.event.listen(Session, "after_commit", committed)


def mark_delivery(board: Board) -> None:
    """Put marks around the lease, the sending and the settling of messages."""
    lease, fair, send, settle = delivery._lease, delivery._fair, delivery._send, delivery._settle
    leasing = threading.local()
    on_their_way: dict[str, Mark] = {}

    def chosen(*given: Any, **named: Any) -> Any:
        kept = fair(*given, **named)
        if kept:
            leasing.mark.at(Phase.LEASE)
        return kept

    def leased(*given: Any, **named: Any) -> Any:
        leasing.mark = Mark(board)
        try:
            return lease(*given, **named)
        finally:
            leasing.mark.at(None)

    def sent(channels: Any, message: delivery.Leased, at: Any) -> Outcome:
        mark = on_their_way[message.lease] = Mark(board)
        mark.at(Phase.SEND)
        try:
            return send(channels, message, at)
        finally:
            mark.at(Phase.SENT)

    def settled(database: Any, settings: Any, running: Any, done: set[Future[Outcome]], now: Any) -> None:
        marks = _marks_of(on_their_way, [running.flying[one] for one in done])
        for mark in marks:
            mark.at(Phase.SETTLE)
        try:
            settle(database, settings, running, done, now)
        finally:
            for mark in marks:
                mark.at(None)

    wrappers: dict[str, Callable[..., Any]] = {
        "_fair": chosen,
        "_lease": leased,
        "_send": sent,
        "_settle": settled,
    }
    for name, wrapper in wrappers.items():
        setattr(delivery, name, wrapper)


def _marks_of(on_their_way: dict[str, Mark], messages: Sequence[delivery.Leased]) -> list[Mark]:
    return [on_their_way.pop(message.lease) for message in messages]
