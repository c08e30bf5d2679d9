"""A back-test in the browser: started, watched, read, promoted, and rolled back; with scripts and without."""

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import col, select

from models.audit import AuditEntry
from models.rulebook import RulebookEdition
from tests.support.browser import DESK, PHONE, Console, findings, sign_in, visitor
from tests.support.rulebooks import pack_text, rule

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PACK = "flats"
WAIT_MS = 60_000


def candidate(name: str, word: str) -> str:
    entry = rule(id=f"{name}.sale", any=[word], tests={"hit": [f"卖{word}"], "miss": ["喝水"]})
    return pack_text(entry, pack=name)


def start(page: Page, source: str) -> None:
    page.goto("/rulebook")
    page.get_by_role("link", name="回测").click()
    page.select_option("#kind", "pack")
    page.fill("#source", source)
    page.fill("#reason", "同学反映的推销")
    page.click("#start")
    page.wait_for_url("**/rulebook/backtests/*")


def editions(console: Console) -> list[tuple[str, str]]:
    with console.database() as database, database.reading() as session:
        rows = session.exec(select(RulebookEdition).order_by(col(RulebookEdition.number))).all()
        return [(row.action, row.reason) for row in rows]


def test_a_back_test_leads_to_a_promotion_and_back(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console, viewport=DESK) as page:
        sign_in(page, "admin")
        start(page, candidate(PACK, "公寓"))
        expect(page.locator("#state")).to_have_text("已完成", timeout=WAIT_MS)
        assert int(page.locator("#hits").inner_text()) > 0
        assert page.locator("#sample ~ ol mark").count() > 0
        assert findings(page) == []

        before = len(editions(console))
        page.fill("#reason", "先静默试行")
        page.get_by_role("button", name="静默试行").click()
        expect(page.locator("#status")).to_contain_text("规则已变更", timeout=WAIT_MS)
        expect(page.locator("#standing")).to_contain_text("静默试行")
        page.goto("/rulebook?state=shadow")
        expect(page.locator("main")).to_contain_text(f"{PACK}.sale")
        assert findings(page) == []

        page.goto("/rulebook/editions")
        assert findings(page) == []
        page.locator("summary", has_text="退回到").first.click()
        panel = page.locator("details[open]")
        panel.locator("input[name=reason]").fill("不再需要")
        panel.locator("button").click()
        expect(page.locator("#status")).to_contain_text("已退回", timeout=WAIT_MS)
        page.goto("/rulebook?state=shadow")
        expect(page.locator("main")).not_to_contain_text(f"{PACK}.sale")
    assert editions(console)[before:] == [
        ("pack.shadowed", "先静默试行"),
        ("rulebook.rolled_back", "不再需要"),
    ]
    with console.database() as database, database.reading() as session:
        actions = set(session.exec(select(AuditEntry.action)))
    assert {"backtest.requested", "backtest.posts_viewed", "pack.shadowed", "rulebook.rolled_back"} <= actions


def test_without_scripts_a_link_asks_for_the_progress(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console, java_script_enabled=False, viewport=PHONE) as page:
        sign_in(page, "admin")
        start(page, candidate("wifi", "祖传秘方"))
        for _ in range(60):
            if page.locator("#state").inner_text() in {"已完成", "未能完成"}:
                break
            page.locator("#run a").first.click()
            page.wait_for_timeout(1_000)
        expect(page.locator("#state")).to_have_text("已完成")


def test_a_rule_on_a_matter_of_public_life_is_refused_with_file_line_and_text(
    chromium: Browser, console: Console
) -> None:
    before = editions(console)
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        start(page, candidate("calm", "上访"))
        expect(page.locator("[role=alert]")).to_contain_text("calm.yaml:4", timeout=WAIT_MS)
        expect(page.locator("[role=alert]")).to_contain_text("上访")
    assert editions(console) == before


def test_the_pages_do_not_scroll_sideways_on_a_phone(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console, viewport=PHONE) as page:
        sign_in(page, "admin")
        for address in ("/rulebook", "/rulebook/editions", "/rulebook/backtests"):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address
