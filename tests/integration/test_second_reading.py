"""A second pair of eyes: what needs it, who may give it, and what happens until then."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from models.audit import AuditEntry
from models.database import Database
from models.demand import DemandMember
from models.errors import Conflict, NotPermitted
from models.outbox import OutboxMessage
from models.post import Post
from models.quality import SecondReading
from models.review import Decision, ReviewTask, Statement
from models.vocabulary import (
    Action,
    AppealState,
    Category,
    PostState,
    SecondReason,
    SecondState,
    TaskState,
    Topic,
)
from moderation import appeals, confirming, leases, queue, review, second_reading
from tests.support import posting, voices
from tests.support.posting import COLLEAGUE, OFFICER, send

SCOPE = ["gd"]
HATE = Category.HATE


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def waiting_task(database: Database, now: datetime, **changes: Any) -> ReviewTask:
    send(database, now, **{"text": "加薇领取", **changes})
    with database.reading() as session:
        return session.exec(select(ReviewTask).order_by(col(ReviewTask.id).desc())).first()  # type: ignore[return-value]


def remove(
    database: Database, task: ReviewTask, now: datetime, category: Category = HATE, officer: str = OFFICER
) -> Decision:
    with database.transaction() as session:
        opened = leases.lease(session, task.id, officer, SCOPE, now=now)
        return review.decide(
            session,
            task.id,
            officer,
            Action.REMOVE,
            version=opened.task.version,
            scope=SCOPE,
            now=now,
            category=category,
            reason="违反规则",
        )


def settle(
    database: Database, reading: str, outcome: SecondState, now: datetime, officer: str = COLLEAGUE
) -> SecondReading:
    with database.transaction() as session:
        return confirming.settle(session, reading, officer, outcome, scope=SCOPE, now=now)


def state(database: Database) -> PostState:
    with database.reading() as session:
        return PostState(session.exec(select(Post.state)).one())


def test_a_rare_removal_changes_nothing_until_somebody_else_confirms_it(
    database: Database, now: datetime
) -> None:
    task = waiting_task(database, now)
    made = remove(database, task, now)

    assert made.second is not None
    assert state(database) is PostState.HELD
    with database.transaction() as session:
        assert session.exec(select(Decision)).all() == []
        assert session.exec(select(Statement)).all() == []
        assert leases.next_task(session, SCOPE, COLLEAGUE, now=now) is None
        assert queue.counts(session, SCOPE, now=now).total == 0
        with pytest.raises(Conflict) as refused:
            leases.lease(session, task.id, COLLEAGUE, SCOPE, now=now)
        assert refused.value.problem_code == "second_waits"

    later = now + timedelta(minutes=5)
    settled = settle(database, made.second, SecondState.CONFIRMED, later)

    assert state(database) is PostState.REMOVED
    with database.reading() as session:
        decision = session.exec(select(Decision)).one()
        assert decision.id == settled.decision_id
        assert decision.second == settled.id
        assert (settled.asked_by, settled.decided_by) == (OFFICER, COLLEAGUE)
        assert session.exec(select(Statement.decided_by)).one() == OFFICER
        told = session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.POST_DECIDED)).one()
        assert told.due_at == later
        assert session.exec(select(ReviewTask.state)).one() is TaskState.DECIDED
        actions = session.exec(select(AuditEntry.action)).all()
        assert {"second_reading.asked", "second_reading.confirmed", "post.decided"} <= set(actions)


def test_the_same_person_cannot_confirm_and_the_database_refuses_it_as_well(
    database: Database, now: datetime
) -> None:
    made = remove(database, waiting_task(database, now), now)
    with pytest.raises(NotPermitted) as refused:
        settle(database, made.second or "", SecondState.CONFIRMED, now, OFFICER)
    assert refused.value.problem_code == "same_reader"
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(
            sa.update(SecondReading).values(state=SecondState.CONFIRMED, decided_by=OFFICER, decided_at=now)
        )
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.execute(sa.update(SecondReading).values(state=SecondState.CONFIRMED))
    assert state(database) is PostState.HELD


def test_what_is_declined_withdrawn_or_runs_out_is_in_the_queue_again(
    database: Database, now: datetime
) -> None:
    task = waiting_task(database, now)
    for outcome, officer in ((SecondState.DECLINED, COLLEAGUE), (SecondState.WITHDRAWN, OFFICER)):
        made = remove(database, task, now)
        settle(database, made.second or "", outcome, now, officer)
        with database.reading() as session:
            assert queue.counts(session, SCOPE, now=now).total == 1
    made = remove(database, task, now)
    with pytest.raises(NotPermitted):
        settle(database, made.second or "", SecondState.WITHDRAWN, now)
    late = now + timedelta(hours=25)
    with pytest.raises(Conflict):
        settle(database, made.second or "", SecondState.CONFIRMED, late)
    assert second_reading.expire_due(database, late).expired == 1
    assert second_reading.expire_due(database, late).expired == 0
    with database.transaction() as session:
        assert leases.next_task(session, SCOPE, COLLEAGUE, now=late) is not None
    assert state(database) is PostState.HELD


def test_an_edit_ends_a_proposal(database: Database, now: datetime) -> None:
    made = remove(database, waiting_task(database, now), now)
    send(database, now, revision=2, text="加薇领取，改过了")
    with pytest.raises(Conflict):
        settle(database, made.second or "", SecondState.CONFIRMED, now)
    with database.reading() as session:
        assert second_reading.waiting(session, SCOPE, COLLEAGUE, now=now) == []


def test_a_post_of_an_open_demand_and_one_that_an_appeal_put_back_need_two(
    database: Database, now: datetime
) -> None:
    first = waiting_task(database, now, external_id="in-demand")
    with database.transaction() as session:
        chorus = voices.demand(session, now, organisation="gd/dongguan", title="热水")
        session.add(
            DemandMember(demand_id=chorus.demand.id, post_id=first.post_id, probability=0.9, joined_at=now)
        )
    assert remove(database, first, now, Category.SPAM).second

    send(database, now, external_id="back", text="刷单日结")
    with database.transaction() as session:
        token = session.exec(select(Statement.token)).one()
        appeal = appeals.submit(session, token, "不是刷单", now=now)
        appeals.decide(
            session, appeal.id, OFFICER, AppealState.REVERSED, answer="已恢复", scope=SCOPE, now=now
        )
        post = session.exec(select(Post).where(Post.external_id == "back")).one()
        assert second_reading.needed(session, post, Action.REMOVE, Category.SPAM) is SecondReason.WON_APPEAL
        assert second_reading.needed(session, post, Action.PUBLISH, None) is None


def test_more_than_a_hundred_at_once_need_two(database: Database, now: datetime) -> None:
    task = waiting_task(database, now)
    with database.reading() as session:
        post = session.get_one(Post, task.post_id)
        needed = second_reading.needed
        assert needed(session, post, Action.REMOVE, Category.SPAM, at_once=100) is None
        assert needed(session, post, Action.REMOVE, Category.SPAM, at_once=101) is SecondReason.BULK
