"""From a one-time password to a report that an office has signed for and a receiver has verified."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select
from standardwebhooks.webhooks import Webhook

from models.outbox import WebhookEndpoint
from models.review import Decision
from models.vocabulary import Action, Topic
from tests.support.browser import PASSWORD, Console, picture, sign_in, visitor
from tests.support.receiver import Receiver, receiver

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

TITLE = "云岭师范学院南区宿舍热水供应不足"
SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DELIVERY_SECONDS = 120


def left(page: Page) -> int:
    said = re.search(r"\d+", page.locator("#left").inner_text())
    assert said is not None
    return int(said[0])


def listen(console: Console, hook: Receiver) -> None:
    """Register the receiver as an endpoint of the province."""
    with console.database() as database, database.transaction() as session:
        session.add(
            WebhookEndpoint(
                organisation="gd",
                url=hook.url,
                secret=SECRET,
                topics=[Topic.EVENT_REPORTED.value],
                created_at=datetime.now(UTC),
            )
        )


def decide_by_keyboard(page: Page) -> dict[str, int]:
    """Refer those in danger, publish what needs a second officer, remove one; with keys alone."""
    done = {"refer": 0, "remove": 0, "publish": 0}
    for _ in range(20):
        before = left(page)
        if page.locator("details.harsh:not([open])").count():
            page.keyboard.press("o")
        reason = page.locator("#reason")
        if page.locator(".card-side .tag.care").count():
            action, said = "refer", "转介"
            page.keyboard.press("h")
        elif not done["remove"] and reason.input_value() and not waits_for_a_second(page):
            action, said = "remove", "移除"
            page.keyboard.press("r")
            expect(reason).to_be_focused()
            page.keyboard.press("Control+Enter")
        else:
            action, said = "publish", "发布"
            page.keyboard.press("p")
        expect(page.locator("#status")).to_contain_text(said)
        expect(page.locator("#left")).to_contain_text(f" {before - 1} ")
        expect(page.locator("#card-title")).to_be_focused()
        done[action] += 1
        page.evaluate("document.querySelector('#status').textContent = ''")
        if done["remove"] and done["publish"]:
            return done
    raise AssertionError(done)


def waits_for_a_second(page: Page) -> bool:
    """Whether a removal of the open post needs a second officer, so that it is no decision yet."""
    shown = " ".join(page.locator("main .tag").all_inner_texts())
    return any(word in shown for word in ("仇恨", "威胁"))


def come_in(page: Page, console: Console) -> None:
    one_time = console.passwords["admin"]
    sign_in(page, "admin", one_time)
    expect(page).to_have_url(re.compile("/password$"))
    page.fill("#current", one_time)
    page.fill("#new", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("main button")
    expect(page).to_have_url(re.compile("/queue$"))


def take_a_picture_of_the_queue(page: Page) -> None:
    """Show an everyday post in the picture, and not one by somebody in danger."""
    page.goto("/queue?category=spam")
    expect(page.locator("#card-title")).to_be_visible()
    picture(page, "console-queue")
    page.goto("/queue")


def verify_the_demand(page: Page) -> tuple[str, int]:
    """Look at the demand, verify it, and return its event and how many people voice it."""
    page.goto("/demands")
    page.locator(".board article", has_text="热水").locator("h2 a").click()
    expect(page.locator("#preview")).to_be_visible()
    people = int(page.locator(".figures dd").first.inner_text())
    assert people >= 12
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    assert page.locator(".members li").count() >= people
    picture(page, "demand-card")
    page.fill("#title", TITLE)
    page.select_option("#domain", "campus_life")
    page.fill("#note", "已与后勤处核实，循环泵故障属实。")
    page.fill("#words-1", "盼着每天都能洗上热水澡。")
    page.click("#verify-form button")
    expect(page).to_have_url(re.compile("/events/"))
    for step in ("整理", "核实", "上报", "建立办理表"):
        expect(page.locator(".trail b", has_text=re.compile(f"^{step}$"))).to_have_count(1)
    return page.url.split("/events/")[1].split("?")[0], people


def sign_for_it(page: Page) -> None:
    page.goto("/inbox")
    page.locator(".board article", has_text=TITLE).locator("button").click()
    expect(page.locator("#status")).to_contain_text("已签收")
    expect(page.locator(".trail b", has_text=re.compile("^签收$"))).to_have_count(1)
    expect(page.locator("table").first).to_contain_text("校园生活")
    expect(page.locator(".post-text")).to_have_text(["盼着每天都能洗上热水澡。"])
    picture(page, "inbox")


def work_on_the_form(page: Page, event: str) -> None:
    page.goto(f"/events/{event}")
    page.get_by_role("link", name="集中诉求办理表").click()
    expect(page.locator("#field-demand")).to_have_value(TITLE)
    for key in ("issued_on", "group", "period", "topic_posts", "place", "details"):
        assert page.locator(f"#field-{key}").input_value().strip(), key
    opinion = "请学校后勤处牵头，一周内答复。"
    page.fill("#field-coordination_opinion", opinion)
    page.get_by_role("button", name="保存新版本").click()
    expect(page.locator("#status")).to_contain_text("新版本")
    expect(page.locator("#field-coordination_opinion")).to_have_value(opinion)


def verified_message(hook: Receiver) -> dict[str, Any]:
    """Return the message of the delivered report, its signature checked."""
    ends = time.monotonic() + DELIVERY_SECONDS
    while not hook.received and time.monotonic() < ends:
        time.sleep(0.2)
    told = hook.received[0]
    content: dict[str, Any] = Webhook(SECRET).verify(told.body, told.headers)
    return content


def test_a_newcomer_works_a_demand_through_to_a_delivered_report(
    chromium: Browser, new_console: Console
) -> None:
    with receiver() as hook, visitor(chromium, new_console) as page:
        listen(new_console, hook)

        come_in(page, new_console)
        take_a_picture_of_the_queue(page)
        assert left(page) >= 10
        done = decide_by_keyboard(page)
        with new_console.database() as database, database.reading() as session:
            taken = [one.action for one in session.exec(select(Decision))]
        assert {action.value: taken.count(action) for action in Action} == done
        assert done["remove"] == 1
        assert done["publish"] >= 1

        event, people = verify_the_demand(page)
        sign_for_it(page)
        work_on_the_form(page, event)

        content = verified_message(hook)
        assert content["type"] == "event.reported"
        assert content["data"]["event"] == event
        figures = content["data"]["figures"]
        assert (figures["title"], figures["counts"]["authors"]) == (TITLE, people)

        page.goto("/deliveries")
        expect(page.locator("tbody tr").first).to_contain_text("已送达")
        page.goto("/audit")
        expect(page.locator("tbody")).to_contain_text("post.decided")
