"""Take posts that arrive one by one together, in one transaction: group commit.

A transaction costs about the same for one post as for fifty, and a database has one log. So whoever
gets the turn takes in everything that is waiting, and the others find their answer ready when their
turn comes. There is no thread and no timer: a post that comes alone is taken at once.

What goes wrong with all is tried again with each alone, so that no draft can spoil another's answer.

Neighbours: `intake.take` does the work and keeps its promises; `api/routes/posts.py` calls.
"""

import threading
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.database import Database
from moderation.drafts import Draft
from moderation.intake import Caller, ContentKeys, Taken, take
from moderation.pipeline import Screener

LARGEST: Final = 100
"""So many posts in one transaction at most: the last one waits for the whole."""


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    caller: Caller
    now: datetime
    taken: Taken | None = None
    error: Exception | None = None

    @property
    def is_done(self) -> bool:
        return self.taken is not None or self.error is not None


class GroupCommit:
    """One door for single posts into one database. Safe to use from any thread."""

    def __init__(self, database: Database, screener: Screener, keys: ContentKeys) -> None:
        self._database = database
        self._screener = screener
        self._keys = keys
        self._turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[_Waiting] = []

    def take(self, draft: Draft, *, caller: Caller, now: datetime) -> Taken:
        """Take one draft in, with whatever else is waiting; return what became of it."""
        mine = _Waiting(draft, caller, now)
        with self._list:
            self._waiting.append(mine)
        while not mine.is_done:
            with self._turn:
                if not mine.is_done:
                    self._take_waiting()
        if mine.taken is None:
            assert mine.error is not None  # noqa: S101 - done is one or the other
            raise mine.error
        return mine.taken

    def _take_waiting(self) -> None:
        with self._list:
            chosen, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
        by_caller: defaultdict[Caller, list[_Waiting]] = defaultdict(list)
        for entry in chosen:
            by_caller[entry.caller].append(entry)
        for caller, entries in by_caller.items():
            try:
                self._take_together(caller, entries)
            except Exception as error:  # noqa: BLE001 - each hears of its own error, whatever it is
                if len(entries) == 1:
                    entries[0].error = error
                else:
                    self._take_each(caller, entries)

    def _take_together(self, caller: Caller, entries: list[_Waiting]) -> None:
        results = take(
            self._database,
            self._screener,
            [entry.draft for entry in entries],
            caller=caller,
            keys=self._keys,
            now=max(entry.now for entry in entries),
        )
        for entry, taken in zip(entries, results, strict=True):
            entry.taken = taken

    def _take_each(self, caller: Caller, entries: list[_Waiting]) -> None:
        for entry in entries:
            try:
                self._take_together(caller, [entry])
            except Exception as error:  # noqa: BLE001 - as above
                entry.error = error
