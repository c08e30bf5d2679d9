"""The roster: rotations, changes by hand, gaps, holiday reports, the frozen past, and the feed."""

from collections import Counter
from datetime import date, datetime, timedelta

import icalendar
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, col, select

from alerts import duty, duty_feed, gaps, rota
from alerts.actor import Actor
from alerts.calendar import Calendar, shipped
from alerts.duty import LayerPlan
from models import audit
from models.account import Account, Grant
from models.database import Database
from models.duty import DutyGap, DutyTurn, HolidayReport
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.outbox import OutboxMessage
from models.service_vocabulary import DutyCover, DutyOrigin
from models.vocabulary import Role, Topic
from tests.support import posting, voices

PLACE = "gd/dongguan"
LIAISON = Actor(posting.OFFICER, "联络员", (PLACE,))
DAY = timedelta(days=1)
MONDAY = date(2026, 3, 16)


@pytest.fixture
def people(database: Database, now: datetime) -> list[str]:
    """Three people who may be on duty at the city."""
    with database.transaction() as session:
        posting.plant(session, now)
        made = [
            Account(id=f"{number:032d}", login=f"p{number}", name=name, password="-", created_at=now)
            for number, name in ((11, "陈一"), (12, "林二"), (13, "黄三"))
        ]
        session.add_all(made)
        session.flush()
        for one in made:
            session.add(Grant(account_id=one.id, role=Role.OFFICER, organisation=PLACE, granted_at=now))
    return [f"{number:032d}" for number in (11, 12, 13)]


def on(session: Session, day: date) -> list[str]:
    return [turn.account_id for turn in duty.turns_between(session, PLACE, day, day)]


def make(session: Session, people: list[str], now: datetime, **wanted: object) -> str:
    plan = LayerPlan(**{"name": "主班", "people": tuple(people), "begins_on": MONDAY, **wanted})  # type: ignore[arg-type]
    return duty.make_layer(session, PLACE, plan, LIAISON, now=now).id


@given(
    st.integers(1, 5),
    st.integers(1, 7),
    st.sampled_from(list(DutyCover)),
    st.dates(date(2018, 1, 1), date(2025, 12, 31)),
)
@settings(max_examples=60)
def test_a_rotation_gives_everybody_the_same_turns_and_only_days_that_it_covers(
    count: int, turn_days: int, cover: DutyCover, begins: date
) -> None:
    calendar = Calendar.of(shipped())
    last = begins + 200 * DAY
    names = tuple(f"p{number}" for number in range(count))
    turns = rota.rotate(rota.Rotation(cover, names, turn_days, begins), begins, last, calendar)
    assert set(turns) == {day for day in rota.days_between(begins, last) if rota.covers(cover, day, calendar)}
    served = Counter(turns.values())
    assert max(served.values()) - min(served.get(name, 0) for name in names) <= turn_days
    later = begins + 50 * DAY
    assert rota.rotate(rota.Rotation(cover, names, turn_days, begins), later, last, calendar) == {
        day: who for day, who in turns.items() if day >= later
    }


def test_a_roster_rotates_and_what_was_put_there_by_hand_stays(
    database: Database, now: datetime, people: list[str]
) -> None:
    with database.transaction() as session:
        layer = make(session, people, now, turn_days=2)
        assert [on(session, MONDAY + number * DAY) for number in range(7)] == [
            [people[number]] for number in (0, 0, 1, 1, 2, 2, 0)
        ]
        duty.override(session, layer, MONDAY + DAY, people[2], LIAISON, reason="生病", now=now)
        one, other = (duty.turns_between(session, PLACE, day, day)[0] for day in (MONDAY, MONDAY + 2 * DAY))
        duty.swap(session, one.id, other.id, LIAISON, reason="换班", now=now)
        with pytest.raises(InvalidInput):
            duty.swap(session, one.id, one.id, LIAISON, reason="换班", now=now)
        plan = LayerPlan("主班", (people[2],), MONDAY)
        with pytest.raises(StaleVersion):
            duty.change_layer(session, layer, plan, LIAISON, version=7, now=now)
        duty.change_layer(session, layer, plan, LIAISON, version=1, now=now)
        assert [on(session, MONDAY + number * DAY)[0] for number in range(4)] == [
            people[1],
            people[2],
            people[0],
            people[2],
        ]
        assert {turn.origin for turn in duty.turns_between(session, PLACE, MONDAY, MONDAY + 3 * DAY)} == set(
            DutyOrigin
        )
        assert audit.first_break(session) is None


def test_a_layer_that_cannot_be_names_the_field(database: Database, now: datetime, people: list[str]) -> None:
    wrong: list[tuple[dict[str, object], str]] = [
        ({"name": " "}, "/name"),
        ({"people": ("0" * 32,)}, "/people"),
        ({"people": ()}, "/people"),
        ({"begins_on": date(2036, 1, 1)}, "/begins_on"),
        ({"ends_on": date(2026, 1, 1)}, "/ends_on"),
        ({"turn_days": 0}, "/ends_on"),
    ]
    with database.transaction() as session:
        for changes, field in wrong:
            plan = {"name": "主班", "people": tuple(people), "begins_on": MONDAY} | changes
            with pytest.raises(InvalidInput) as refused:
                duty.make_layer(session, PLACE, LayerPlan(**plan), LIAISON, now=now)  # type: ignore[arg-type]
            assert refused.value.field == field


def test_the_past_is_frozen_by_the_service_and_by_the_database_itself(
    database: Database, now: datetime, people: list[str]
) -> None:
    with database.transaction() as session:
        layer = make(session, people, now)
    tomorrow = now + DAY
    assert duty.plan_due(database, tomorrow).frozen == 1
    assert duty.plan_due(database, tomorrow).frozen == 0
    with database.transaction() as session:
        with pytest.raises(Conflict):
            duty.override(session, layer, MONDAY, people[1], LIAISON, reason="改", now=tomorrow)
        before = on(session, MONDAY)
    for statement in (
        sa.update(DutyTurn).where(col(DutyTurn.day) == MONDAY).values(account_id=people[1]),
        sa.delete(DutyTurn).where(col(DutyTurn.day) == MONDAY),
    ):
        with (
            pytest.raises(DatabaseError, match="stays as it was"),
            database.transaction() as session,
        ):
            session.connection().execute(statement)
    with database.reading() as session:
        assert on(session, MONDAY) == before
        assert len(duty.turns_between(session, PLACE, MONDAY, MONDAY + 70 * DAY)) == 64


def test_a_gap_is_found_told_and_closed(database: Database, now: datetime, people: list[str]) -> None:
    with database.transaction() as session:
        voices.listen(session, now, source=None, organisation=PLACE)
        layer = make(session, people[:1], now, ends_on=MONDAY + 30 * DAY)
    # The 21st and 22nd are a weekend that needs nobody; then everybody's account ends.
    assert gaps.find_gaps(database, now).found == 0
    with database.transaction() as session:
        session.get_one(Account, people[0]).disabled_at = now
    assert gaps.find_gaps(database, now).found == 25
    assert gaps.find_gaps(database, now).found == 0
    with database.transaction() as session:
        days = {gap.day for gap in gaps.open_gaps(session, [PLACE], now=now)}
        assert {MONDAY, date(2026, 4, 4), date(2026, 4, 6)} <= days
        assert not {date(2026, 3, 21), date(2026, 3, 22)} & days
        assert gaps.open_gaps(session, ["gd/foshan"], now=now) == []
        duty.override(session, layer, MONDAY, people[1], LIAISON, reason="顶班", now=now)
    assert gaps.find_gaps(database, now).closed == 1
    with database.reading() as session:
        assert session.exec(select(DutyGap).where(DutyGap.day == MONDAY)).one().closed_at == now
        told = session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.DUTY_GAP)).one()
        assert len(told.payload["days"]) == 25


def test_the_duty_of_a_holiday_goes_up_ahead_of_it_and_again_when_it_changes(
    database: Database, now: datetime, people: list[str]
) -> None:
    first = date(2026, 4, 4)
    with database.transaction() as session:
        voices.listen(session, now, source=None, organisation="gd")
        working = make(session, people[:1], now, cover=DutyCover.WORKING_DAYS)
        with pytest.raises(Conflict, match="2026-04-04"):
            gaps.report_holiday(session, PLACE, first, LIAISON, now=now)
        with pytest.raises(InvalidInput):
            gaps.report_holiday(session, PLACE, MONDAY, LIAISON, now=now)
        make(session, people[1:], now, name="节假日班", cover=DutyCover.DAYS_OFF)
        report = gaps.report_holiday(session, PLACE, first, LIAISON, now=now)
        assert (report.holiday, report.to_organisation, report.late) == ("清明节", "gd", False)
        assert [turn["day"] for turn in report.turns] == ["2026-04-04", "2026-04-05", "2026-04-06"]
        with pytest.raises(Conflict):
            gaps.report_holiday(session, PLACE, first, LIAISON, now=now)
        duty.override(session, working, date(2026, 4, 5), people[2], LIAISON, reason="加派", now=now)
        (qingming, labour_day) = gaps.holidays_ahead(session, PLACE, now=now)
        assert (qingming.current, labour_day.report) == (False, None)
        late = gaps.report_holiday(session, PLACE, first, LIAISON, now=now + 20 * DAY)
        assert (late.sequence, late.late) == (2, True)
        assert [row.sequence for row in gaps.reports_to(session, ["gd"])] == [2, 1]
        assert gaps.reports_to(session, [PLACE]) == []
        assert len(session.exec(select(HolidayReport)).all()) == 2
        assert len(session.exec(select(OutboxMessage)).all()) == 2
        with pytest.raises(InvalidInput):
            gaps.report_holiday(session, "gd", first, Actor("x", "x", ("gd",)), now=now)


def test_the_feed_opens_by_its_link_alone_and_a_calendar_reads_it(
    database: Database, now: datetime, people: list[str]
) -> None:
    with database.transaction() as session:
        make(session, people, now)
        row, token = duty_feed.make_feed(session, PLACE, LIAISON, now=now)
        assert token not in str(row.model_dump())
        with pytest.raises(NotFound):
            duty_feed.make_feed(session, "gd/foshan", LIAISON, now=now)
        read = icalendar.Calendar.from_ical(duty_feed.feed(session, token, now=now))
        events = read.walk("VEVENT")
        assert (events[0]["SUMMARY"], events[0].decoded("DTSTART")) == ("值班：陈一（主班）", MONDAY)
        assert len({event["UID"] for event in events}) == len(events) == 63
        assert all(event.decoded("DTEND") - event.decoded("DTSTART") == DAY for event in events)
        duty_feed.end_feed(session, row.id, LIAISON, now=now)
        for wrong in (token, "", "guess"):
            with pytest.raises(NotFound):
                duty_feed.feed(session, wrong, now=now)
