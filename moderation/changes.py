"""Say what became of a task that somebody still has on the screen: what happened, who did it, and when.

A decision that comes too late is refused; the officer is told why in one sentence, and not only that
"something changed". It names colleagues, never an author.

Refuses: nothing. It reads.

Neighbours: `queue` and `review` refuse with it; the console shows it in words.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from models.account import Account
from models.audit import AuditEntry
from models.post import Post, PostDeletion, PostRevision
from models.review import Appeal, Decision, ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import AppealState, PostState, TaskState


class Happened(StrEnum):
    """What became of a task."""

    DECIDED = "decided"
    TAKEN = "taken"
    GIVEN_BACK = "given_back"
    EDITED = "edited"
    DELETED = "deleted"
    RESTORED = "restored"
    RESCREENED = "rescreened"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened, which colleague did it (None for the author, the platform or a machine), and when."""

    what: Happened
    who: str | None = None
    at: datetime | None = None
    action: str | None = None

    def document(self) -> dict[str, str | None]:
        """Return the change as a problem carries it."""
        return {
            "what": self.what.value,
            "who": self.who,
            "at": self.at.isoformat() if self.at else None,
            "action": self.action,
        }


def change_of(session: Session, task: ReviewTask, officer: str, now: datetime) -> Change:
    """Return what happened to a task since `officer` opened it, the last thing that counts."""
    if task.state is TaskState.DECIDED:
        return _decided(session, task)
    if task.state is TaskState.WITHDRAWN:
        return _withdrawn(session, task)
    if task.leased_by not in {None, officer} and task.leased_until is not None and task.leased_until > now:
        return Change(Happened.TAKEN, _name(session, task.leased_by), task.leased_at)
    look = session.exec(
        select(AuditEntry)
        .where(
            AuditEntry.subject == f"post:{task.post_id}",
            AuditEntry.action == "post.viewed",
            AuditEntry.actor != f"account:{officer}",
        )
        .order_by(col(AuditEntry.sequence).desc())
        .limit(1)
    ).first()
    if look is None:
        return Change(Happened.GIVEN_BACK)
    return Change(Happened.TAKEN, _name(session, look.actor.removeprefix("account:")), look.at)


def _decided(session: Session, task: ReviewTask) -> Change:
    decision = session.exec(
        select(Decision)
        .where(col(Decision.post_id) == task.post_id, col(Decision.task_id) == task.id)
        .order_by(col(Decision.decided_at).desc())
    ).first()
    if decision is None:
        return Change(Happened.DECIDED, at=task.closed_at)
    return Change(
        Happened.DECIDED, _name(session, decision.account_id), decision.decided_at, decision.action.value
    )


def _withdrawn(session: Session, task: ReviewTask) -> Change:
    post = session.get_one(Post, task.post_id)
    if post.state is PostState.DELETED:
        deleted = session.exec(
            select(PostDeletion.deleted_at).where(col(PostDeletion.post_id) == post.id)
        ).first()
        return Change(Happened.DELETED, at=deleted)
    seen = session.get_one(Screening, task.screening_id)
    if post.revision > seen.revision:
        edited = session.exec(
            select(PostRevision.received_at).where(
                col(PostRevision.post_id) == post.id, col(PostRevision.revision) == post.revision
            )
        ).first()
        return Change(Happened.EDITED, at=edited)
    appeal = session.exec(
        select(Appeal)
        .join(Statement, col(Statement.id) == col(Appeal.statement_id))
        .where(col(Statement.post_id) == post.id, col(Appeal.state) == AppealState.REVERSED)
        .order_by(col(Appeal.decided_at).desc())
    ).first()
    if appeal is not None:
        return Change(Happened.RESTORED, _name(session, appeal.decided_by), appeal.decided_at)
    return Change(Happened.RESCREENED, at=task.closed_at)


def _name(session: Session, account: str | None) -> str | None:
    return session.exec(select(Account.name).where(col(Account.id) == account)).first() if account else None
