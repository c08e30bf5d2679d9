"""Bookings at a service station 线下服务预约: asked for, answered in time, served, rated.

A platform books for the young person who asked, under a key of its own that makes a repeat harmless, and
gets a code that they show at the station. The place in the slot is taken in one statement that the
database refuses beyond the capacity, so two that race for the last place cannot both have it. The
station answers within an hour when it was open, within twelve when it was not.

Refuses: slots that are full, over or none of the station's; answers out of order or from an older
version; a rating of what was not served.

Neighbours: `stations` has the hours, `clocks` the limits; the platform hears by `booking.decided`.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from alerts import clock_rows, clocks, stations
from alerts.actor import Actor
from alerts.calendar import SHANGHAI, Calendar, load_calendar
from models import audit
from models.base import new_id
from models.clock import Clock
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.organisation import reaches, within
from models.outbox import tell_office, tell_platform
from models.service_vocabulary import BookingState, ClockSubject
from models.station import Booking, Station, StationReferral, StationSlot
from models.vocabulary import Topic

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Signs that nobody mistakes for another."""

CODE: Final = 6
KEY: Final = 120
ANSWER: Final = 500
BEST: Final = 5
RATED_AT_LEAST: Final = 5
"""A mean is told only of so many ratings: fewer would tell of single people."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a platform asks for: a slot, a service, and the key under which it asks."""

    key: str
    starts_at: datetime
    service: str
    referral_id: str | None = None


def book(
    session: Session,
    station_id: str,
    wish: Wish,
    *,
    source: str,
    scope: Sequence[str],
    actor: str,
    now: datetime,
) -> tuple[Booking, bool]:
    """Take a place in a slot; return the booking and whether it is new.

    Raises
    ------
    NotFound
        If there is no such station in reach, or no such referral to it.
    InvalidInput
        If the slot or the service is none of the station's.
    Conflict
        If the slot is full, or the key stands for another booking.
    """
    station = session.get(Station, station_id)
    if station is None or station.ended_at or not reaches(scope, station.organisation):
        raise NotFound("there is no such station")
    if not wish.key.strip() or len(wish.key) > KEY:
        raise InvalidInput(f"1 to {KEY} characters", field="/key")
    known = _known(session, source, wish, station)
    if known is not None:
        return known, False
    if wish.service not in station.services:
        raise InvalidInput("the station does not offer this", code="no_such_service", field="/service")
    if wish.referral_id is not None:
        referral = session.get(StationReferral, wish.referral_id)
        if referral is None or referral.station_id != station.id:
            raise NotFound("there is no such referral to this station")
    calendar = load_calendar(session)
    slot_id = _slot(session, station, wish.starts_at, calendar, now)
    _take_place(session, slot_id)
    booking = Booking(
        station_id=station.id,
        slot_id=slot_id,
        organisation=station.organisation,
        source=source,
        key=wish.key,
        code="".join(secrets.choice(ALPHABET) for _ in range(CODE)),
        service=wish.service,
        referral_id=wish.referral_id,
        requested_at=now,
        answer="",
        result="",
    )
    if not _insert(session, booking):
        # Somebody with the same key came in between: theirs stands, and our place goes back.
        _give_back(session, slot_id)
        again = _known(session, source, wish, station)
        if again is None:
            raise Conflict("the key is in use", code="key_in_use")
        return again, False
    booking = session.get_one(Booking, booking.id)
    rule = clocks.rule_of_booking(is_open=stations.opening_of(station).is_open(now, calendar))
    clock_rows.start_for(session, ClockSubject.BOOKING, booking.id, station.organisation, rule=rule, now=now)
    _record(session, booking, actor, "booking.requested", now)
    tell_office(
        session,
        station.organisation,
        Topic.BOOKING_REQUESTED,
        booking.id,
        payload={
            "booking": booking.id,
            "station": station.id,
            "service": booking.service,
            "starts_at": wish.starts_at.isoformat(),
            "due_at": clocks.due(rule, now).isoformat(),
        },
        now=now,
        occurrence=booking.id,
    )
    return booking, True


def _known(session: Session, source: str, wish: Wish, station: Station) -> Booking | None:
    found = session.exec(
        select(Booking, StationSlot.starts_at)
        .join(StationSlot, col(StationSlot.id) == col(Booking.slot_id))
        .where(Booking.source == source, Booking.key == wish.key)
    ).one_or_none()
    if found is None:
        return None
    booking, starts_at = found
    if (booking.station_id, starts_at, booking.service) != (station.id, wish.starts_at, wish.service):
        raise Conflict("the key stands for another booking", code="key_in_use")
    return booking


def _slot(session: Session, station: Station, starts_at: datetime, calendar: Calendar, now: datetime) -> str:
    """Return the id of the slot's row, made if nobody booked in it before."""
    day = starts_at.astimezone(SHANGHAI).date()
    free = stations.free_slots(session, station, day, calendar, now=now)
    wanted = next((slot for slot in free if slot.starts_at == starts_at), None)
    if wanted is None:
        raise InvalidInput("no slot of the station begins then", code="no_such_slot", field="/starts_at")
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.connection().execute(
        insert(SQLModel.metadata.tables["station_slot"])
        .values(
            id=new_id(),
            station_id=station.id,
            day=day,
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            capacity=station.capacity,
            booked=0,
        )
        .on_conflict_do_nothing(index_elements=["station_id", "starts_at"])
    )
    return session.exec(
        select(StationSlot.id).where(StationSlot.station_id == station.id, StationSlot.starts_at == starts_at)
    ).one()


def _take_place(session: Session, slot_id: str) -> None:
    """Count one more in a slot, if there is room, in one statement."""
    taken = session.connection().execute(
        sa.update(StationSlot)
        .where(col(StationSlot.id) == slot_id, col(StationSlot.booked) < col(StationSlot.capacity))
        .values(booked=col(StationSlot.booked) + 1)
    )
    if taken.rowcount != 1:
        raise Conflict("the slot is full", code="slot_full")


def _give_back(session: Session, slot_id: str) -> None:
    session.connection().execute(
        sa.update(StationSlot)
        .where(col(StationSlot.id) == slot_id)
        .values(booked=col(StationSlot.booked) - 1)
    )


def _insert(session: Session, booking: Booking) -> bool:
    """Write a booking unless its key is taken; return whether it was written."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    table = SQLModel.metadata.tables["booking"]
    done = session.connection().execute(
        insert(table)
        .values(booking.model_dump())
        .on_conflict_do_nothing(index_elements=["source", "key"])
        .returning(table.c.id)
    )
    return done.first() is not None


def _record(session: Session, booking: Booking, actor: str, action: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"booking:{booking.id}",
        organisation=booking.organisation,
        details={"station": booking.station_id, "state": booking.state.value},
    )
    session.flush()


def _locked(session: Session, booking_id: str) -> Booking:
    booking = session.exec(select(Booking).where(Booking.id == booking_id).with_for_update()).one_or_none()
    if booking is None:
        raise NotFound("no such booking, or none that you may see")
    return booking


def _expect(booking: Booking, version: int | None, *states: BookingState) -> None:
    if version is not None and booking.version != version:
        raise StaleVersion("the booking was changed meanwhile")
    if booking.state not in states:
        raise Conflict(f"the booking is {booking.state.value}", code="booking_settled")


def _words(text: str, *, needed: bool) -> str:
    words = text.strip()
    if len(words) > ANSWER or (needed and not words):
        raise InvalidInput(f"1 to {ANSWER} characters", code="reason_needed", field="/answer")
    return words


def decide(
    session: Session,
    booking_id: str,
    actor: Actor,
    *,
    confirm: bool,
    answer: str,
    version: int,
    now: datetime,
) -> Booking:
    """Confirm a booking, or decline it with the reason; the platform is told.

    Raises
    ------
    NotFound, Conflict, StaleVersion, InvalidInput
        If it is out of reach, settled, changed meanwhile, or declined without a reason.
    """
    booking = _locked(session, booking_id)
    actor.require(booking.organisation)
    _expect(booking, version, BookingState.REQUESTED)
    booking.answer = _words(answer, needed=not confirm)
    booking.state = BookingState.CONFIRMED if confirm else BookingState.DECLINED
    booking.decided_by, booking.decided_at = actor.audit_name, now
    booking.version += 1
    session.add(booking)
    session.flush()
    if not confirm:
        _give_back(session, booking.slot_id)
    clock_rows.end_clock(session, ClockSubject.BOOKING, booking.id, stopped=now, now=now)
    _record(session, booking, actor.audit_name, f"booking.{booking.state.value}", now)
    _tell(session, booking, now)
    return booking


def _tell(session: Session, booking: Booking, now: datetime) -> None:
    tell_platform(
        session,
        booking.source,
        Topic.BOOKING_DECIDED,
        booking.id,
        payload={
            "booking": booking.id,
            "key": booking.key,
            "station": booking.station_id,
            "state": booking.state.value,
            "answer": booking.answer,
            "result": booking.result,
        },
        now=now,
        occurrence=booking.state.value,
    )


def cancel(session: Session, booking_id: str, *, source: str, actor: str, now: datetime) -> Booking:
    """Take a booking back on the word of its platform, before the slot begins.

    Raises
    ------
    NotFound, Conflict
        If it is none of the platform's, settled, or its slot has begun.
    """
    booking = _locked(session, booking_id)
    if booking.source != source:
        raise NotFound("no such booking, or none that you may see")
    _expect(booking, None, BookingState.REQUESTED, BookingState.CONFIRMED)
    if session.get_one(StationSlot, booking.slot_id).starts_at <= now:
        raise Conflict("the slot has begun", code="slot_begun")
    booking.state = BookingState.CANCELLED
    booking.version += 1
    session.add(booking)
    session.flush()
    _give_back(session, booking.slot_id)
    clock_rows.end_clock(session, ClockSubject.BOOKING, booking.id, stopped=None, now=now)
    _record(session, booking, actor, "booking.cancelled", now)
    return booking


def settle(
    session: Session,
    booking_id: str,
    actor: Actor,
    *,
    served: bool,
    result: str,
    version: int,
    now: datetime,
) -> Booking:
    """Put on record that somebody came and what came of it, or that nobody came.

    Raises
    ------
    NotFound, Conflict, StaleVersion, InvalidInput
        If it is out of reach, not confirmed, still ahead, changed meanwhile, or served without a result.
    """
    booking = _locked(session, booking_id)
    actor.require(booking.organisation)
    _expect(booking, version, BookingState.CONFIRMED)
    if session.get_one(StationSlot, booking.slot_id).starts_at > now:
        raise Conflict("the slot has not begun", code="slot_ahead")
    booking.result = _words(result, needed=served)
    booking.state = BookingState.SERVED if served else BookingState.MISSED
    booking.result_at = now
    booking.version += 1
    session.add(booking)
    session.flush()
    _record(session, booking, actor.audit_name, f"booking.{booking.state.value}", now)
    _tell(session, booking, now)
    return booking


def rate(session: Session, booking_id: str, stars: int, *, source: str, actor: str, now: datetime) -> Booking:
    """Take the rating of who was served, once.

    Raises
    ------
    NotFound, Conflict, InvalidInput
        If it is none of the platform's, was not served, was rated before, or the rating is none.
    """
    booking = _locked(session, booking_id)
    if booking.source != source:
        raise NotFound("no such booking, or none that you may see")
    if not 1 <= stars <= BEST:
        raise InvalidInput(f"1 to {BEST}", field="/stars")
    _expect(booking, None, BookingState.SERVED)
    if booking.rating is not None:
        raise Conflict("it was rated already", code="already_rated")
    booking.rating, booking.rated_at = stars, now
    booking.version += 1
    session.add(booking)
    session.flush()
    _record(session, booking, actor, "booking.rated", now)
    return booking


@dataclass(frozen=True, slots=True)
class Row:
    """One booking as lists show it."""

    booking: Booking
    station: str
    starts_at: datetime
    clock: Clock | None


def list_bookings(
    session: Session,
    scope: Sequence[str],
    *,
    station_id: str | None = None,
    state: BookingState | None = None,
    before: str | None = None,
    limit: int = 100,
) -> list[Row]:
    """Return the bookings of a scope, newest first."""
    query = (
        select(Booking, Station.name, StationSlot.starts_at, Clock)
        .join(Station, col(Station.id) == col(Booking.station_id))
        .join(StationSlot, col(StationSlot.id) == col(Booking.slot_id))
        .outerjoin(
            Clock,
            sa.and_(col(Clock.subject) == ClockSubject.BOOKING, col(Clock.subject_id) == col(Booking.id)),
        )
        .where(within(Booking.organisation, scope))
    )
    if station_id is not None:
        query = query.where(Booking.station_id == station_id)
    if state is not None:
        query = query.where(Booking.state == state)
    if before is not None:
        query = query.where(col(Booking.id) < before)
    rows = session.exec(query.order_by(col(Booking.id).desc()).limit(limit)).all()
    return [Row(*row) for row in rows]


def waiting(session: Session, scope: Sequence[str]) -> dict[str, int]:
    """Return how many bookings wait for an answer, by station."""
    rows = session.exec(
        select(Booking.station_id, sa.func.count())
        .where(Booking.state == BookingState.REQUESTED, within(Booking.organisation, scope))
        .group_by(col(Booking.station_id))
    ).all()
    return dict(rows)


@dataclass(frozen=True, slots=True)
class StationFigures:
    """What a station did. `rating` is the mean of `ratings`, None while they are too few to tell."""

    bookings: int
    in_time: int
    served: int
    missed: int
    ratings: int
    rating: float | None


def figures(session: Session, station_id: str, *, since: datetime) -> StationFigures:
    """Return what came of a station's bookings since a moment."""
    rows = session.exec(
        select(Booking, Clock)
        .join(Clock, col(Clock.subject_id) == col(Booking.id))
        .where(
            Clock.subject == ClockSubject.BOOKING,
            Booking.station_id == station_id,
            col(Booking.requested_at) >= since,
        )
    ).all()
    ratings = [one.rating for one, _ in rows if one.rating is not None]
    return StationFigures(
        bookings=len(rows),
        in_time=sum(clock.stopped_at is not None and clock.stopped_at <= clock.due_at for _, clock in rows),
        served=sum(one.state is BookingState.SERVED for one, _ in rows),
        missed=sum(one.state is BookingState.MISSED for one, _ in rows),
        ratings=len(ratings),
        rating=round(sum(ratings) / len(ratings), 1) if len(ratings) >= RATED_AT_LEAST else None,
    )
