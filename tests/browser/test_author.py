"""The author's side in a real browser: read on a phone, object, be answered by somebody else, find help."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import col, select

from models.post import Post, PostRevision
from models.review import Appeal, FreshLook, Statement
from models.screening import Screening
from models.vocabulary import AppealState, Category, PostState, Verdict
from moderation import fresh_looks, statements
from tests.support.browser import PHONE, Console, findings, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

HOSTILE = "<script>alert(1)</script>\u202e倒过来\u202c 我没有骗人 " + "长" * 300 + " {{ 7 * 7 }}"


def removed_by_machine(console: Console, text: str, spans: list[list[int]]) -> str:
    """Remove a post as the machine does, and return the token of its statement."""
    now = datetime.now(UTC)
    with console.database() as database, database.transaction() as session:
        known = session.exec(select(Post).where(col(Post.organisation) == "gd/campus/mumian")).first()
        assert known is not None
        post = Post(
            **known.model_dump(exclude={"id", "external_id", "state", "revision"}),
            external_id=f"author-{now.timestamp()}",
            state=PostState.REMOVED,
            revision=1,
        )
        session.add(post)
        session.flush()
        session.add(
            PostRevision(post_id=post.id, revision=1, text=text, fingerprint="0" * 64, received_at=now)
        )
        reason = {
            "source": "rule",
            "rule": "scam/brushing",
            "category": "scam",
            "clause": "C2",
            "spans": spans,
            "probability": None,
        }
        screening = Screening(
            post_id=post.id,
            revision=1,
            verdict=Verdict.REMOVE,
            category=Category.SCAM,
            reasons=[reason],
            rulebook="test",
            policy="test",
            screened_at=now,
        )
        session.add(screening)
        session.flush()
        statement = statements.issue(
            session, post, screening, category=Category.SCAM, reason="-", decision=None, now=now
        )
        return statement.token


def state_of(console: Console, token: str) -> tuple[PostState, AppealState | None]:
    with console.database() as database, database.reading() as session:
        statement = session.exec(select(Statement).where(col(Statement.token) == token)).one()
        appeal = session.exec(select(Appeal).where(col(Appeal.statement_id) == statement.id)).first()
        return session.get_one(Post, statement.post_id).state, appeal.state if appeal else None


@contextmanager
def on_a_phone(chromium: Browser, console: Console, scheme: str = "light") -> Iterator[Page]:
    """Yield a page of somebody with a phone whose browser runs no scripts of ours."""
    options = {"viewport": PHONE, "color_scheme": scheme, "java_script_enabled": False}
    with visitor(chromium, console, **options) as page:
        yield page


def object_to(chromium: Browser, console: Console, token: str, text: str) -> None:
    with on_a_phone(chromium, console) as page:
        page.goto(f"/statements/{token}")
        page.fill("#text", text)
        page.click("main form button")
        expect(page.locator("#status")).to_contain_text("申诉已提交")
        assert page.locator("#text").count() == 0


def decide(chromium: Browser, console: Console, about: str, button: str, answer: str) -> None:
    with visitor(chromium, console) as page:
        sign_in(page, "linxiao")
        page.goto("/appeals")
        one = page.locator("article", has_text=about).first
        one.locator("textarea").fill(answer)
        one.get_by_role("button", name=button).click()
        expect(page.locator("#status")).not_to_be_empty()


def test_an_author_reads_on_a_phone_what_was_done_and_why(chromium: Browser, console: Console) -> None:
    token = removed_by_machine(console, "刷单日结三百，名额有限", [[0, 4]])
    with on_a_phone(chromium, console) as page:
        page.goto(f"/statements/{token}")
        main = page.locator("main")
        for told in ("C2 诈骗", "由机器决定", "规则 scam/brushing", "全部地区", "没有期限", "次日零点后"):
            expect(main).to_contain_text(told)
        assert page.locator("mark").all_inner_texts() == ["刷单日结"]
        expect(main).not_to_contain_text("名额有限")
    with visitor(chromium, console, viewport=PHONE) as page:
        page.goto(f"/statements/{token}")
        page.get_by_role("button", name="English").click()
        page.goto(f"/statements/{token}")
        expect(page.locator("main")).to_contain_text("Found by rule scam/brushing.")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_an_objection_that_is_granted_brings_the_post_back_and_doubts_its_like(
    chromium: Browser, console: Console
) -> None:
    text = "提醒大家，刷单日结都是骗局，我上周就被骗走了生活费，千万别信"
    token = removed_by_machine(console, text, [[5, 9]])
    like = removed_by_machine(console, text.replace("上周", "上个月"), [[5, 9]])
    object_to(chromium, console, token, HOSTILE)

    decide(chromium, console, "我上周就被骗", "恢复帖子", "你是在提醒同学，已恢复。")

    assert state_of(console, token) == (PostState.PUBLISHED, AppealState.REVERSED)
    assert state_of(console, like)[0] is PostState.REMOVED
    with on_a_phone(chromium, console) as page:
        page.goto(f"/statements/{token}")
        expect(page.locator("main")).to_contain_text("你是在提醒同学，已恢复。")
        expect(page.locator("main")).to_contain_text("撤销")
    with console.database() as database:
        fresh_looks.propose_due(database, datetime.now(UTC))
        with database.reading() as session:
            assert len(session.exec(select(FreshLook)).all()) == 1
    with visitor(chromium, console) as page:
        sign_in(page, "linxiao")
        page.goto("/queue")
        page.locator("#fresh-looks a").click()
        look = page.locator("#fresh-looks article", has_text="上个月")
        assert findings(page) == []
        look.get_by_role("button", name="恢复帖子").click()
        expect(page.locator("#status")).to_contain_text("已恢复")
    assert state_of(console, like)[0] is PostState.PUBLISHED


def test_an_objection_that_is_turned_down_is_answered_and_cannot_be_sent_again(
    chromium: Browser, console: Console
) -> None:
    token = removed_by_machine(console, "刷单日结，联系客服领任务，先交押金", [[0, 4]])
    object_to(chromium, console, token, "我只是转发")

    decide(chromium, console, "先交押金", "维持移除", "帖子在招人刷单，维持移除。")

    assert state_of(console, token) == (PostState.REMOVED, AppealState.UPHELD)
    with on_a_phone(chromium, console) as page:
        page.goto(f"/statements/{token}")
        expect(page.locator("main")).to_contain_text("维持移除")
        expect(page.locator("main")).to_contain_text("帖子在招人刷单，维持移除。")
        assert page.locator("#text").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_pages_of_the_author(
    chromium: Browser, console: Console, scheme: str
) -> None:
    token = removed_by_machine(console, "刷单日结 " + "a" * 200, [[0, 4]])
    with visitor(chromium, console, viewport=PHONE, color_scheme=scheme) as page:
        for address in (f"/statements/{token}", "/help"):
            page.goto(address)
            assert findings(page) == [], address
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address


def test_the_help_page_offers_several_lines_to_choose_from_and_asks_for_nothing(
    chromium: Browser, console: Console
) -> None:
    with on_a_phone(chromium, console, "dark") as page:
        page.goto("/help")
        numbers = page.locator("main a[href^='tel:']").all_inner_texts()
        assert {"12356", "12355", "120", "110"} <= set(numbers)
        for told in ("接听时间", "适合谁", "核对于", "不是违规"):
            expect(page.locator("main")).to_contain_text(told)
        assert page.locator("main form, main input").count() == 0


def test_an_auditor_narrows_the_log_and_takes_it_away(chromium: Browser, console: Console) -> None:
    removed_by_machine(console, "刷单日结，审计用", [[0, 4]])
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto("/audit")
        page.fill("#action", "statement.")
        page.get_by_role("button", name="查找").click()
        shown = set(page.locator("tbody td:nth-child(4)").all_inner_texts())
        assert shown == {"statement.issued"}
        assert findings(page) == []
        with page.expect_download() as waited:
            page.get_by_role("link", name="导出 csv").click()
        assert "statement.issued" in waited.value.path().read_text(encoding="utf-8")
