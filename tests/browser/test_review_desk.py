"""The desk in Chromium: two officers, a lease that runs out, an undo, a bulk, fifty decisions by key."""

import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import col, select

from models.audit import first_break
from models.database import Database
from models.outbox import OutboxMessage
from models.post import Post
from models.review import Decision, ReviewTask, Statement
from models.vocabulary import Action, Category, PostState, TaskState, Topic
from tests.support.browser import DESK, PHONE, findings, picture, sign_in, visitor
from tests.support.desk import Desk, served_desk

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

COPY = "开学大促销全场半价先加薇领取优惠券名额有限先到先得第{}批"
HOSTILE = {
    "markup": "<script>document.title='x'</script><img src=x onerror=alert(1)> 加薇 {{ 7 * 7 }}",
    "direction": "看这里\u202e来过倒字文\u202c加薇\u200b领\u2066取\u2069",
    "long word": "加薇https://x.example/" + "a" * 4_000,
    "long text": "加薇。" + "很长的帖子" * 3_999,
    "pictures": "加薇" + "👨‍👩‍👧‍👦🏳️‍🌈😀" * 200,
    "marks": "加薇" + "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319" * 60,
}


@pytest.fixture
def desk(tmp_path: Path, sqlite_template: Path) -> Iterator[Desk]:
    shutil.copy(sqlite_template, tmp_path / "desk.db")
    database = Database(f"sqlite:///{tmp_path / 'desk.db'}")
    with served_desk(database) as served:
        yield served
    database.close()


def decisions(desk: Desk) -> list[Decision]:
    with desk.database.reading() as session:
        return list(session.exec(select(Decision).order_by(col(Decision.id))))


def state(desk: Desk, task: str) -> PostState:
    return desk.post_of(task).state


def settled(page: Page, done: str) -> None:
    page.wait_for_url(f"**done={done}*")
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-settling, .htmx-swapping')")


def test_two_officers_have_two_posts_and_the_later_decision_is_told_what_changed(
    chromium: Browser, desk: Desk
) -> None:
    first = desk.hold("先加薇领资料")
    desk.clock.turn(seconds=1)
    second = desk.hold("再加薇领资料")
    with visitor(chromium, desk) as mine, visitor(chromium, desk) as theirs:
        sign_in(mine, "linxiao")
        sign_in(theirs, "zhouning")
        mine.goto("/queue")
        theirs.goto("/queue")
        assert mine.locator("#card").get_attribute("data-task") == first
        assert theirs.locator("#card").get_attribute("data-task") == second
        theirs.goto(f"/queue/{first}")
        expect(theirs.locator("#problem")).to_contain_text("林晓")

        desk.clock.turn(minutes=11)  # the lease of the first page has run out
        theirs.goto(f"/queue/{first}")
        theirs.keyboard.press("x")
        settled(theirs, "remove")
        mine.keyboard.press("p")
        expect(mine.locator("#problem")).to_contain_text("周宁")
        expect(mine.locator("#problem")).to_contain_text("移除")
    (made,) = decisions(desk)
    assert (made.action, made.task_id) == (Action.REMOVE, first)


def test_a_page_that_is_left_gives_its_post_back(chromium: Browser, desk: Desk) -> None:
    task = desk.hold("先加薇领资料")
    with visitor(chromium, desk) as page:
        sign_in(page, "linxiao")
        page.goto("/queue")
        page.goto("/help")
        with desk.database.reading() as session:
            ends = time.monotonic() + 10
            while session.get_one(ReviewTask, task).leased_by is not None and time.monotonic() < ends:
                session.rollback()
                session.expire_all()
                time.sleep(0.1)
            assert session.get_one(ReviewTask, task).leased_by is None


def test_an_undo_brings_the_post_back_and_nothing_has_left(chromium: Browser, desk: Desk) -> None:
    task = desk.hold("先加薇领资料")
    desk.clock.turn(seconds=1)
    desk.hold("再加薇领资料")
    with visitor(chromium, desk) as page:
        sign_in(page, "linxiao")
        page.goto("/queue")
        before = page.locator("#publish").bounding_box()
        page.keyboard.press("x")
        settled(page, "remove")
        expect(page.locator("#status")).to_contain_text("已移除")
        expect(page.locator("#card-title")).to_be_focused()
        assert page.locator("#publish").bounding_box() == before, "the buttons moved under the hand"
        expect(page.locator("#undo-bar")).to_contain_text("移除 垃圾广告")
        assert state(desk, task) is PostState.REMOVED
        picture(page, "review-undo")
        page.keyboard.press("u")
        settled(page, "undone")
        assert page.locator("#card").get_attribute("data-task") == task
    assert state(desk, task) is PostState.HELD
    assert decisions(desk) == []
    with desk.database.reading() as session:
        assert session.exec(select(Statement)).all() == []
        assert {one.topic for one in session.exec(select(OutboxMessage))} == {Topic.POST_SCREENED}
        assert first_break(session) is None


def test_a_hundred_near_duplicates_in_one_decision_and_back(chromium: Browser, desk: Desk) -> None:
    tasks = [desk.hold(COPY.format(number), author=f"user-{number}") for number in range(100)]
    desk.note_likeness()
    with visitor(chromium, desk) as page:
        sign_in(page, "linxiao")
        page.goto("/queue")
        expect(page.locator("#bulk")).to_contain_text("99")
        page.keyboard.press("b")
        expect(page.locator("h1")).to_have_text("近似的帖子")
        assert page.locator("input[name=seen]").count() == 100
        assert page.locator("mark").first.inner_text() in "123456789"
        assert findings(page) == []
        picture(page, "review-alike")
        page.uncheck("#seen-3")
        page.keyboard.press("r")
        expect(page.locator("#reason")).to_be_focused()
        began = time.perf_counter()
        page.keyboard.press("Control+Enter")
        settled(page, "bulk")
        print(f"99 posts in one decision: {time.perf_counter() - began:.2f} s, with the page")  # noqa: T201 - measured
        made = decisions(desk)
        assert len(made) == 99
        assert len({one.batch for one in made}) == 1
        with desk.database.reading() as session:
            assert len(session.exec(select(Statement)).all()) == 99
        left = [one for one in tasks if state(desk, one) is PostState.HELD]
        assert len(left) == 1
        page.keyboard.press("u")
        settled(page, "undone")
        assert page.locator("input[name=seen]").count() == 100
    assert decisions(desk) == []
    assert {state(desk, one) for one in tasks} == {PostState.HELD}


def test_fifty_decisions_by_key_without_a_mouse(chromium: Browser, desk: Desk) -> None:
    for number in range(50):
        desk.hold(f"先加薇领资料（{number}）" if number % 5 else f"我打死你{number}", author=f"user-{number}")
    took: list[float] = []
    with visitor(chromium, desk) as page:
        sign_in(page, "linxiao")
        page.on(
            "requestfinished",
            lambda asked: took.append(_server_time(asked)) if "/queue" in asked.url else None,
        )
        page.goto("/queue")
        for number in range(50):
            is_harsh = page.locator("details.harsh").count() > 0
            if is_harsh:
                page.keyboard.press("o")
            before = page.locator("#card").get_attribute("data-task")
            # A removal as a threat waits for a second reader, and is no decision yet.
            page.keyboard.press("pp1"[number % 3] if is_harsh else "px1"[number % 3])
            page.wait_for_function(
                "before => !document.querySelector('.htmx-request') &&"
                " (document.querySelector('#card')?.dataset.task ?? '') !== before",
                arg=before,
            )
            refused = page.locator("#problem")
            assert refused.count() == 0, (number, refused.inner_text())
        expect(page.locator(".nothing")).to_be_visible()
    made = decisions(desk)
    assert len(made) == 50
    assert {one.action for one in made} == {Action.PUBLISH, Action.REMOVE}
    assert {one.category for one in made if one.action is Action.REMOVE} <= {Category.SPAM, Category.THREAT}
    print(f"median of a request: {1000 * statistics.median(took):.0f} ms")  # noqa: T201 - measured


def _server_time(asked: Any) -> float:
    timing = asked.timing
    return max(0.0, (timing["responseStart"] - timing["requestStart"]) / 1000)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_posts_are_shown_safely_and_legibly(chromium: Browser, desk: Desk, kind: str) -> None:
    task = desk.hold(HOSTILE[kind])
    with visitor(chromium, desk, viewport=PHONE) as page:
        sign_in(page, "linxiao")
        title = page.title()
        page.goto(f"/queue/{task}")
        for folded in page.locator(".quote details").all():
            folded.locator("summary").click()
        shown = page.locator(".card .post-text").first
        assert "加薇" in shown.inner_text()
        assert page.locator("main img, main script").count() == 0
        assert page.title() != "x" != title
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        if kind == "direction":
            assert shown.locator(".control").all_inner_texts() == [
                "U+202E",
                "U+202C",
                "U+200B",
                "U+2066",
                "U+2069",
            ]
            assert "\u202e" not in page.content()
        expect(page.locator("#publish")).to_be_in_viewport()
        picture(page, f"review-hostile-{kind.replace(' ', '-')}") if kind == "direction" else None


@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESK), ("dark", PHONE)])
def test_axe_finds_nothing_serious_at_the_desk(
    chromium: Browser, desk: Desk, scheme: str, viewport: dict[str, int]
) -> None:
    desk.hold("不想活了，谁能陪我说说话")
    harsh = desk.hold("我打死你，你等着")
    for number in range(3):
        desk.hold("力口 我 薇❤信 领資料，" + COPY.format(number), author=f"user-{number}")
    desk.note_likeness()
    found: dict[str, list[str]] = {}
    with visitor(chromium, desk, color_scheme=scheme, viewport=viewport) as page:
        sign_in(page, "hean")
        for address in (
            "/queue",
            f"/queue/{harsh}",
            "/queue?category=spam",
            "/queue/list",
            "/queue/list?overdue=1",
        ):
            page.goto(address)
            if address == "/queue?category=spam":
                picture(page, f"review-card-{scheme}")
            for panel in page.locator("details").all():
                panel.evaluate("one => { one.open = true }")
            found[address] = findings(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], address
            if address == "/queue/list":
                picture(page, f"review-list-{scheme}")
        page.keyboard.press("?")
        expect(page.locator("#key-map")).to_be_visible()
        found["keys"] = findings(page)
        picture(page, f"review-keys-{scheme}")
    assert not any(found.values()), {address: what for address, what in found.items() if what}


def test_everything_works_without_scripts(chromium: Browser, desk: Desk) -> None:
    task = desk.hold("先加薇领资料")
    for number in range(3):
        desk.hold(COPY.format(number), author=f"user-{number}")
    desk.note_likeness()
    with visitor(chromium, desk, java_script_enabled=False) as page:
        sign_in(page, "linxiao")
        page.goto(f"/queue/{task}")
        page.click("#standing button")
        expect(page.locator("#standing")).to_contain_text("请先看帖子本身")
        page.click("#standing button")
        expect(page.locator("#standing")).to_contain_text("没有仍然有效的违规")
        page.click("#publish")
        expect(page.locator("#undo-bar")).to_contain_text("发布")
        page.click("#undo")
        assert page.locator("#card").get_attribute("data-task") == task
        page.goto("/queue/list")
        page.fill("#words", "大促销")
        page.click("form.search button")
        assert page.locator("tbody tr").count() == 3
        page.click("tbody tr:first-child a")
        page.click("#bulk")
        page.uncheck("#seen-1")
        page.click("#publish")
        expect(page.locator("#undo-bar")).to_contain_text("2 条")
    with desk.database.reading() as session:
        assert len(session.exec(select(Post).where(Post.state == PostState.PUBLISHED)).all()) == 2
        assert session.get_one(ReviewTask, task).state is TaskState.OPEN


def test_a_referral_that_nobody_opened_calls_over_the_queue(chromium: Browser, desk: Desk) -> None:
    from datetime import timedelta

    from moderation.referrals import watch_lanes

    desk.hold("不想活了，谁能陪我说说话", author="somebody-in-danger")
    desk.clock.turn(minutes=11)
    watch_lanes(desk.database, desk.clock.now, unopened=timedelta(minutes=10))
    with visitor(chromium, desk) as page:
        sign_in(page, "linxiao")
        page.goto("/queue")
        expect(page.locator(".calling")).to_contain_text("东莞市")
        assert page.locator("#card").count() == 0, "it waits for somebody who is trained for it"
    with visitor(chromium, desk) as page:
        sign_in(page, "hean")
        page.goto("/queue")
        expect(page.locator("#card")).to_contain_text("这不是违规")
        assert page.locator("#standing").count() == 0
        assert "somebody-in-danger" not in page.content()
        page.keyboard.press("h")
        settled(page, "refer")
