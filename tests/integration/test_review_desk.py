"""The officer's desk: order and lanes, leases, undo, bulk over near-duplicates, filters, and the card."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from alerts.channels import Envelope, Outcome
from alerts.delivery import deliver_due
from alerts.settings import AlertsSettings
from models.account import Account, Grant
from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import Conflict, NotFound, NotPermitted, StaleVersion
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post
from models.review import Decision, ReviewTask, RuleOutcome, Statement, TaskLikeness
from models.vocabulary import Action, Category, PostKind, PostState, Role, TaskState, Topic, Verdict
from moderation import card, leases, queue, referrals, review, similarity, statements, undo
from moderation.filters import QueueFilter
from moderation.holds import state_overdue_holds
from moderation.intake import author_hash
from moderation.review import Seen
from moderation.rulings import Ruling
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send
from tests.support.screeners import ScriptedScreener
from tests.support.services import Platform

SCOPE = ["gd"]
SALT = b"s" * 32
HALF_A_MINUTE = timedelta(seconds=30)
ADVERTISEMENT = "开学大促销全场半价先加薇领取优惠券名额有限先到先得第{}批"


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def task_of(database: Database, external_id: str = "1") -> ReviewTask:
    with database.reading() as session:
        return session.exec(
            select(ReviewTask)
            .join(Post, col(Post.id) == col(ReviewTask.post_id))
            .where(Post.external_id == external_id)
            .order_by(col(ReviewTask.created_at).desc())
        ).first()  # type: ignore[return-value]


def opened(
    database: Database, task_id: str, now: datetime, officer: str = OFFICER, **more: Any
) -> ReviewTask:
    with database.transaction() as session:
        return leases.lease(session, task_id, officer, SCOPE, now=now, **more).task


def decided(database: Database, now: datetime, external_id: str = "1", **changes: Any) -> Decision:
    officer = changes.pop("officer", OFFICER)
    task = opened(database, task_of(database, external_id).id, now, officer)
    action = changes.pop("action", Action.REMOVE)
    removal = {"category": Category.SPAM, "reason": "推销"} if action is Action.REMOVE else {}
    with database.transaction() as session:
        return review.decide(
            session,
            task.id,
            officer,
            action,
            **{"version": task.version, "scope": SCOPE, "now": now, **removal, **changes},
        )


class Told:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        del at
        self.envelopes.append(envelope)
        return Outcome(succeeded=True, status=200)

    def close(self) -> None:
        pass


def delivered(database: Database, now: datetime) -> list[str]:
    """Deliver what is due and return its topics."""
    told = Told()
    deliver_due(database, {"webhook": told}, AlertsSettings(allow_private=True), now)
    return [one.topic for one in told.envelopes]


# --- order and lanes ---------------------------------------------------------------------------------


def test_what_is_about_to_pass_its_limit_comes_before_what_has_time(
    database: Database, now: datetime
) -> None:
    send(database, now, external_id="advertisement", text="加薇领取")
    late = now + timedelta(hours=23, minutes=50)
    send(database, late, external_id="threat", text="打死你")
    send(database, late, external_id="danger", text="不想活")

    def order() -> list[str]:
        with database.reading() as session:
            found = queue.waiting(session, SCOPE, now=late)
            return [session.get_one(Post, one.post_id).external_id for one in found]

    assert order() == ["danger", "threat", "advertisement"]
    report = referrals.watch_lanes(database, late, unopened=timedelta(minutes=10))
    assert report.hurried == 1
    assert order() == ["danger", "advertisement", "threat"]
    assert referrals.watch_lanes(database, late, unopened=timedelta(minutes=10)).hurried == 0


def test_among_equals_the_graver_harm_comes_first(database: Database, now: datetime) -> None:
    script = {
        "辱骂": (Verdict.HOLD, Category.HARASSMENT),
        "仇恨": (Verdict.HOLD, Category.HATE),
    }
    for text in script:
        send(database, now, external_id=text, text=f"{text}的帖子", screener=ScriptedScreener(script))

    with database.reading() as session:
        found = queue.waiting(session, SCOPE, now=now)
    assert [one.category for one in found] == [Category.HATE, Category.HARASSMENT]


def trained(database: Database, now: datetime, account: str, place: str) -> None:
    with database.transaction() as session:
        session.add(Grant(account_id=account, role=Role.CARE, organisation=place, granted_at=now))


def test_where_somebody_is_trained_for_it_nobody_else_opens_a_referral(
    database: Database, now: datetime
) -> None:
    send(database, now, external_id="here", organisation="gd/dongguan", text="不想活")
    send(database, now, external_id="beside", organisation="gd/foshan", text="不想活了")
    trained(database, now, COLLEAGUE, "gd/dongguan")
    here, beside = task_of(database, "here").id, task_of(database, "beside").id

    with pytest.raises(NotPermitted) as caught:
        opened(database, here, now, OFFICER, care=[])
    assert caught.value.problem_code == "care_only"
    with database.transaction() as session:
        found = queue.waiting(session, SCOPE, now=now, care=[])
        assert [one.task_id for one in found] == [beside]
        assert queue.counts(session, SCOPE, now=now, care=[]).total == 1
        following = leases.next_task(session, SCOPE, OFFICER, now=now, care=[])
        assert following is not None
        assert following.task.id == beside
    assert opened(database, here, now, COLLEAGUE, care=["gd/dongguan"]).leased_by == COLLEAGUE

    with database.transaction() as session:
        session.get_one(Account, COLLEAGUE).disabled_at = now
    later = now + timedelta(minutes=11)
    assert opened(database, here, later, OFFICER, care=[]).leased_by == OFFICER


def test_what_lies_in_somebody_elses_hands_is_not_offered_beside_the_card(
    database: Database, now: datetime
) -> None:
    for number in (1, 2):
        send(database, now, external_id=str(number), text=ADVERTISEMENT.format(number))
    mine, theirs = task_of(database, "1").id, task_of(database, "2").id
    opened(database, theirs, now, COLLEAGUE)

    with database.reading() as session:
        offered = {one.task_id for one in queue.waiting(session, SCOPE, now=now, free_for=OFFICER)}
        everything = {one.task_id for one in queue.waiting(session, SCOPE, now=now)}
    assert offered == {mine}
    assert everything == {mine, theirs}


def test_a_referral_that_nobody_opens_calls_people_until_somebody_does(
    database: Database, now: datetime
) -> None:
    send(database, now, organisation="gd/dongguan", text="不想活，谁能帮帮我")
    ten = timedelta(minutes=10)
    assert referrals.watch_lanes(database, now + timedelta(minutes=9), unopened=ten).raised == 0
    assert referrals.watch_lanes(database, now + ten, unopened=ten).raised == 1
    assert referrals.watch_lanes(database, now + 2 * ten, unopened=ten).raised == 0

    with database.reading() as session:
        (notice,) = referrals.open_notices(session, ["gd/dongguan"])
        assert (notice.organisation, notice.since) == ("gd/dongguan", now)
        assert referrals.open_notices(session, ["gd/foshan"]) == []
        assert first_break(session) is None
    opened(database, task_of(database).id, now + 2 * ten)
    assert referrals.watch_lanes(database, now + 2 * ten, unopened=ten).settled == 1
    with database.reading() as session:
        assert referrals.open_notices(session, SCOPE) == []


# --- leases ------------------------------------------------------------------------------------------


def test_a_lease_is_kept_while_somebody_works_and_lost_when_they_do_not(
    database: Database, now: datetime
) -> None:
    send(database, now, text="加薇领取")
    task = opened(database, task_of(database).id, now)
    with database.transaction() as session:
        until = leases.keep(session, task.id, OFFICER, SCOPE, now=now + timedelta(minutes=8))
    assert until == now + timedelta(minutes=18)
    with pytest.raises(Conflict):
        opened(database, task.id, now + timedelta(minutes=17), COLLEAGUE)

    taken = now + timedelta(minutes=18)
    opened(database, task.id, taken, COLLEAGUE)
    with pytest.raises(Conflict) as caught, database.transaction() as session:
        leases.keep(session, task.id, OFFICER, SCOPE, now=taken)
    assert caught.value.extra["changed"] == {
        "what": "taken", "who": "colleague", "at": taken.isoformat(), "action": None,
    }  # fmt: skip


def test_a_page_that_was_left_gives_back_its_own_lease_and_no_later_one(
    database: Database, now: datetime
) -> None:
    send(database, now, text="加薇领取")
    first = opened(database, task_of(database).id, now)
    again = opened(database, first.id, now)
    assert first.lease != again.lease
    with database.transaction() as session:
        leases.release(session, first.id, OFFICER, SCOPE, now=now, lease=first.lease)
    assert task_of(database).leased_by == OFFICER
    with database.transaction() as session:
        leases.release(session, first.id, OFFICER, SCOPE, now=now, lease=again.lease)
    assert opened(database, first.id, now, COLLEAGUE).leased_by == COLLEAGUE


def test_a_decision_that_comes_too_late_is_told_what_who_and_when(database: Database, now: datetime) -> None:
    send(database, now, text="加薇领取")
    mine = opened(database, task_of(database).id, now)
    later = now + timedelta(minutes=11)
    theirs = opened(database, mine.id, later, COLLEAGUE)

    def refused(when: datetime) -> dict[str, Any]:
        with pytest.raises(Conflict) as caught, database.transaction() as session:
            review.decide(
                session, mine.id, OFFICER, Action.PUBLISH, version=mine.version, scope=SCOPE, now=when
            )
        changed: dict[str, Any] = caught.value.extra["changed"]
        return changed

    assert refused(later)["what"] == "taken"
    with database.transaction() as session:
        leases.release(session, mine.id, COLLEAGUE, SCOPE, now=later, lease=theirs.lease)
    with pytest.raises(StaleVersion):
        decided(database, later, version=mine.version)
    decided(database, later + timedelta(minutes=20), officer=COLLEAGUE)
    told = refused(later + timedelta(minutes=21))
    assert told == {
        "what": "decided",
        "who": "colleague",
        "at": (later + timedelta(minutes=20)).isoformat(),
        "action": "remove",
    }

    send(database, now, external_id="2", text="加薇领取")
    edited = opened(database, task_of(database, "2").id, now)
    send(database, later, external_id="2", revision=2, text="改好了的问题")
    with pytest.raises(Conflict) as caught, database.transaction() as session:
        review.decide(
            session, edited.id, OFFICER, Action.PUBLISH, version=edited.version, scope=SCOPE, now=later
        )
    assert caught.value.extra["changed"]["what"] == "edited"
    assert caught.value.extra["changed"]["who"] is None


# --- undo --------------------------------------------------------------------------------------------


def test_nothing_of_a_decision_leaves_for_half_a_minute(database: Database, now: datetime) -> None:
    send(database, now, text="加薇领取")
    assert delivered(database, now) == ["post.screened"]
    decided(database, now)
    with database.reading() as session:
        token = session.exec(select(Statement.token)).one()
        with pytest.raises(NotFound):
            statements.view(session, token, now=now + timedelta(seconds=29))

    assert delivered(database, now + timedelta(seconds=29)) == []
    assert sorted(delivered(database, now + HALF_A_MINUTE)) == ["post.decided", "statement.issued"]
    with database.reading() as session:
        assert statements.view(session, token, now=now + HALF_A_MINUTE).passages == ("加薇",)


def test_an_undo_leaves_no_trace_outside_and_two_inside(database: Database, now: datetime) -> None:
    send(database, now, text="加薇领取")
    delivered(database, now)
    decision = decided(database, now)
    with database.transaction() as session:
        (task,) = undo.undo(session, decision.id, OFFICER, SCOPE, now=now + timedelta(seconds=29))

    assert delivered(database, now + timedelta(days=1)) == []
    with database.reading() as session:
        assert session.exec(select(Statement)).all() == []
        assert session.exec(select(Decision)).all() == []
        assert session.exec(select(RuleOutcome)).all() == []
        post = session.exec(select(Post)).one()
        assert (post.state, post.category) == (PostState.HELD, Category.SPAM)
        actions = session.exec(select(AuditEntry.action).order_by(col(AuditEntry.sequence))).all()
        assert list(actions) == ["post.viewed", "statement.issued", "post.decided", "decision.undone"]
        assert first_break(session) is None
    assert (task.state, task.leased_by) == (TaskState.OPEN, OFFICER)
    with pytest.raises(Conflict):
        opened(database, task.id, now + timedelta(seconds=40), COLLEAGUE)
    again = decided(database, now + timedelta(seconds=40), action=Action.PUBLISH)
    assert again.id != decision.id
    assert delivered(database, now + timedelta(days=1)) == ["post.decided"]


def test_a_platform_that_takes_messages_together_learns_of_no_decision_that_is_undone(
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        for endpoint in session.exec(select(WebhookEndpoint)).all():
            endpoint.group_seconds = 5
            session.add(endpoint)
    send(database, now, text="先加薇领资料")
    made = decided(database, now)
    assert "post.decided" not in str(delivered(database, now + timedelta(seconds=20)))
    with database.transaction() as session:
        undo.undo(session, made.id, OFFICER, SCOPE, now=now + timedelta(seconds=21))
    assert delivered(database, now + timedelta(days=1)) == []
    with database.reading() as session:
        topics = {one.topic for one in session.exec(select(OutboxMessage))}
    assert topics == {Topic.POST_SCREENED}


def test_a_statement_about_a_long_hold_stands_again_after_an_undo(database: Database, now: datetime) -> None:
    send(database, now, text="加薇领取")
    late = now + timedelta(days=2)
    state_overdue_holds(database, late)
    decision = decided(database, late, action=Action.PUBLISH)
    with database.reading() as session:
        token = session.exec(select(Statement.token)).one()
        assert statements.view(session, token, now=late).can_appeal(late)
    with database.transaction() as session:
        undo.undo(session, decision.id, OFFICER, SCOPE, now=late)
    with database.reading() as session:
        assert session.exec(select(Statement.withdrawn_at)).one() is None


@pytest.mark.parametrize("why", ["late", "somebody else", "edited", "on its way"])
def test_an_undo_is_refused_once_it_would_leave_a_trace(database: Database, now: datetime, why: str) -> None:
    send(database, now, text="加薇领取")
    delivered(database, now)
    decision = decided(database, now)
    when, officer = now + timedelta(seconds=10), OFFICER
    if why == "late":
        when = now + HALF_A_MINUTE
    elif why == "somebody else":
        officer = COLLEAGUE
    elif why == "edited":
        send(database, now + timedelta(seconds=5), revision=2, text="又加薇了")
    else:
        with database.transaction() as session:
            for message in session.exec(
                select(OutboxMessage).where(OutboxMessage.topic == Topic.POST_DECIDED)
            ):
                message.lease = "a machine whose clock runs ahead"
    with pytest.raises((Conflict, NotFound)), database.transaction() as session:
        undo.undo(session, decision.id, officer, SCOPE, now=when)
    with database.reading() as session:
        assert session.get(Decision, decision.id) is not None
        assert session.exec(select(Statement)).first() is not None


def test_what_an_officer_can_undo_is_the_last_of_their_own(database: Database, now: datetime) -> None:
    for number in ("1", "2"):
        send(database, now, external_id=number, text="加薇领取")
    decided(database, now, "1")
    last = decided(database, now + timedelta(seconds=2), "2")

    with database.reading() as session:
        assert [one.id for one in undo.undoable(session, OFFICER, now + timedelta(seconds=3))] == [last.id]
        assert undo.undoable(session, COLLEAGUE, now + timedelta(seconds=3)) == []
        assert undo.undoable(session, OFFICER, now + timedelta(seconds=40)) == []


def test_a_platform_sees_no_decision_that_can_still_be_undone(database: Database, now: datetime) -> None:
    desk = Service(database, now)
    desk.forum.post("/v1/posts", json=posting.fields(now, text="加薇领取"))
    task = desk.officer.post("/v1/reviews/next").json()
    answer = desk.officer.post(
        f"/v1/reviews/{task['task_id']}/decision", json={"action": "publish", "version": task["version"]}
    ).json()
    assert answer["leaves_at"] is not None
    assert desk.forum.get("/v1/posts/forum/1").json()["state"] == "held"
    assert [one["message"]["topic"] for one in desk.deliveries()] == ["post.screened"]

    undone = desk.officer.post(f"/v1/reviews/decisions/{answer['id']}/undo").json()
    assert undone["tasks"][0]["task_id"] == task["task_id"]
    again = desk.officer.post(
        f"/v1/reviews/{task['task_id']}/decision",
        json={"action": "publish", "version": undone["tasks"][0]["version"]},
    )
    assert again.status_code == 200
    desk.platform.clock.turn(seconds=30)
    assert desk.forum.get("/v1/posts/forum/1").json()["state"] == "published"
    assert {one["message"]["topic"] for one in desk.deliveries()} == {"post.screened", "post.decided"}
    late = desk.officer.post(f"/v1/reviews/decisions/{again.json()['id']}/undo")
    assert (late.status_code, late.json()["code"]) == (409, "undo_over")


def test_a_removal_over_http_names_its_harm_and_its_reason_and_nothing_else_needs_to(
    database: Database, now: datetime
) -> None:
    desk = Service(database, now)
    desk.forum.post("/v1/posts", json=posting.fields(now, text="先加薇领资料"))
    task = desk.officer.post("/v1/reviews/next").json()
    path = f"/v1/reviews/{task['task_id']}/decision"
    removal = {"action": "remove", "version": task["version"], "category": "spam"}
    seen = [{"task_id": task["task_id"], "version": task["version"]}]
    for sent in (removal, {**removal, "reason": ""}, {**removal, "reason": " \u3000\n"}):
        answer = desk.officer.post(path, json=sent)
        assert (answer.status_code, answer.json()["field"]) == (422, "/reason"), sent
        many = {name: value for name, value in sent.items() if name != "version"} | {"tasks": seen}
        bulk = desk.officer.post("/v1/reviews/decisions", json=many)
        assert (bulk.status_code, bulk.json()["field"]) == (422, "/reason"), sent
    described = desk.officer.get("/v1/openapi.json").json()["components"]["schemas"]["BulkIn"]
    assert described["then"]["required"] == ["category", "reason"]
    publish = desk.officer.post(path, json={"action": "publish", "version": task["version"]})
    assert publish.status_code == 200


class Service:
    """The application with one officer and the forum, over the tree that is there already."""

    def __init__(self, database: Database, now: datetime) -> None:
        with database.transaction() as session:
            _clear(session)
        self.platform = Platform(database, now)
        self.officer, self.forum = self.platform.officer(), self.platform.forum

    def deliveries(self) -> list[Any]:
        items: list[Any] = self.forum.get("/v1/deliveries").json()["items"]
        return items


def _clear(session: Session) -> None:
    """Take out the tree of `tree`, which the platform plants itself."""
    from models.organisation import Organisation

    for kind in (WebhookEndpoint, Account, Organisation):
        for row in session.exec(select(kind)).all():
            session.delete(row)
    session.flush()


# --- bulk over near-duplicates -----------------------------------------------------------------------


def many(database: Database, now: datetime, count: int, **changes: Any) -> list[str]:
    for number in range(count):
        send(
            database,
            now,
            external_id=f"copy-{number}",
            author=f"user-{number}",
            text=ADVERTISEMENT.format(number),
            **changes,
        )
    return [task_of(database, f"copy-{number}").id for number in range(count)]


def test_near_duplicates_are_found_leased_and_shown_with_what_differs(
    database: Database, now: datetime
) -> None:
    tasks = many(database, now, 4)
    send(database, now, external_id="other", text="加薇一起去爬白云山看日出，周六早上六点集合出发")
    send(database, now, external_id="beside", organisation="gd/foshan", text=ADVERTISEMENT.format(9))
    send(database, now, external_id="danger", text="不想活" + ADVERTISEMENT.format(9).replace("加薇", ""))
    taken = opened(database, tasks[3], now, COLLEAGUE)
    assert similarity.note_likeness(database, SALT, now).noted == 7
    assert similarity.note_likeness(database, SALT, now).noted == 0

    scope = ["gd/dongguan"]
    with database.transaction() as session:
        first = session.get_one(ReviewTask, tasks[0])
        assert similarity.count_alike(session, first, scope, OFFICER, SALT, now=now) == 2
        found = similarity.lease_alike(session, first, scope, OFFICER, SALT, now=now)
        assert [one.task.id for one in found] == tasks[:3]
        assert [one.text[start:end] for one in found[1:] for start, end in one.differs] == ["1", "2"]
        assert found[0].differs == ()
    assert task_of(database, "copy-3").leased_by == taken.leased_by == COLLEAGUE
    with database.reading() as session:
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "post.viewed")).all()
        assert len(looks) == 4


def test_one_decision_about_many_keeps_a_record_for_each(database: Database, now: datetime) -> None:
    tasks = many(database, now, 5)
    delivered(database, now)
    similarity.note_likeness(database, SALT, now)
    with database.transaction() as session:
        first = session.get_one(ReviewTask, tasks[0])
        found = similarity.lease_alike(session, first, SCOPE, OFFICER, SALT, now=now)
        seen = [Seen(one.task.id, one.task.version) for one in found]
    with database.transaction() as session:
        done = review.decide_many(
            session,
            [*seen[:4], Seen(seen[4].task_id, 99)],
            OFFICER,
            Ruling(Action.REMOVE, Category.SPAM, "成批的推销"),
            scope=SCOPE,
            now=now,
        )
    assert len(done.decided) == 4
    assert [(one.task_id, one.code) for one in done.refused] == [(seen[4].task_id, "stale_version")]
    with database.reading() as session:
        statements_made = session.exec(select(Statement)).all()
        assert {one.reason for one in statements_made} == {"成批的推销"}
        assert len({one.token for one in statements_made}) == 4
        entries = session.exec(select(AuditEntry).where(AuditEntry.action == "post.decided")).all()
        assert len({one.subject for one in entries}) == 4
        assert {one.details["batch"] for one in entries} == {done.batch}

    with database.transaction() as session:
        back = undo.undo(session, done.decided[2].id, OFFICER, SCOPE, now=now + timedelta(seconds=5))
    assert len(back) == 4
    assert delivered(database, now + timedelta(days=1)) == []
    with database.reading() as session:
        assert session.exec(select(Statement)).all() == []
        assert {one.state for one in session.exec(select(Post))} == {PostState.HELD}


def test_two_bulks_at_once_decide_about_each_post_once(database: Database, now: datetime) -> None:
    tasks = many(database, now, 12)
    with database.reading() as session:
        seen = [Seen(task, session.get_one(ReviewTask, task).version) for task in tasks]
    ruling = Ruling(Action.REMOVE, Category.SPAM, "成批的推销")

    def decide(officer: str, chosen: list[Seen]) -> review.Bulk:
        with database.transaction() as session:
            return review.decide_many(session, chosen, officer, ruling, scope=SCOPE, now=now)

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(decide, OFFICER, seen[:9])
        two = pool.submit(decide, COLLEAGUE, [*reversed(seen[3:]), seen[5]])
        done = [one.result(timeout=240), two.result(timeout=240)]

    assert sorted(made.task_id or "" for bulk in done for made in bulk.decided) == sorted(tasks)
    assert {refused.code for bulk in done for refused in bulk.refused} == {"task_closed"}
    with database.reading() as session:
        assert len(session.exec(select(Statement)).all()) == 12
        assert first_break(session) is None


def test_nobody_in_danger_is_decided_about_in_bulk(database: Database, now: datetime) -> None:
    send(database, now, text="不想活")
    task = opened(database, task_of(database).id, now)
    with database.transaction() as session:
        done = review.decide_many(
            session, [Seen(task.id, task.version)], OFFICER, Ruling(Action.PUBLISH), scope=SCOPE, now=now
        )
    assert (done.decided, done.refused[0].code) == ([], "one_by_one")


def test_fingerprints_go_with_their_post(database: Database, now: datetime) -> None:
    from moderation.deletion import delete

    many(database, now, 1)
    similarity.note_likeness(database, SALT, now)
    with database.transaction() as session:
        assert session.exec(select(TaskLikeness)).first() is not None
        delete(session, posting.SOURCE, "copy-0", scope=None, deleted_by="key:test", now=now)
        assert session.exec(select(TaskLikeness)).all() == []
        assert session.exec(select(ReviewTask.copy_of)).one() is None


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        ("一模一样", "一模一样", []),
        ("加我领券第1批", "加我领券第2批", ["2"]),
        ("前面的话后面的话", "前面的话多出来后面的话", ["多出来"]),
        ("前面的话少掉后面的话", "前面的话后面的话", ["后"]),
        ("", "全都不同", ["全都不同"]),
        ("甲" * 3_000, "乙" * 3_000, ["乙" * 3_000]),
    ],
)
def test_what_differs_is_marked(first: str, other: str, expected: list[str]) -> None:
    assert [other[start:end] for start, end in similarity.differences(first, other)] == expected


# --- filters and pages -------------------------------------------------------------------------------


def test_filters_narrow_and_never_widen(database: Database, now: datetime) -> None:
    send(database, now, external_id="a", text="加薇领取一百元", organisation="gd/dongguan", author="甲")
    send(database, now, external_id="b", text="打死你", organisation="gd/foshan", kind=PostKind.COMMENT)
    send(database, now - timedelta(hours=5), external_id="c", text="加薇 100%_奖", organisation="gd/foshan")
    later = now + timedelta(minutes=1)

    def names(scope: list[str] = SCOPE, **asked: Any) -> set[str]:
        with database.reading() as session:
            sought = QueueFilter(**asked)
            found = queue.waiting(session, scope, now=later, sought=sought)
            assert queue.facets(session, scope, now=later, sought=sought).total == len(found)
            return {session.get_one(Post, one.post_id).external_id for one in found}

    assert names() == {"a", "b", "c"}
    assert names(organisation="gd/foshan") == {"b", "c"}
    assert names(["gd/dongguan"], organisation="gd/foshan") == set()
    assert names(category=Category.SPAM) == {"a", "c"}
    assert names(rule="test/threat") == {"b"}
    assert names(kind=PostKind.COMMENT) == {"b"}
    assert names(older_than=timedelta(hours=4)) == {"c"}
    assert names(words="一百") == {"a"}
    assert names(words="%_奖") == {"c"}
    assert names(words="%") == {"c"}
    assert names(post_id="b") == {"b"}
    assert names(author=author_hash(posting.KEYS, posting.SOURCE, "甲")) == {"a"}
    assert names(unsure=True) == set()
    with database.reading() as session:
        facets = queue.facets(session, ["gd/foshan"], now=now)
    assert (facets.total, facets.organisations, facets.rules) == (
        2, {"gd/foshan": 2}, {"test/spam": 1, "test/threat": 1},
    )  # fmt: skip


def test_pages_follow_one_another_without_a_gap_while_the_queue_moves(
    database: Database, now: datetime
) -> None:
    for number in range(12):
        send(database, now + timedelta(seconds=number // 3), external_id=str(number), text="加薇领取")
    with database.reading() as session:
        whole = [one.task_id for one in queue.waiting(session, SCOPE, now=now)]
    seen: list[str] = []
    after: str | None = None
    for _ in range(5):
        with database.reading() as session:
            page = queue.waiting(session, SCOPE, now=now, after=after, limit=5)
        if not page:
            break
        seen += [one.task_id for one in page]
        after = seen[-1]
        with database.transaction() as session:  # what was seen last is decided meanwhile
            task = leases.lease(session, after, OFFICER, SCOPE, now=now).task
            review.decide(session, after, OFFICER, Action.PUBLISH, version=task.version, scope=SCOPE, now=now)
    assert seen == whole


# --- the card ----------------------------------------------------------------------------------------


def card_of(database: Database, now: datetime, external_id: str, scope: list[str] = SCOPE) -> card.Card:
    with database.transaction() as session:
        task = leases.lease(session, task_of(database, external_id).id, OFFICER, SCOPE, now=now)
        return card.card(session, task, scope, OFFICER, SALT, now=now)


def test_the_card_shows_the_thread_within_the_scope_and_the_look_is_on_the_log(
    database: Database, now: datetime
) -> None:
    send(database, now, external_id="above", text="周末有什么活动？")
    send(database, now, external_id="held", parent="above", text="先加薇", kind=PostKind.ANSWER)
    send(database, now, external_id="reply", parent="held", text="谢谢", kind=PostKind.COMMENT, author="乙")
    send(database, now, external_id="far", parent="held", text="别处的回复", organisation="gd/foshan")

    found = card_of(database, now, "held", ["gd/dongguan"])

    assert [(one.text, one.above, one.same_author) for one in found.thread] == [
        ("周末有什么活动？", True, True), ("谢谢", False, False),
    ]  # fmt: skip
    with database.reading() as session:
        look = session.exec(select(AuditEntry).where(AuditEntry.action == "thread.viewed")).one()
        assert look.details["posts"] == [one.post_id for one in found.thread]


def test_the_card_tells_how_often_people_bore_the_rule_out_and_what_became_of_the_like(
    database: Database, now: datetime
) -> None:
    many(database, now, 5)
    similarity.note_likeness(database, SALT, now)
    for number in range(3):
        decided(database, now, f"copy-{number}")
    decided(database, now, "copy-3", action=Action.PUBLISH)

    found = card_of(database, now, "copy-4")

    measured = found.precision["test/spam"]
    assert (measured.confirmed, measured.decided) == (3, 4)
    assert measured.interval is not None
    assert measured.interval[0] < 0.75 < measured.interval[1]
    assert (found.past.published, found.past.removed) == (1, {Category.SPAM: 3})
    assert found.alike == 0
    with database.transaction() as session:
        beside = card.past(session, leases.lease(session, task_of(database, "copy-4").id, OFFICER, SCOPE, now=now), ["gd/foshan"], SALT)  # fmt: skip  # noqa: E501 - one line reads best
    assert beside.decided == 0


def test_standing_is_shown_after_a_first_look_and_counts_only_what_still_stands(
    database: Database, now: datetime
) -> None:
    old = now - timedelta(days=200)
    for number, when in enumerate((old, now - timedelta(days=20), now - timedelta(days=10))):
        send(database, when, external_id=f"past-{number}", text="加薇领取", author="甲")
        decided(database, when, f"past-{number}")
    send(
        database, now, external_id="machine", text="刷单日结", author="甲"
    )  # a machine's removal, unreviewed
    send(database, now, external_id="now", text="又来加薇", author="甲")
    task = opened(database, task_of(database, "now").id, now)

    def ask(when: datetime, officer: str = OFFICER, **more: Any) -> card.Standing:
        with database.transaction() as session:
            return card.standing(session, task.id, officer, SCOPE, now=when, **more)

    with pytest.raises(Conflict) as caught:
        ask(now + timedelta(seconds=1))
    assert caught.value.problem_code == "look_first"
    assert ask(now + timedelta(seconds=1), asked_twice=True).violations == {Category.SPAM: 2}
    assert ask(now + timedelta(seconds=6)).violations == {Category.SPAM: 2}
    with pytest.raises(Conflict):
        ask(now + timedelta(seconds=6), COLLEAGUE)
    with database.reading() as session:
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "standing.viewed")).all()
    assert [one.details for one in looks] == [{"task": task.id}] * 2


def test_a_referral_has_no_standing(database: Database, now: datetime) -> None:
    send(database, now, text="不想活")
    task = opened(database, task_of(database).id, now)
    with pytest.raises(NotFound), database.transaction() as session:
        card.standing(session, task.id, OFFICER, SCOPE, now=now + timedelta(minutes=1))


def test_a_search_by_author_is_on_the_audit_log_and_in_no_address(database: Database, now: datetime) -> None:
    desk = Service(database, now)
    desk.forum.post("/v1/posts", json=posting.fields(now, text="加薇领取", author="某某"))
    found = desk.officer.post("/queue/list", data={"source": "forum", "author": "某某"})
    nobody = desk.officer.post("/queue/list", data={"source": "forum", "author": "别人"})

    task = task_of(database).id
    assert task in found.text
    assert task not in nobody.text
    assert "某某" not in found.text
    with database.reading() as session:
        looks = session.exec(select(AuditEntry).where(AuditEntry.action == "author.searched")).all()
        assert len(looks) == 2
        assert not any("某某" in str((one.subject, one.details)) for one in looks)


def test_counts_are_exact_and_stand_for_seconds_where_very_many_wait(
    database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(database, now, 3)
    last = queue.LastCounts()
    with database.reading() as session:
        assert last.counts(session, SCOPE, now=now).total == 3
    many_more = task_of(database, "copy-0").id
    decided(database, now, "copy-1")
    with database.reading() as session:
        assert last.counts(session, SCOPE, now=now).total == 2, "few are counted anew each time"
        monkeypatch.setattr(queue, "EXACT", 1)
        decided(database, now, "copy-2")
    with database.reading() as session:
        assert last.counts(session, SCOPE, now=now + timedelta(seconds=9)).total == 2
        assert last.counts(session, ["gd/foshan"], now=now).total == 0, "each place has its own"
        assert last.counts(session, SCOPE, now=now + timedelta(seconds=10)).total == 1
        assert queue.waiting(session, SCOPE, now=now)[0].task_id == many_more
