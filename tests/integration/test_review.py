"""The review queue, decisions, statements and objections, as records and over HTTP."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound, NotPermitted, StaleVersion
from models.post import Post
from models.review import Appeal, Decision, ReviewTask, Statement
from models.vocabulary import Action, AppealState, Category, PostState, TaskState, Topic
from moderation import appeals, leases, queue, review, statements
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send
from tests.support.services import Platform

SCOPE = ["gd"]
TEXT = "先加薇领资料"


@pytest.fixture
def held(database: Database, now: datetime) -> str:
    """A held post in the queue; the id of its task."""
    with database.transaction() as session:
        posting.plant(session, now)
    send(database, now, text=TEXT)
    with database.reading() as session:
        return session.exec(select(ReviewTask.id)).one()


def opened(database: Database, task_id: str, now: datetime, officer: str = OFFICER) -> leases.OpenedTask:
    with database.transaction() as session:
        return leases.lease(session, task_id, officer, SCOPE, now=now)


def decided(
    database: Database, task_id: str, now: datetime, action: Action = Action.REMOVE, **changes: Any
) -> Decision:
    task = opened(database, task_id, now, changes.get("officer", OFFICER)).task
    values: dict[str, Any] = {
        "officer": OFFICER,
        "version": task.version,
        "scope": SCOPE,
        "now": now,
        "category": Category.SPAM if action is Action.REMOVE else None,
        "reason": "推销与讨论无关" if action is Action.REMOVE else "",
        **changes,
    }
    with database.transaction() as session:
        return review.decide(session, task_id, action=action, **values)


def token(database: Database) -> str:
    with database.reading() as session:
        return session.exec(select(Statement.token)).one()


def test_the_most_urgent_comes_first_and_then_the_oldest(
    database: Database, now: datetime, held: str
) -> None:
    for number, text in enumerate(["不想活", "打死你", "加薇", "不想活了"], start=2):
        send(database, now + timedelta(minutes=number), external_id=str(number), text=text)

    with database.reading() as session:
        found = queue.waiting(session, SCOPE, now=now + timedelta(hours=2))
        counts = queue.counts(session, SCOPE, now=now + timedelta(hours=2))
        threats = queue.waiting(session, SCOPE, now=now, category=Category.THREAT)
        danger = queue.waiting(session, SCOPE, now=now, urgency=0)

    assert [item.urgency for item in found] == [0, 0, 1, 5, 5]
    assert found[3].task_id == held
    assert [item.overdue for item in found] == [True, True, True, False, False]
    assert (counts.total, counts.overdue) == (5, 3)
    assert counts.by_category == {Category.SELF_HARM: 2, Category.THREAT: 1, Category.SPAM: 2}
    assert (len(threats), len(danger)) == (1, 2)


def test_nothing_outside_the_scope_is_seen_opened_or_decided(
    database: Database, now: datetime, held: str
) -> None:
    for scope in (["gd/foshan"], ["gd/dong"], []):
        with database.reading() as session:
            assert queue.waiting(session, scope, now=now) == []
            assert queue.counts(session, scope, now=now).total == 0
        with database.transaction() as session:
            assert leases.next_task(session, scope, OFFICER, now=now) is None
        with pytest.raises(NotFound), database.transaction() as session:
            leases.lease(session, held, OFFICER, scope, now=now)
        with pytest.raises(NotFound), database.transaction() as session:
            review.decide(session, held, OFFICER, Action.PUBLISH, version=1, scope=scope, now=now)


def test_a_task_is_in_one_officers_hands_for_ten_minutes(
    database: Database, now: datetime, held: str
) -> None:
    found = opened(database, held, now)

    assert (found.text, found.task.leased_until) == (TEXT, now + timedelta(minutes=10))
    with pytest.raises(Conflict, match="in hand"):
        opened(database, held, now + timedelta(minutes=9), COLLEAGUE)
    assert opened(database, held, now + timedelta(minutes=10), COLLEAGUE).task.leased_by == COLLEAGUE


def test_a_look_at_a_post_is_in_the_audit_log_once_for_each_lease(
    database: Database, now: datetime, held: str
) -> None:
    for minutes in (0, 5, 12, 40):
        opened(database, held, now + timedelta(minutes=minutes))

    with database.reading() as session:
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "post.viewed")).all()
        assert first_break(session) is None
    assert [look.at for look in looks] == [now, now + timedelta(minutes=40)]
    assert {look.actor for look in looks} == {f"account:{OFFICER}"}


def test_next_gives_two_officers_two_tasks_and_each_their_own_again(
    database: Database, now: datetime, held: str
) -> None:
    send(database, now, external_id="2", text="打死你")
    taken = []
    for officer in (OFFICER, COLLEAGUE, OFFICER, COLLEAGUE):
        with database.transaction() as session:
            found = leases.next_task(session, SCOPE, officer, now=now)
            taken.append(found.task.id if found else None)

    assert taken[0] == taken[2]
    assert taken[1] == taken[3] == held
    assert taken[0] != held


def test_a_task_given_back_is_free_at_once(database: Database, now: datetime, held: str) -> None:
    opened(database, held, now)
    with database.transaction() as session:
        leases.release(session, held, COLLEAGUE, SCOPE, now=now)
    with pytest.raises(Conflict):
        opened(database, held, now, COLLEAGUE)
    with database.transaction() as session:
        leases.release(session, held, OFFICER, SCOPE, now=now)

    assert opened(database, held, now, COLLEAGUE).task.leased_by == COLLEAGUE


def test_a_removal_tells_the_author_the_platform_and_the_log(
    database: Database, now: datetime, held: str
) -> None:
    decision = decided(database, held, now)

    with database.reading() as session:
        post = session.exec(select(Post)).one()
        task = session.exec(select(ReviewTask)).one()
        statement = session.exec(select(Statement)).one()
        told = {one.topic: one.payload for one in posting.messages(session)}
        actions = session.exec(select(AuditEntry.action).order_by(AuditEntry.sequence)).all()
    assert (post.state, post.category, task.state) == (PostState.REMOVED, Category.SPAM, TaskState.DECIDED)
    assert (statement.decided_by, statement.decision_id) == (OFFICER, decision.id)
    assert (statement.automated_detection, statement.automated_decision) == (True, False)
    assert (statement.reason, statement.passages) == ("推销与讨论无关", [[1, 3]])
    assert list(actions) == ["post.viewed", "statement.issued", "post.decided"]
    assert told[Topic.POST_DECIDED]["state"] == "removed"
    assert told[Topic.POST_DECIDED]["statement"] == f"/statements/{statement.token}"
    assert not any(word in str(told) for word in ("加薇", "推销"))


@pytest.mark.parametrize(
    ("action", "state"), [(Action.PUBLISH, PostState.PUBLISHED), (Action.REFER, PostState.REFERRED)]
)
def test_a_post_is_published_or_referred_without_a_statement(
    database: Database, now: datetime, held: str, action: Action, state: PostState
) -> None:
    decided(database, held, now, action)

    with database.reading() as session:
        assert session.exec(select(Post.state)).one() is state
        assert session.exec(select(Statement)).all() == []
        assert posting.messages(session)[-1].payload["action"] == action.value


def test_a_removal_needs_a_harm_and_a_reason(database: Database, now: datetime, held: str) -> None:
    for changes, field in (
        ({"category": None}, "/category"),
        ({"category": Category.SELF_HARM}, "/category"),
        ({"reason": "  "}, "/reason"),
        ({"reason": "长" * 2_001}, "/reason"),
        ({"reason": "a\x00"}, "/reason"),
    ):
        with pytest.raises(InvalidInput) as caught:
            decided(database, held, now, **changes)
        assert caught.value.field == field


def test_a_decision_about_what_changed_meanwhile_is_refused(
    database: Database, now: datetime, held: str
) -> None:
    with pytest.raises(StaleVersion):
        decided(database, held, now, version=1)

    opened(database, held, now)
    send(database, now, revision=2, text="改成了好好的问题")
    with pytest.raises(Conflict) as caught:
        decided(database, held, now)
    assert caught.value.problem_code == "task_closed"


def test_two_decisions_at_once_end_in_one(database: Database, now: datetime, held: str) -> None:
    version = opened(database, held, now).task.version
    results: list[Any] = []
    barrier = threading.Barrier(2)

    def go(action: Action) -> None:
        barrier.wait()
        try:
            with database.transaction() as session:
                results.append(
                    review.decide(session, held, OFFICER, action, version=version, scope=SCOPE, now=now)
                )
        except Conflict as error:
            results.append(error)

    threads = [threading.Thread(target=go, args=(one,)) for one in (Action.PUBLISH, Action.REFER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(type(one).__name__ for one in results) == ["Conflict", "Decision"]


def test_a_statement_shows_the_rule_the_passage_and_how_to_object(
    database: Database, now: datetime, held: str
) -> None:
    decided(database, held, now)

    with database.reading() as session:
        view = statements.view(session, token(database))
        with pytest.raises(NotFound):
            statements.view(session, "guess")
    assert view.passages == ("加薇",)
    assert view.can_appeal(now)
    assert not view.can_appeal(now + timedelta(days=200))


def test_an_objection_that_succeeds_restores_the_post(database: Database, now: datetime, held: str) -> None:
    decided(database, held, now)
    with database.transaction() as session:
        appeal = appeals.submit(session, token(database), "我没有推销", now=now)
    with database.transaction() as session:
        waiting = appeals.waiting(session, SCOPE, COLLEAGUE)
        appeals.decide(
            session, appeal.id, COLLEAGUE, AppealState.REVERSED, answer="你说得对", scope=SCOPE, now=now
        )

    with database.reading() as session:
        post = session.exec(select(Post)).one()
        statement = session.exec(select(Statement)).one()
        last = posting.messages(session)[-1]
        view = statements.view(session, statement.token)
    assert [(one.appeal.id, one.text, one.may_decide) for one in waiting] == [(appeal.id, TEXT, True)]
    assert (post.state, post.category) == (PostState.PUBLISHED, None)
    assert statement.withdrawn_at == now
    assert (last.topic, last.payload["outcome"], last.payload["state"]) == (
        Topic.APPEAL_DECIDED, "reversed", "published",
    )  # fmt: skip
    assert view.appeal.answer == "你说得对"


def test_an_objection_that_fails_leaves_everything(database: Database, now: datetime, held: str) -> None:
    decided(database, held, now)
    with database.transaction() as session:
        appeal = appeals.submit(session, token(database), "我没有推销", now=now)
    with database.transaction() as session:
        appeals.decide(
            session, appeal.id, COLLEAGUE, AppealState.UPHELD, answer="仍是推销", scope=SCOPE, now=now
        )

    with database.reading() as session:
        assert session.exec(select(Post.state)).one() is PostState.REMOVED
        assert session.exec(select(Statement.withdrawn_at)).one() is None
    with pytest.raises(Conflict), database.transaction() as session:
        appeals.decide(
            session, appeal.id, COLLEAGUE, AppealState.REVERSED, answer="又变了", scope=SCOPE, now=now
        )


def test_whoever_removed_the_post_cannot_decide_about_the_objection(
    database: Database, now: datetime, held: str
) -> None:
    decided(database, held, now)
    with database.transaction() as session:
        appeal = appeals.submit(session, token(database), "我没有推销", now=now)

    with database.reading() as session:
        assert not appeals.waiting(session, SCOPE, OFFICER)[0].may_decide
    with pytest.raises(NotPermitted) as caught, database.transaction() as session:
        appeals.decide(session, appeal.id, OFFICER, AppealState.UPHELD, answer="不", scope=SCOPE, now=now)
    assert caught.value.problem_code == "same_person"
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.get_one(Appeal, appeal.id).decided_by = OFFICER


def test_an_objection_comes_once_in_time_and_to_a_removal_that_stands(
    database: Database, now: datetime, held: str
) -> None:
    decided(database, held, now)
    key = token(database)

    def object_at(when: datetime, text: str = "我没有推销") -> Any:
        try:
            with database.transaction() as session:
                return appeals.submit(session, key, text, now=when)
        except (Conflict, InvalidInput) as error:
            return error.problem_code

    assert object_at(now + timedelta(days=200)) == "appeal_period_over"
    assert object_at(now, " ") == "empty"
    assert object_at(now, "长" * 5_001) == "too_long"
    assert isinstance(object_at(now + timedelta(days=180)), Appeal)
    assert object_at(now) == "already_appealed"


def test_an_appeal_outside_the_scope_does_not_exist(database: Database, now: datetime, held: str) -> None:
    decided(database, held, now)
    with database.transaction() as session:
        appeal = appeals.submit(session, token(database), "我没有推销", now=now)

    with database.reading() as session:
        assert appeals.waiting(session, ["gd/foshan"], COLLEAGUE) == []
    with pytest.raises(NotFound), database.transaction() as session:
        appeals.decide(
            session, appeal.id, COLLEAGUE, AppealState.UPHELD, answer="不", scope=["gd/foshan"], now=now
        )


def test_the_whole_way_over_http(database: Database, now: datetime) -> None:
    platform = Platform(database, now)
    officer, colleague = platform.officer(), platform.officer(COLLEAGUE)
    platform.forum.post("/v1/posts", json=posting.fields(now, text=TEXT))

    listed = officer.get("/v1/reviews").json()
    task = officer.post("/v1/reviews/next").json()
    busy = colleague.post(f"/v1/reviews/{task['task_id']}/lease")
    decision = officer.post(
        f"/v1/reviews/{task['task_id']}/decision",
        json={"action": "remove", "version": task["version"], "category": "spam", "reason": "推销"},
    )
    nothing = officer.post("/v1/reviews/next")
    with database.reading() as session:
        found = session.exec(select(Statement)).one()
    too_early = platform.nobody.get(f"/v1/statements/{found.token}")
    platform.clock.turn(seconds=30)
    statement = platform.nobody.get(f"/v1/statements/{found.token}")
    sent = {"token": found.token, "text": "我没有推销"}
    elsewhere = platform.with_key(source="other").post("/v1/appeals", json=sent)
    appeal = platform.forum.post("/v1/appeals", json=sent)
    objections = colleague.get("/v1/appeals").json()
    with database.reading() as session:
        looks = session.exec(select(AuditEntry.actor).where(AuditEntry.action == "post.viewed")).all()
    mine = officer.post(
        f"/v1/appeals/{appeal.json()['id']}/decision", json={"outcome": "upheld", "answer": "不"}
    )
    theirs = colleague.post(
        f"/v1/appeals/{appeal.json()['id']}/decision", json={"outcome": "reversed", "answer": "对"}
    )

    assert (listed["total"], listed["by_category"], listed["by_urgency"]) == (1, {"spam": 1}, {"5": 1})
    assert "text" not in listed["items"][0]
    assert task["text"] == TEXT
    assert busy.json()["code"] == "task_leased"
    assert decision.json()["action"] == "remove"
    assert too_early.status_code == 404
    assert nothing.status_code == 204
    assert statement.json()["passages"] == ["加薇"]
    assert statement.json()["rule"]["number"] == "C1"
    assert statement.json()["how_to_appeal"]["possible"] is True
    assert statement.headers["cache-control"] == "no-store"
    assert elsewhere.status_code == 404
    assert appeal.status_code == 201
    assert [(one["post_text"], one["text"], one["may_decide"]) for one in objections] == [
        (TEXT, "我没有推销", True)
    ]
    assert list(looks) == [f"account:{OFFICER}", f"account:{COLLEAGUE}"]
    assert mine.json()["code"] == "same_person"
    assert theirs.json()["state"] == "reversed"
    assert platform.forum.get("/v1/posts/forum/1").json()["state"] == "published"
    assert platform.nobody.get("/v1/statements/guess").status_code == 404
    assert platform.forum.get("/v1/reviews").status_code == 403
