"""The audit log: append-only, each row bound to the one before by its hash.

Every decision, every view of personal data and every change of a role, rule or setting stands
here. Details hold identifiers and words, never the text of a post.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlmodel import Field, Session, SQLModel, col, select

from models.base import document, moment

GENESIS = "0" * 64


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


def entry_hash(entry: AuditEntry) -> str:
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
    head = session.exec(select(AuditHead).where(col(AuditHead.id) == 1).with_for_update()).one()
    entry = AuditEntry(
        sequence=head.sequence + 1,
        at=now,
        actor=actor,
        action=action,
        subject=subject,
        organisation=organisation,
        details=dict(details or {}),
        previous=head.hash,
        hash="",
    )
    entry.hash = entry_hash(entry)
    head.sequence, head.hash = entry.sequence, entry.hash
    session.add_all([entry, head])
    session.flush()
    return entry


def first_break(session: Session) -> int | None:
    """Return the sequence at which the chain is broken, or None if it holds to its head."""
    previous, expected = GENESIS, 1
    for entry in session.exec(select(AuditEntry).order_by(col(AuditEntry.sequence))):
        if entry.sequence != expected or entry.previous != previous or entry.hash != entry_hash(entry):
            return expected
        previous, expected = entry.hash, expected + 1
    head = session.exec(select(AuditHead).where(col(AuditHead.id) == 1)).one()
    return None if (head.sequence, head.hash) == (expected - 1, previous) else expected
