"""Tell the author of a post that is held longer than it should be (charter, 4).

A hold is meant to be short: a person looks within the time that its urgency gives. Past that time it
is a restriction like a removal, so the author gets a statement of reasons and may object. The
statement is withdrawn once the post is published, referred, edited or removed; a removal has a
statement of its own.

A post that is held because no classifier was loaded breaks no rule that could be cited; its statement
says so. A person in danger gets none: a referral is no restriction.

Refuses: nothing. Safe to run twice, and by several workers.

Neighbours: `screening` holds, `statements` writes, `appeals` takes the objection, the timetable calls.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, or_, select

from models.database import Database
from models.post import Post
from models.review import ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import CLAUSES, HARMS, PostState, TaskState
from moderation import statements
from moderation.transparency import UNDECIDED

AT_ONCE: Final = 200
"""Posts in one transaction."""


@dataclass(frozen=True, slots=True)
class HoldsReport:
    """How many authors were told in one round."""

    stated: int


def state_overdue_holds(database: Database, now: datetime) -> HoldsReport:
    """Write a statement about every post whose hold has passed its time and that has none yet."""
    stated = 0
    while True:
        with database.transaction() as session:
            written = _some(session, now)
        stated += written
        if written < AT_ONCE:
            return HoldsReport(stated)


def _some(session: Session, now: datetime) -> int:
    told = (
        select(Statement.id)
        .where(
            col(Statement.post_id) == col(Post.id),
            col(Statement.revision) == col(Post.revision),
            col(Statement.withdrawn_at).is_(None),
        )
        .exists()
    )
    overdue = (
        col(ReviewTask.state) == TaskState.OPEN,
        col(ReviewTask.due_at) < now,
        or_(col(ReviewTask.category).is_(None), col(ReviewTask.category).in_(HARMS)),
        col(Post.state) == PostState.HELD,
        ~told,
    )
    waiting = (
        select(Post)
        .join(ReviewTask, col(ReviewTask.post_id) == col(Post.id))
        .where(*overdue)
        .order_by(col(Post.id))
        .limit(AT_ONCE)
        # The post first, as everywhere; one that somebody decides about just now is left alone.
        .with_for_update(of=Post, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    held = session.exec(waiting).all()
    found = session.exec(
        select(ReviewTask, Screening, Post)
        .join(Screening, col(Screening.id) == col(ReviewTask.screening_id))
        .join(Post, col(Post.id) == col(ReviewTask.post_id))
        .where(col(Post.id).in_([post.id for post in held]), *overdue)
        .order_by(col(Post.id))
    ).all()
    written = 0
    for task, screening, post in found:
        statements.issue(
            session,
            post,
            screening,
            category=task.category,
            reason=CLAUSES[task.category].rule.zh if task.category else UNDECIDED.zh,
            decision=None,
            now=now,
            restriction=statements.HELD,
        )
        written += 1
    return written
