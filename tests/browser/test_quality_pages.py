"""Two officers confirm a grave removal, one passes a post on, and the page of quality is sound for axe."""

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import col, select

from models.quality import ExposureDay, SecondReading, TaskPass
from models.review import Decision, ReviewTask
from models.vocabulary import Category, SecondState
from tests.browser.test_review_pages import queue_a_post
from tests.support.browser import DESK, PHONE, Console, findings, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

FIRST, SECOND = "admin", "linxiao"


def make_harsh(console: Console, task: str) -> None:
    with console.database() as database, database.transaction() as session:
        found = session.get_one(ReviewTask, task)
        found.category = Category.HATE
        session.add(found)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_grave_removal_takes_effect_when_a_second_officer_confirms_it(
    chromium: Browser, console: Console, *, scripts: bool
) -> None:
    task = queue_a_post(console, "这里有一句不该说的话", [[0, 4]])
    make_harsh(console, task)
    with visitor(chromium, console, java_script_enabled=scripts) as page:
        sign_in(page, FIRST)
        page.goto(f"/queue/{task}")
        if scripts:
            page.click("#harsh summary")
        page.click("#suggested")
        expect(page.locator("#status")).to_contain_text("第二位同事")
        page.goto("/second")
        expect(page.locator("main")).to_contain_text("另一位同事确认")
    with visitor(chromium, console, java_script_enabled=scripts) as page:
        sign_in(page, SECOND)
        page.goto("/second")
        page.click("button[value=confirmed]")
        expect(page.locator("#status")).to_contain_text("已确认移除")
    with console.database() as database, database.reading() as session:
        decision = session.exec(select(Decision).where(col(Decision.task_id) == task)).one()
        reading = session.get_one(SecondReading, decision.second)
        assert reading.state is SecondState.CONFIRMED
        assert reading.decided_by != reading.asked_by
        if scripts:
            assert session.exec(select(ExposureDay).where(ExposureDay.category == Category.HATE)).first()


def test_a_post_is_passed_on_without_a_reason(chromium: Browser, console: Console) -> None:
    task = queue_a_post(console, "换个人看这一条", [])
    with visitor(chromium, console) as page:
        sign_in(page, FIRST)
        page.goto(f"/queue/{task}")
        page.click("#pass")
        expect(page.locator("#status")).to_contain_text("不问理由")
        assert page.locator("#card").get_attribute("data-task") != task
    with console.database() as database, database.reading() as session:
        assert session.exec(select(TaskPass).where(TaskPass.task_id == task)).one()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_the_pages_of_quality_are_sound(
    chromium: Browser, console: Console, scheme: str, viewport: dict[str, int]
) -> None:
    task = queue_a_post(console, "再看一眼这一条", [])
    with visitor(chromium, console, color_scheme=scheme, viewport=viewport) as page:
        sign_in(page, FIRST)
        for address in ("/quality", "/second", f"/queue/{task}"):
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 200
            assert findings(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
