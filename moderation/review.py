"""An officer's decision about one post in the queue, or about many that say the same.

A publish restores what was held. A remove names a category of the closed list and a reason, and
the author is told. A refer hands a person in danger to people who help; the post stays up. Each
decision is on record with what the machine had said, in the audit log, and told to the platform.
All of it is written in one transaction, and nothing of it leaves for half a minute: until then
`undo` takes it back.

Refuses: to decide twice, over somebody else's lease, or about a version that the officer did not
see; and to decide about people in danger in bulk.

Neighbours: `queue` finds and leases; `undo` takes back; `statements` tells the author; `appeals` is
the way back afterwards; `rulings` carries out what may be decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from models.base import new_id
from models.errors import Conflict, InvalidInput, NotFound, NotPermitted, StaleVersion
from models.post import Post
from models.review import Decision, ReviewTask
from models.screening import Screening
from models.vocabulary import Action, Category, PostState
from moderation import (
    blind,
    leases,
    locks,
    second_reading,
)
from moderation.changes import change_of
from moderation.rulings import Ruling, carry_out, carry_out_all

UNDO: Final = timedelta(seconds=30)
"""How long a decision stays inside."""

LONGEST_UNDO: Final = timedelta(minutes=10)
"""More than any setting lets a decision stay inside."""

AT_ONCE: Final = 200
"""Posts in one bulk decision."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A task, and the version of it that the officer saw."""

    task_id: str
    version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that a bulk decision left alone, and why."""

    task_id: str
    code: str
    changed: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Bulk:
    """What one decision about many posts did. `batch` undoes all of it."""

    batch: str
    decided: list[Decision] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def decide(
    session: Session,
    task_id: str,
    officer: str,
    action: Action,
    *,
    version: int,
    scope: Sequence[str],
    now: datetime,
    category: Category | None = None,
    reason: str = "",
    care: Sequence[str] | None = None,
    undo: timedelta = UNDO,
) -> Decision:
    """Decide about one waiting post.

    A removal that needs a second officer is put before one: nothing is changed, and the decision that is
    returned has `second` and is no row. `officer` is the id of the account; `version` is the task's version
    that the officer saw; for `undo` long nothing leaves.

    Raises
    ------
    NotFound
        If there is no such task within the scope.
    NotPermitted
        `care_only`, if it is for those who are trained for people in danger.
    InvalidInput
        If a removal names no harm or no reason, or the reason is not fit to be shown.
    Conflict
        If the task is over (`task_closed`) or in somebody else's hands (`task_leased`).
    StaleVersion
        If the task changed since the officer saw it. All three tell in `changed` what, who and when.
    """
    ruling = Ruling(action, category, reason)
    task = _fit(session, Seen(task_id, version), officer, scope=scope, care=care, now=now)
    return _decide(session, task, officer, ruling, now=now, leaves_at=now + undo)


def decide_many(
    session: Session,
    seen: Sequence[Seen],
    officer: str,
    ruling: Ruling,
    *,
    scope: Sequence[str],
    now: datetime,
    care: Sequence[str] | None = None,
    undo: timedelta = UNDO,
) -> Bulk:
    """Decide alike about many waiting posts; each keeps its own record, reason and statement.

    What cannot be decided is left as it is and listed. `ruling` is made and checked once.

    Raises
    ------
    InvalidInput
        If there are none, or more than `AT_ONCE`.
    """
    if not 1 <= len(seen) <= AT_ONCE:
        raise InvalidInput(f"one to {AT_ONCE} posts at once", code="out_of_range", field="/tasks")
    done = Bulk(new_id())
    chosen = _fit_among(session, seen, officer, done, scope=scope, care=care, now=now)
    tasks = [task for task, _ in chosen]
    posts = {post.id: post for _, post in chosen}
    samples = blind.samples_of(session, [task.id for task in tasks])
    second = second_reading.needed_among(
        session, list(posts.values()), ruling.action, ruling.category, at_once=len(seen)
    )
    plain = [task for task in tasks if task.id not in samples and task.post_id not in second]
    leaves_at = now + undo
    done.decided.extend(
        carry_out_all(session, plain, officer, ruling, now=now, leaves_at=leaves_at, batch=done.batch)
    )
    for task in tasks:
        if task.id in samples or task.post_id in second:
            done.decided.append(
                _decide(
                    session,
                    task,
                    officer,
                    ruling,
                    now=now,
                    leaves_at=leaves_at,
                    batch=done.batch,
                    at_once=len(seen),
                )
            )
    # In an order that tells nothing of which were decided apart.
    done.decided.sort(key=lambda decision: decision.task_id or "")
    return done


def _fit_among(
    session: Session,
    seen: Sequence[Seen],
    officer: str,
    done: Bulk,
    *,
    scope: Sequence[str],
    care: Sequence[str] | None,
    now: datetime,
) -> list[tuple[ReviewTask, Post]]:
    """Lock the tasks that this officer may decide about as they saw them; refuse the others in `done`."""
    found = locks.locked_many(session, [one.task_id for one in seen], scope, care=care)
    fit: dict[str, tuple[ReviewTask, Post]] = {}
    for one in sorted(seen, key=lambda task: task.task_id):
        try:
            if one.task_id in found.refused:
                raise found.refused[one.task_id]
            task = found.tasks[one.task_id]
            _refuse_unfit(session, task, one, officer, now)
        except (Conflict, NotFound, NotPermitted) as error:
            done.refused.append(Refused(one.task_id, error.problem_code, error.extra.get("changed")))
            continue
        if task.category is Category.SELF_HARM:
            done.refused.append(Refused(one.task_id, "one_by_one"))
        elif one.task_id in fit:
            done.refused.append(Refused(one.task_id, "task_closed"))
        else:
            fit[one.task_id] = task, found.posts[task.post_id]
    return list(fit.values())


def pending(session: Session, post: Post, now: datetime) -> Decision | None:
    """Return the decision about a post that has not left yet, if its state is still of that decision."""
    found = session.exec(
        select(Decision).where(col(Decision.post_id) == post.id, col(Decision.leaves_at) > now)
    ).first()
    if found is None or found.before is None or post.version != found.before["post_version"] + 1:
        return None
    return found


def state_outside(session: Session, post: Post, now: datetime) -> PostState:
    """Return where a post stands for anybody outside: as before a decision that can still be undone."""
    found = pending(session, post, now)
    return PostState(found.before["state"]) if found is not None and found.before else post.state


def _fit(
    session: Session,
    seen: Seen,
    officer: str,
    *,
    scope: Sequence[str],
    care: Sequence[str] | None,
    now: datetime,
) -> ReviewTask:
    """Return a task, locked, that this officer may decide about as they saw it."""
    task = locks.locked(session, seen.task_id, scope, care=care)
    _refuse_unfit(session, task, seen, officer, now)
    return task


def _refuse_unfit(session: Session, task: ReviewTask, seen: Seen, officer: str, now: datetime) -> None:
    leases.refuse_unless_free(session, task, officer, now)
    if task.version != seen.version:
        raise StaleVersion(
            "the task changed since you opened it",
            field="/version",
            current=task.version,
            changed=change_of(session, task, officer, now).document(),
        )


def _decide(
    session: Session,
    task: ReviewTask,
    officer: str,
    ruling: Ruling,
    *,
    now: datetime,
    leaves_at: datetime,
    batch: str | None = None,
    at_once: int = 1,
) -> Decision:
    """Carry a ruling out, put it before a second officer, or take it as the answer about a sample."""
    post = session.get_one(Post, task.post_id)
    why = second_reading.needed(session, post, ruling.action, ruling.category, at_once=at_once)
    sample = blind.sample_of(session, task.id)
    if sample is not None:
        decision = None
        if blind.takes_effect(sample, post, ruling.action):
            decision = carry_out(session, task, officer, ruling, now=now, leaves_at=leaves_at, batch=batch)
        return blind.answer(
            session,
            task,
            sample,
            officer,
            action=ruling.action,
            category=ruling.recorded,
            reason=ruling.reason.strip(),
            now=now,
            leaves_at=leaves_at,
            batch=batch,
            decision=decision,
            looks_second=new_id() if why else None,
        )
    if why is None or ruling.category is None:
        return carry_out(session, task, officer, ruling, now=now, leaves_at=leaves_at, batch=batch)
    reading = second_reading.propose(
        session,
        task,
        officer,
        why,
        category=ruling.category,
        reason=ruling.reason.strip(),
        now=now,
        batch=batch,
    )
    return second_reading.as_decision(
        task,
        session.get_one(Screening, task.screening_id),
        officer,
        ruling.action,
        ruling.category,
        reason=reading.reason,
        now=now,
        second=reading.id,
        batch=batch,
    )
