"""Blind looks: an officer reads a sample or a golden item as one more post, and cannot tell that it is one.

A sample is shown cold, which is without the machine's view; so is a share of the ordinary posts, chosen by
chance, so that a cold card tells nothing. The lot is drawn when a task is first opened and is kept with it:
from nothing that an officer sees can it be worked out. The answer looks like a decision and can be undone
like one. Of an answer about a published post nothing follows until a second officer has confirmed harm; an
answer about a golden item has no effect at all. Two things take effect at once, because they are owed to the
author: a removal that an officer would not have made is taken back, and a person in danger is referred.

Refuses: to let one officer answer the same sample twice for the figures.

Neighbours: `drawing` draws; `quality` estimates; `queue` opens; `review` decides; `undo` takes back.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from models import audit
from models.errors import Conflict
from models.organisation import Organisation
from models.post import Post
from models.quality import QualitySample, SampleAnswer, SampleTask
from models.review import Decision, ReviewTask
from models.screening import Screening
from models.vocabulary import Action, Category, PostState, SampleKind, TaskState, Verdict
from moderation import knobs
from moderation.second_reading import as_decision

HUNDRED: Final = 100


def sample_of(session: Session, task_id: str) -> QualitySample | None:
    """Return the sample that is read at a place in the queue; None for an ordinary one."""
    return samples_of(session, [task_id]).get(task_id)


def samples_of(session: Session, task_ids: Sequence[str]) -> dict[str, QualitySample]:
    """Return the samples that are read at places in the queue, by the task; nothing for ordinary ones."""
    rows = session.exec(
        select(SampleTask.task_id, QualitySample)
        .join(QualitySample, col(QualitySample.id) == col(SampleTask.sample_id))
        .where(col(SampleTask.task_id).in_(task_ids))
    ).all()
    return dict(rows)


def shown_verdict(category: Category | None) -> Verdict:
    """Return the verdict that a place in the queue stands for, whatever had been answered about the post."""
    return Verdict.REFER if category is Category.SELF_HARM else Verdict.HOLD


def as_shown(session: Session, tasks: Sequence[tuple[ReviewTask, Screening]]) -> list[Screening]:
    """Return the screenings that cards show: the record itself, or for a cold card one that says nothing.

    What is returned for a cold card belongs to no session and is never written. The lot of a task is
    drawn once and stays with it; the caller has it locked, and writes it.
    """
    cold = _cold(session, [task for task, _ in tasks])
    return [_silent(task, screening) if task.id in cold else screening for task, screening in tasks]


def _cold(session: Session, tasks: Sequence[ReviewTask]) -> set[str]:
    """Return the tasks that are shown without the machine's view: every sample, and some ordinary ones.

    A person in danger is never shown so, and nothing at a place where no sample was ever drawn.
    """
    ordinary = [task for task in tasks if task.category is not Category.SELF_HARM]
    if not ordinary:
        return set()
    shares = knobs.recorded(session, knobs.COLD)
    for task in ordinary:
        # Drawn for a sample as well, so that the row of one looks like any other.
        if task.lot is None:
            task.lot = secrets.randbelow(HUNDRED)
    drawn = [task for task in ordinary if (task.lot or 0) < shares.value(knobs.COLD, task.organisation)]
    hiding = _hide_some(session, {task.organisation for task in drawn})
    found = {task.id for task in drawn if task.organisation in hiding}
    return found | set(samples_of(session, [task.id for task in ordinary]))


def _hide_some(session: Session, places: set[str]) -> set[str]:
    """Return the places that have any sample. Where none is, an ordinary post has nothing to hide."""
    any_there = (
        select(QualitySample.id)
        .where(
            col(QualitySample.kind).in_(tuple(SampleKind)),
            col(QualitySample.organisation) == col(Organisation.path),
        )
        .correlate(Organisation)
        .exists()
    )
    found = select(Organisation.path).where(col(Organisation.path).in_(places), any_there)
    return set(session.exec(found)) if places else set()


def _silent(task: ReviewTask, screening: Screening) -> Screening:
    return Screening(
        id=screening.id,
        post_id=screening.post_id,
        revision=screening.revision,
        sequence=screening.sequence,
        verdict=shown_verdict(task.category),
        category=task.category,
        reasons=[],
        probabilities={},
        rulebook=screening.rulebook,
        bundle=screening.bundle,
        policy=screening.policy,
        screened_at=screening.screened_at,
    )


def takes_effect(sample: QualitySample, post: Post, action: Action) -> bool:
    """Return whether an answer is carried out like any decision."""
    if sample.kind is SampleKind.GOLDEN or post.revision != sample.revision:
        return False
    if action is Action.REFER:
        return post.state is not PostState.REFERRED
    return action is Action.PUBLISH and post.state is PostState.REMOVED


def answer(
    session: Session,
    task: ReviewTask,
    sample: QualitySample,
    officer: str,
    *,
    action: Action,
    category: Category | None,
    reason: str,
    now: datetime,
    leaves_at: datetime,
    batch: str | None = None,
    decision: Decision | None = None,
    looks_second: str | None = None,
) -> Decision:
    """Put an officer's answer on record and return what they are told, which is as for any decision.

    `decision` is what took effect; without one the task is closed here. `looks_second` is set where an
    ordinary decision would have waited for a second officer.
    """
    screening = session.get_one(Screening, task.screening_id)
    found = SampleAnswer(
        sample_id=sample.id,
        task_id=task.id,
        account_id=officer,
        action=action,
        category=category,
        reason=reason,
        answered_at=now,
        leaves_at=leaves_at,
        decision_id=decision.id if decision else None,
        batch=batch,
    )
    session.add(found)
    if decision is None:
        task.state, task.closed_at = TaskState.DECIDED, now
        task.version += 1
        task.leased_by = task.leased_until = None
        session.add(task)
    session.flush()
    audit.record(
        session,
        now,
        actor=f"account:{officer}",
        action="sample.answered",
        subject=f"post:{task.post_id}",
        organisation=task.organisation,
        details={
            "sample": sample.id,
            "kind": sample.kind.value,
            "action": action.value,
            "category": category.value if category else None,
            "revision": sample.revision,
        },
    )
    return decision or told(session, found, screening, looks_second=looks_second)


def told(
    session: Session,
    found: SampleAnswer,
    screening: Screening | None = None,
    *,
    looks_second: str | None = None,
) -> Decision:
    """Return an answer as its officer sees it: a decision that may be undone."""
    task = session.get_one(ReviewTask, found.task_id)
    shown = screening or session.get_one(Screening, task.screening_id)
    made = as_decision(
        task,
        shown,
        found.account_id,
        found.action,
        found.category,
        reason=found.reason,
        now=found.answered_at,
        second=looks_second,
        identifier=found.id,
        leaves_at=None if looks_second else found.leaves_at,
        batch=found.batch,
    )
    made.machine_verdict = shown_verdict(task.category)
    return made


def last_undoable(session: Session, officer: str, now: datetime) -> Decision | None:
    """Return the last answer without effect that an officer can still take back, as a decision."""
    found = session.exec(
        select(SampleAnswer)
        .where(
            col(SampleAnswer.account_id) == officer,
            col(SampleAnswer.leaves_at) > now,
            col(SampleAnswer.decision_id).is_(None),
        )
        .order_by(col(SampleAnswer.answered_at).desc(), col(SampleAnswer.id).desc())
        .limit(1)
    ).first()
    return told(session, found) if found else None


def of_batch(session: Session, batch: str) -> list[Decision]:
    """Return the answers without effect that were given in one bulk, as decisions."""
    found = session.exec(
        select(SampleAnswer).where(col(SampleAnswer.batch) == batch, col(SampleAnswer.decision_id).is_(None))
    ).all()
    return [told(session, one) for one in found]


def find(session: Session, answer_id: str, officer: str) -> Decision | None:
    """Return an officer's own answer without effect, as a decision."""
    found = session.get(SampleAnswer, answer_id)
    if found is None or found.account_id != officer or found.decision_id is not None:
        return None
    return told(session, found)


def answers_among(session: Session, decision_ids: Sequence[str]) -> set[str]:
    """Return those of what was told as decisions that are answers."""
    return set(session.exec(select(SampleAnswer.id).where(col(SampleAnswer.id).in_(decision_ids))))


def take_back(session: Session, answer_id: str, task: ReviewTask, now: datetime) -> None:
    """Forget an answer and open its task again, which the caller has locked.

    Raises
    ------
    Conflict
        `undo_over`, if its time is over.
    """
    found = session.get_one(SampleAnswer, answer_id)
    if now >= found.leaves_at or found.settled or task.state is not TaskState.DECIDED:
        raise Conflict("the decision has left, or something else happened to the post", code="undo_over")
    audit.record(
        session,
        now,
        actor=f"account:{found.account_id}",
        action="sample.undone",
        subject=f"post:{task.post_id}",
        organisation=task.organisation,
        details={"sample": found.sample_id, "action": found.action.value},
    )
    session.delete(found)
    task.state, task.closed_at = TaskState.OPEN, None
    session.add(task)
    session.flush()


def forget(session: Session, decision_ids: Sequence[str]) -> None:
    """Forget the answers that came with decisions which are undone."""
    found = session.exec(select(SampleAnswer).where(col(SampleAnswer.decision_id).in_(decision_ids))).all()
    for one in found:
        session.delete(one)
    session.flush()
