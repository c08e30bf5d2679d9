"""What the console lets whom see and do, and what a look leaves behind, on both databases."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from models import audit
from models.audit import AuditEntry
from models.casework import CaseConsent
from models.database import Database
from models.demand import Demand
from models.event import DisposalEntry, Event, InboxItem
from models.outbox import OutboxMessage
from models.post import Post
from models.review import Appeal, Decision, ReviewTask, Statement
from models.vocabulary import AppealState, DemandState, Role, Step, TaskState
from moderation import review
from tests.support import posting, voices
from tests.support.posting import send
from tests.support.screeners import ScriptedScreener
from tests.support.services import client_of, make_account, make_service, sign_in

ACCOUNTS = {
    "officer": [(Role.OFFICER, "gd/dongguan")],
    "second": [(Role.OFFICER, "gd/dongguan")],
    "neighbour": [(Role.OFFICER, "gd/foshan"), (Role.COORDINATOR, "gd/foshan")],
    "coordinator": [(Role.COORDINATOR, "gd/dongguan")],
    "province": [(Role.PROVINCIAL_OFFICE, "gd")],
    "auditor": [(Role.AUDITOR, "gd")],
    "nobody": [],
}
SPAM = "想看更多的同学加薇领取，明天截止"
ADDRESSES = (
    "queue",
    "second",
    "quality",
    "rulebook",
    "appeals",
    "demands",
    "events",
    "cases",
    "inbox",
    *("clocks", "duty", "experts", "stations", "alarms"),
    "deliveries",
    "audit",
    "accounts",
    "keys",
    "webhooks",
    "settings",
)


@pytest.fixture(autouse=True)
def people(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
    for login, grants in ACCOUNTS.items():
        if login != "officer":
            make_account(database, now, login, *grants)
    make_account(database, now, "desk", *ACCOUNTS["officer"])


@contextmanager
def visitor(database: Database, now: datetime, login: str | None = None) -> Iterator[TestClient]:
    service = make_service(database, now)
    service.screener = ScriptedScreener()  # type: ignore[assignment]
    with client_of(service) as client:
        if login is not None:
            sign_in(client, login)
        yield client


def proposed(database: Database, now: datetime, people: int = 12) -> str:
    with database.transaction() as session:
        chorus = voices.demand(session, now)
        chorus.many(1, people, now - timedelta(days=1))
        chorus.demand.posts = chorus.demand.authors = people
        return chorus.demand.id


def waiting(database: Database, now: datetime, text: str = SPAM) -> ReviewTask:
    send(database, now, text=text)
    with database.reading() as session:
        return session.exec(select(ReviewTask).where(col(ReviewTask.state) == TaskState.OPEN)).one()


def actions(session: Session) -> list[str]:
    return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.sequence))))


def test_a_stranger_is_led_to_the_sign_in(database: Database, now: datetime) -> None:
    with visitor(database, now) as client:
        for address in ADDRESSES:
            answer = client.get(f"/{address}")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=/{address}")


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1"]
)
def test_a_sign_in_leads_to_no_other_site(database: Database, now: datetime, wanted: str) -> None:
    with visitor(database, now) as client:
        form = {"login": "desk", "password": "plum-tree-in-the-rain", "next": wanted}
        assert client.post("/sign-in", data=form).headers["location"] == "/"


def test_each_role_sees_its_own_pages_and_is_refused_the_others(database: Database, now: datetime) -> None:
    seen = {}
    for login in ("desk", "coordinator", "province", "auditor", "nobody"):
        with visitor(database, now, login) as client:
            codes = {address: client.get(f"/{address}").status_code for address in ADDRESSES}
            assert set(codes.values()) <= {200, 403}
            seen[login] = {address for address, code in codes.items() if code == 200}
            if seen[login]:
                shown = client.get(f"/{min(seen[login])}").text
                assert set(re.findall(r'<li><a href="/(\w+)"', shown)) == seen[login]
    on_time = {"clocks", "duty", "experts", "stations", "alarms"}
    assert seen == {
        "desk": on_time | {"queue", "second", "quality", "rulebook", "appeals", "demands", "events"},
        "coordinator": on_time | {"demands", "events", "cases", "rulebook", "deliveries"},
        "province": on_time | {"demands", "events", "cases", "inbox", "rulebook", "deliveries", "webhooks"},
        "auditor": set(ADDRESSES) - {"second"},
        "nobody": set(),
    }


def test_a_help_case_is_opened_from_the_card_of_a_held_post(database: Database, now: datetime) -> None:
    waiting(database, now)
    with database.reading() as session:
        post = session.exec(select(Post)).one()
    make_account(database, now, "both", *ACCOUNTS["officer"], (Role.OPERATIONS, "gd/dongguan"))
    with visitor(database, now, "desk") as client:
        page = client.get("/queue").text
        assert post.id in page
        assert "/cases/help" not in page
        client.post(f"/queue/{waiting_task(database)}/pass")
    with visitor(database, now, "both") as client:
        address = f"/cases/help?post={post.id}"
        assert address in client.get("/queue").text
        assert f'value="{post.id}"' in client.get(address).text
        form = {"post": post.id, "title": "青年求助，需要指引", "domain": "law"}
        case = client.post("/cases/help", data=form).headers["location"].split("?")[0]
        page = client.get("/queue").text
        assert address not in page
        assert f'href="{case}"' in page
    with database.reading() as session:
        assert session.exec(select(CaseConsent)).all() == [], "the author's consent is asked for apart"


def waiting_task(database: Database) -> str:
    with database.reading() as session:
        return session.exec(select(ReviewTask.id)).one()


def test_the_list_shows_no_text_and_an_auditor_opens_nothing(database: Database, now: datetime) -> None:
    task = waiting(database, now)
    with visitor(database, now, "auditor") as client:
        assert "加薇" not in client.get("/queue").text
        assert client.get(f"/queue/{task.id}").status_code == 403
    with visitor(database, now, "desk") as client:
        page = client.get("/queue").text
        assert "想看更多的同学<mark>加薇</mark>领取" in page
        assert "user-1" not in page
    with database.reading() as session:
        assert actions(session).count("post.viewed") == 1


def test_an_officer_of_another_place_finds_neither_task_nor_demand(database: Database, now: datetime) -> None:
    task, demand = waiting(database, now), proposed(database, now)
    with visitor(database, now, "neighbour") as client:
        assert client.get(f"/demands/{demand}").status_code == 404
        form = {"action": "publish", "version": task.version}
        assert client.post(f"/queue/{task.id}", data=form).status_code == 404
        form = {"version": 1, "note": "属实"}
        assert client.post(f"/demands/{demand}/verify", data=form).status_code == 404
    with database.reading() as session:
        assert session.exec(select(Decision)).first() is None
        assert session.get_one(Demand, demand).state is DemandState.PROPOSED


def test_a_form_without_the_token_of_the_session_changes_nothing(database: Database, now: datetime) -> None:
    task = waiting(database, now)
    with visitor(database, now, "desk") as client:
        del client.headers["x-csrf-token"]
        form = {"action": "publish", "version": task.version}
        answer = client.post(f"/queue/{task.id}", data=form)
        assert answer.status_code == 403
        assert "页面已过期" in answer.text
        assert client.post(f"/queue/{task.id}", data={**form, "csrf": "x" * 43}).status_code == 403
    with database.reading() as session:
        assert session.exec(select(Decision)).first() is None


def test_opening_a_demand_shows_what_would_go_up_and_leaves_only_the_look(
    database: Database, now: datetime
) -> None:
    demand = proposed(database, now)
    with visitor(database, now, "coordinator") as client:
        page = client.get(f"/demands/{demand}").text
        assert "不少于 12 人" in page
        assert "hash-" not in page
    with database.reading() as session:
        assert session.get_one(Demand, demand).state is DemandState.PROPOSED
        for kind in (Event, InboxItem, DisposalEntry):
            assert session.exec(select(kind)).first() is None
        assert session.exec(select(OutboxMessage)).first() is None
        assert actions(session)[-1] == "demand.posts_viewed"
        assert audit.first_break(session) is None


def test_too_few_people_are_said_to_be_too_few_before_anybody_tries(
    database: Database, now: datetime
) -> None:
    demand = proposed(database, now, people=9)
    with visitor(database, now, "coordinator") as client:
        assert "人数还不够" in client.get(f"/demands/{demand}").text


def test_the_province_sees_figures_and_no_posts(database: Database, now: datetime) -> None:
    demand = proposed(database, now)
    with visitor(database, now, "province") as client:
        page = client.get(f"/demands/{demand}").text
        assert "宿舍热水又停了" not in page
        assert 'id="verify-form"' not in page
        assert "data-chart" not in page, "posts per day would let somebody watch single people join"
        assert "<dd>12</dd>" not in page
        assert "<dd>10</dd>" in page
        assert "<dd>12</dd>" not in client.get("/demands").text


def test_only_the_office_signs_for_a_report(database: Database, now: datetime) -> None:
    demand = proposed(database, now)
    with visitor(database, now, "coordinator") as client:
        shown = re.findall(r'name="quoted" value="([0-9a-f]{32})"', client.get(f"/demands/{demand}").text)
        form = {"version": 1, "note": "已电话核实", "quoted": shown, "words": ["", "盼着热水", "", "", ""]}
        event = client.post(f"/demands/{demand}/verify", data=form).headers["location"]
        assert event.startswith("/events/")
        page = client.get(event).text
        assert page.count("盼着热水") == 1
        assert page.count('name="quoted"') == 5
    with database.reading() as session:
        item = session.exec(select(InboxItem)).one().id
    with visitor(database, now, "auditor") as client:
        looked = client.get(f"/inbox/{item}").text
        assert "未签收" in looked
        assert "不少于 12 人" in looked
        assert client.post(f"/inbox/{item}").status_code == 403
    with visitor(database, now, "province") as client:
        assert client.get(f"/inbox/{item}").status_code == 200
        with database.reading() as session:
            assert session.get_one(InboxItem, item).read_at is None
        assert client.post(f"/inbox/{item}").headers["location"] == f"/inbox/{item}?done=received"
        assert "不少于 12 人" in client.get(f"/inbox/{item}").text
    with visitor(database, now, "auditor") as client:
        assert client.get(f"/inbox/{item}").status_code == 200
    with database.reading() as session:
        steps = list(
            session.exec(
                select(DisposalEntry.step)
                .join(Event, col(Event.id) == col(DisposalEntry.subject_id))
                .order_by(col(DisposalEntry.sequence))
            )
        )
        assert steps == [Step.COLLECT, Step.VERIFY, Step.REPORT_UP, Step.FORM_OPENED, Step.DELIVERED]


def test_a_statement_shows_the_passage_and_no_more_and_an_objection_reaches_somebody_else(
    database: Database, now: datetime
) -> None:
    task = waiting(database, now)
    with visitor(database, now, "desk") as client:
        opened = client.get("/queue").text
        version = re.search(r'name="version" value="(\d+)"', opened)
        assert version is not None
        form = {"action": "remove", "version": version[1], "category": "spam", "reason": "引流<b>广告</b>"}
        assert client.post(f"/queue/{task.id}", data=form).headers["location"] == "/queue?done=remove"
    with database.reading() as session:
        token = session.exec(select(Statement.token)).one()
    with visitor(database, now + review.UNDO) as client:
        page = client.get(f"/statements/{token}").text
        assert "<mark>加薇</mark>" in page
        assert "明天截止" not in page
        assert "引流&lt;b&gt;广告&lt;/b&gt;" in page
        assert "desk" not in page
        assert client.post(f"/statements/{token}/appeal", data={"text": "  "}).status_code == 422
        answer = client.post(f"/statements/{token}/appeal", data={"text": "我没有引流\r\n真的"})
        assert answer.headers["location"] == f"/statements/{token}?done=appealed"
        assert client.post(f"/statements/{token}/appeal", data={"text": "再说一次"}).status_code == 409
        assert client.get("/statements/no-such-token").status_code == 404
    with database.reading() as session:
        appeal = session.exec(select(Appeal)).one()
        assert appeal.text == "我没有引流\n真的"
    form = {"outcome": "reversed", "answer": "已恢复"}
    with visitor(database, now, "desk") as client:
        assert client.post(f"/appeals/{appeal.id}", data=form).status_code == 403
    with visitor(database, now, "second") as client:
        assert client.post(f"/appeals/{appeal.id}", data=form).status_code == 303
    with database.reading() as session:
        assert session.get_one(Appeal, appeal.id).state is AppealState.REVERSED


def test_another_site_can_send_no_objection(database: Database, now: datetime) -> None:
    with visitor(database, now) as client:
        answer = client.post(
            "/statements/any/appeal", data={"text": "x"}, headers={"origin": "https://evil.example"}
        )
        assert answer.status_code == 403


@pytest.mark.parametrize("query", ["state=nonsense", "state=gathering", "state=verified", "done=<script>"])
def test_a_query_that_means_nothing_is_ignored(database: Database, now: datetime, query: str) -> None:
    with visitor(database, now, "coordinator") as client:
        page = client.get(f"/demands?{query}")
        assert page.status_code == 200
        assert "<script>" not in page.text


@pytest.mark.parametrize("query", ["before=1", "before=-1", "before=x", f"before={'9' * 40}"])
def test_the_audit_log_is_paged_by_numbers_alone(database: Database, now: datetime, query: str) -> None:
    with visitor(database, now, "auditor") as client:
        assert client.get(f"/audit?{query}").status_code == 200


def test_a_page_may_load_nothing_from_elsewhere(database: Database, now: datetime) -> None:
    with visitor(database, now) as client:
        page = client.get("/sign-in")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert sources
        assert all(one.startswith(("/", "#")) and not one.startswith("//") for one in sources)
        for one in sources:
            if one.startswith("/static/"):
                assert client.get(one).status_code == 200
