"""What follows from a verdict, and the bounds that records set to it."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from models.casework import EventPost
from models.database import Database
from models.demand import Demand, DemandMember
from models.event import Event
from models.post import NewPost, Post
from models.review import ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import (
    Action,
    Category,
    DemandState,
    Domain,
    EventKind,
    PostState,
    TaskState,
    Topic,
    Verdict,
)
from moderation import leases, review
from moderation.screening import Recorded, open_task, rescreen
from tests.support import posting
from tests.support.posting import OFFICER, send
from tests.support.screeners import SCRIPT, ScriptedScreener

STRICT = ScriptedScreener({**SCRIPT, "热水": (Verdict.REMOVE, Category.SPAM)}, rulebook="strict")


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def join_demand(database: Database, now: datetime, state: DemandState = DemandState.GATHERING) -> None:
    with database.transaction() as session:
        demand = Demand(
            title="热水", domain=Domain.CAMPUS_LIFE, organisation="gd/dongguan", state=state,
            first_posted_at=now, last_posted_at=now,
        )  # fmt: skip
        session.add(demand)
        session.flush()
        post = session.exec(select(Post.id)).one()
        session.add(DemandMember(demand_id=demand.id, post_id=post, probability=0.9, joined_at=now))


def the_post(database: Database) -> Post:
    with database.reading() as session:
        return session.exec(select(Post)).one()


@pytest.mark.parametrize("state", [DemandState.GATHERING, DemandState.PROPOSED, DemandState.VERIFIED])
def test_a_post_that_belongs_to_a_demand_is_never_removed_automatically(
    database: Database, now: datetime, state: DemandState
) -> None:
    send(database, now, text="食堂没有热水")
    join_demand(database, now, state)

    rescreen(database, STRICT, now=now)
    edit = send(database, now, revision=2, text="宿舍没有热水", screener=STRICT)

    assert edit.answer.verdict is Verdict.HOLD
    assert edit.answer.reasons[-1]["rule"] == "belongs-to-a-demand"
    assert the_post(database).state is PostState.HELD
    with database.reading() as session:
        assert session.exec(select(Statement)).all() == []
        assert {one.verdict for one in session.exec(select(Screening))} == {Verdict.PUBLISH, Verdict.HOLD}


def test_a_post_that_tells_of_an_event_is_never_removed_automatically(
    database: Database, now: datetime
) -> None:
    send(database, now, text="食堂没有热水")
    with database.transaction() as session:
        event = Event(
            kind=EventKind.SAFETY_INCIDENT, organisation="gd/dongguan", title="热水",
            domain=Domain.CAMPUS_LIFE, created_at=now,
        )  # fmt: skip
        session.add(event)
        session.flush()
        session.add(EventPost(event_id=event.id, post_id=session.exec(select(Post.id)).one(), joined_at=now))

    rescreen(database, STRICT, now=now)

    assert the_post(database).state is PostState.HELD


def test_an_edit_cannot_publish_what_was_removed(database: Database, now: datetime) -> None:
    send(database, now, text="在家刷单")
    edit = send(database, now, revision=2, text="好好的问题")

    assert (edit.answer.verdict, edit.answer.category) == (Verdict.HOLD, Category.SCAM)
    assert edit.answer.reasons[-1]["rule"] == "edit-of-a-removed-post"


def test_an_edit_cannot_end_the_lane_of_a_person_in_danger(database: Database, now: datetime) -> None:
    send(database, now, text="我不想活了")
    edit = send(database, now, revision=2, text="没事了")
    spam = send(database, now, revision=3, text="加薇")

    assert (edit.answer.verdict, spam.answer.verdict) == (Verdict.REFER, Verdict.REFER)
    with database.reading() as session:
        open_tasks = session.exec(select(ReviewTask).where(ReviewTask.state == TaskState.OPEN)).all()
    assert [(task.category, task.urgency) for task in open_tasks] == [(Category.SELF_HARM, 0)]


def test_screening_again_with_the_same_verdict_keeps_the_place_in_the_queue(
    database: Database, now: datetime
) -> None:
    send(database, now, text="加薇")

    done = rescreen(database, ScriptedScreener(rulebook="test-2"), now=now + timedelta(days=1))

    with database.reading() as session:
        task = session.exec(select(ReviewTask)).one()
        screenings = session.exec(select(Screening).order_by(Screening.sequence)).all()
        told = posting.messages(session)
    assert (done.screened, done.changed, done.last) == (1, 0, None)
    assert (task.state, task.created_at) == (TaskState.OPEN, now)
    assert [(one.sequence, one.rulebook) for one in screenings] == [(1, "test-1"), (2, "test-2")]
    assert len(told) == 1


def test_a_milder_rule_gives_a_post_back_and_tells_the_platform(database: Database, now: datetime) -> None:
    send(database, now, text="在家刷单")

    done = rescreen(database, ScriptedScreener({}), now=now + timedelta(days=1))

    assert done.changed == 1
    assert the_post(database).state is PostState.PUBLISHED
    with database.reading() as session:
        assert session.exec(select(Statement.withdrawn_at)).one() is not None
        last = posting.messages(session)[-1]
    assert (last.topic, last.payload["verdict"]) == (Topic.POST_SCREENED, "publish")


def test_screening_again_leaves_alone_what_a_person_decided(database: Database, now: datetime) -> None:
    send(database, now, text="加薇")
    with database.transaction() as session:
        task = leases.next_task(session, ["gd"], OFFICER, now=now)
        review.decide(
            session, task.task.id, OFFICER, Action.PUBLISH, version=task.task.version, scope=["gd"], now=now
        )

    done = rescreen(database, ScriptedScreener(rulebook="test-2"), now=now)

    assert done.screened == 0
    assert the_post(database).state is PostState.PUBLISHED


def test_screening_again_goes_on_where_it_stopped(database: Database, now: datetime) -> None:
    for number in range(5):
        send(database, now, external_id=str(number))

    rounds, after = [], ""
    while True:
        done = rescreen(database, ScriptedScreener(), now=now, after=after, limit=2)
        rounds.append(done.screened)
        if done.last is None:
            break
        after = done.last

    assert rounds == [2, 2, 1]


def test_a_place_in_the_queue_has_every_column_and_what_a_record_would_have(now: datetime) -> None:
    post = NewPost("p", "forum", "1", 1, "gd", PostState.HELD, Category.SCAM)
    screening = Recorded(
        "s",
        "p",
        1,
        1,
        Verdict.HOLD,
        Category.SCAM,
        [{"rule": "r" * 200}],
        {},
        rulebook="",
        bundle=None,
        policy="",
        screened_at=now,
    )
    row = open_task(post, screening, now)

    assert row == ReviewTask(**row).model_dump()
    assert row.keys() == set(ReviewTask.__table__.columns.keys())  # type: ignore[attr-defined]
    assert (row["state"], row["version"], row["rule"]) == (TaskState.OPEN, 1, "r" * 120)
