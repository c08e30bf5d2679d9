"""Anchors of the audit log: one hash for each day that can be published, and proofs that lead to it.

Soon after midnight in Shanghai everything that the log holds and no anchor covers yet is bound into a
Merkle tree (`merkle`). Its root, the head of the chain at that moment and the anchor before make the
anchor's own hash. Whoever kept a published anchor finds every later change of what it covers, also one
by somebody who signed the whole chain anew.

A leaf is the hash of an entry, and behind it, for a statement of reasons, the digest of what the
statement says. So an author shows with their own statement, some hashes and a published anchor that it
stands in the log, and learns nothing else of the log, nor who decided.

A day without entries has no anchor; the next one covers nothing less for it.

Refuses: to make an anchor twice for a day, and to change one (`guards`).

Neighbours: `audit` is the chain; the timetable calls `anchor_due`; `api/routes/public.py` publishes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from sqlmodel import Field, Session, SQLModel, col, select

from models import audit, merkle
from models.audit import GENESIS, AuditEntry, AuditHead, Chained
from models.base import moment
from models.database import Database

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
CLAIM: Final = "content"
"""The word in an entry's details under which the digest of a statement stands."""


class AuditAnchor(SQLModel, table=True):
    """One anchor, over the entries `first` to `last`, both inclusive. `hash` binds it to the one before."""

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    day: date
    first: int
    last: int
    head: str = Field(max_length=64)
    root: str = Field(max_length=64)
    previous: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    made_at: datetime = moment()


class Anchored(Protocol):
    """What an anchor says: a row of the table, or one that was published."""

    @property
    def number(self) -> int:
        """The place among the anchors, from 1."""

    @property
    def day(self) -> date:
        """The day in Shanghai after which it was made."""

    @property
    def first(self) -> int:
        """The first entry that it covers."""

    @property
    def last(self) -> int:
        """The last entry that it covers."""

    @property
    def head(self) -> str:
        """The hash of the last entry."""

    @property
    def root(self) -> str:
        """The root of the tree over its entries."""

    @property
    def previous(self) -> str:
        """The hash of the anchor before."""

    @property
    def hash(self) -> str:
        """The hash of this one."""


@dataclass(frozen=True, slots=True)
class Published:
    """An anchor that somebody kept."""

    number: int
    day: date
    first: int
    last: int
    head: str
    root: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """Where the log is broken. `what`: entry, tail, anchor, or published (differs from what was kept)."""

    what: str
    number: int


def canonical(content: Any) -> bytes:  # noqa: ANN401 - what JSON can say
    """Return the one way to write what is hashed: as every JSON library in every language can."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def document(one: Anchored) -> dict[str, Any]:
    """Return an anchor as it is published, and as its hash is made but for `hash` itself."""
    return {
        "number": one.number,
        "day": one.day.isoformat(),
        "first": one.first,
        "last": one.last,
        "head": one.head,
        "root": one.root,
        "previous": one.previous,
        "hash": one.hash,
    }


def anchor_hash(one: Anchored) -> str:
    """Return the hash that binds an anchor to what it says and to the one before it."""
    said = {name: value for name, value in document(one).items() if name != "hash"}
    return hashlib.sha256(canonical(said)).hexdigest()


def leaf_of(digest: str, details: Mapping[str, Any]) -> bytes:
    """Return the leaf of an entry, from its hash and, for a statement, the digest of what that says."""
    claim = details.get(CLAIM)
    return merkle.leaf(bytes.fromhex(digest), bytes.fromhex(claim) if isinstance(claim, str) else b"")


def day_before(now: datetime) -> date:
    """Return the last day that is over in Shanghai."""
    return now.astimezone(SHANGHAI).date() - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class AnchorReport:
    """The number of the anchor that a round made, or None."""

    made: int | None


def anchor_due(database: Database, now: datetime) -> AnchorReport:
    """Make the anchor of the day that is over, if it has none and there is something to bind.

    Safe to run twice and by several workers: the head of the log is locked meanwhile.
    """
    with database.reading() as session:
        last = newest(session)
        if last is not None and last.day >= day_before(now):
            return AnchorReport(None)
    with database.transaction() as session:
        made = _make(session, now)
    return AnchorReport(made.number if made else None)


def newest(session: Session) -> AuditAnchor | None:
    """Return the last anchor."""
    return session.exec(select(AuditAnchor).order_by(col(AuditAnchor.number).desc()).limit(1)).first()


def _make(session: Session, now: datetime) -> AuditAnchor | None:
    head = session.exec(select(AuditHead).where(col(AuditHead.id) == 1).with_for_update()).one()
    before = newest(session)
    first = before.last + 1 if before else 1
    if (before is not None and before.day >= day_before(now)) or head.sequence < first:
        return None
    made = AuditAnchor(
        number=before.number + 1 if before else 1,
        day=day_before(now),
        first=first,
        last=head.sequence,
        head=head.hash,
        root=merkle.root(leaves(session, first, head.sequence)).hex(),
        previous=before.hash if before else GENESIS,
        hash="",
        made_at=now,
    )
    made.hash = anchor_hash(made)
    session.add(made)
    session.flush()
    return made


def leaves(session: Session, first: int, last: int) -> list[bytes]:
    """Return the leaves of the entries from `first` to `last`, both inclusive."""
    rows = session.exec(
        select(AuditEntry.hash, AuditEntry.details)
        .where(col(AuditEntry.sequence) >= first, col(AuditEntry.sequence) <= last)
        .order_by(col(AuditEntry.sequence))
    )
    return [leaf_of(digest, details) for digest, details in rows]


def covering(session: Session, sequence: int) -> AuditAnchor | None:
    """Return the anchor that covers an entry, or None if none does yet."""
    return session.exec(
        select(AuditAnchor).where(col(AuditAnchor.first) <= sequence, col(AuditAnchor.last) >= sequence)
    ).first()


def listed(session: Session, after: int = 0, limit: int = 400) -> list[AuditAnchor]:
    """Return the anchors behind number `after`, in their order."""
    return list(
        session.exec(
            select(AuditAnchor)
            .where(col(AuditAnchor.number) > after)
            .order_by(col(AuditAnchor.number))
            .limit(limit)
        )
    )


def verify(session: Session, kept: Sequence[Published] = ()) -> Break | None:
    """Return the first thing that is wrong with the log, or None if it holds.

    `kept` are anchors that were published and kept elsewhere; the log must still have them.
    """
    audit.as_of_one_moment(session)
    head = session.exec(select(AuditHead).where(col(AuditHead.id) == 1)).one()
    anchors = session.exec(select(AuditAnchor).order_by(col(AuditAnchor.number))).all()
    return broken(audit.entries(session), (head.sequence, head.hash), anchors, kept)


def broken(
    chain: Iterable[Chained],
    head: tuple[int, str],
    anchors: Sequence[Anchored],
    kept: Sequence[Published] = (),
) -> Break | None:
    """Return the first thing that is wrong with a log. Pure: rows of a database or of an export.

    Every entry must follow the one before, the last must be the head, every anchor must follow the one
    before and be the root and the head of exactly its entries, and every kept anchor must be among them.
    """
    wrong = _anchors_broken(anchors, kept)
    if wrong is not None:
        return wrong
    waiting = list(anchors)[::-1]
    previous, expected, bound = GENESIS, 1, list[bytes]()
    for entry in chain:
        if not audit.follows(entry, expected, previous):
            return Break("entry", expected)
        previous, expected = entry.hash, expected + 1
        if not waiting:
            continue
        bound.append(leaf_of(entry.hash, entry.details))
        if entry.sequence == waiting[-1].last:
            anchor = waiting.pop()
            if anchor.head != entry.hash or anchor.root != merkle.root(bound).hex():
                return Break("anchor", anchor.number)
            bound.clear()
    if waiting or head != (expected - 1, previous):
        return Break("tail", expected)
    return None


def _anchors_broken(anchors: Sequence[Anchored], kept: Sequence[Published]) -> Break | None:
    previous, first = GENESIS, 1
    for number, one in enumerate(anchors, start=1):
        follows = (one.number, one.first, one.previous) == (number, first, previous)
        if not follows or one.last < one.first or one.hash != anchor_hash(one):
            return Break("anchor", number)
        previous, first = one.hash, one.last + 1
    there = {one.number: one.hash for one in anchors}
    for told in kept:
        if told.hash != anchor_hash(told) or there.get(told.number) != told.hash:
            return Break("published", told.number)
    return None
