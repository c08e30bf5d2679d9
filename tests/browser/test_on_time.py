"""A roster with a gap, a booking and an escalation, acted by people in Chromium; the pages on a phone."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect
from sqlmodel import col, select

from alerts import bookings, duty, escalation, gaps, questions
from alerts.bookings import Wish
from alerts.calendar import load_calendar
from alerts.stations import free_slots
from models.clock import Clock
from models.post import Post
from models.service_vocabulary import BookingState
from models.station import Booking, Station
from models.vocabulary import PostKind, PostState
from tests.support.browser import PHONE, Console, findings, picture, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PAGES = ("clocks", "dispatch", "duty", "experts", "stations")


def asked(console: Console, ago: timedelta) -> str:
    """Make one published question of the sample as old as that, and start its clock anew."""
    now = datetime.now(UTC)
    with console.database() as database:
        with database.transaction() as session:
            post = session.exec(
                select(Post)
                .where(
                    Post.kind == PostKind.QUESTION,
                    Post.state == PostState.PUBLISHED,
                    col(Post.id).not_in(select(Clock.subject_id)),
                    ~col(Post.organisation).startswith("gd/campus"),
                )
                .order_by(col(Post.created_at).desc())
            ).first()
            assert post is not None
            post.created_at, post.received_at = now - ago, now - ago
            identifier = post.id
        questions.watch_questions(database, now)
        with database.reading() as session:
            return session.exec(select(Clock.id).where(Clock.subject_id == identifier)).one()


def booked(console: Console) -> str:
    """Let a platform book the next free slot of the sample's station that opens every day."""
    now = datetime.now(UTC)
    with console.database() as database, database.transaction() as session:
        station = session.exec(select(Station).where(Station.organisation == "gd/dongguan/houjie")).one()
        day = duty.today(now) + timedelta(days=1)
        slot = free_slots(session, station, day, load_calendar(session), now=now)[0]
        wish = Wish("a browser's", slot.starts_at, station.services[0])
        booking, _ = bookings.book(
            session, station.id, wish, source="sample", scope=["gd"], actor="key:test", now=now
        )
        return booking.station_id


def test_an_escalation_is_seen_and_the_question_answered(chromium: Browser, console: Console) -> None:
    clock = asked(console, timedelta(hours=13))
    with console.database() as database:
        for _ in range(4):
            escalation.sweep_clocks(database, datetime.now(UTC))
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        page.goto("/clocks")
        expect(page.locator("#calls")).to_be_visible()
        row = page.locator("tr", has=page.locator(f'a[href="/clocks/{clock}"]'))
        expect(row).to_contain_text("超时")
        expect(row).to_contain_text("小时内答复")
        picture(page, "clocks")
        page.locator('form[action^="/clocks/calls/"] button').first.click()
        expect(page.locator("#status")).to_contain_text("有人跟进")
        page.locator(f'a[href="/clocks/{clock}"]').click()
        page.locator('form[action$="/answer"] button').click()
        expect(page.locator("#status")).to_contain_text("时限停止")
        expect(page.locator(f'a[href="/clocks/{clock}"]')).to_have_count(0)


def test_a_roster_with_a_gap_is_filled_by_hand(chromium: Browser, console: Console) -> None:
    with visitor(chromium, console) as page:
        sign_in(page, "admin")
        page.goto("/duty")
        # The only layer ends, and the weeks after it have nobody.
        page.locator("details.sheet summary", has_text="工作日班").click()
        today = duty.today(datetime.now(UTC))
        page.fill("#l1-ends", (today + timedelta(days=1)).isoformat())
        page.locator('form[action^="/duty/layers/"] button').click()
        with console.database() as database:
            gaps.find_gaps(database, datetime.now(UTC))
        page.goto("/duty")
        gap = page.locator("#gaps + ul li").first
        expect(gap).to_be_visible()
        day = gap.locator(".tag").first.inner_text()
        picture(page, "duty")
        page.locator("#override summary").click()
        page.fill("#o-day", day)
        page.fill("#o-reason", "补上空班")
        page.locator("#override button").click()
        expect(page.locator("#status")).to_contain_text("已指定")
        with console.database() as database:
            gaps.find_gaps(database, datetime.now(UTC))
        page.goto("/duty")
        expect(page.locator("#gaps + ul")).not_to_contain_text(day)


def test_a_booking_is_confirmed_by_keyboard(chromium: Browser, console: Console) -> None:
    station = booked(console)
    with visitor(chromium, console, viewport=PHONE) as page:
        sign_in(page, "admin")
        page.goto(f"/stations/{station}")
        button = page.locator('button[name="confirm"][value="true"]').first
        button.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("已确认")
        with console.database() as database, database.reading() as session:
            assert session.exec(select(Booking)).one().state is BookingState.CONFIRMED


def test_an_activity_is_planned_on_a_phone_and_its_page_holds(chromium: Browser, console: Console) -> None:
    with console.database() as database, database.reading() as session:
        station = session.exec(select(Station.id)).first()
    begins = datetime.now(UTC).replace(hour=2, minute=0) + timedelta(days=3)
    with visitor(chromium, console, viewport=PHONE) as page:
        sign_in(page, "admin")
        page.goto(f"/stations/{station}")
        page.click("#new-activity summary")
        page.fill("#activity-title", "简历门诊")
        page.fill("#activity-starts", f"{begins:%Y-%m-%dT%H:%M}")
        page.fill("#activity-ends", f"{begins + timedelta(hours=2):%Y-%m-%dT%H:%M}")
        page.click("#new-activity button")
        expect(page.locator("#status")).to_contain_text("活动已发布")
        expect(page.locator("h1")).to_have_text("简历门诊")
        page.click("#call-off summary")
        assert findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.fill("#reason", "场地停电")
        page.click("#call-off button")
        expect(page.locator(".page-head")).to_contain_text("已取消")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_hold_on_a_phone_and_axe_finds_nothing_serious(
    chromium: Browser, console: Console, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    wide: dict[str, int] = {}
    with console.database() as database, database.reading() as session:
        station = session.exec(select(Station.id)).first()
        clock = session.exec(select(Clock.id)).first()
    with visitor(chromium, console, color_scheme=scheme, viewport=PHONE) as page:
        if scheme == "dark":
            page.goto("/sign-in")
            page.click(".who button")
        sign_in(page, "admin")
        for address in (*PAGES, f"stations/{station}", *([f"clocks/{clock}"] if clock else [])):
            answer = page.goto(f"/{address}")
            assert answer is not None
            assert answer.status == 200, address
            for panel in page.locator("details").all():
                panel.evaluate("one => { one.open = true }")
            found[address] = findings(page)
            wide[address] = page.evaluate("document.documentElement.scrollWidth")
        page.goto("/stations")
        picture(page, f"stations-phone-{scheme}")
    assert not any(found.values()), {address: what for address, what in found.items() if what}
    assert all(width <= PHONE["width"] for width in wide.values()), wide
