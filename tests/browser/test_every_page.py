"""What holds for every page: nothing serious for axe in light and dark, and no sideways scroll on a phone."""

import pytest
from playwright.sync_api import Browser, Page
from sqlmodel import select

from models.demand import Demand
from models.event import Case, Event, InboxItem
from models.vocabulary import DemandState
from tests.support.browser import DESK, PHONE, Console, findings, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LISTS = (
    "queue",
    "appeals",
    "demands",
    "events",
    "events/new",
    "cases",
    "cases/help",
    "public/demands",
    "inbox",
    "deliveries",
    "audit",
    "password",
)


def cards(console: Console) -> list[str]:
    """Return the address of one card of each kind."""
    with console.database() as database, database.reading() as session:
        demands = session.exec(select(Demand)).all()
        proposed = next(one for one in demands if one.state is DemandState.PROPOSED)
        verified = next(one for one in demands if one.state is DemandState.VERIFIED)
        return [
            f"/demands/{proposed.id}",
            f"/demands/{verified.id}",
            f"/events/{session.exec(select(Event)).first().id}",  # type: ignore[union-attr]
            f"/public/demands/{session.exec(select(Event)).first().id}",  # type: ignore[union-attr]
            f"/cases/{session.exec(select(Case)).first().id}",  # type: ignore[union-attr]
            f"/inbox/{session.exec(select(InboxItem)).first().id}",  # type: ignore[union-attr]
        ]


def visit(page: Page, address: str) -> None:
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 200, address


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Browser, console: Console, scheme: str) -> None:
    found: dict[str, list[str]] = {}
    with visitor(chromium, console, color_scheme=scheme, viewport=DESK) as page:
        for address in ("/sign-in", "/help"):
            visit(page, address)
            found[address] = findings(page)
        sign_in(page, "admin")
        for address in [f"/{name}" for name in LISTS] + cards(console):
            visit(page, address)
            for panel in page.locator("details").all()[:3]:
                panel.evaluate("one => { one.open = true }")
            found[address] = findings(page)
    assert not any(found.values()), {address: what for address, what in found.items() if what}


def test_nothing_scrolls_sideways_on_a_phone(chromium: Browser, console: Console) -> None:
    wide: dict[str, int] = {}
    with visitor(chromium, console, viewport=PHONE) as page:
        for address in ("/sign-in", "/help"):
            visit(page, address)
            wide[address] = page.evaluate("document.documentElement.scrollWidth")
        sign_in(page, "admin")
        for address in [f"/{name}" for name in LISTS] + cards(console):
            visit(page, address)
            wide[address] = page.evaluate("document.documentElement.scrollWidth")
    assert all(width <= PHONE["width"] for width in wide.values()), wide


def test_a_page_that_is_not_there_says_so_in_words(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        answer = page.goto("/demands/00000000000000000000000000000000")
        assert answer is not None
        assert answer.status == 404
        assert "管辖范围" in page.locator("[role=alert]").inner_text()


def test_a_page_of_the_console_leads_a_stranger_to_the_door_and_back(
    chromium: Browser, console: Console
) -> None:
    with visitor(chromium, console) as page:
        page.goto("/demands")
        assert page.url.endswith("/sign-in?next=/demands")
        page.fill("#login", "linxiao")
        page.fill("#password", "plum-tree-in-the-rain")
        page.click("main button")
        page.wait_for_url("**/demands")
