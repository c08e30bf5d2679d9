from datetime import datetime, timedelta

import pytest
from sqlmodel import Session

from assessment import openness
from models.account import Account
from models.database import Database
from models.demand import Demand
from models.post import Post
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import (
    Action,
    AppealState,
    Category,
    DemandState,
    Domain,
    PostKind,
    PostState,
    Verdict,
)

RULE = "spam.contact-selling"


def held_post(session: Session, number: int, at: datetime, *, rule: str = RULE) -> Screening:
    post = Post(
        source="forum", external_id=str(number), revision=1, kind=PostKind.QUESTION, organisation="gd",
        author=f"a{number}", state=PostState.HELD, created_at=at, received_at=at,
    )  # fmt: skip
    session.add(post)
    session.flush()
    screening = Screening(
        post_id=post.id, revision=1, verdict=Verdict.HOLD, category=Category.SPAM,
        reasons=[{"source": "rule", "rule": rule, "category": "spam", "spans": [[0, 2]]}],
        rulebook="r", policy="p", screened_at=at,
    )  # fmt: skip
    session.add(screening)
    session.flush()
    return screening


def decide(session: Session, screening: Screening, action: Action, officer: str, at: datetime) -> Decision:
    decision = Decision(
        post_id=screening.post_id, revision=1, screening_id=screening.id, account_id=officer, action=action,
        category=Category.SPAM, reason="", machine_verdict=Verdict.HOLD, decided_at=at,
    )  # fmt: skip
    session.add(decision)
    session.flush()
    return decision


def state(session: Session, screening: Screening, at: datetime, decision: Decision | None) -> Statement:
    statement = Statement(
        token=screening.id, post_id=screening.post_id, revision=1, screening_id=screening.id,
        decision_id=decision.id if decision else None, category=Category.SPAM, restriction="removed",
        reason="", automated_detection=True, automated_decision=decision is None,
        issued_at=at, appeal_until=at + timedelta(days=180),
    )  # fmt: skip
    session.add(statement)
    session.flush()
    return statement


@pytest.fixture
def officer(database: Database, now: datetime) -> str:
    with database.transaction() as session:
        account = Account(login="lan", name="Lan", password="x", created_at=now)
        session.add(account)
        session.flush()
        return account.id


def test_removals_are_counted_apart_by_machine_and_by_person(
    database: Database, now: datetime, officer: str
) -> None:
    with database.transaction() as session:
        by_machine, by_person = held_post(session, 1, now), held_post(session, 2, now)
        state(session, by_machine, now, None)
        state(session, by_person, now, decide(session, by_person, Action.REMOVE, officer, now))
    with database.reading() as session:
        figures = openness.report(session, now - timedelta(days=1), now + timedelta(days=1))

    assert figures.removals_by_machine == {Category.SPAM: 1}
    assert figures.removals_by_person == {Category.SPAM: 1}
    assert figures.screened[Verdict.HOLD] == 2


def test_a_rule_carries_the_share_of_its_hits_that_people_upheld(
    database: Database, now: datetime, officer: str
) -> None:
    with database.transaction() as session:
        for number, action in enumerate([Action.REMOVE, Action.REMOVE, Action.PUBLISH]):
            held = held_post(session, number, now)
            decide(session, held, action, officer, now + timedelta(minutes=number + 1))
    with database.reading() as session:
        figures = openness.report(session, now, now + timedelta(days=1))

    (outcome,) = figures.rules
    assert (outcome.rule, outcome.reviewed, outcome.upheld.part) == (RULE, 3, 2)
    assert figures.review_time.p50 == 120.0


def test_appeals_show_how_many_were_won_and_how_long_they_took(
    database: Database, now: datetime, officer: str
) -> None:
    outcomes = [AppealState.REVERSED, AppealState.UPHELD, AppealState.OPEN]
    with database.transaction() as session:
        for number, outcome in enumerate(outcomes):
            statement = state(session, held_post(session, number, now), now, None)
            decided = outcome is not AppealState.OPEN
            session.add(
                Appeal(
                    statement_id=statement.id,
                    organisation="gd",
                    text="…",
                    state=outcome,
                    submitted_at=now,
                    decided_by=officer if decided else None,
                    decided_at=now + timedelta(hours=2) if decided else None,
                )
            )
    with database.reading() as session:
        figures = openness.report(session, now, now + timedelta(days=1))

    assert figures.appeals == dict.fromkeys(outcomes, 1)
    assert (figures.appeals_won.part, figures.appeals_won.whole) == (1, 2)
    assert figures.appeal_time.p50 == 7200.0


def test_a_demand_below_the_limit_is_not_published_and_a_proposed_one_shows_its_delay(
    database: Database, now: datetime
) -> None:
    common = {"title": "热水", "domain": Domain.CAMPUS_LIFE, "organisation": "gd", "first_posted_at": now,
              "last_posted_at": now}  # fmt: skip
    with database.transaction() as session:
        session.add(Demand(**common, state=DemandState.GATHERING))
        session.add(
            Demand(**common, state=DemandState.PROPOSED, tenth_author_at=now,
                   proposed_at=now + timedelta(seconds=40))
        )  # fmt: skip
        session.add(
            Demand(**common, state=DemandState.CLOSED, tenth_author_at=now - timedelta(days=3),
                   proposed_at=now, delay_seconds=20.0, delay_posts=7)
        )  # fmt: skip
    with database.reading() as session:
        figures = openness.report(session, now, now + timedelta(days=1))

    assert DemandState.GATHERING not in figures.demands
    assert figures.demands[DemandState.PROPOSED] == 1
    assert (figures.detection_delay.n, figures.detection_delay.p50, figures.detection_delay.p95) == (
        2,
        20.0,
        40.0,
    )
    assert (figures.detection_delay_posts.n, figures.detection_delay_posts.p95) == (1, 7)


def test_what_lies_outside_the_period_is_not_counted(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        held_post(session, 1, now - timedelta(seconds=1))
        held_post(session, 2, now)
    with database.reading() as session:
        figures = openness.report(session, now, now + timedelta(days=1))

    assert figures.screened[Verdict.HOLD] == 1


def test_a_period_that_runs_backwards_is_refused(database: Database, now: datetime) -> None:
    with database.reading() as session, pytest.raises(ValueError, match="begin before it ends"):
        openness.report(session, now, now)
