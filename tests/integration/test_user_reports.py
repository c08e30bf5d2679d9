"""Readers' reports: grouped, damped, answered, forgotten; numbers alone never take anything down."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from models.database import Database
from models.outbox import OutboxMessage
from models.post import Post
from models.quality import UserReport
from models.review import Decision, ReviewTask
from models.vocabulary import Category, KeyScope, PostState, ReportState, Topic
from moderation import reports
from tests.support import posting
from tests.support.services import Platform

CRITICISM = "这个部门的窗口永远没人，办事全靠运气"


@pytest.fixture
def forum(database: Database, now: datetime) -> Platform:
    return Platform(database, now)


def report(forum: Platform, **changes: Any) -> Any:
    fields = {"external_id": "1", "category": "harassment", "reporter": "reader-1", **changes}
    return forum.forum.post("/v1/reports", json=fields)


def publish(forum: Platform, text: str = CRITICISM, external_id: str = "1") -> None:
    sent = posting.fields(forum.clock.now, text=text, external_id=external_id)
    assert forum.forum.post("/v1/posts", json=sent).status_code == 201


def tasks(forum: Platform) -> list[ReviewTask]:
    with forum.database.reading() as session:
        return list(session.exec(select(ReviewTask).order_by(col(ReviewTask.id))))


def decide(forum: Platform, action: str, **more: Any) -> Any:
    officer = forum.officer()
    opened = officer.post("/v1/reviews/next").json()
    return officer.post(
        f"/v1/reviews/{opened['task_id']}/decision",
        json={"action": action, "version": opened["version"], **more},
    ).json()


def told(forum: Platform) -> list[OutboxMessage]:
    with forum.database.reading() as session:
        return list(session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.REPORT_DECIDED)))


def test_a_report_puts_a_published_post_before_a_person_and_leaves_it_up(forum: Platform) -> None:
    publish(forum)
    answer = report(forum, text="他在骂人")
    assert answer.status_code == 201
    assert answer.json()["state"] == "open"
    (task,) = tasks(forum)
    assert (task.category, task.rule) == (Category.HARASSMENT, reports.REPORTED)
    assert forum.forum.get("/v1/posts/forum/1").json()["state"] == "published"
    shown = forum.officer().get("/queue").text
    assert "1 位读者举报" in shown
    assert "他在骂人" in shown


def test_sent_again_it_is_the_same_report_and_another_reader_makes_another(forum: Platform) -> None:
    publish(forum)
    first, again, other = report(forum), report(forum), report(forum, reporter="reader-2")
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert first.json()["id"] == again.json()["id"] != other.json()["id"]
    assert len(tasks(forum)) == 1


def test_a_thousand_readers_take_nothing_down_and_reach_no_lane_of_danger(forum: Platform) -> None:
    publish(forum)
    for number in range(60):
        forum.clock.turn(minutes=10)
        assert report(forum, reporter=f"reader-{number}", category="spam").status_code == 201
    (task,) = tasks(forum)
    assert task.lane != 0
    assert task.urgency == 3
    assert forum.forum.get("/v1/posts/forum/1").json()["state"] == "published"
    decide(forum, "publish")
    forum.clock.turn(minutes=1)
    late = report(forum, reporter="one more", category="spam")
    assert late.json()["state"] == "not_upheld"
    assert len(tasks(forum)) == 1


def test_the_platform_learns_the_outcome_once_it_can_no_longer_be_undone_and_nothing_of_the_author(
    forum: Platform,
) -> None:
    publish(forum)
    made = report(forum, text="看不下去了").json()
    decided = decide(forum, "remove", category="harassment", reason="辱骂他人")
    with forum.database.reading() as session:
        author = session.exec(select(Post.author)).one()
    (message,) = told(forum)
    assert message.due_at.isoformat() == decided["leaves_at"].replace("Z", "+00:00")
    assert message.payload["outcome"] == "upheld"
    assert author not in str(message.payload)
    assert "看不下去了" not in str(message.payload)
    assert forum.forum.get(f"/v1/reports/{made['id']}").json()["state"] == "open"
    forum.clock.turn(seconds=31)
    assert forum.forum.get(f"/v1/reports/{made['id']}").json()["state"] == "upheld"


def test_an_undo_takes_the_answer_back_as_well(forum: Platform) -> None:
    publish(forum)
    made = report(forum).json()
    decided = decide(forum, "publish")
    assert len(told(forum)) == 1
    assert forum.officer().post(f"/v1/reviews/decisions/{decided['id']}/undo").status_code == 200
    assert told(forum) == []
    forum.clock.turn(minutes=1)
    assert forum.forum.get(f"/v1/reports/{made['id']}").json()["state"] == "open"


def test_a_reader_who_floods_is_refused_for_the_hour_and_others_are_not(forum: Platform) -> None:
    for number in range(11):
        publish(forum, f"{CRITICISM}{number}", str(number))
    answers = [report(forum, external_id=str(number)).status_code for number in range(11)]
    assert answers == [201] * 10 + [429]
    refused = report(forum, external_id="10")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "reporter_flood"
    assert report(forum, external_id="10", reporter="reader-2").status_code == 201
    forum.clock.turn(minutes=61)
    assert report(forum, external_id="10").status_code == 201


def test_a_report_about_somebody_in_danger_goes_to_the_lane_for_it(forum: Platform) -> None:
    publish(forum, "最近总是睡不着")
    assert report(forum, category="self_harm").status_code == 201
    (task,) = tasks(forum)
    assert (task.category, task.lane, task.urgency) == (Category.SELF_HARM, 0, 0)


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"category": "politics"}, 422, "/category"),
        ({"external_id": "unknown"}, 404, "/external_id"),
        ({"reporter": " "}, 422, "/reporter"),
        ({"text": "长" * 501}, 422, "/text"),
        ({"post": "1"}, 422, "/post"),
    ],
)
def test_what_cannot_be_taken_is_told_as_a_problem(
    forum: Platform, changes: dict[str, str], status: int, field: str
) -> None:
    publish(forum)
    answer = report(forum, **changes)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_another_platform_and_another_place_reach_no_report(forum: Platform) -> None:
    publish(forum)
    made = report(forum).json()["id"]
    other = forum.with_key(KeyScope.REPORTS_WRITE, source="other")
    fields = {"external_id": "1", "category": "spam", "reporter": "a"}
    assert other.post("/v1/reports", json=fields).status_code == 404
    assert other.get(f"/v1/reports/{made}").status_code == 404
    elsewhere = forum.with_key(KeyScope.REPORTS_WRITE, organisation="gd/foshan")
    assert elsewhere.post("/v1/reports", json=fields).status_code == 404


def test_reporters_are_hashed_under_a_key_of_their_own_and_forgotten(forum: Platform) -> None:
    publish(forum)
    report(forum, reporter="user-1", text="他在骂人")
    with forum.database.reading() as session:
        kept = session.exec(select(UserReport)).one()
        assert kept.reporter != session.exec(select(Post.author)).one()
        assert "user-1" not in str(kept.model_dump())
    swept = reports.sweep_due(forum.database, forum.clock.now + timedelta(days=89))
    assert swept.forgotten == 0
    swept = reports.sweep_due(forum.database, forum.clock.now + timedelta(days=90))
    assert swept.forgotten == 1
    with forum.database.reading() as session:
        kept = session.exec(select(UserReport)).one()
        assert (kept.reporter, kept.text, kept.digest) == (None, None, None)


def test_a_deleted_post_takes_the_words_of_its_reports_along_and_they_are_closed(forum: Platform) -> None:
    publish(forum)
    made = report(forum, text="他在骂人").json()["id"]
    assert forum.forum.delete("/v1/posts/forum/1").status_code == 200
    assert report(forum, reporter="reader-2").status_code == 410
    assert reports.sweep_due(forum.database, forum.clock.now).closed == 1
    assert forum.forum.get(f"/v1/reports/{made}").json()["state"] == ReportState.CLOSED.value
    with forum.database.reading() as session:
        assert session.exec(select(UserReport.text)).one() is None
        assert session.exec(select(Decision)).all() == []
        assert session.exec(select(Post.state)).one() is PostState.DELETED
