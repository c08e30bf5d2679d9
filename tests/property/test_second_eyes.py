"""Laws of the guards: no machine removes what many have at heart, and numbers alone silence nobody."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from models.database import Database
from models.demand import Demand, DemandMember
from models.post import Post
from models.quality import SecondReading
from models.review import ReviewTask, Statement
from models.vocabulary import Action, Category, DemandState, Domain, PostState, SecondState, Verdict
from moderation import confirming, leases, review
from moderation.reports import Voiced, urgency, weight
from moderation.screening import URGENCY
from tests.conftest import NOW
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send
from tests.support.screeners import ScriptedScreener

OPEN = [one for one in DemandState if one not in {DemandState.REJECTED, DemandState.CLOSED}]
SCOPE = ["gd"]
VOICES = st.lists(
    st.builds(
        Voiced,
        st.sampled_from([f"reader-{number}" for number in range(30)]),
        st.integers(0, 3 * 86_400).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    ),
    max_size=80,
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("eyes") / "tingjian.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    with database.transaction() as session:
        posting.plant(session, NOW)
    yield database
    database.close()


def in_a_demand(database: Database, external_id: str, state: DemandState) -> str:
    send(database, NOW, external_id=external_id)
    with database.transaction() as session:
        post = session.exec(select(Post).where(Post.external_id == external_id)).one()
        demand = Demand(
            title="热水",
            domain=Domain.CAMPUS_LIFE,
            organisation=post.organisation,
            state=state,
            posts=1,
            authors=1,
            first_posted_at=NOW,
            last_posted_at=NOW,
        )
        session.add(demand)
        session.flush()
        session.add(DemandMember(demand_id=demand.id, post_id=post.id, probability=0.9, joined_at=NOW))
        return post.id


def removals(database: Database, post: str) -> list[Statement]:
    with database.reading() as session:
        return list(session.exec(select(Statement).where(Statement.post_id == post)))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10**12),
    st.sampled_from(OPEN),
    st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(Category)), min_size=1, max_size=3),
)
def test_a_machine_never_removes_a_post_of_an_open_demand(
    database: Database, number: int, state: DemandState, verdicts: list[tuple[Verdict, Category]]
) -> None:
    external_id = f"{number}-{state.value}-{len(verdicts)}-{datetime.now(NOW.tzinfo).timestamp()}"
    post = in_a_demand(database, external_id, state)
    for revision, (verdict, category) in enumerate(verdicts, start=2):
        if verdict is Verdict.REMOVE and category is Category.SELF_HARM:
            continue
        screener = ScriptedScreener({"改": (verdict, category)})
        send(
            database, NOW, screener=screener, external_id=external_id, revision=revision, text=f"改{revision}"
        )
        with database.reading() as session:
            assert session.get_one(Post, post).state is not PostState.REMOVED
        assert removals(database, post) == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 10**12),
    st.sampled_from(OPEN),
    st.sampled_from([one for one in Category if one is not Category.SELF_HARM]),
)
def test_no_single_officer_removes_a_post_of_an_open_demand(
    database: Database, number: int, state: DemandState, category: Category
) -> None:
    external_id = f"held-{number}-{datetime.now(NOW.tzinfo).timestamp()}"
    post = in_a_demand(database, external_id, state)
    screener = ScriptedScreener({"改": (Verdict.HOLD, category)})
    send(database, NOW, screener=screener, external_id=external_id, revision=2, text="改")
    with database.transaction() as session:
        task = session.exec(select(ReviewTask).where(ReviewTask.post_id == post)).one()
        opened = leases.lease(session, task.id, OFFICER, SCOPE, now=NOW)
        made = review.decide(
            session,
            task.id,
            OFFICER,
            Action.REMOVE,
            version=opened.task.version,
            scope=SCOPE,
            now=NOW,
            category=category,
            reason="违规",
        )
    assert removals(database, post) == []
    with database.transaction() as session:
        reading = session.get_one(SecondReading, made.second)
        confirming.settle(session, reading.id, COLLEAGUE, SecondState.CONFIRMED, scope=SCOPE, now=NOW)
    assert len(removals(database, post)) == 1


@given(VOICES, VOICES)
def test_more_readers_never_weigh_less_and_together_never_more_than_apart(
    some: list[Voiced], more: list[Voiced]
) -> None:
    others = [Voiced(f"another-{one.reporter}", one.at) for one in more]
    together = weight([*some, *others])
    assert together >= max(weight(some), weight(others))
    assert together <= weight(some) + weight(others) + 1e-9


@given(VOICES)
def test_one_reader_counts_once_however_often_they_report(voiced: list[Voiced]) -> None:
    assert weight([*voiced, *voiced]) == weight(voiced)
    assert weight([Voiced("one", one.at) for one in voiced]) <= 1.0


@given(st.integers(1, 10_000))
def test_a_crowd_within_an_hour_weighs_as_three(count: int) -> None:
    crowd = [Voiced(f"reader-{number}", NOW + timedelta(seconds=number % 3_000)) for number in range(count)]
    assert weight(crowd) <= 2.0


@given(VOICES, st.sampled_from(Category))
def test_reports_raise_by_two_steps_at_most_and_never_into_the_lane_of_danger(
    voiced: list[Voiced], category: Category
) -> None:
    base = URGENCY[category]
    raised = urgency(base, weight(voiced))
    assert base - 2 <= raised <= base
    assert (raised == 0) == (base == 0)
