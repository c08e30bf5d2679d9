"""Remember for a day how posts came, and read it again: the memory of the rules on behaviour.

A sighting is written with its post, in the same transaction, and read with one query for a batch. It
holds keyed hashes only (`models/sighting.py`). A deletion of the post takes it along; the timetable
forgets what has expired.

Refuses: to remember an edit, which is no new post.

Neighbours: `behaviour` judges, `intake` reads and writes, `deletion` and the timetable forget.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Session, SQLModel, col

from models.database import Database
from models.prepared import Listed, Prepared, PreparedList
from models.sighting import SightingRow
from moderation.behaviour import LONGEST, Memory, Sighting, author_key, fingerprints, sells
from moderation.normalise import fold
from moderation.pipeline import Outcome, Screener


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new post on its way in. `author` is its keyed hash."""

    text: str
    author: str
    at: datetime
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Watched:
    """What became of an arrival. `sighting` is None where there is nothing to remember."""

    outcome: Outcome
    sighting: Sighting | None


def watch(
    database: Database, screener: Screener, arrivals: Sequence[Arrival], *, salt: bytes, now: datetime
) -> list[Watched]:
    """Judge how new posts come, each after what came before it; return an answer for each, in order.

    It reads the memory with one query and writes nothing: `write` follows with the posts.
    """
    if not arrivals or not screener.behaviours:
        return [Watched(arrival.outcome, None) for arrival in arrivals]
    folded = [fold(arrival.text) for arrival in arrivals]
    posts = [
        Sighting(author_key(arrival.author, salt), copy, arrival.at, sells(view, arrival.outcome.hits))
        for arrival, view, copy in zip(arrivals, folded, fingerprints(folded, salt), strict=True)
    ]
    with database.looking() as connection:
        memory = remembered(connection, posts, salt=salt, now=now)
    watched: dict[int, Watched] = {}
    for place in sorted(range(len(posts)), key=lambda place: posts[place].at):
        post, outcome = posts[place], arrivals[place].outcome
        found = screener.rulebook.conspicuous(folded[place], post, memory.near(post))
        if found:
            outcome = screener.reconsidered(outcome, found)
        watched[place] = Watched(outcome, post if memory.add(post) else None)
    return [watched[place] for place in range(len(posts))]


_TABLE: Final = SQLModel.metadata.tables["sighting"]
_INSERT: Final = Prepared(sa.insert(_TABLE))


def _remembered(keys: Listed) -> sa.Executable:
    return (
        sa.select(
            _TABLE.c.key,
            _TABLE.c.post_id,
            _TABLE.c.author,
            _TABLE.c.copy_of,
            _TABLE.c.written_at,
            _TABLE.c.selling,
        )
        .where(
            _TABLE.c.key.in_(keys),
            _TABLE.c.expires_at > sa.bindparam("now", type_=_TABLE.c.expires_at.type),
            _TABLE.c.written_at > sa.bindparam("begins", type_=_TABLE.c.written_at.type),
        )
        .order_by(_TABLE.c.written_at, _TABLE.c.post_id)
    )


_REMEMBERED: Final = PreparedList(_remembered, _TABLE.c.key.type)


def remembered(connection: Connection, posts: Sequence[Sighting], *, salt: bytes, now: datetime) -> Memory:
    """Return what is remembered about the authors and the copies of a batch: one query."""
    empty = Memory(salt)
    keys = {key for post in posts for key in empty.keys(post)}
    if not keys:
        return empty
    begins = min(post.at for post in posts) - LONGEST
    rows = _REMEMBERED.rows(connection, list(keys), {"now": now, "begins": begins})
    once: dict[str, Sighting] = {}
    seen: defaultdict[int, list[Sighting]] = defaultdict(list)
    for key, post_id, author, copy, at, selling in rows:
        seen[key].append(once.setdefault(post_id, Sighting(author, copy, at, selling)))
    return Memory(salt, seen)


def write(session: Session, posts: Iterable[tuple[str, Sighting]], *, salt: bytes, now: datetime) -> None:
    """Remember posts, each with its id, until a day from now."""
    memory = Memory(salt)
    rows = [
        {
            "key": key,
            "post_id": post_id,
            "author": post.author,
            "copy_of": post.copy,
            "selling": post.selling,
            "written_at": post.at,
            "expires_at": now + LONGEST,
        }
        for post_id, post in posts
        for key in dict.fromkeys(memory.keys(post))
    ]
    if rows:
        _INSERT.write(session.connection(), rows)


def forget_expired(session: Session, now: datetime) -> int:
    """Forget every sighting that has expired; return how many rows. Safe to run twice."""
    return int(session.exec(sa.delete(SightingRow).where(col(SightingRow.expires_at) <= now)).rowcount)
