"""The sample goes in through the same door as a platform's posts, and once only."""

from datetime import UTC, datetime

import pytest
from sqlmodel import Session, col, func, select

from api.commands.sample import SOURCE, load_sample, rows
from api.settings import Settings
from api.wiring import Service, build_service
from models.account import Account
from models.audit import first_break
from models.database import Database
from models.demand import Demand
from models.event import Case, Event, InboxItem
from models.organisation import Organisation
from models.post import Post
from models.review import ReviewTask
from models.vocabulary import DemandState, EventState, PostState, TaskState

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
SECRET = "a secret for tests, long enough to be one"


@pytest.fixture
def service(database: Database) -> Service:
    made = build_service(Settings(database_url=database.url, secret=SECRET))  # type: ignore[arg-type]
    made.database.close()
    made.database = database
    return made


def counted(session: Session, kind: type) -> int:
    return session.exec(select(func.count()).select_from(kind)).one()


def test_an_empty_database_gets_a_queue_demands_and_one_reported_event(service: Service) -> None:
    welcome = load_sample(service, NOW)

    assert welcome is not None
    assert set(welcome.passwords) == {"admin", "linxiao"}
    assert "admin" not in repr(welcome)
    with service.database.reading() as session:
        assert counted(session, Post) == welcome.posts == len(list(rows("posts.jsonl")))
        waiting = session.exec(select(ReviewTask).where(col(ReviewTask.state) == TaskState.OPEN)).all()
        assert len(waiting) >= 20
        published = session.exec(select(Post.id).where(col(Post.state) == PostState.PUBLISHED)).all()
        assert len(published) >= 500
        assert all(account.must_change_password for account in session.exec(select(Account)))
        proposed = session.exec(select(Demand).where(col(Demand.state) == DemandState.PROPOSED)).all()
        assert len({one.organisation for one in proposed}) >= 4
        assert all(one.authors >= 10 for one in proposed)
        event = session.exec(select(Event)).one()
        assert (event.state, event.title) == (EventState.REPORTED, welcome.example)
        assert session.exec(select(Case)).one().event_id == event.id
        assert {item.organisation for item in session.exec(select(InboxItem))} >= {"gd"}
        assert first_break(session) is None


def test_a_second_load_does_nothing(service: Service) -> None:
    load_sample(service, NOW)
    with service.database.reading() as session:
        before = counted(session, Post), counted(session, Account)

    assert load_sample(service, NOW) is None
    with service.database.reading() as session:
        assert (counted(session, Post), counted(session, Account)) == before


def test_a_load_that_was_cut_off_goes_on(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("api.commands.sample.group_due", _cut_off)
        with pytest.raises(KeyboardInterrupt):
            load_sample(service, NOW)

    later = NOW.replace(minute=5)
    welcome = load_sample(service, later)

    assert welcome is not None
    assert welcome.demands >= 5
    with service.database.reading() as session:
        assert counted(session, Post) == welcome.posts


def _cut_off(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_database_in_which_somebody_works_is_left_alone(service: Service) -> None:
    with service.database.transaction() as session:
        session.add(Organisation(path="hn", name="湖南省", kind="province", created_at=NOW))  # type: ignore[arg-type]

    assert load_sample(service, NOW) is None
    with service.database.reading() as session:
        assert session.exec(select(Post).where(col(Post.source) == SOURCE)).first() is None
