"""The audit log: append-only, each row bound to the one before by its hash.

Every decision, every view of personal data and every change of a role, rule or setting stands
here, with who, where and why. Details hold identifiers and words, never the text of a post.

Refuses, in the database itself (`guards`), to change or to remove an entry.

Neighbours: `anchor` binds the entries of a day into one hash that can be published.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson
import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from models.base import document, moment

GENESIS = "0" * 64
PAGE = 1_000


class AuditEntry(SQLModel, table=True):
    """One entry. `hash` is SHA-256 over the entry's fields and `previous`."""

    sequence: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = moment()
    actor: str = Field(max_length=120)
    action: str = Field(index=True, max_length=64)
    subject: str = Field(index=True, max_length=120)
    organisation: str = Field(default="", max_length=200)
    details: dict[str, Any] = document()
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)


class AuditHead(SQLModel, table=True):
    """The end of the chain; the one row that two writers must not hold at once."""

    id: int = Field(primary_key=True, default=1)
    sequence: int = 0
    hash: str = Field(default=GENESIS, max_length=64)


class Chained(Protocol):
    """What the chain is made of: a row of the table, or one that was read from an export."""

    @property
    def sequence(self) -> int:
        """The place in the chain, from 1."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def actor(self) -> str:
        """Who."""

    @property
    def action(self) -> str:
        """What."""

    @property
    def subject(self) -> str:
        """About what."""

    @property
    def organisation(self) -> str:
        """Where."""

    @property
    def details(self) -> Mapping[str, Any]:
        """Identifiers and words."""

    @property
    def previous(self) -> str:
        """The hash of the entry before."""

    @property
    def hash(self) -> str:
        """The hash of this one."""


def entry_hash(entry: Chained) -> str:
    """Return the hash that binds `entry` to the one before it."""
    content = orjson.dumps(
        [
            entry.sequence,
            entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            entry.actor,
            entry.action,
            entry.subject,
            entry.organisation,
            entry.details,
            entry.previous,
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Note:
    """What one entry is to say."""

    actor: str
    action: str
    subject: str
    organisation: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def record(
    session: Session,
    now: datetime,
    *,
    actor: str,
    action: str,
    subject: str,
    organisation: str = "",
    details: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry inside the transaction that it tells of.

    The head is locked until that transaction ends, so entries of one chain are written one
    transaction after another.
    """
    (entry,) = record_all(session, now, [Note(actor, action, subject, organisation, details or {})])
    return entry


def record_all(session: Session, now: datetime, notes: Iterable[Note]) -> list[AuditEntry]:
    """Append entries in their order, as `record` does one: the head is asked for and moved on once."""
    head = session.exec(select(AuditHead).where(col(AuditHead.id) == 1).with_for_update()).one()
    made: list[AuditEntry] = []
    for note in notes:
        entry = AuditEntry(
            sequence=head.sequence + 1,
            at=now,
            actor=note.actor,
            action=note.action,
            subject=note.subject,
            organisation=note.organisation,
            details=dict(note.details),
            previous=head.hash,
            hash="",
        )
        entry.hash = entry_hash(entry)
        head.sequence, head.hash = entry.sequence, entry.hash
        made.append(entry)
    session.add_all([*made, head])
    session.flush()
    return made


def first_break(session: Session) -> int | None:
    """Return the sequence at which the chain is broken, or None if it holds to its head."""
    as_of_one_moment(session)
    head = session.exec(select(AuditHead).where(col(AuditHead.id) == 1)).one()
    return broken_at(entries(session), (head.sequence, head.hash))


def as_of_one_moment(session: Session) -> None:
    """Let a session that has not begun see one state of the log, whoever writes meanwhile.

    A reader of SQLite does so anyway.
    """
    if session.get_bind().dialect.name == "postgresql" and not session.in_transaction():
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def entries(session: Session, *conditions: sa.ColumnElement[bool]) -> Iterator[AuditEntry]:
    """Yield the entries in their order, a page at a time; with conditions, those for which they hold."""
    after = 0
    while True:
        rows = session.exec(
            select(AuditEntry)
            .where(col(AuditEntry.sequence) > after, *conditions)
            .order_by(col(AuditEntry.sequence))
            .limit(PAGE)
        ).all()
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].sequence


def follows(entry: Chained, expected: int, previous: str) -> bool:
    """Return whether an entry is the one that is expected behind the one before."""
    return entry.sequence == expected and entry.previous == previous and entry.hash == entry_hash(entry)


def broken_at(chain: Iterable[Chained], head: tuple[int, str]) -> int | None:
    """Return the sequence at which a chain is broken, or None if it holds to its head. Pure."""
    previous, expected = GENESIS, 1
    for entry in chain:
        if not follows(entry, expected, previous):
            return expected
        previous, expected = entry.hash, expected + 1
    return None if head == (expected - 1, previous) else expected
