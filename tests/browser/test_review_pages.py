"""The queue without scripts and with keys alone, and the author's side of a removal."""

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import col, select

from models.post import Post, PostRevision
from models.review import Decision, ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import Action, Category, TaskState, Verdict
from tests.support.browser import PHONE, Console, picture, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HOSTILE = (
    "<img src=x onerror=alert(1)>\u202e文字倒过来\u202c {{ 7 * 7 }} "
    + "长" * 400
    + "https://x.example/"
    + "a" * 300
)


def queue_a_post(console: Console, text: str, spans: list[list[int]]) -> str:
    """Put a post with marked passages into the queue, and return its task."""
    now = datetime.now(UTC)
    with console.database() as database, database.transaction() as session:
        post = session.exec(select(Post).where(col(Post.organisation) == "gd/campus/mumian")).first()
        assert post is not None
        made = Post(**post.model_dump(exclude={"id", "external_id"}), external_id=f"made-{now.timestamp()}")
        session.add(made)
        session.flush()
        session.add(
            PostRevision(
                post_id=made.id, revision=made.revision, text=text, fingerprint="0" * 64, received_at=now
            )
        )
        reason = {"source": "rule", "rule": "test/one", "category": "spam", "clause": "C1", "spans": spans}
        screening = Screening(
            post_id=made.id,
            revision=made.revision,
            verdict=Verdict.HOLD,
            category=Category.SPAM,
            reasons=[{**reason, "probability": None}],
            rulebook="test",
            policy="test",
            screened_at=now,
        )
        session.add(screening)
        session.flush()
        task = ReviewTask(
            post_id=made.id,
            screening_id=screening.id,
            organisation=made.organisation,
            category=Category.SPAM,
            due_at=now,
            created_at=now,
        )
        session.add(task)
        session.flush()
        return task.id


def decision_of(console: Console, task: str) -> Decision:
    with console.database() as database, database.reading() as session:
        return session.exec(select(Decision).where(col(Decision.task_id) == task)).one()


def test_a_hostile_post_is_shown_as_text_with_exactly_its_passage_marked(
    chromium: Browser, console: Console
) -> None:
    start = HOSTILE.index("文字倒过来")
    task = queue_a_post(console, HOSTILE, [[start, start + 5]])
    with visitor(chromium, console, viewport=PHONE) as page:
        sign_in(page, "admin")
        page.goto(f"/queue/{task}")

        shown = page.locator(".card-side .post-text").first
        assert shown.inner_text() == HOSTILE.replace("\u202e", "U+202E").replace("\u202c", "U+202C")
        assert shown.locator("mark").all_inner_texts() == ["文字倒过来"]
        assert page.locator("main img").count() == 0
        assert shown.evaluate("one => getComputedStyle(one).unicodeBidi") == "isolate"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_very_long_post_is_folded(chromium: Browser, console: Console) -> None:
    task = queue_a_post(console, "很长的帖子。" * 3_000, [[0, 2]])
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto(f"/queue/{task}")

        folded = page.locator(".quote details")
        expect(folded).to_contain_text("18000")
        expect(folded.locator(".post-text")).not_to_be_visible()
        folded.locator("summary").click()
        expect(folded.locator(".post-text")).to_be_visible()


def test_a_decision_works_without_scripts(chromium: Browser, console: Console) -> None:
    task = queue_a_post(console, "全场半价，加我领券", [[0, 4]])
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        page.goto(f"/queue/{task}")
        page.click("#removal summary")
        page.fill("#reason", "与讨论无关的推销。")
        page.click("#remove")

        expect(page.locator("#status")).to_contain_text("已移除")
    made = decision_of(console, task)
    assert (made.action, made.category, made.reason) == (Action.REMOVE, Category.SPAM, "与讨论无关的推销。")


def test_the_queue_is_worked_with_keys_alone(chromium: Browser, console: Console) -> None:
    task = queue_a_post(console, "谁要一起拼单买笔记本", [])
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto(f"/queue/{task}")

        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")

        page.keyboard.press("?")
        expect(page.locator("#key-map")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#key-map")).not_to_be_visible()
        page.keyboard.press("r")
        expect(page.locator("#reason")).to_be_focused()
        page.keyboard.type("p")
        page.keyboard.press("Escape")
        page.keyboard.press("p")
        expect(page.locator("#status")).to_contain_text("已发布")
    assert decision_of(console, task).action is Action.PUBLISH


def test_j_and_k_move_along_the_list(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        current = page.locator("#tray a[aria-current]")
        first = current.get_attribute("href")
        page.keyboard.press("j")
        expect(page.locator("#tray a[aria-current]")).not_to_have_attribute("href", first or "")
        page.keyboard.press("k")
        expect(page.locator("#tray a[aria-current]")).to_have_attribute("href", first or "")


def test_a_removal_without_a_reason_is_refused_in_words(chromium: Browser, console: Console) -> None:
    task = queue_a_post(console, "今天的云很好看", [])
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        page.goto(f"/queue/{task}")
        page.click("#removal summary")
        page.fill("#reason", "   ")
        page.click("#remove")
        expect(page.locator("[role=alert]")).to_contain_text("理由")
    with console.database() as database, database.reading() as session:
        assert session.get_one(ReviewTask, task).state is TaskState.OPEN


def remove_with_reason(page: Page, console: Console, task: str) -> str:
    page.goto(f"/queue/{task}")
    page.click("#removal summary")
    page.fill("#reason", "引流广告。")
    page.click("#remove")
    expect(page.locator("#status")).to_contain_text("已移除")
    with console.database() as database, database.reading() as session:
        decision = session.exec(select(Decision).where(col(Decision.task_id) == task)).one()
        statement = session.exec(select(Statement).where(col(Statement.decision_id) == decision.id)).one()
    with console.database() as database, database.transaction() as session:
        session.get_one(Statement, statement.id).leaves_at = None  # as if half a minute had passed
    return statement.token


def test_an_author_reads_why_objects_and_gets_the_post_back(chromium: Browser, console: Console) -> None:
    task = queue_a_post(console, "我做的手工皂，想看的同学留言", [[0, 6]])
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        token = remove_with_reason(page, console, task)
        page.goto("/appeals")
    with visitor(chromium, console, viewport=PHONE) as page:
        page.goto(f"/statements/{token}")
        expect(page.locator("main")).to_contain_text("C1 垃圾广告")
        expect(page.locator("main")).to_contain_text("引流广告。")
        assert page.locator("mark").all_inner_texts() == ["我做的手工皂"]
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.fill("#text", "我没有卖东西，只是分享手工课的作业。")
        page.click("main form button")
        expect(page.locator("#status")).to_contain_text("申诉已提交")
        assert page.locator("#text").count() == 0
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto("/appeals")
        mine = page.locator("article", has_text="手工皂")
        expect(mine).to_contain_text("处理过这条帖子")
        assert mine.locator("button").count() == 0
    with visitor(chromium, console) as page:
        sign_in(page, "linxiao")
        page.goto("/appeals")
        theirs = page.locator("article", has_text="手工皂")
        theirs.locator("textarea").fill("你说得对，已恢复。")
        theirs.get_by_role("button", name="恢复帖子").click()
        expect(page.locator("#status")).to_contain_text("已恢复")
        page.goto(f"/statements/{token}")
        expect(page.locator("main")).to_contain_text("撤销")
        expect(page.locator("main")).to_contain_text("你说得对，已恢复。")


def test_the_language_can_be_changed_and_stays(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console) as page:
        page.goto("/sign-in")
        page.get_by_role("button", name="English").click()
        expect(page.locator("h1")).to_have_text("Sign in")
        sign_in(page, "admin")
        expect(page.locator("h1")).to_have_text("Review queue")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        assert not re.search("审核|诉求", page.locator(".masthead nav").inner_text())


def test_the_queue_on_a_phone(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console, viewport=PHONE, device_scale_factor=1) as page:
        sign_in(page, "admin")
        page.locator("#tray a", has_text="垃圾广告").first.click()
        expect(page.locator("#card-title")).to_be_focused()
        expect(page.locator("#publish")).to_be_in_viewport()
        picture(page, "mobile-queue")
