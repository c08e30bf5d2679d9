"""Prove that no post of an open demand vanished without a record (charter, 2 and 9).

Soon after a demand is proposed, the audit log names the posts that voice it: identifiers, no text and no
author. From then on each of them must be there. One that is removed must have been removed by a person, whose
decision stands in the log; one that is deleted must have its proof of deletion; one that is held must wait
for somebody. What is missing or was emptied past the service is found, since the log that names it cannot be
changed unseen (`models/anchor`).

Refuses: to name an author or to hold a text; and to count a demand that is still gathering, whose posts are
grouped anew with every run, as more than what it holds now.

Neighbours: `second_reading` and `screening` keep machines and single officers from removing such a post;
`tingjian audit verify` asks here; the timetable calls `note_members`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from models import audit
from models.audit import AuditEntry
from models.database import Database
from models.demand import Demand, DemandMember
from models.event import ReportExample
from models.post import Post, PostDeletion, PostRevision
from models.presence import MemberNote
from models.review import Decision, ReviewTask
from models.vocabulary import Action, DemandState, PostState, TaskState

NOTED: Final = "demand.members_noted"
AT_ONCE: Final = 500


class Lost(StrEnum):
    """How a post of an open demand can be missing."""

    GONE = "gone"
    EMPTIED = "emptied"
    DELETED = "deleted_without_proof"
    REMOVED = "removed_without_person"
    HELD = "held_without_review"


@dataclass(frozen=True, slots=True)
class Vanished:
    """A post that is missing without a record, and how."""

    post_id: str
    how: Lost


@dataclass(frozen=True, slots=True)
class PresenceReport:
    """How many posts were looked at, and which of them are missing."""

    posts: int
    vanished: tuple[Vanished, ...]


@dataclass(frozen=True, slots=True)
class NotedReport:
    """How many posts a round put on the log."""

    posts: int


def note_members(database: Database, now: datetime) -> NotedReport:
    """Put the posts of proposed and verified demands on the audit log, each once. Safe to run twice."""
    noted = 0
    while True:
        with database.transaction() as session:
            some = _note_some(session, now)
        noted += some
        if some < AT_ONCE:
            return NotedReport(noted)


def _note_some(session: Session, now: datetime) -> int:
    rows = session.exec(
        select(DemandMember.post_id, Demand.id, Demand.organisation)
        .join(Demand, col(Demand.id) == col(DemandMember.demand_id))
        .outerjoin(MemberNote, col(MemberNote.post_id) == col(DemandMember.post_id))
        .where(
            col(Demand.state).in_((DemandState.PROPOSED, DemandState.VERIFIED)),
            col(MemberNote.post_id).is_(None),
        )
        .order_by(col(Demand.id), col(DemandMember.post_id))
        .limit(AT_ONCE)
    ).all()
    by_demand: dict[tuple[str, str], list[str]] = {}
    for post, demand, organisation in rows:
        by_demand.setdefault((demand, organisation), []).append(post)
        session.add(MemberNote(post_id=post, noted_at=now))
    session.flush()
    if by_demand:
        audit.record_all(
            session,
            now,
            [
                audit.Note("service", NOTED, f"demand:{demand}", organisation, {"posts": posts})
                for (demand, organisation), posts in by_demand.items()
            ],
        )
    return len(rows)


def look(session: Session) -> PresenceReport:
    """Look at every post that the log names, that voices a demand now, or that stands in a report."""
    looked = 0
    found: list[Vanished] = []
    heard = _heard(session)
    ids = sorted(_named(session) | heard)
    for begin in range(0, len(ids), AT_ONCE):
        some = ids[begin : begin + AT_ONCE]
        looked += len(some)
        found += _missing(session, some, heard)
    return PresenceReport(looked, tuple(found))


def _named(session: Session) -> set[str]:
    entries = audit.entries(session, col(AuditEntry.action) == NOTED)
    return {post for entry in entries for post in entry.details.get("posts", ())}


def _heard(session: Session) -> set[str]:
    members = session.exec(
        select(DemandMember.post_id)
        .join(Demand, col(Demand.id) == col(DemandMember.demand_id))
        .where(col(Demand.state) != DemandState.REJECTED)
    )
    return {*members, *session.exec(select(ReportExample.post_id).distinct())}


def _missing(session: Session, ids: Sequence[str], heard: set[str]) -> Iterator[Vanished]:
    posts = {post.id: post for post in session.exec(select(Post).where(col(Post.id).in_(ids)))}
    written = set(
        session.exec(
            select(PostRevision.post_id)
            .join(
                Post,
                (col(Post.id) == col(PostRevision.post_id))
                & (col(Post.revision) == col(PostRevision.revision)),
            )
            .where(col(PostRevision.post_id).in_(ids), col(PostRevision.text).is_not(None))
        )
    )
    proven = set(session.exec(select(PostDeletion.post_id).where(col(PostDeletion.post_id).in_(ids))))
    waiting = set(
        session.exec(
            select(ReviewTask.post_id).where(
                col(ReviewTask.post_id).in_(ids), col(ReviewTask.state) == TaskState.OPEN
            )
        )
    )
    by_person, logged = _removed_by_person(session, ids), _logged(session, ids)
    for one in ids:
        how = None
        if one not in posts:
            how = Lost.GONE
        elif posts[one].state is PostState.DELETED:
            how = None if one in proven and "post.deleted" in logged.get(one, ()) else Lost.DELETED
        elif one not in written:
            how = Lost.EMPTIED
        elif posts[one].state is PostState.HELD:
            how = None if one in waiting else Lost.HELD
        elif posts[one].state is PostState.REMOVED and one not in by_person:
            # A machine may remove what was the voice of a demand that was rejected, and the log says so.
            over = one not in heard and "statement.issued" in logged.get(one, ())
            how = None if over else Lost.REMOVED
        if how is not None:
            yield Vanished(one, how)


def _removed_by_person(session: Session, ids: Sequence[str]) -> set[str]:
    """Return the posts of which a removal by a person is on record and in the log."""
    decisions = session.exec(
        select(Decision.post_id, Decision.id).where(
            col(Decision.post_id).in_(ids), col(Decision.action) == Action.REMOVE
        )
    ).all()
    entries = _entries(session, ids, ("post.decided",))
    told = {entry.details.get("decision") for entry in entries}
    return {post for post, decision in decisions if decision in told}


def _logged(session: Session, ids: Sequence[str]) -> dict[str, set[str]]:
    """Return which of the deeds that end a post's being there the log has of each."""
    found: dict[str, set[str]] = {}
    for entry in _entries(session, ids, ("post.deleted", "statement.issued")):
        found.setdefault(entry.subject.removeprefix("post:"), set()).add(entry.action)
    return found


def _entries(session: Session, ids: Iterable[str], actions: Sequence[str]) -> Sequence[AuditEntry]:
    subjects = [f"post:{one}" for one in ids]
    return session.exec(
        select(AuditEntry).where(col(AuditEntry.subject).in_(subjects), col(AuditEntry.action).in_(actions))
    ).all()
