"""Find what says nearly the same among waiting posts, so that an officer decides once about many.

A job leaves with each held post the fingerprint of its folded text and four keys that near-duplicates
share (`behaviour`). They are keyed hashes under the installation's secret: nobody reads a text from
them, and they go with the post. A post too short for a fingerprint has no near-duplicates.

Refuses: to show what the officer may not see, and to put people in danger into a group.

Neighbours: `review.decide_many` decides; `queue` leases; `card` asks what was decided about the like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models import audit
from models.database import Database
from models.organisation import within
from models.post import Post, PostRevision
from models.review import ReviewTask, TaskLikeness
from models.screening import Screening
from models.vocabulary import Category, TaskState
from moderation import leases
from moderation.behaviour import alike, copy_keys, fingerprints
from moderation.normalise import fold

AT_ONCE: Final = 500
"""Tasks in one transaction of the job."""

KEPT: Final = timedelta(days=180)
"""How long a decided post's fingerprint answers what was decided about the like of it."""

MOST: Final = 200
"""Near-duplicates of one post that are shown and decided at once."""

_COMPARED: Final = 1_000
"""Characters of the middle that are compared one by one; a longer middle differs as a whole."""


@dataclass(frozen=True, slots=True)
class LikenessReport:
    """How many tasks got their fingerprint, and how many keys were forgotten."""

    noted: int
    forgotten: int


@dataclass(frozen=True, slots=True)
class Like:
    """A near-duplicate in the officer's hands: its task, its text, and where it differs from the first."""

    task: ReviewTask
    post: Post
    text: str
    differs: tuple[tuple[int, int], ...]


def note_likeness(database: Database, salt: bytes, now: datetime) -> LikenessReport:
    """Leave the fingerprint with every waiting post that has none yet. Safe to run twice."""
    noted = 0
    while True:
        with database.transaction() as session:
            some = _note_some(session, salt, now)
        noted += some
        if some < AT_ONCE:
            break
    with database.transaction() as session:
        gone = session.connection().execute(
            sa.delete(TaskLikeness).where(col(TaskLikeness.noted_at) < now - KEPT)
        )
    return LikenessReport(noted, gone.rowcount)


def _note_some(session: Session, salt: bytes, now: datetime) -> int:
    rows = session.exec(
        select(ReviewTask, PostRevision.text)
        .join(Screening, col(Screening.id) == col(ReviewTask.screening_id))
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Screening.post_id))
            & (col(PostRevision.revision) == col(Screening.revision)),
        )
        .where(col(ReviewTask.state) == TaskState.OPEN, col(ReviewTask.noted_at).is_(None))
        .limit(AT_ONCE)
        .with_for_update(of=ReviewTask, skip_locked=True)
    ).all()
    found = fingerprints([fold(text or "") for _, text in rows], salt)
    for (task, _), copy in zip(rows, found, strict=True):
        note(session, task, copy, salt, now)
    session.flush()
    return len(rows)


def note(session: Session, task: ReviewTask, copy: int | None, salt: bytes, now: datetime) -> None:
    """Leave one fingerprint with its task. People in danger are in no group."""
    task.noted_at = now
    if copy is not None and task.category is not Category.SELF_HARM:
        task.copy_of = copy
        for key in sorted(set(copy_keys(copy, salt))):
            session.add(
                TaskLikeness(key=key, task_id=task.id, post_id=task.post_id, copy_of=copy, noted_at=now)
            )
    session.add(task)


def count_alike(
    session: Session, task: ReviewTask, scope: Sequence[str], officer: str, salt: bytes, *, now: datetime
) -> int:
    """Return how many other waiting posts within the scope, in nobody else's hands, say nearly the same."""
    return len(_others(session, task, scope, officer, salt, now=now))


def lease_alike(
    session: Session, task: ReviewTask, scope: Sequence[str], officer: str, salt: bytes, *, now: datetime
) -> list[Like]:
    """Take a task's near-duplicates in hand, at most `MOST`, and show them, the task itself first.

    Each look is on the audit log. What somebody else has in hand stays with them.
    """
    others = _others(session, task, scope, officer, salt, now=now)[: MOST - 1]
    opened = leases.lease_many(session, task.id, others, officer, scope, now=now)
    first = opened[0].text
    return [Like(one.task, one.post, one.text, differences(first, one.text)) for one in opened]


def _others(
    session: Session, task: ReviewTask, scope: Sequence[str], officer: str, salt: bytes, *, now: datetime
) -> list[str]:
    if task.copy_of is None or task.category is Category.SELF_HARM:
        return []
    rows = session.exec(
        select(ReviewTask.id, ReviewTask.copy_of, ReviewTask.due_at)
        .where(
            col(ReviewTask.id).in_(
                select(TaskLikeness.task_id).where(col(TaskLikeness.key).in_(copy_keys(task.copy_of, salt)))
            ),
            col(ReviewTask.id) != task.id,
            col(ReviewTask.state) == TaskState.OPEN,
            within(ReviewTask.organisation, scope),
            sa.or_(
                col(ReviewTask.leased_until).is_(None),
                col(ReviewTask.leased_until) <= now,
                col(ReviewTask.leased_by) == officer,
            ),
            sa.or_(col(ReviewTask.category).is_(None), col(ReviewTask.category) != Category.SELF_HARM),
        )
        .order_by(col(ReviewTask.due_at), col(ReviewTask.id))
    ).all()
    return [other for other, copy, _ in rows if alike(task.copy_of, copy)]


def decided_alike(session: Session, copy: int, salt: bytes, scope: Sequence[str]) -> list[str]:
    """Return the decided tasks within the scope whose posts said nearly the same, newest first."""
    rows = session.exec(
        select(ReviewTask.id, ReviewTask.copy_of)
        .where(
            col(ReviewTask.id).in_(
                select(TaskLikeness.task_id).where(col(TaskLikeness.key).in_(copy_keys(copy, salt)))
            ),
            col(ReviewTask.state) == TaskState.DECIDED,
            within(ReviewTask.organisation, scope),
        )
        .order_by(col(ReviewTask.closed_at).desc())
        .limit(MOST)
    ).all()
    return [task for task, other in rows if alike(copy, other)]


def give_back(
    session: Session, tasks: Sequence[str], officer: str, scope: Sequence[str], *, now: datetime
) -> None:
    """Give back what was taken for a bulk and is still undecided."""
    leases.release_many(session, tasks, officer, scope, now=now)


def differences(first: str, other: str) -> tuple[tuple[int, int], ...]:
    """Return where `other` differs from `first`: spans of `other`, in code points, in order and apart.

    Where `other` only lacks something, the character at that place is marked, so that it shows.
    """
    shortest = min(len(first), len(other))
    begin = next((at for at in range(shortest) if first[at] != other[at]), shortest)
    end = 0
    while end < shortest - begin and first[-1 - end] == other[-1 - end]:
        end += 1
    one, two = first[begin : len(first) - end], other[begin : len(other) - end]
    if not one and not two:
        return ()
    if not one or not two or max(len(one), len(two)) > _COMPARED:
        return (_visible(begin, len(other) - end, len(other)),)
    spans = [
        _visible(begin + start, begin + stop, len(other))
        for tag, _, _, start, stop in SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    return tuple(dict.fromkeys(spans))


def _visible(start: int, stop: int, length: int) -> tuple[int, int]:
    if stop > start:
        return start, stop
    return max(0, min(start, length - 1)), max(0, min(start, length - 1)) + 1


def audit_bulk(
    session: Session,
    officer: str,
    batch: str,
    decided: int,
    *,
    first: str,
    organisation: str,
    now: datetime,
) -> None:
    """Put on the audit log that one decision was made about many posts, beside the entry of each."""
    audit.record(
        session,
        now,
        actor=f"account:{officer}",
        action="posts.decided_at_once",
        subject=f"batch:{batch}",
        organisation=organisation,
        details={"posts": decided, "first": first},
    )
