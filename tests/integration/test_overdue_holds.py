"""A post that is held longer than its time: the author is told, may object, and is told when it ends."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from models.audit import first_break
from models.database import Database
from models.errors import Conflict
from models.post import Post
from models.review import ReviewTask, Statement
from models.vocabulary import Action, AppealState, Category, PostState, TaskState, Topic, Verdict
from moderation import appeals, leases, review, statements
from moderation.holds import state_overdue_holds
from moderation.outcomes import judgements
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send
from tests.support.screeners import ScriptedScreener
from tests.support.services import client_of, make_service

SCOPE = ["gd"]
DAY = timedelta(days=1)
LATE = DAY + timedelta(minutes=1)
"""Advertising waits a day at most."""


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def standing(database: Database) -> list[Statement]:
    with database.reading() as session:
        return list(session.exec(select(Statement).where(col(Statement.withdrawn_at).is_(None))))


def decide(database: Database, now: datetime, action: Action, **changes: Any) -> None:
    with database.transaction() as session:
        task = session.exec(select(ReviewTask).where(col(ReviewTask.state) == TaskState.OPEN)).one()
        opened = leases.lease(session, task.id, OFFICER, SCOPE, now=now)
        version = opened.task.version
        review.decide(session, task.id, OFFICER, action, version=version, scope=SCOPE, now=now, **changes)


def test_the_author_of_a_post_that_waits_too_long_is_told_once(database: Database, now: datetime) -> None:
    send(database, now, text="先加薇领资料")

    assert state_overdue_holds(database, now + DAY).stated == 0
    assert state_overdue_holds(database, now + LATE).stated == 1
    assert state_overdue_holds(database, now + LATE).stated == 0

    (statement,) = standing(database)
    assert (statement.restriction, statement.category) == ("held", Category.SPAM)
    assert (statement.passages, statement.automated_decision) == ([[1, 3]], True)
    with database.reading() as session:
        told = [one for one in posting.messages(session) if one.topic is Topic.STATEMENT_ISSUED]
        assert first_break(session) is None
        assert session.exec(select(Post.state)).one() is PostState.HELD
    assert [one.payload["restriction"] for one in told] == ["held"]
    assert "加薇" not in str(told[0].payload)


def test_a_person_in_danger_gets_no_statement(database: Database, now: datetime) -> None:
    send(database, now, text="不想活")

    assert state_overdue_holds(database, now + 9 * DAY).stated == 0


def held_without_a_rule(database: Database, now: datetime) -> Statement:
    screener = ScriptedScreener({"今天": (Verdict.HOLD, None)})
    send(database, now, text="今天的菜不错", screener=screener)
    assert state_overdue_holds(database, now + LATE).stated == 1
    (statement,) = standing(database)
    return statement


def test_a_hold_that_no_rule_asked_for_has_a_statement_that_cites_none(
    database: Database, now: datetime
) -> None:
    statement = held_without_a_rule(database, now)

    assert state_overdue_holds(database, now + LATE).stated == 0
    assert (statement.category, statement.restriction, statement.passages) == (None, "held", [])
    with database.reading() as session:
        told = [one for one in posting.messages(session) if one.topic is Topic.STATEMENT_ISSUED]
        assert (told[0].payload["category"], told[0].payload["clause"]) == (None, None)
        assert first_break(session) is None
    with client_of(make_service(database, now + LATE)) as client:
        page = client.get(statements.link(statement)).text
        answer = client.get(f"/v1/statements/{statement.token}").json()
    assert "没有违反任何规则" in page
    assert "菜不错" not in page
    assert (answer["rule"], answer["transparency"]["decision_ground"]) == (None, None)
    assert answer["how_to_appeal"]["possible"] is True


@pytest.mark.parametrize("outcome", [AppealState.REVERSED, AppealState.UPHELD])
def test_an_objection_to_such_a_hold_counts_for_and_against_nothing(
    database: Database, now: datetime, outcome: AppealState
) -> None:
    statement = held_without_a_rule(database, now)
    with database.transaction() as session:
        appeal = appeals.submit(session, statement.token, "请尽快看看", now=now + LATE)
    with database.transaction() as session:
        appeals.decide(session, appeal.id, COLLEAGUE, outcome, answer="已查看", scope=SCOPE, now=now + LATE)

    with database.reading() as session:
        found = judgements(session, now, now + 2 * DAY)
        state = session.exec(select(Post.state)).one()
    assert [one.category for one in found.values()] == [None] * (outcome is AppealState.REVERSED)
    assert state is (PostState.PUBLISHED if outcome is AppealState.REVERSED else PostState.HELD)


def test_a_publish_withdraws_the_statement(database: Database, now: datetime) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)

    decide(database, now + LATE, Action.PUBLISH)

    assert standing(database) == []
    assert state_overdue_holds(database, now + 2 * DAY).stated == 0


def test_a_removal_has_a_statement_of_its_own(database: Database, now: datetime) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)

    decide(database, now + LATE, Action.REMOVE, category=Category.SPAM, reason="推销")

    (statement,) = standing(database)
    assert (statement.restriction, statement.decided_by) == ("removed", OFFICER)


def test_an_edit_ends_the_hold_and_is_no_edit_of_a_removed_post(database: Database, now: datetime) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)

    taken = send(database, now + LATE, revision=2, text="请问图书馆几点开门")

    assert taken.answer is not None
    assert taken.answer.verdict is Verdict.PUBLISH
    assert standing(database) == []


def test_a_won_objection_publishes_the_post_and_empties_its_place_in_the_queue(
    database: Database, now: datetime
) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)
    (statement,) = standing(database)
    with database.transaction() as session:
        appeal = appeals.submit(session, statement.token, "这是我自己的资料", now=now + LATE)
    with database.transaction() as session:
        appeals.decide(
            session, appeal.id, COLLEAGUE, AppealState.REVERSED, answer="已公开", scope=SCOPE, now=now + LATE
        )

    with database.reading() as session:
        assert session.exec(select(Post.state)).one() is PostState.PUBLISHED
        assert session.exec(select(ReviewTask.state)).one() is TaskState.WITHDRAWN
    assert standing(database) == []


def test_an_objection_to_the_hold_does_not_undo_a_removal_that_came_after(
    database: Database, now: datetime
) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)
    (hold,) = standing(database)
    with database.transaction() as session:
        appeal = appeals.submit(session, hold.token, "不是广告", now=now + LATE)
    decide(database, now + LATE, Action.REMOVE, category=Category.SPAM, reason="推销")
    with database.transaction() as session:
        appeals.decide(
            session,
            appeal.id,
            COLLEAGUE,
            AppealState.REVERSED,
            answer="见新说明",
            scope=SCOPE,
            now=now + LATE,
        )

    with database.reading() as session:
        assert session.exec(select(Post.state)).one() is PostState.REMOVED
    assert [one.restriction for one in standing(database)] == ["removed"]
    with pytest.raises(Conflict), database.transaction() as session:
        appeals.submit(session, hold.token, "再来", now=now + LATE)


def test_the_author_reads_that_the_post_is_held_and_how_to_object(database: Database, now: datetime) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)
    (statement,) = standing(database)
    with client_of(make_service(database, now + LATE)) as client:
        page = client.get(statements.link(statement)).text
        told = client.get(f"/v1/statements/{statement.token}").json()

    assert "还没有公开" in page
    assert "加薇" in page
    assert f"/statements/{statement.token}/appeal" in page
    assert (told["restriction"], told["how_to_appeal"]["possible"]) == ("held", True)


def test_a_post_held_too_long_is_no_removal_in_the_public_report(database: Database, now: datetime) -> None:
    send(database, now, text="先加薇领资料")
    state_overdue_holds(database, now + LATE)
    with client_of(make_service(database, now + LATE)) as client:
        report = client.get("/v1/public/openness", params={"month": "2026-03"}).json()

    assert sum(report["removals_by_machine"].values()) == 0
