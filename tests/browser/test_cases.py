"""A month of the demand mechanism in the browser: three desks, authors' links, no name but by consent."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import Session, col, select

from api.passwords import hash_password
from models.account import Account, Grant
from models.demand import Demand
from models.event import Case, Event
from models.organisation import Organisation
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post
from models.vocabulary import CaseKind, CaseState, DemandState, PostState, Role, Topic
from tests.support.browser import PASSWORD, PHONE, Console, findings, picture, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

CITY = "gd/dongguan"
PEOPLE = {
    "operations": (Role.OPERATIONS, "gd"),
    "coordination": (Role.COORDINATOR, "gd"),
    "city": (Role.LEAD_UNIT, CITY),
}

NAMES = {"operations": "开发运维组", "coordination": "综合协调组", "city": "东莞市"}


@pytest.fixture(scope="module")
def desks(chromium: Browser, console: Console) -> Iterator[dict[str, Page]]:
    """A browser at each desk, and a platform that listens."""
    now = datetime.now(UTC)
    with console.database() as database, database.transaction() as session:
        assert session.get(Organisation, CITY) is not None
        for login, grant in PEOPLE.items():
            account = Account(
                login=login, name=NAMES[login], password=hash_password(PASSWORD), created_at=now
            )
            session.add(account)
            session.flush()
            session.add(Grant(account_id=account.id, role=grant[0], organisation=grant[1], granted_at=now))
        session.add(
            WebhookEndpoint(
                source="sample",
                organisation="gd",
                url="http://127.0.0.1:9/hook",
                secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                topics=[Topic.CASE_TOLD.value, Topic.CONSENT_ASKED.value],
                created_at=now,
            )
        )
    with ExitStack() as stack:
        pages = {login: stack.enter_context(visitor(chromium, console)) for login in PEOPLE}
        for login, page in pages.items():
            sign_in(page, login)
        yield pages


def take(page: Page, case: str, step: str, text: str = "", **named: str) -> None:
    """Take one step on the page of a case."""
    page.goto(f"/cases/{case}")
    page.select_option("#step", step)
    page.fill("#text", text)
    if "unit" in named:
        page.select_option("#unit", named["unit"])
    if "due_on" in named:
        page.fill("#due_on", named["due_on"])
    page.click("#step-form button")
    expect(page.locator("#status")).to_contain_text("已记入办理记录")


def told(console: Console, case: str, topic: Topic) -> OutboxMessage:
    with console.database() as database, database.reading() as session:
        return session.exec(
            select(OutboxMessage)
            .where(OutboxMessage.subject_id == case, OutboxMessage.topic == topic)
            .order_by(col(OutboxMessage.id).desc())
        ).first()  # type: ignore[return-value]


def state(console: Console, case: str) -> CaseState:
    with console.database() as database, database.reading() as session:
        return session.get_one(Case, case).state


def proposed(session: Session) -> str:
    found = session.exec(
        select(Demand.id)
        .where(col(Demand.state) == DemandState.PROPOSED)
        .order_by(col(Demand.authors).desc())
    ).all()
    assert len(found) > 1, "the other tests need a proposed demand too"
    return found[0]


def verify(page: Page, console: Console) -> str:
    """Verify a demand of the sample, which reports it and opens its form; return the case."""
    with console.database() as database, database.reading() as session:
        demand = proposed(session)
    page.goto(f"/demands/{demand}")
    page.fill("#note", "已电话核实，情况属实。")
    page.click("#verify-form button")
    expect(page).to_have_url(re.compile("/events/"))
    with console.database() as database, database.reading() as session:
        event = session.exec(select(Event).where(Event.demand_id == demand)).one()
        return session.exec(select(Case.id).where(Case.event_id == event.id)).one()


def test_a_demand_goes_through_every_desk_and_comes_back_when_it_is_not_solved(
    chromium: Browser, console: Console, desks: dict[str, Page]
) -> None:
    operations, coordination, city = desks["operations"], desks["coordination"], desks["city"]
    case = verify(operations, console)
    operations.goto(f"/cases/{case}?template=first_response")
    begun = operations.locator("#text").input_value()
    assert "已经收到" in begun
    take(operations, case, "first_response", begun)
    take(operations, case, "submitted", "建议交东莞市办理。")
    coordination.goto(f"/cases/{case}")
    picture(coordination, "case")
    take(coordination, case, "assigned", "请东莞市牵头。", unit=CITY)
    take(city, case, "returned", "请先明确责任单位。")
    take(coordination, case, "assigned", "责任单位为市住建局，仍请东莞市牵头。", unit=CITY)
    take(city, case, "accepted")
    take(city, case, "planned", "两周内完成检修。")
    take(city, case, "interim", "配件已到。")
    take(operations, case, "tell_users", "配件已到，本周检修。")
    take(city, case, "result", "检修完成。")
    take(operations, case, "feed_back_users", "检修完成，请评价。")
    link = told(console, case, Topic.CASE_TOLD).payload["posts"][0]["rate"]
    with visitor(chromium, console, viewport=PHONE) as author:
        author.goto(link)
        assert findings(author) == []
        assert author.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        author.get_by_role("button", name="没有解决").click()
        expect(author.locator("h1")).to_contain_text("谢谢")
        author.goto(f"/public/demands/{event_of(console, case)}")
        expect(author.locator("main")).to_contain_text("检修完成，请评价。")
        expect(author.locator("main")).to_contain_text("东莞")
    take(coordination, case, "reopened", "仍有人反映没有解决。")
    assert state(console, case) is CaseState.ASSIGNED
    take(city, case, "accepted")
    take(city, case, "planned", "更换整条管道。")
    take(city, case, "result", "管道已更换。")
    take(operations, case, "feed_back_users", "管道已更换，请评价。")
    take(coordination, case, "archived")
    expect(coordination.locator(".tags").first).to_contain_text("已归档")
    assert findings(coordination) == []
    with coordination.expect_download() as got:
        coordination.get_by_role("link", name="PDF").click()
    assert Path(got.value.path()).read_bytes().startswith(b"%PDF-")


def event_of(console: Console, case: str) -> str:
    with console.database() as database, database.reading() as session:
        return session.get_one(Case, case).event_id or ""


def test_a_name_comes_with_its_authors_consent_and_goes_with_it(
    chromium: Browser, console: Console, desks: dict[str, Page]
) -> None:
    operations = desks["operations"]
    with console.database() as database, database.reading() as session:
        post = session.exec(select(Post.id).where(col(Post.state) == PostState.PUBLISHED)).first()
    operations.goto(f"/cases/help?post={post}")
    operations.fill("#title", "青年生活困难，需要临时救助")
    operations.select_option("#domain", "law")
    operations.click("main form button.main")
    expect(operations.locator("#status")).to_contain_text("已建立办理件")
    with console.database() as database, database.reading() as session:
        case = session.exec(select(Case.id).where(Case.kind == CaseKind.HELP_CASE)).one()
    operations.check("input[name=item][value=name]")
    operations.get_by_role("button", name="发送征求").click()
    expect(operations.locator("#status")).to_contain_text("征求")
    link = told(console, case, Topic.CONSENT_ASKED).payload["link"]
    with visitor(chromium, console, viewport=PHONE) as author:
        author.goto(link)
        assert findings(author) == []
        author.fill("#name", "陈小雨")
        author.check("input[name=agree]")
        author.get_by_role("button", name="同意提供").click()
        expect(author.locator("#status")).to_contain_text("已记录你的同意")
        expect(author.locator("main")).not_to_contain_text("陈小雨")
        operations.goto(f"/cases/{case}")
        expect(operations.locator("#field-name")).to_have_text("陈小雨")
        picture(operations, "help-case")
        author.get_by_role("button", name="撤回").click()
        expect(author.locator("#status")).to_contain_text("已撤回")
    operations.goto(f"/cases/{case}")
    expect(operations.locator("main")).not_to_contain_text("陈小雨")
    assert desks["city"].request.get(f"/cases/{case}").status == 404
