"""A large window is not read again: a run reads what is new and what that touches."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from models.database import Database
from models.demand import Demand, DemandMember
from models.vocabulary import DemandState
from sentiment.demand import windows
from sentiment.demand.scoring import load_scorer
from sentiment.jobs import group_due, read_due
from sentiment.settings import SentimentSettings
from tests.support.wording import ListeningBundle, plant_campus, voice_water

BUNDLE, SETTINGS = ListeningBundle(), SentimentSettings()
CAMPUS, OTHER = "gd/campus-a", "gd/campus-b"


@pytest.fixture
def campuses(database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(windows, "WHOLE", 3)
    with database.transaction() as session:
        plant_campus(session, now, CAMPUS, OTHER)
    return database


@pytest.fixture
def forum(campuses: Database, now: datetime) -> Database:
    with campuses.transaction() as session:
        voice_water(session, now, 11, organisation=CAMPUS)
    return campuses


def run(database: Database, now: datetime) -> int:
    read_due(database, BUNDLE, SETTINGS, now)
    return group_due(database, BUNDLE, SETTINGS, now).joined


def test_a_new_voice_joins_its_demand_and_leaves_the_others_alone(forum: Database, now: datetime) -> None:
    run(forum, now)
    with forum.reading() as session:
        (first,) = session.exec(select(Demand))
    with forum.transaction() as session:
        voice_water(session, now + timedelta(days=9), 1, organisation=CAMPUS)
        voice_water(session, now + timedelta(days=9), 10, organisation=OTHER)
    joined = run(forum, now + timedelta(days=9))

    with forum.reading() as session:
        both = session.exec(select(Demand).order_by(col(Demand.first_posted_at))).all()
        assert {demand.state for demand in both} == {DemandState.PROPOSED}
        assert [(demand.id == first.id, demand.authors) for demand in both] == [(True, 11), (False, 10)]
    assert joined == 11  # The eleven new ones, and nobody moved


def test_a_run_reads_no_more_than_what_is_new_and_what_that_touches(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(forum, now)
    later = now + timedelta(minutes=2)
    lookout = windows.lookout_of(forum)
    with forum.transaction() as session:
        voice_water(session, later, 1, organisation=OTHER)
    read_due(forum, BUNDLE, SETTINGS, later)
    monkeypatch.setattr(lookout.standing, "near", lambda *_: set())
    with forum.reading() as session:
        window = windows.read_window(session, lookout, BUNDLE, SETTINGS, load_scorer(), later)

    assert window.touched == set()
    assert window.posts.keys() == window.due.keys()


def test_what_one_run_grouped_whole_is_at_hand_for_the_next(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as many:
        many.setattr(windows, "FEW", 0)
        run(forum, now)
    later = now + timedelta(minutes=2)
    lookout, opened, read = windows.lookout_of(forum), windows.window_post, set[str]()
    with forum.transaction() as session:
        voice_water(session, later, 1, organisation=OTHER)
    read_due(forum, BUNDLE, SETTINGS, later)
    monkeypatch.setattr(lookout.standing, "near", lambda *_: set())

    def seen(row: Any, *others: Any) -> windows.WindowPost:
        read.add(row.post_id)
        return opened(row, *others)

    monkeypatch.setattr(windows, "window_post", seen)
    with forum.reading() as session:
        window = windows.read_window(session, lookout, BUNDLE, SETTINGS, load_scorer(), later)

    assert len(lookout.standing) == 12
    assert read == window.due.keys()


def test_what_nobody_proposed_leaves_with_the_window(campuses: Database, now: datetime) -> None:
    with campuses.transaction() as session:
        few = set(voice_water(session, now, 5, organisation=OTHER))
    run(campuses, now)
    with campuses.reading() as session:
        begun = set(session.exec(select(DemandMember.post_id)))
    later = now + SETTINGS.window + timedelta(days=1)
    with campuses.transaction() as session:
        new = set(voice_water(session, later, 5, organisation=CAMPUS))
    run(campuses, later)

    with campuses.reading() as session:
        assert (begun, set(session.exec(select(DemandMember.post_id)))) == (few, new)
        assert session.exec(select(Demand.state)).all() == [DemandState.GATHERING]
