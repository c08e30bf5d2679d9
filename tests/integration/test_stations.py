"""Stations, their slots and bookings, races for the last place, referrals, and experts, on both databases."""

import threading
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from alerts import activities, attachments, bookings, experts, opening, questions, sign_ups, stations
from alerts.activities import ActivityPlan
from alerts.actor import Actor
from alerts.attachments import Upload
from alerts.bookings import Wish
from alerts.calendar import SHANGHAI, Calendar, shipped
from alerts.experts import ExpertPlan
from alerts.opening import Opening
from alerts.stations import StationPlan
from models import audit
from models.clock import Clock
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion, TingjianError
from models.expert import Invitation
from models.outbox import OutboxMessage
from models.post import Post
from models.service_vocabulary import (
    Answerer,
    BookingState,
    ClockRule,
    ClockSubject,
    ExpertField,
    InvitationState,
    SignUpState,
)
from models.station import ActivitySignUp, Booking, StationActivity, StationSlot
from models.vocabulary import PostState, Topic
from tests.support import on_time, posting, voices
from tests.support.posting import send

PLACE = "gd/dongguan"
MANAGER = Actor(posting.OFFICER, "站长", (PLACE,))
ELSEWHERE = Actor(posting.COLLEAGUE, "佛山", ("gd/foshan",))
CALENDAR = Calendar.of(shipped())
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEKDAYS = {str(day): [["09:00", "12:00"], ["14:00", "18:00"]] for day in range(1, 6)}
PLAN = StationPlan("厚街青年之家", "东莞市厚街镇体育路 1 号", WEEKDAYS, ("法律咨询", "就业指导"), capacity=2)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture
def station(database: Database, now: datetime) -> str:
    with database.transaction() as session:
        posting.plant(session, now)
        voices.listen(session, now, source=None, organisation=PLACE)
        return stations.make_station(session, PLACE, PLAN, MANAGER, now=now).id


def book(
    session: Session, station: str, key: str, now: datetime, starts: str = "2026-03-17T10:00"
) -> Booking:
    wish = Wish(key, at(starts), "法律咨询")
    booking, _ = bookings.book(
        session, station, wish, source="forum", scope=["gd"], actor="key:test", now=now
    )
    return booking


def test_hours_make_slots_and_holidays_have_none() -> None:
    hours = Opening(opening.read_hours(WEEKDAYS), frozenset({date(2026, 3, 18)}))
    starts = [begin.astimezone(SHANGHAI).hour for begin, _ in hours.slots(date(2026, 3, 17), 60, CALENDAR)]
    assert starts == [9, 10, 11, 14, 15, 16, 17]
    assert len(hours.slots(date(2026, 3, 17), 50, CALENDAR)) == 7
    for closed in (date(2026, 3, 18), date(2026, 3, 21), date(2026, 10, 1)):
        assert hours.slots(closed, 60, CALENDAR) == []
    festive = Opening(hours.hours, on_holidays=True)
    assert festive.slots(date(2026, 10, 1), 60, CALENDAR)
    for moment, is_open in (("09:00", True), ("11:59", True), ("12:00", False), ("08:59", False)):
        assert hours.is_open(at(f"2026-03-17T{moment}"), CALENDAR) is is_open


@pytest.mark.parametrize("lines", ["1-5", "8 09:00-10:00", "1 10:00-09:00", "1 09:00-11:00 10:00-12:00",
                                   "1 9-10", "1-3 09:00-10:00\n2 09:00-10:00", "1 25:00-26:00"])  # fmt: skip
def test_hours_that_cannot_be_are_refused(lines: str) -> None:
    with pytest.raises(InvalidInput):
        opening.read_lines(lines)


def test_hours_are_written_as_lines_and_read_back() -> None:
    assert opening.lines_of(WEEKDAYS) == "1-5 09:00-12:00 14:00-18:00"
    assert opening.read_lines(opening.lines_of(WEEKDAYS)) == WEEKDAYS


def test_a_booking_is_answered_served_and_rated(database: Database, now: datetime, station: str) -> None:
    with database.transaction() as session:
        booking = book(session, station, "one", now)  # Monday at noon: the station is closed
        assert book(session, station, "one", now).id == booking.id
        with pytest.raises(Conflict):
            book(session, station, "one", now, "2026-03-17T11:00")
        in_hours = book(session, station, "two", at("2026-03-17T09:30"))
        rules = {
            clock.subject_id: clock.rule
            for clock in session.exec(select(Clock).where(Clock.subject == ClockSubject.BOOKING))
        }
        assert rules == {booking.id: ClockRule.STATION_CLOSED, in_hours.id: ClockRule.STATION_OPEN}
        for starts in ("2026-03-17T10:30", "2026-03-21T10:00", "2026-03-16T10:00", "2026-09-16T10:00"):
            with pytest.raises(InvalidInput):
                book(session, station, starts, now, starts)
        with pytest.raises(NotFound):
            bookings.decide(session, booking.id, ELSEWHERE, confirm=True, answer="", version=1, now=now)
        with pytest.raises(InvalidInput):
            bookings.decide(session, in_hours.id, MANAGER, confirm=False, answer=" ", version=1, now=now)
        bookings.decide(session, in_hours.id, MANAGER, confirm=False, answer="律师不在", version=1, now=now)
        bookings.decide(session, booking.id, MANAGER, confirm=True, answer="", version=1, now=now + HOUR)
        with pytest.raises(StaleVersion):
            bookings.settle(session, booking.id, MANAGER, served=True, result="好", version=1, now=now)
        with pytest.raises(Conflict):
            bookings.settle(session, booking.id, MANAGER, served=True, result="好", version=2, now=now)
        with pytest.raises(Conflict):
            bookings.rate(session, booking.id, 5, source="forum", actor="key:test", now=now)
        later = at("2026-03-17T11:00")
        bookings.settle(
            session, booking.id, MANAGER, served=True, result="已解答劳动合同", version=2, now=later
        )
        for stars in (0, 6):
            with pytest.raises(InvalidInput):
                bookings.rate(session, booking.id, stars, source="forum", actor="key:test", now=later)
        with pytest.raises(NotFound):
            bookings.rate(session, booking.id, 5, source="other", actor="key:test", now=later)
        bookings.rate(session, booking.id, 5, source="forum", actor="key:test", now=later)
        with pytest.raises(Conflict):
            bookings.rate(session, booking.id, 4, source="forum", actor="key:test", now=later)
        figures = bookings.figures(session, station, since=now - HOUR)
        assert (figures.bookings, figures.in_time, figures.served, figures.rating) == (2, 2, 1, None)
        slot = session.exec(select(StationSlot)).one()
        assert (slot.booked, slot.capacity) == (1, 2)
        told = session.exec(
            select(OutboxMessage.payload).where(OutboxMessage.topic == Topic.BOOKING_DECIDED)
        ).all()
        assert [one["state"] for one in told] == ["declined", "confirmed", "served"]
        assert audit.first_break(session) is None


def test_many_who_race_for_two_places_get_two(database: Database, now: datetime, station: str) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def race(number: int) -> None:
        barrier.wait()
        try:
            with database.transaction() as session:
                book(session, station, f"racer-{number % 7}", now)  # two racers share a key
            outcomes.append("booked")
        except TingjianError as error:
            outcomes.append(error.problem_code)

    racers = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    with database.transaction() as session:
        slot = session.exec(select(StationSlot)).one()
        held = session.exec(select(Booking)).all()
        assert slot.booked == len(held) == 2
        assert set(outcomes) <= {"booked", "slot_full"}
        bookings.cancel(session, held[0].id, source="forum", actor="key:test", now=now)
        session.refresh(slot)
        assert slot.booked == 1
        with pytest.raises(Conflict):
            bookings.cancel(session, held[0].id, source="forum", actor="key:test", now=now)
        assert held[0].state is BookingState.CANCELLED
        book(session, station, "next", now)
    over = sa.update(StationSlot).values(booked=col(StationSlot.capacity) + 1)
    with database.transaction() as session, pytest.raises(IntegrityError), session.begin_nested():
        session.connection().execute(over)


def test_a_station_that_cannot_be_names_the_field_and_a_change_keeps_what_was_booked(
    database: Database, now: datetime, station: str
) -> None:
    with database.transaction() as session:
        for wrong, field in (
            ({"name": " "}, "/name"),
            ({"services": ()}, "/services"),
            ({"capacity": 0}, "/capacity"),
            ({"slot_minutes": 5}, "/slot_minutes"),
            ({"latitude": 23.0}, "/latitude"),
            ({"latitude": 23.0, "longitude": 500.0}, "/longitude"),
            ({"hours": {}}, "/hours"),
        ):
            plan = StationPlan(
                **{**{name: getattr(PLAN, name) for name in PLAN.__dataclass_fields__}, **wrong}
            )
            with pytest.raises(InvalidInput) as refused:
                stations.make_station(session, PLACE, plan, MANAGER, now=now)
            assert refused.value.field == field
        for key in ("a", "b"):
            book(session, station, key, now)
        smaller = StationPlan("厚街青年之家", "厚街", WEEKDAYS, ("法律咨询",), capacity=1)
        with pytest.raises(NotFound):
            stations.change_station(session, station, smaller, ELSEWHERE, version=1, now=now)
        stations.change_station(session, station, smaller, MANAGER, version=1, now=now)
        with pytest.raises(StaleVersion):
            stations.change_station(session, station, smaller, MANAGER, version=1, now=now)
        with pytest.raises(Conflict):
            book(session, station, "c", now)
        found = stations.free_slots(
            session, stations.station_of(session, station), date(2026, 3, 17), CALENDAR, now=now
        )
        assert [slot.left for slot in found] == [1, 0, 1, 1, 1, 1, 1]
        stations.end_station(session, station, MANAGER, version=2, now=now)
        with pytest.raises(NotFound):
            book(session, station, "d", now, "2026-03-18T10:00")


def test_a_post_is_referred_to_a_station_and_its_author_books(
    database: Database, now: datetime, station: str
) -> None:
    send(database, now, external_id="q", created_at=now)
    with database.transaction() as session:
        post = session.exec(select(Post)).one()
        for wrong, problem in (
            ({"actor": ELSEWHERE, "service": "法律咨询"}, NotFound),
            ({"actor": MANAGER, "service": "理发"}, InvalidInput),
        ):
            with pytest.raises(problem):
                stations.refer(session, station, post_id=post.id, now=now, **wrong)  # type: ignore[arg-type]
        referral = stations.refer(session, station, MANAGER, service="法律咨询", post_id=post.id, now=now)
        message = session.exec(
            select(OutboxMessage).where(OutboxMessage.topic == Topic.STATION_REFERRED)
        ).one()
        assert message.payload["referral"] == referral.id
        assert stations.referrals_of(session, post.id) == [(referral, "厚街青年之家")]
        wish = Wish("from-referral", at("2026-03-17T10:00"), "法律咨询", referral.id)
        booking, is_new = bookings.book(
            session, station, wish, source="forum", scope=["gd"], actor="key:test", now=now
        )
        assert (booking.referral_id, is_new) == (referral.id, True)


def test_an_expert_is_invited_answers_in_time_and_is_counted_by_field(  # noqa: PLR0915 - one story
    database: Database, now: datetime
) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
    send(database, now, external_id="q", created_at=now)
    send(database, now, external_id="q2", created_at=now, author="u2")
    questions.watch_questions(database, now)
    officer = Actor(posting.OFFICER, "联络员", (PLACE,))
    province = Actor(posting.COLLEAGUE, "省", ("gd",))
    with database.transaction() as session:
        clock, other = session.exec(select(Clock).order_by(col(Clock.id))).all()
        with pytest.raises(InvalidInput):
            experts.add_expert(session, PLACE, ExpertPlan(" ", ExpertField.LAW), officer, now=now)
        law = experts.add_expert(session, PLACE, ExpertPlan("周律师", ExpertField.LAW), officer, now=now)
        cadre = experts.add_expert(
            session, "gd", ExpertPlan("青工专家", ExpertField.YOUTH_WORK), province, now=now
        )
        assert {one.id for one in experts.for_question(session, clock)} == {law.id, cadre.id}
        with pytest.raises(NotFound):
            experts.invite(session, law.id, clock.id, ELSEWHERE, now=now)
        invitation, token = experts.invite(session, law.id, clock.id, officer, now=now)
        with pytest.raises(Conflict):
            experts.invite(session, law.id, clock.id, officer, now=now)
        _, declined = experts.invite(session, cadre.id, other.id, officer, now=now)
        opened = experts.open_invitation(session, token)
        assert opened.text == "食堂的热水什么时候能修好？"
        assert opened.clock is not None
        assert opened.clock.due_at == now + 3 * HOUR
        with pytest.raises(NotFound):
            experts.open_invitation(session, "guess")
        with pytest.raises(InvalidInput):
            experts.reply(session, declined, answered=False, now=now)
        experts.reply(session, declined, answered=False, reason="不是我的领域", now=now + HOUR)
        experts.reply(session, token, answered=True, now=now + HOUR)
        with pytest.raises(Conflict):
            experts.reply(session, token, answered=True, now=now + HOUR)
        session.refresh(clock)
        assert (clock.stopped_at, clock.stopped_by) == (now + HOUR, Answerer.EXPERT)
        assert other.stopped_at is None
        found = {row.field: row for row in experts.figures(session, ["gd"], since=now - HOUR)}
        assert (found[ExpertField.LAW].answered, found[ExpertField.LAW].in_time) == (1, 1)
        assert found[ExpertField.LAW].hours == 1.0
        assert (found[ExpertField.YOUTH_WORK].invited, found[ExpertField.YOUTH_WORK].declined) == (1, 1)
    with database.transaction() as session:
        # The question goes: the link shows nothing of it and takes no answer.
        _, third = experts.invite(session, law.id, other.id, officer, now=now)
        gone = session.get_one(Post, other.subject_id)
        gone.state = PostState.REMOVED
        session.add(gone)
        session.flush()
        assert experts.open_invitation(session, third).text is None
        with pytest.raises(Conflict):
            experts.reply(session, third, answered=True, now=now)
        experts.end_expert(session, law.id, officer, version=1, now=now)
        kept = session.get_one(Invitation, invitation.id)
        assert kept.state is InvitationState.ANSWERED
        assert audit.first_break(session) is None


def planned(session: Session, station: str, now: datetime, *, capacity: int = 2) -> StationActivity:
    plan = ActivityPlan("简历门诊", now + DAY, now + DAY + HOUR, capacity)
    return activities.plan_activity(session, station, plan, MANAGER, now=now)


def signed(session: Session, activity: str, key: str, now: datetime) -> ActivitySignUp:
    made, _ = sign_ups.sign_up(
        session, activity, key, source="forum", scope=["gd"], actor="key:test", now=now
    )
    return made


def test_an_activity_is_planned_signed_up_for_attended_rated_and_counted_with_its_photos(
    database: Database, now: datetime, station: str, tmp_path: Path
) -> None:
    ended = now + DAY + 2 * HOUR
    with database.transaction() as session:
        activity = planned(session, station, now)
        assert activity.place == PLAN.address
        one, other = (signed(session, activity.id, key, now) for key in ("a", "b"))
        assert signed(session, activity.id, "a", now).id == one.id, "the same key is answered alike"
        with pytest.raises(Conflict) as full, session.begin_nested():
            signed(session, activity.id, "c", now)
        assert full.value.problem_code == "activity_full"
        sign_ups.take_back(session, other.id, source="forum", actor="key:test", now=now)
        third = signed(session, activity.id, "c", now)
        with pytest.raises(NotFound):
            sign_ups.take_back(session, one.id, source="another", actor="key:test", now=now)
        assert [row.id for row in activities.list_activities(session, ["gd"], ahead=now)] == [activity.id]
        assert activities.list_activities(session, ["gd/foshan"], ahead=now) == []
        session.refresh(activity)
        with pytest.raises(Conflict):
            activities.note_attendance(session, activity.id, MANAGER, [one.id], version=1, now=now)
        with pytest.raises(Conflict):
            sign_ups.rate(session, one.id, 5, source="forum", actor="key:test", now=ended)
        with pytest.raises(NotFound):
            activities.note_attendance(session, activity.id, MANAGER, [other.id], version=1, now=ended)
        activities.note_attendance(session, activity.id, MANAGER, [one.id, third.id], version=1, now=ended)
        sign_ups.rate(session, one.id, 5, source="forum", actor="key:test", now=ended)
        activities.note_attendance(session, activity.id, MANAGER, [], version=2, now=ended)
        session.refresh(one)
        session.refresh(third)
        assert (one.state, third.state) == (SignUpState.CAME, SignUpState.MISSED)
        for picture, moment, error in (
            ("a.png", now, Conflict),
            ("a.txt", ended, InvalidInput),
        ):
            content = on_time.PNG if picture == "a.png" else b"notes"
            with pytest.raises(error), session.begin_nested():
                attachments.to_activity(
                    session, activity.id, MANAGER, Upload(picture, content), tmp_path, now=moment
                )
        before = activities.figures(session, station, since=now, now=ended)
        assert (before.planned, before.held, before.came) == (1, 0, 0)
        upload = Upload("a.png", on_time.PNG)
        attachments.to_activity(session, activity.id, MANAGER, upload, tmp_path, now=ended)
        after = activities.figures(session, station, since=now, now=ended)
        assert (after.held, after.signed_up, after.came, after.ratings, after.rating) == (1, 2, 1, 1, None)
        told = session.exec(
            select(OutboxMessage.payload).where(OutboxMessage.topic == Topic.BOOKING_DECIDED)
        ).all()
        assert [(one["key"], one["state"]) for one in told] == [
            ("a", "came"),
            ("c", "came"),
            ("c", "missed"),
        ]
        assert audit.first_break(session) is None


def test_whoever_signed_up_hears_why_an_activity_is_called_off(
    database: Database, now: datetime, station: str
) -> None:
    with database.transaction() as session:
        activity = planned(session, station, now)
        signed(session, activity.id, "a", now)
        session.refresh(activity)
        for actor, version, reason, error in (
            (ELSEWHERE, 1, "停电", NotFound),
            (MANAGER, 9, "停电", StaleVersion),
            (MANAGER, 1, " ", InvalidInput),
        ):
            with pytest.raises(error):
                activities.call_off(session, activity.id, actor, reason=reason, version=version, now=now)
        activities.call_off(session, activity.id, MANAGER, reason="停电", version=1, now=now)
        told = session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.BOOKING_DECIDED)).one()
        assert (told.payload["state"], told.payload["answer"]) == ("cancelled", "停电")
        with pytest.raises(Conflict):
            signed(session, activity.id, "b", now)
        assert activities.list_activities(session, None, ahead=now) == []
        for wrong in (
            ActivityPlan("", now + DAY, now + DAY + HOUR, 1),
            ActivityPlan("x", now, now + HOUR, 1),
            ActivityPlan("x", now + DAY, now + DAY, 1),
            ActivityPlan("x", now + DAY, now + 99 * DAY, 1),
            ActivityPlan("x", now + DAY, now + DAY + HOUR, 0),
        ):
            with pytest.raises(InvalidInput):
                activities.plan_activity(session, station, wrong, MANAGER, now=now)


def test_two_that_race_for_the_last_place_of_an_activity_cannot_both_have_it(
    database: Database, now: datetime, station: str
) -> None:
    with database.transaction() as session:
        activity = planned(session, station, now, capacity=1).id
    won: list[str] = []

    def race(key: str) -> None:
        try:
            with database.transaction() as session:
                signed(session, activity, key, now)
            won.append(key)
        except TingjianError:
            pass

    racers = [threading.Thread(target=race, args=(f"k{number}",)) for number in range(6)]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    with database.reading() as session:
        assert len(won) == len(activities.sign_ups_of(session, activity)) == 1
        assert activities.activity_of(session, activity).taken == 1
