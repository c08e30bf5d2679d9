"""A statement in the fields of the EU's public database, and what reaches its reader."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import select

from models.database import Database
from models.post import Post
from models.review import Statement
from models.vocabulary import HARMS, Action, Category, PostKind, PostState
from moderation import leases, review, statements
from moderation.transparency import CATEGORIES, transparency
from tests.support.posting import OFFICER, messages, send
from tests.support.services import Platform


@pytest.fixture
def platform(database: Database, now: datetime) -> Platform:
    return Platform(database, now)


def the_statement(database: Database) -> Statement:
    with database.reading() as session:
        return session.exec(select(Statement)).one()


def test_every_harm_has_its_place_in_the_list_of_the_database() -> None:
    assert set(CATEGORIES) == set(HARMS)


def test_a_machines_removal_says_by_what_it_was_found_and_that_nobody_decided(
    platform: Platform, now: datetime
) -> None:
    send(platform.database, now, text="刷单日结")
    statement = the_statement(platform.database)

    told = platform.nobody.get(f"/v1/statements/{statement.token}").json()
    fields = told["transparency"]

    assert fields["puid"] == statement.id
    assert fields["decision_visibility"] == "DECISION_VISIBILITY_CONTENT_REMOVED"
    assert fields["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    assert fields["category"] == "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"
    assert fields["incompatible_content_ground"] == {"zh": "C2 诈骗", "en": "C2 Scams and fraud"}
    assert (fields["automated_detection"], fields["automated_decision"]) == (
        "Yes",
        "AUTOMATED_DECISION_FULLY",
    )
    assert "规则 test/scam" in fields["decision_facts"]["zh"]
    assert "rule test/scam" in fields["decision_facts"]["en"]
    assert fields["end_date_visibility_restriction"] is None
    for language in ("zh", "en"):
        for name in ("territorial_scope", "temporal_scope", "redress", "incompatible_content_explanation"):
            assert fields[name][language]
    assert "刷单" not in str(fields)


def test_an_officers_removal_carries_the_reason_and_begins_when_it_leaves(
    platform: Platform, now: datetime
) -> None:
    send(platform.database, now, text="先加薇领资料")
    with platform.database.transaction() as session:
        opened = leases.next_task(session, ["gd"], OFFICER, now=now)
        assert opened is not None
        review.decide(
            session,
            opened.task.id,
            OFFICER,
            Action.REMOVE,
            version=opened.task.version,
            scope=["gd"],
            now=now,
            category=Category.SPAM,
            reason="引流到群",
        )
    statement = the_statement(platform.database)
    platform.clock.turn(minutes=1)

    fields = platform.nobody.get(f"/v1/statements/{statement.token}").json()["transparency"]

    assert fields["automated_decision"] == "AUTOMATED_DECISION_NOT_AUTOMATED"
    assert fields["incompatible_content_explanation"]["zh"].endswith("引流到群")
    assert datetime.fromisoformat(fields["application_date"]) == now + review.UNDO
    assert OFFICER not in str(fields)


def test_what_a_person_found_without_a_machine_says_so(now: datetime) -> None:
    post = Post(
        source="s",
        external_id="1",
        revision=2,
        kind=PostKind.COMMENT,
        organisation="gd",
        author="a",
        state=PostState.REMOVED,
        created_at=now,
        received_at=now,
    )
    statement = Statement(
        token="t",
        post_id=post.id,
        revision=2,
        screening_id="s",
        category=Category.THREAT,
        restriction=statements.REMOVED,
        reason="威胁",
        automated_detection=False,
        automated_decision=False,
        issued_at=now,
        appeal_until=now,
        withdrawn_at=now + timedelta(hours=1),
    )

    fields = transparency(statement, post, [])

    assert fields.source_type == "SOURCE_TYPE_OTHER_NOTIFICATION"
    assert fields.decision_facts.zh == "2026年3月16日发布的评论，第2版。由人发现。由工作人员决定。"
    assert (
        fields.decision_facts.en
        == "A comment of 16 March 2026, version 2. Found by a person. A person decided."
    )
    assert fields.temporal_scope.en == "It has ended."


def test_a_person_in_danger_has_no_statement_no_standing_and_nobody_is_told_who(
    platform: Platform, now: datetime
) -> None:
    taken = send(platform.database, now, text="我不想活了")
    assert taken.answer is not None
    with platform.database.reading() as session:
        assert session.exec(select(Statement)).all() == []
        told = messages(session)
        author = session.exec(select(Post.author)).one()
    assert told
    for message in told:
        assert author not in str(message.payload)
        assert "user-1" not in str(message.payload)
        assert "author" not in message.payload
