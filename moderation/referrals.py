"""Watch the lanes of the queue: nothing passes its limit unseen, and nobody in danger waits unseen.

A sweep moves what is about to pass its limit ahead of what has time, and puts referrals into their
own lane. A referral that nobody has opened after some minutes raises a notice: it stands in the inbox
of every office at and above its place and over the queue of the officers there, and goes to the
offices' webhooks. The notice says where and since when. It holds no text and no author, and it is
settled as soon as somebody opens the post.

Refuses: nothing. Safe to run twice, and by several workers.

Neighbours: `queue` orders by the lanes; the timetable calls; the console's inbox and queue show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models import audit
from models.database import Database
from models.notice import Notice
from models.organisation import within
from models.outbox import tell_offices
from models.review import ReviewTask
from models.vocabulary import Category, NoticeKind, TaskState, Topic

DANGER: Final = 0
HURRIED: Final = 1
ORDINARY: Final = 2

MARGIN: Final = timedelta(minutes=15)
"""How long before its limit a post moves ahead."""

AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class LanesReport:
    """How many tasks were moved ahead, notices raised, and notices settled, in one round."""

    hurried: int
    raised: int
    settled: int


def watch_lanes(database: Database, now: datetime, *, unopened: timedelta) -> LanesReport:
    """Move ahead what is about to pass its limit, and call people to referrals that nobody opened."""
    with database.transaction() as session:
        hurried = _hurry(session, now)
    with database.transaction() as session:
        settled = _settle(session, now)
        raised = _raise(session, now, unopened)
    return LanesReport(hurried, raised, settled)


def open_notices(session: Session, scope: Sequence[str], *, limit: int = 50) -> list[Notice]:
    """Return the notices within the scope that still call, longest waiting first."""
    return list(
        session.exec(
            select(Notice)
            .where(col(Notice.settled_at).is_(None), within(Notice.organisation, scope))
            .order_by(col(Notice.since), col(Notice.id))
            .limit(limit)
        )
    )


def _hurry(session: Session, now: datetime) -> int:
    moved = session.connection().execute(
        sa.update(ReviewTask)
        .where(
            col(ReviewTask.state) == TaskState.OPEN,
            col(ReviewTask.lane) == ORDINARY,
            col(ReviewTask.due_at) <= now + MARGIN,
        )
        .values(lane=sa.case((col(ReviewTask.urgency) == 0, DANGER), else_=HURRIED))
    )
    return moved.rowcount


def _settle(session: Session, now: datetime) -> int:
    over = session.exec(
        select(Notice)
        .join(ReviewTask, col(ReviewTask.id) == col(Notice.subject_id))
        .where(
            col(Notice.settled_at).is_(None),
            sa.or_(col(ReviewTask.opened_at).is_not(None), col(ReviewTask.state) != TaskState.OPEN),
        )
    ).all()
    for notice in over:
        notice.settled_at = now
        session.add(notice)
    session.flush()
    return len(over)


def _raise(session: Session, now: datetime, unopened: timedelta) -> int:
    called = (
        select(Notice.id)
        .where(col(Notice.kind) == NoticeKind.REFERRAL_WAITING, col(Notice.subject_id) == col(ReviewTask.id))
        .exists()
    )
    waiting = session.exec(
        select(ReviewTask)
        .where(
            col(ReviewTask.state) == TaskState.OPEN,
            col(ReviewTask.category) == Category.SELF_HARM,
            col(ReviewTask.opened_at).is_(None),
            col(ReviewTask.created_at) <= now - unopened,
            ~called,
        )
        .order_by(col(ReviewTask.id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for task in waiting:
        notice = Notice(
            kind=NoticeKind.REFERRAL_WAITING,
            organisation=task.organisation,
            subject_id=task.id,
            since=task.created_at,
            raised_at=now,
        )
        session.add(notice)
        session.flush()
        audit.record(
            session,
            now,
            actor="service",
            action="notice.raised",
            subject=f"task:{task.id}",
            organisation=task.organisation,
            details={"notice": notice.id, "kind": notice.kind.value},
        )
        tell_offices(
            session,
            task.organisation,
            Topic.REFERRAL_WAITING,
            notice.id,
            payload={
                "notice": notice.id,
                "organisation": task.organisation,
                "since": task.created_at.isoformat(),
                "task": task.id,
            },
            now=now,
            occurrence=notice.id,
        )
    session.flush()
    return len(waiting)
