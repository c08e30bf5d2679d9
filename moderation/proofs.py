"""Show that a statement of reasons stands in the audit log, to somebody who sees nothing else of it.

A proof has what the statement says, the hash of its entry, the hashes beside the way to the root of its
day's tree, and that day's anchor. Whoever has it and a published anchor checks it offline with
`scripts/verify_statement.py`; it names no officer. It can be made once the day is over.

Refuses: a proof of a statement that was issued before the log had digests of statements.

Neighbours: `models/anchor.py` makes the anchors; `statements` says what a digest is made of.
"""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Any, Final

from sqlmodel import Session, col, select

from models import anchor, merkle
from models.anchor import AuditAnchor
from models.audit import AuditEntry
from models.errors import Conflict
from models.review import Statement
from moderation import statements

FORMAT: Final = "tingjian-statement-proof-1"
TREES_KEPT: Final = 8


class Trees:
    """The leaves of the days that were asked for last, so that reading proofs often costs little."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[str, list[bytes]] = OrderedDict()

    def leaves(self, session: Session, day: AuditAnchor) -> list[bytes]:
        """Return the leaves of an anchor's entries. One tree is read at a time."""
        with self._lock:
            found = self._kept.pop(day.hash, None)
            if found is None:
                found = anchor.leaves(session, day.first, day.last)
            self._kept[day.hash] = found
            while len(self._kept) > TREES_KEPT:
                self._kept.popitem(last=False)
            return found


def proof(session: Session, token: str, trees: Trees, *, now: datetime) -> dict[str, Any]:
    """Return the proof that the statement behind a link stands in the log.

    Raises
    ------
    NotFound
        If there is no such statement.
    Conflict
        `not_anchored`, if its day has no anchor yet; `no_digest`, if it is older than these proofs.
    """
    statement = statements.view(session, token, now=now).statement
    entry = entry_of(session, statement)
    if entry is None or anchor.CLAIM not in entry.details:
        raise Conflict("this statement is older than proofs of this kind", code="no_digest")
    day = anchor.covering(session, entry.sequence)
    if day is None:
        raise Conflict("the proof can be made after the first midnight", code="not_anchored")
    index = entry.sequence - day.first
    path = merkle.path(trees.leaves(session, day), index)
    return {
        "format": FORMAT,
        "statement": statements.content(statement) | {"passages": entry.details["passages"]},
        "spans": statement.passages
        if statements.spans_digest(statement) == entry.details["passages"]
        else None,
        "entry": {"sequence": entry.sequence, "hash": entry.hash},
        "path": [one.hex() for one in path],
        "anchor": anchor.document(day),
    }


def is_provable(session: Session, entry: AuditEntry) -> bool:
    """Tell whether a proof can be made of an entry now."""
    return anchor.CLAIM in entry.details and anchor.covering(session, entry.sequence) is not None


def entry_of(session: Session, statement: Statement) -> AuditEntry | None:
    """Return the entry of the audit log that a statement made."""
    rows = session.exec(
        select(AuditEntry)
        .where(
            col(AuditEntry.subject) == f"post:{statement.post_id}",
            col(AuditEntry.action) == "statement.issued",
        )
        .order_by(col(AuditEntry.sequence))
    )
    return next((entry for entry in rows if entry.details.get("statement") == statement.id), None)
