"""Take posts that arrive one by one together, in one transaction: group commit.

A transaction costs about the same for one post as for fifty, and a database has one log. So one
thread of this process takes posts in, and each time everything that is waiting: there is no timer,
and a post that comes alone is taken at once. Whoever sent a post waits for its own answer and holds
neither a thread nor a connection meanwhile.

What goes wrong with all is tried again with each alone, so that no draft can spoil another's answer.

Neighbours: `intake.take` does the work and keeps its promises; `api/routes/posts.py` calls.
"""

import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy.engine import Connection

from models.database import Database
from models.errors import TingjianError, Unavailable
from moderation.drafts import Draft
from moderation.intake import Caller, ContentKeys, Taken, take
from moderation.pipeline import Screener

LARGEST: Final = 100
"""So many posts in one transaction at most: the last one waits for the whole."""


class Introduction(Protocol):
    """Who sends a post, to be looked up with the others of its group. Equal ones are looked up once."""

    def __call__(self, connection: Connection) -> Caller:
        """Return the caller, or raise an error of the tree."""

    def __hash__(self) -> int:
        """Tell equal introductions together."""


@dataclass(eq=False, slots=True)
class _Waiting:
    who: Caller | Introduction
    what: Callable[[], Draft]
    now: datetime
    answer: Future[Taken] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Ready:
    """One that is to be taken: known by its caller, with a draft in good order."""

    waiting: _Waiting
    draft: Draft


class GroupCommit:
    """One door for single posts into one database. Safe to use from any thread."""

    def __init__(self, database: Database, screener: Screener, keys: ContentKeys) -> None:
        self._database = database
        self._screener = screener
        self._keys = keys
        self._arrival = threading.Condition()
        self._line: list[_Waiting] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many posts wait that nobody works on yet."""
        return len(self._line)

    def take(self, draft: Draft, *, caller: Caller, now: datetime) -> Taken:
        """Take one draft in, with whatever else is waiting; return what became of it."""
        return self.submit(caller, lambda: draft, now=now).result()

    def submit(
        self, who: Caller | Introduction, what: Callable[[], Draft], *, now: datetime
    ) -> Future[Taken]:
        """Put a post in line; return at once what will hold its answer.

        Parameters
        ----------
        who
            The caller, or what finds the caller in the database, or refuses.
        what
            Returns the draft or refuses it. Called after the caller is known, so that a stranger hears
            nothing but that it is one.
        now
            When the post came.

        Raises
        ------
        Unavailable
            If the door is closed.
        """
        entry = _Waiting(who, what, now)
        with self._arrival:
            if self._closed:
                raise Unavailable("the service is ending")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
                self._thread.start()
            self._line.append(entry)
            self._arrival.notify()
        return entry.answer

    def close(self) -> None:
        """Take what still waits, and then no more."""
        with self._arrival:
            self._closed = True
            self._arrival.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while chosen := self._next_group():
            self._take_all([entry for entry in chosen if entry.answer.set_running_or_notify_cancel()])

    def _next_group(self) -> list[_Waiting]:
        """Wait for posts and return them; none if the door is closed and nobody waits any more."""
        with self._arrival:
            while not self._line and not self._closed:
                self._arrival.wait()
            chosen, self._line = self._line[:LARGEST], self._line[LARGEST:]
        return chosen

    def _take_all(self, chosen: list[_Waiting]) -> None:
        try:
            by_caller = self._ready(chosen)
        except Exception as error:  # noqa: BLE001 - the database is away: each hears of it
            for entry in chosen:
                if not entry.answer.done():
                    entry.answer.set_exception(error)
            return
        for caller, entries in by_caller.items():
            try:
                self._take_together(caller, entries)
            except Exception as error:  # noqa: BLE001 - each hears of its own error, whatever it is
                if len(entries) == 1:
                    entries[0].waiting.answer.set_exception(error)
                else:
                    self._take_each(caller, entries)

    def _ready(self, chosen: list[_Waiting]) -> dict[Caller, list[_Ready]]:
        """Return what can be taken, by caller; whatever is refused here has heard of it."""
        callers = self._callers(chosen)
        ready: defaultdict[Caller, list[_Ready]] = defaultdict(list)
        for entry in chosen:
            caller = callers[entry.who]
            if isinstance(caller, TingjianError):
                entry.answer.set_exception(caller)
                continue
            try:
                ready[caller].append(_Ready(entry, entry.what()))
            except Exception as error:  # noqa: BLE001 - each hears of its own error, whatever it is
                entry.answer.set_exception(error)
        return ready

    def _callers(self, chosen: list[_Waiting]) -> dict[Caller | Introduction, Caller | TingjianError]:
        found: dict[Caller | Introduction, Caller | TingjianError] = {}
        unknown: list[Introduction] = []
        for who in dict.fromkeys(entry.who for entry in chosen):
            if isinstance(who, Caller):
                found[who] = who
            else:
                unknown.append(who)
        if unknown:
            with self._database.looking() as connection:
                for introduction in unknown:
                    try:
                        found[introduction] = introduction(connection)
                    except TingjianError as error:
                        found[introduction] = error
        return found

    def _take_together(self, caller: Caller, entries: list[_Ready]) -> None:
        results = take(
            self._database,
            self._screener,
            [entry.draft for entry in entries],
            caller=caller,
            keys=self._keys,
            now=max(entry.waiting.now for entry in entries),
        )
        for entry, taken in zip(entries, results, strict=True):
            entry.waiting.answer.set_result(taken)

    def _take_each(self, caller: Caller, entries: list[_Ready]) -> None:
        for entry in entries:
            try:
                self._take_together(caller, [entry])
            except Exception as error:  # noqa: BLE001 - as above
                entry.waiting.answer.set_exception(error)
