import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import func, select

from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import Gone, InvalidInput, NotFound, NotPermitted, RevisionConflict, StaleVersion
from models.post import Post, PostRevision
from models.review import ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import Category, PostState, TaskState, Topic, Verdict
from moderation.deletion import delete
from moderation.intake import Caller, current, take
from tests.support import posting
from tests.support.posting import CALLER, KEYS, a_draft, send
from tests.support.screeners import ScriptedScreener


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def count(database: Database, table: Any) -> int:
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def test_a_harmless_post_is_published_and_nobody_is_told(database: Database, now: datetime) -> None:
    taken = send(database, now)

    assert taken.created
    assert taken.answer.verdict is Verdict.PUBLISH
    assert taken.answer.state is PostState.PUBLISHED
    with database.reading() as session:
        assert posting.messages(session) == []
        assert session.exec(select(ReviewTask)).all() == []


def test_the_author_is_kept_only_as_a_keyed_hash(database: Database, now: datetime) -> None:
    send(database, now, author="user-1")

    with database.reading() as session:
        post = session.exec(select(Post)).one()
    assert len(post.author) == 64
    assert "user-1" not in post.model_dump_json()


def test_the_same_revision_twice_gets_the_same_answer(database: Database, now: datetime) -> None:
    screener = ScriptedScreener()
    first = send(database, now, screener=screener, text="加薇领资料")
    second = send(database, now + timedelta(minutes=1), screener=screener, text="加薇领资料",
                  created_at=now - timedelta(minutes=2))  # fmt: skip

    assert (first.created, second.created) == (True, False)
    assert second.answer == first.answer
    assert screener.screened == ["加薇领资料"]
    assert count(database, Screening) == 1


def test_likes_are_no_content(database: Database, now: datetime) -> None:
    first, second = send(database, now, likes=1), send(database, now, likes=90)

    assert second.answer == first.answer


@pytest.mark.parametrize("change", [{"text": "别的"}, {"author": "user-2"}, {"organisation": "gd/foshan"}])
def test_the_same_revision_with_another_content_is_refused(
    database: Database, now: datetime, change: Any
) -> None:
    send(database, now)

    taken = send(database, now, **change)

    assert isinstance(taken.problem, RevisionConflict)
    assert taken.problem.field == "/revision"


def test_a_later_revision_is_screened_anew_and_an_older_one_is_stale(
    database: Database, now: datetime
) -> None:
    first = send(database, now, revision=1)
    third = send(database, now, revision=3, text="加薇领资料")
    second = send(database, now, revision=2)
    again = send(database, now, revision=1)

    assert (first.answer.verdict, third.answer.verdict) == (Verdict.PUBLISH, Verdict.HOLD)
    assert third.answer.id == first.answer.id
    assert isinstance(second.problem, StaleVersion)
    assert again.answer.verdict is Verdict.PUBLISH
    assert again.answer.revision == 1


def test_an_edit_replaces_the_place_in_the_queue(database: Database, now: datetime) -> None:
    send(database, now, revision=1, text="打死你")
    send(database, now, revision=2, text="加薇领资料")
    send(database, now, revision=3)

    with database.reading() as session:
        tasks = session.exec(select(ReviewTask).order_by(ReviewTask.id)).all()
        post = session.exec(select(Post)).one()
    assert [task.state for task in tasks] == [TaskState.WITHDRAWN, TaskState.WITHDRAWN]
    assert [task.category for task in tasks] == [Category.THREAT, Category.SPAM]
    assert (post.state, post.category) == (PostState.PUBLISHED, None)


def test_an_edit_keeps_its_author(database: Database, now: datetime) -> None:
    send(database, now)

    taken = send(database, now, revision=2, author="user-2")

    assert taken.problem.problem_code == "author_changed"


def test_a_key_writes_only_for_its_source_and_under_its_place(database: Database, now: datetime) -> None:
    dongguan = Caller("forum", "key:1", ("gd/dongguan",))
    send(database, now, external_id="theirs", organisation="gd/foshan")

    other_source = send(database, now, source="elsewhere")
    other_place = send(database, now, caller=dongguan, organisation="gd/foshan", external_id="2")
    above = send(database, now, caller=dongguan, organisation="gd", external_id="3")
    taken_over = send(database, now, caller=dongguan, external_id="theirs", revision=2)
    below = send(database, now, caller=dongguan, organisation="gd/dongguan/houjie", external_id="4")

    assert isinstance(other_source.problem, NotPermitted)
    assert other_source.problem.problem_code == "wrong_source"
    for refused in (other_place, above, taken_over):
        assert refused.problem.problem_code == "organisation_not_permitted"
    assert below.created


def test_an_organisation_that_is_not_in_the_tree_is_refused(database: Database, now: datetime) -> None:
    taken = send(database, now, organisation="gd/nowhere")

    assert isinstance(taken.problem, InvalidInput)
    assert (taken.problem.problem_code, taken.problem.field) == ("unknown_organisation", "/organisation")


def test_one_bad_draft_does_not_touch_the_others(database: Database, now: datetime) -> None:
    bad = InvalidInput("text: must not be empty", code="empty", field="/text")
    drafts = [a_draft(now, external_id="1"), bad, a_draft(now, external_id="3", organisation="gd/nowhere"),
              a_draft(now, external_id="4")]  # fmt: skip

    results = take(database, ScriptedScreener(), drafts, caller=CALLER, keys=KEYS, now=now)

    assert [one.created for one in results] == [True, False, False, True]
    assert results[1].problem is bad
    assert count(database, Post) == 2


def test_one_key_twice_in_a_batch_is_one_post(database: Database, now: datetime) -> None:
    drafts = [
        a_draft(now, external_id="a"),
        a_draft(now, external_id="a"),
        a_draft(now, external_id="a", text="别的"),
        a_draft(now, external_id="a", revision=2, text="加薇领资料"),
        a_draft(now, external_id="a", revision=2, text="加薇领资料"),
        a_draft(now, external_id="b"),
    ]

    results = take(database, ScriptedScreener(), drafts, caller=CALLER, keys=KEYS, now=now)

    assert [one.created for one in results] == [True, False, False, True, False, True]
    assert results[1].answer == results[0].answer
    assert isinstance(results[2].problem, RevisionConflict)
    assert results[4].answer == results[3].answer
    assert count(database, PostRevision) == 3


def test_requests_that_race_end_in_one_row_and_one_answer(database: Database, now: datetime) -> None:
    results, barrier = [], threading.Barrier(8)

    def go() -> None:
        barrier.wait()
        results.append(send(database, now, text="刷单返利"))

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(one.created for one in results) == {True: 1, False: 7}
    assert all(one.answer == results[0].answer for one in results)
    assert count(database, Post) == count(database, Screening) == count(database, Statement) == 1


def test_batches_that_overlap_in_another_order_do_not_block_each_other(
    database: Database, now: datetime
) -> None:
    results, barrier = [], threading.Barrier(4)

    def go(turn: int) -> None:
        numbers = list(range(60))
        drafts = [
            a_draft(now, external_id=str(number), text="刷单返利" if number % 10 == 0 else "你好")
            for number in (reversed(numbers) if turn % 2 else numbers)
        ]
        barrier.wait()
        results.extend(take(database, ScriptedScreener(), drafts, caller=CALLER, keys=KEYS, now=now))

    threads = [threading.Thread(target=go, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 240
    assert sum(one.created for one in results) == 60
    assert count(database, Post) == 60
    assert count(database, Statement) == 6


def test_a_machine_removal_gives_a_statement_an_audit_entry_and_a_message(
    database: Database, now: datetime
) -> None:
    taken = send(database, now, text="在家刷单返利")

    with database.reading() as session:
        statement = session.exec(select(Statement)).one()
        entries = session.exec(select(AuditEntry)).all()
        told = posting.messages(session)
        assert first_break(session) is None
    assert taken.answer.state is PostState.REMOVED
    assert statement.automated_detection
    assert statement.automated_decision
    assert statement.decided_by is None
    assert statement.passages == [[2, 4]]
    assert statement.appeal_until == now.replace(month=9)
    assert [entry.action for entry in entries] == ["statement.issued"]
    assert {one.topic for one in told} == {Topic.POST_SCREENED, Topic.STATEMENT_ISSUED}
    assert all("刷单" not in str(one.payload) for one in told)
    assert all(one.payload["statement"] == f"/statements/{statement.token}" for one in told)


def test_a_person_in_danger_comes_first_and_the_answer_says_who_helps(
    database: Database, now: datetime
) -> None:
    send(database, now, external_id="spam", text="加薇领资料")
    taken = send(database, now, external_id="danger", text="我不想活了")

    with database.reading() as session:
        tasks = session.exec(select(ReviewTask).order_by(ReviewTask.urgency)).all()
    assert [(task.category, task.urgency) for task in tasks] == [
        (Category.SELF_HARM, 0),
        (Category.SPAM, 5),
    ]
    assert tasks[0].due_at == now + timedelta(minutes=30)
    assert taken.answer.state is PostState.REFERRED
    assert [line["number"] for line in taken.answer.document()["help"]["lines"]][:2] == ["12356", "12355"]


def test_where_a_post_stands_is_told_within_the_scope_only(database: Database, now: datetime) -> None:
    send(database, now, revision=1)
    send(database, now, revision=2, text="加薇领资料")

    with database.reading() as session:
        found = current(session, "forum", "1", scope=["gd/dongguan"])
        for source, external_id, scope in (
            ("forum", "1", ["gd/foshan"]),
            ("forum", "2", None),
            ("other", "1", None),
        ):
            with pytest.raises(NotFound):
                current(session, source, external_id, scope=scope)
    assert (found.revision, found.state) == (2, PostState.HELD)


def test_a_deleted_post_is_gone_for_good(database: Database, now: datetime) -> None:
    send(database, now)
    with database.transaction() as session:
        delete(session, "forum", "1", scope=None, deleted_by="key:1", now=now)

    again, edited = send(database, now), send(database, now, revision=2)

    assert isinstance(again.problem, Gone)
    assert isinstance(edited.problem, Gone)
    with database.reading() as session, pytest.raises(Gone):
        current(session, "forum", "1", scope=None)
