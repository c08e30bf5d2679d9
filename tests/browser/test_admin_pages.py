"""The administrators' pages in Chromium: by keyboard, without scripts, in both languages, and axe on each."""

import base64
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page
from sqlmodel import select

from api import totp
from api.passwords import hash_password
from models.account import Account, Grant
from models.vocabulary import Role
from tests.support.browser import PASSWORD, PHONE, Console, findings, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = ("accounts", "keys", "webhooks", "settings", "sessions", "second-factor/enrol")


def newcomer(console: Console, login: str) -> str:
    """Put an account with a role and the common password into the console; return its id."""
    with console.database() as database, database.transaction() as session:
        now = datetime.now(UTC)
        account = Account(login=login, name=login, password=hash_password(PASSWORD), created_at=now)
        session.add(account)
        session.flush()
        place = session.exec(select(Grant.organisation).where(Grant.role == Role.ADMINISTRATOR)).first()
        assert place is not None
        session.add(Grant(account_id=account.id, role=Role.OFFICER, organisation=place, granted_at=now))
        return account.id


def code_of(page: Page) -> str:
    """Return what an authenticator app would show for the secret on the page."""
    secret = "".join(page.locator("code.secret").inner_text().split())
    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return totp.code_at(raw, totp.step_at(datetime.now(UTC)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_axe_finds_nothing_serious(chromium: Browser, console: Console, scheme: str, language: str) -> None:
    found: dict[str, list[str]] = {}
    account = newcomer(console, f"seen-{scheme}-{language}")
    with visitor(chromium, console, color_scheme=scheme) as page:
        page.goto("/sign-in")
        if language == "en":
            page.click(".who button")
        sign_in(page, "admin")
        for address in (*PAGES, f"accounts/{account}"):
            answer = page.goto(f"/{address}")
            assert answer is not None
            assert answer.status == 200, address
            for panel in page.locator("details").all():
                panel.evaluate("one => { one.open = true }")
            found[address] = findings(page)
    assert not any(found.values()), {address: what for address, what in found.items() if what}


def test_nothing_scrolls_sideways_on_a_phone(chromium: Browser, console: Console) -> None:
    account = newcomer(console, "on-a-phone")
    wide: dict[str, int] = {}
    with visitor(chromium, console, viewport=PHONE) as page:
        sign_in(page, "admin")
        for address in (*PAGES, f"accounts/{account}"):
            page.goto(f"/{address}")
            for panel in page.locator("details").all():
                panel.evaluate("one => { one.open = true }")
            wide[address] = page.evaluate("document.documentElement.scrollWidth")
    assert all(width <= PHONE["width"] for width in wide.values()), wide


def test_an_account_is_locked_by_keyboard_alone(chromium: Browser, console: Console) -> None:
    account = newcomer(console, "by-keyboard")
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto(f"/accounts/{account}")
        page.locator("form[action$='/lock']").locator("xpath=..").locator("summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("离职")
        page.keyboard.press("Enter")
        page.wait_for_url("**done=account_locked")
        assert "已锁定" in page.locator("main").inner_text()


def test_without_scripts_a_key_is_made_and_a_second_factor_enrolled(
    chromium: Browser, console: Console
) -> None:
    newcomer(console, "careful")
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        page.goto("/keys")
        page.click("#new-key summary")
        page.fill("#source", "new-forum")
        page.fill("#name", "新论坛")
        page.check("input[value='posts:write']")
        page.fill("#reason-key", "接入新平台")
        page.click("#new-key button")
        assert page.locator("code.secret").inner_text().startswith("tj_")
        page.goto("/keys")
        assert page.locator("code.secret").count() == 0

    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "careful")
        page.goto("/second-factor/enrol")
        assert page.locator(".qr svg").bounding_box()["width"] > 100  # type: ignore[index]
        page.fill("#code", code_of(page))
        page.click("main button")
        assert page.locator("code.secret").count() == 10
        recovery = page.locator("code.secret").first.inner_text()
        page.goto("/sessions")
        assert page.locator(".tag.brand").count() == 1

    with visitor(chromium, console) as page:
        sign_in(page, "careful")
        assert "/second-factor" in page.url
        assert findings(page) == []
        page.keyboard.type(recovery)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/second-factor" not in url)
