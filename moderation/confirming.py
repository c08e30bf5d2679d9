"""A second officer confirms a removal or declines it; what is confirmed takes effect at once.

Refuses: the officer who proposed it, and a proposal that has run out or whose post changed.

Neighbours: `second_reading` keeps the proposals; `rulings` carries out what was confirmed; `drawing` learns
from it whether a published post was harmful.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from models.errors import Conflict, InvalidInput, NotFound, NotPermitted
from models.quality import QualitySample, SampleTask, SecondReading
from models.review import ReviewTask
from models.vocabulary import Action, SecondReason, SecondState
from moderation import rulings, second_reading
from moderation.rulings import Ruling


def settle(
    session: Session,
    reading_id: str,
    officer: str,
    outcome: SecondState,
    *,
    scope: Sequence[str],
    now: datetime,
) -> SecondReading:
    """Confirm or decline a proposal; whoever proposed it may withdraw it and nothing else.

    Raises
    ------
    NotFound
        If there is no such proposal within the scope.
    NotPermitted
        `same_reader`, if this officer proposed it; `not_yours`, if somebody else withdraws it.
    Conflict
        `second_over`, if it is over, or the post changed.
    InvalidInput
        If the outcome is not one.
    """
    if outcome not in {SecondState.CONFIRMED, SecondState.DECLINED, SecondState.WITHDRAWN}:
        raise InvalidInput("confirm, decline or withdraw", code="unknown_word", field="/outcome")
    reading = second_reading.locked(session, reading_id, scope, now)
    if outcome is SecondState.WITHDRAWN:
        if reading.asked_by != officer:
            raise NotPermitted("only who proposed it withdraws it", code="not_yours")
        second_reading.end(session, reading, outcome, actor=f"account:{officer}", by=None, now=now)
        return reading
    if reading.asked_by == officer:
        raise NotPermitted("somebody else than who proposed it confirms", code="same_reader")
    second_reading.end(session, reading, outcome, actor=f"account:{officer}", by=officer, now=now)
    if outcome is SecondState.CONFIRMED:
        task = session.get_one(ReviewTask, reading.task_id)
        ruling = Ruling(Action.REMOVE, reading.category, reading.reason)
        decision = rulings.carry_out(
            session, task, reading.asked_by, ruling, now=now, leaves_at=now, second=reading.id
        )
        reading.decision_id = decision.id
        session.add(reading)
    if reading.why is SecondReason.SAMPLED:
        sample = session.exec(
            select(QualitySample)
            .join(SampleTask, col(SampleTask.sample_id) == col(QualitySample.id))
            .where(col(SampleTask.task_id) == reading.task_id)
        ).one()
        sample.harmful = outcome is SecondState.CONFIRMED
        session.add(sample)
    session.flush()
    return reading


def settle_batch(
    session: Session,
    reading_id: str,
    officer: str,
    outcome: SecondState,
    *,
    scope: Sequence[str],
    now: datetime,
    whole: bool = True,
) -> list[SecondReading]:
    """Confirm or decline everything that was proposed in one with this; what is over meanwhile is left.

    With `whole` false, only this one.

    Raises
    ------
    NotFound
        If there is no such proposal within the scope.
    """
    first = settle(session, reading_id, officer, outcome, scope=scope, now=now)
    done = [first]
    if first.batch is None or not whole:
        return done
    others = session.exec(
        select(SecondReading.id)
        .where(
            col(SecondReading.batch) == first.batch,
            col(SecondReading.state) == SecondState.WAITING,
        )
        .order_by(col(SecondReading.post_id))
    ).all()
    for one in others:
        try:
            done.append(settle(session, one, officer, outcome, scope=scope, now=now))
        except (Conflict, NotFound):
            continue
    return done
