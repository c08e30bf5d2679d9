"""The desk of demands in a browser: board, card, corrections by keyboard with undo, suggestions, chart."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import col, delete, select

from models.correction import DemandProbe, DemandSuggestion
from models.demand import Demand, DemandFact, DemandMember
from models.post import Post
from models.reading import Reading
from models.vocabulary import DemandState, Domain, SuggestionKind
from sentiment.jobs import warm_due
from tests.support.browser import DESK, PHONE, Console, findings, picture, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture
def proposed(console: Console) -> list[str]:
    """The two proposed demands with the most people, the most first, warm."""
    with console.database() as database:
        warm_due(database, datetime.now(UTC))
    with console.database() as database, database.reading() as session:
        found = session.exec(
            select(Demand.id)
            .where(Demand.state == DemandState.PROPOSED, col(Demand.merged_into).is_(None))
            .order_by(col(Demand.authors).desc(), col(Demand.id))
        ).all()
    assert len(found) >= 2
    return list(found[:2])


@pytest.fixture
def suggestion(console: Console, proposed: list[str]) -> Iterator[str]:
    with console.database() as database:
        with database.transaction() as session:
            demand = session.get_one(Demand, proposed[0])
            posts = session.exec(
                select(DemandMember.post_id).where(DemandMember.demand_id == demand.id).limit(3)
            ).all()
            row = DemandSuggestion(
                kind=SuggestionKind.SPLIT,
                organisation=demand.organisation,
                demand_id=demand.id,
                posts=list(posts),
                probability=0.82,
                reasons={"posts": 3, "of": 14, "within": 0.7, "between": 0.2, "parts": {"words": -1.2}},
                fingerprint="browser",
                suggested_at=datetime.now(UTC),
            )
            session.add(row)
        identifier = row.id
        yield identifier
        with database.transaction() as session:
            session.execute(delete(DemandSuggestion).where(col(DemandSuggestion.id) == identifier))


def stands(console: Console, demand: str) -> set[str]:
    with console.database() as database, database.reading() as session:
        return set(session.exec(select(DemandMember.post_id).where(DemandMember.demand_id == demand)).all())


def undo_by_key(page: Page) -> None:
    page.wait_for_load_state()  # the words are there before the keys listen
    page.keyboard.press("u")
    expect(page.locator("#status")).to_contain_text("已撤销")


def choose_by_key(page: Page, count: int) -> set[str]:
    for _ in range(count):
        page.keyboard.press("j")
        page.keyboard.press("o")
    chosen = page.locator("#act-form input:checked")
    expect(chosen).to_have_count(count)
    return {one.get_attribute("value") or "" for one in chosen.all()}


def test_a_demand_is_split_moved_and_merged_by_keyboard_and_all_is_undone(
    chromium: Browser, console: Console, proposed: list[str]
) -> None:
    first, second = proposed
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto("/demands")
        page.get_by_role("link", name="按热度").click()
        picture(page, "demand-board")
        page.locator(f"#board a[href='/demands/{first}']").click()
        expect(page.locator("[data-chart] canvas")).to_be_visible()
        expect(page.locator("#why")).to_contain_text("在哪些组织")

        chosen = choose_by_key(page, 3)
        picture(page, "demand-corrections")
        page.keyboard.press("s")
        expect(page.locator("#status")).to_contain_text("拆成新诉求")
        assert not chosen & stands(console, first)
        expect(page.locator("#history-title")).to_be_visible()
        undo_by_key(page)
        assert chosen <= stands(console, first)

        chosen = choose_by_key(page, 2)
        page.keyboard.press("t")
        page.locator("#to").select_option(second)
        page.keyboard.press("Escape")
        page.keyboard.press("m")
        expect(page.locator("#status")).to_contain_text("已移动")
        assert chosen <= stands(console, second)
        undo_by_key(page)
        assert chosen <= stands(console, first)

        page.keyboard.press("t")
        page.locator("#to").select_option(second)
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        expect(page.locator("#status")).to_contain_text("已合并")
        assert not stands(console, second)
        page.goto(f"/demands/{second}")
        assert page.url.endswith(f"/demands/{first}")
        undo_by_key(page)
        assert stands(console, second)
        page.keyboard.press("?")
        expect(page.locator("#key-map")).to_be_visible()
    with console.database() as database, database.reading() as session:
        assert session.exec(select(DemandFact).where(col(DemandFact.demand_id).in_(proposed))).first() is None


def test_the_card_shows_what_hangs_on_one_post_and_corrects_without_scripts(
    chromium: Browser, console: Console, proposed: list[str]
) -> None:
    first = proposed[0]
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        page.goto(f"/demands/{first}")
        page.locator(".members a[href*=without]").first.click()
        expect(page.locator("#without")).to_contain_text("人")
        chosen = page.locator("input[name=posts]").first
        post = chosen.get_attribute("value")
        chosen.check()
        page.fill("#act-reason", "不是这件事")
        page.click("#act-reject")
        expect(page.locator("#status")).to_contain_text("已移出")
        assert post not in stands(console, first)
        page.click("#undo")
        expect(page.locator("#status")).to_contain_text("已撤销")
    assert post in stands(console, first)


def test_a_suggestion_is_accepted_by_key_and_undone(
    chromium: Browser, console: Console, suggestion: str
) -> None:
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto("/demand-suggestions")
        expect(page.locator("[data-suggestion]")).to_have_count(1)
        picture(page, "demand-suggestions")
        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.locator("#status")).to_contain_text("拆成新诉求")
        undo_by_key(page)
    with console.database() as database, database.reading() as session:
        assert session.get_one(DemandSuggestion, suggestion).correction_id


@pytest.mark.parametrize(("scheme", "viewport"), [("light", DESK), ("dark", PHONE)], ids=["desk", "phone"])
def test_the_pages_about_demands_are_sound(
    chromium: Browser,
    console: Console,
    proposed: list[str],
    suggestion: str,
    *,
    scheme: str,
    viewport: dict[str, int],
) -> None:
    assert suggestion
    with console.database() as database, database.transaction() as session:
        demand = session.get_one(Demand, proposed[0])
        outside = session.exec(
            select(Post.id, Post.organisation)
            .join(Reading, col(Reading.post_id) == col(Post.id))
            .where(
                col(Reading.is_need).is_(True),
                col(Reading.domain) != Domain.NONE,
                col(Reading.post_id).not_in(select(DemandMember.post_id)),
            )
        ).first()
        assert outside is not None
        session.execute(delete(DemandProbe))
        session.add(
            DemandProbe(
                week=(datetime.now(UTC) - timedelta(weeks=1)).date(),
                post_id=outside[0],
                organisation=outside[1],
                clustered=False,
                population=40,
                candidates=[demand.id, proposed[1]],
                drawn_at=datetime.now(UTC),
            )
        )
    with visitor(chromium, console, color_scheme=scheme, viewport=viewport) as page:
        sign_in(page, "admin")
        for address in (
            "/demands?order=people",
            f"/demands/{proposed[0]}",
            "/demand-suggestions",
            "/demand-contradictions",
            "/demand-sample",
            "/trends?days=28",
        ):
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            for panel in page.locator("main details").all()[:2]:
                panel.evaluate("one => { one.open = true }")
            assert findings(page) == [], address
            assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], address
        expect(page.locator("[data-chart] canvas")).to_be_visible()
        if viewport is DESK:
            picture(page, "demand-trends")
        page.goto("/demand-sample")
        if viewport is DESK:
            picture(page, "demand-sample")
        page.keyboard.press("0")
        expect(page.locator("#status")).to_contain_text("已记下")
