"""Nobody decides about an objection to a post that they decided about, however they come to it.

The rooms refuse it in words; the database refuses it whoever asks. Here a random history of a post (decisions
by several officers, objections to several statements, decided by several) is written straight to the tables,
and then every officer tries to decide, by the room and past it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from models.account import Account
from models.database import Database
from models.errors import Conflict, NotPermitted
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, Category, OrganisationKind, PostKind, PostState, Verdict
from moderation import appeals, statements

NOW = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)
OFFICERS = tuple(f"{number:032x}" for number in range(1, 5))
NUMBERS = count()

who = st.sampled_from(OFFICERS)
histories = st.lists(
    st.one_of(st.tuples(st.just("decision"), who), st.tuples(st.just("appeal"), who)), max_size=5
)


@contextmanager
def undone(database: Database) -> Iterator[Session]:
    """Yield a session whose work is always undone."""
    with Session(database.engine, expire_on_commit=False) as session:
        try:
            yield session
        finally:
            session.rollback()


@pytest.fixture
def peopled(database: Database) -> Database:
    with database.transaction() as session:
        session.add(Organisation(path="gd", name="gd", kind=OrganisationKind.PROVINCE, created_at=NOW))
        for number, officer in enumerate(OFFICERS):
            session.add(
                Account(id=officer, login=f"o{number}", name=str(number), password="-", created_at=NOW)
            )
    return database


def a_statement(session: Session, post: Post, screening: Screening, decision: Decision | None) -> Statement:
    made = Statement(
        token=f"token-{next(NUMBERS)}",
        post_id=post.id,
        revision=1,
        screening_id=screening.id,
        decision_id=decision.id if decision else None,
        decided_by=decision.account_id if decision else None,
        category=Category.SPAM,
        restriction=statements.REMOVED,
        reason="-",
        automated_detection=True,
        automated_decision=decision is None,
        issued_at=NOW,
        appeal_until=NOW + timedelta(days=180),
    )
    session.add(made)
    session.flush()
    return made


def written(session: Session, history: list[tuple[str, str]]) -> tuple[str, set[str]]:
    """Write a post with a history; return an open objection to it, and who has decided about the post."""
    post = Post(
        source="s",
        external_id=f"e{next(NUMBERS)}",
        revision=1,
        kind=PostKind.QUESTION,
        organisation="gd",
        author="a",
        state=PostState.REMOVED,
        created_at=NOW,
        received_at=NOW,
    )
    session.add(post)
    session.flush()
    session.add(PostRevision(post_id=post.id, revision=1, text="-", fingerprint="0" * 64, received_at=NOW))
    screening = Screening(
        post_id=post.id, revision=1, verdict=Verdict.HOLD, rulebook="-", policy="-", screened_at=NOW
    )
    session.add(screening)
    session.flush()
    last: Decision | None = None
    deciders: set[str] = set()
    for what, officer in history:
        if what == "decision":
            last = Decision(
                post_id=post.id,
                revision=1,
                screening_id=screening.id,
                account_id=officer,
                action=Action.REMOVE,
                category=Category.SPAM,
                reason="-",
                machine_verdict=Verdict.HOLD,
                decided_at=NOW,
            )
            session.add(last)
            session.flush()
            deciders.add(officer)
        elif officer not in deciders:
            about = a_statement(session, post, screening, last)
            session.add(
                Appeal(
                    statement_id=about.id,
                    organisation="gd",
                    text="-",
                    original_decider=about.decided_by,
                    state=AppealState.UPHELD,
                    submitted_at=NOW,
                    decided_by=officer,
                    decided_at=NOW,
                    answer="-",
                )
            )
            session.flush()
            deciders.add(officer)
    standing = a_statement(session, post, screening, last)
    return appeals.submit(session, standing.token, "我不同意", now=NOW).id, deciders


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, officer=who, outcome=st.sampled_from([AppealState.UPHELD, AppealState.REVERSED]))
def test_nobody_decides_about_a_post_twice_by_the_room_or_past_it(
    peopled: Database, history: list[tuple[str, str]], officer: str, outcome: AppealState
) -> None:
    with undone(peopled) as session:
        appeal, deciders = written(session, history)
        past = sa.update(Appeal).where(col(Appeal.id) == appeal).values(decided_by=officer, state=outcome)
        if officer in deciders:
            with pytest.raises(NotPermitted):
                appeals.decide(session, appeal, officer, outcome, answer="-", scope=["gd"], now=NOW)
            with pytest.raises(IntegrityError), session.begin_nested():
                session.execute(past)
        else:
            with session.begin_nested() as attempt:
                session.execute(past)
                attempt.rollback()
            session.expire_all()
            decided = appeals.decide(session, appeal, officer, outcome, answer="好", scope=["gd"], now=NOW)
            assert decided.decided_by == officer


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, officer=who, other=who)
def test_a_decided_objection_is_not_decided_anew_nor_who_decided_before_rewritten(
    peopled: Database, history: list[tuple[str, str]], officer: str, other: str
) -> None:
    with undone(peopled) as session:
        appeal, deciders = written(session, history)
        if officer in deciders:
            return
        appeals.decide(session, appeal, officer, AppealState.UPHELD, answer="好", scope=["gd"], now=NOW)
        with pytest.raises(Conflict):
            appeals.decide(session, appeal, other, AppealState.REVERSED, answer="好", scope=["gd"], now=NOW)
        session.flush()
        changes: list[dict[str, str | None]] = [{"state": AppealState.REVERSED.value}, {"decided_by": None}]
        if other != officer:
            changes.append({"decided_by": other})
        if session.get_one(Appeal, appeal).original_decider is not None:
            changes.append({"original_decider": None})
        for change in changes:
            with pytest.raises(IntegrityError), session.begin_nested():
                session.execute(sa.update(Appeal).where(col(Appeal.id) == appeal).values(**change))
