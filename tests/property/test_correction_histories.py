"""Whatever people say about demands and whenever the jobs run: every standing word holds after every run."""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from models.correction import DemandCorrection
from models.database import Database
from models.demand import Demand, DemandFact, DemandMember
from models.errors import Conflict, InvalidInput, NotFound
from sentiment.demand import corrections, facts, undoing
from sentiment.demand.corrections import Hand
from sentiment.demand.grouping import OPEN
from sentiment.jobs import group_due, read_due
from sentiment.settings import SentimentSettings
from tests.support.wording import WATER, ListeningBundle, plant_campus, publish

BUNDLE, SETTINGS = ListeningBundle(), SentimentSettings()
PLACES = ("gd/campus-a", "gd/campus-b", "gd/campus-c")
HISTORIES, STEPS = 2, 5


def speak(session: Session, lot: random.Random, now: datetime, count: int) -> None:
    for number in range(count):
        publish(
            session,
            lot.choice(WATER) + "。" * lot.randint(0, 3),
            f"author-{lot.randint(0, 60)}",
            now - timedelta(minutes=count - number),
            organisation=lot.choice(PLACES),
        )


def correct(session: Session, lot: random.Random, now: datetime) -> None:
    """Do something by lot, insisting; what an act refuses is refused."""
    hand = Hand("account:a", now, SETTINGS, insists=True)
    members: dict[str, list[str]] = {}
    for post, demand in session.exec(
        select(DemandMember.post_id, DemandMember.demand_id).order_by(col(DemandMember.post_id))
    ):
        members.setdefault(demand, []).append(post)
    if not members:
        return
    demands = sorted(members)
    demand, other = lot.choice(demands), lot.choice(demands)
    posts = lot.sample(members[demand], min(len(members[demand]), lot.randint(1, 4)))
    acts: dict[str, Callable[[], object]] = {
        "confirm": lambda: corrections.confirm(session, demand, posts, hand),
        "reject": lambda: corrections.reject(session, demand, posts, hand),
        "split": lambda: corrections.split(session, demand, posts, hand),
        "move": lambda: corrections.move(session, demand, posts, other, hand),
        "merge": lambda: corrections.merge(session, demand, other, hand),
        "undo": lambda: undoing.undo(session, last, hand),
    }
    last = session.exec(select(DemandCorrection.id).order_by(col(DemandCorrection.id).desc())).first() or ""
    with suppress(Conflict, InvalidInput, NotFound), session.begin_nested():
        acts[lot.choice(sorted(acts))]()


def broken(session: Session) -> list[tuple[str, str, bool]]:
    """Return the standing words about open demands that do not hold."""
    redirects = facts.redirects_of(session)
    open_ids = set(session.exec(select(Demand.id).where(col(Demand.state).in_(OPEN))))
    last: dict[tuple[str, str], bool] = {}
    for fact in session.exec(
        select(DemandFact).order_by(col(DemandFact.decided_at), col(DemandFact.id))
    ).all():
        last[fact.post_id, facts.heir_of(redirects, fact.demand_id)] = fact.belongs
    stands = dict(session.exec(select(DemandMember.post_id, DemandMember.demand_id)).all())
    differing = {one.post_id for one in facts.contradictions(session)}
    return [
        (post, demand, belongs)
        for (post, demand), belongs in last.items()
        if demand in open_ids and post not in differing and (stands.get(post) == demand) != belongs
    ]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_every_word_holds_after_every_run(
    tmp_path: Path, sqlite_template: Path, now: datetime, seed: int
) -> None:
    path = tmp_path / "tingjian.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    lot = random.Random(seed)  # noqa: S311 - a history by lot, no secret
    try:
        with database.transaction() as session:
            plant_campus(session, now, *PLACES)
            speak(session, lot, now, 20)
        for step in range(STEPS):
            at = now + timedelta(hours=step)
            with database.transaction() as session:
                speak(session, lot, at, lot.randint(1, 6))
            read_due(database, BUNDLE, SETTINGS, at)
            group_due(database, BUNDLE, SETTINGS, at)
            with database.reading() as session:
                assert broken(session) == [], (seed, step)
            for number in range(2):
                with database.transaction() as session:
                    correct(session, lot, at + timedelta(minutes=number + 1))
                with database.reading() as session:
                    assert broken(session) == [], (seed, step, number)
    finally:
        database.close()
