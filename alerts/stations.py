"""Service stations 线下服务站: what they are, when they are open, and the way to one from a post or a case.

A station's details are kept current by its managers; every change is on the audit log. An officer who
reads a need that a station can meet refers its author there: the platform is told which station and
which service, and the author books or does not. Nobody books for them, and the station learns no name.

Refuses: hours, capacities and places that cannot be; a referral of what the officer may not see, or to a
service that the station does not offer.

Neighbours: `opening` computes hours and slots, `bookings` books them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts import clock_rows, opening
from alerts.actor import Actor
from alerts.calendar import DAY, SHANGHAI, Calendar
from alerts.opening import Opening
from alerts.placed import locked
from models import audit
from models.errors import Conflict, InvalidInput, NotFound
from models.event import Case
from models.organisation import Organisation, within
from models.outbox import tell_platform
from models.post import Post
from models.service_vocabulary import ClockSubject
from models.station import Station, StationReferral, StationSlot
from models.vocabulary import PostState, Topic

AHEAD: Final = timedelta(days=60)
"""How far ahead a slot may be booked."""

NAME: Final = 120
ADDRESS: Final = 200
TELEPHONE: Final = 40
SERVICE: Final = 60
MOST_SERVICES: Final = 30
MOST_CLOSED: Final = 200
MOST_PEOPLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class StationPlan:
    """What a station is to be."""

    name: str
    address: str
    hours: dict[str, list[list[str]]]
    services: tuple[str, ...]
    capacity: int = 1
    slot_minutes: int = 60
    telephone: str = ""
    latitude: float | None = None
    longitude: float | None = None
    closed_on: tuple[date, ...] = field(default=())
    on_holidays: bool = False


def _wrong(detail: str, name: str) -> InvalidInput:
    return InvalidInput(detail, code="wrong_station", field=f"/{name}")


def _checked(plan: StationPlan) -> dict[str, Any]:
    """Return the columns of a station that can be."""
    texts = (("name", plan.name, NAME), ("address", plan.address, ADDRESS))
    for name, text, limit in texts:
        if not text.strip() or len(text) > limit:
            raise _wrong(f"1 to {limit} characters", name)
    if len(plan.telephone) > TELEPHONE:
        raise _wrong(f"at most {TELEPHONE} characters", "telephone")
    services = list(dict.fromkeys(one.strip() for one in plan.services if one.strip()))
    if not 1 <= len(services) <= MOST_SERVICES or any(len(one) > SERVICE for one in services):
        raise _wrong(f"1 to {MOST_SERVICES} services of up to {SERVICE} characters", "services")
    if not 1 <= plan.capacity <= MOST_PEOPLE:
        raise _wrong(f"1 to {MOST_PEOPLE} people in a slot", "capacity")
    if not opening.SHORTEST_SLOT <= plan.slot_minutes <= opening.LONGEST_SLOT:
        raise _wrong(f"{opening.SHORTEST_SLOT} to {opening.LONGEST_SLOT} minutes", "slot_minutes")
    _check_point(plan)
    if len(plan.closed_on) > MOST_CLOSED:
        raise _wrong(f"at most {MOST_CLOSED} closed dates", "closed_on")
    if not opening.read_hours(plan.hours):
        raise _wrong("a station is open at some time", "hours")
    return {
        "name": plan.name.strip(),
        "address": plan.address.strip(),
        "telephone": plan.telephone.strip(),
        "latitude": plan.latitude,
        "longitude": plan.longitude,
        "hours": {day: [list(span) for span in spans] for day, spans in plan.hours.items() if spans},
        "closed_on": sorted(day.isoformat() for day in set(plan.closed_on)),
        "on_holidays": plan.on_holidays,
        "services": services,
        "capacity": plan.capacity,
        "slot_minutes": plan.slot_minutes,
    }


def _check_point(plan: StationPlan) -> None:
    if plan.latitude is None and plan.longitude is None:
        return
    if plan.latitude is None or plan.longitude is None:
        raise _wrong("a point needs latitude and longitude", "latitude")
    for name, value, limit in (("latitude", plan.latitude, 90), ("longitude", plan.longitude, 180)):
        if not -limit <= value <= limit:
            raise _wrong(f"degrees from -{limit} to {limit}", name)


def make_station(
    session: Session, organisation: str, plan: StationPlan, actor: Actor, *, now: datetime
) -> Station:
    """Add a station.

    Raises
    ------
    NotFound, InvalidInput
        If the place is out of reach or does not exist, or a field cannot be.
    """
    actor.require(organisation)
    if session.get(Organisation, organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    station = Station(organisation=organisation, created_at=now, **_checked(plan))
    session.add(station)
    session.flush()
    _record(session, station, actor, "station.made", now)
    return station


def change_station(
    session: Session, station_id: str, plan: StationPlan, actor: Actor, *, version: int, now: datetime
) -> Station:
    """Change a station. Bookings that were made stay; a smaller capacity holds for what is still free.

    Raises
    ------
    NotFound, InvalidInput, StaleVersion
        If it is out of reach, a field cannot be, or somebody changed it meanwhile.
    """
    station = locked(session, Station, station_id, actor, called="station", version=version)
    for name, value in _checked(plan).items():
        setattr(station, name, value)
    station.version += 1
    session.add(station)
    session.connection().execute(
        sa.update(StationSlot)
        .where(col(StationSlot.station_id) == station.id, col(StationSlot.starts_at) > now)
        .values(
            capacity=sa.case(
                (col(StationSlot.booked) > station.capacity, col(StationSlot.booked)), else_=station.capacity
            )
        )
    )
    session.flush()
    _record(session, station, actor, "station.changed", now)
    return station


def end_station(session: Session, station_id: str, actor: Actor, *, version: int, now: datetime) -> Station:
    """Close a station for good: it takes no bookings any more, and those it has are answered as before.

    Raises
    ------
    NotFound, StaleVersion
        If it is out of reach, or somebody changed it meanwhile.
    """
    station = locked(session, Station, station_id, actor, called="station", version=version)
    if station.ended_at is None:
        station.ended_at = now
        station.version += 1
        session.add(station)
        session.flush()
        _record(session, station, actor, "station.ended", now)
    return station


def _record(session: Session, station: Station, actor: Actor, action: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action=action,
        subject=f"station:{station.id}",
        organisation=station.organisation,
        details={"version": station.version, "capacity": station.capacity},
    )


def opening_of(station: Station) -> Opening:
    """Return when a station is open."""
    return Opening(
        opening.read_hours(station.hours),
        frozenset(date.fromisoformat(day) for day in station.closed_on),
        station.on_holidays,
    )


def list_stations(session: Session, scope: Sequence[str] | None, *, limit: int = 500) -> list[Station]:
    """Return the stations of a scope, or of every place for None, by place and name."""
    query = select(Station).where(col(Station.ended_at).is_(None))
    if scope is not None:
        query = query.where(within(Station.organisation, scope))
    return list(session.exec(query.order_by(col(Station.organisation), col(Station.name)).limit(limit)))


def station_of(session: Session, station_id: str) -> Station:
    """Return a station.

    Raises
    ------
    NotFound
        If there is none.
    """
    station = session.get(Station, station_id)
    if station is None:
        raise NotFound("there is no such station")
    return station


@dataclass(frozen=True, slots=True)
class FreeSlot:
    """One slot of a day, and how many places are left in it."""

    starts_at: datetime
    ends_at: datetime
    left: int


def free_slots(
    session: Session, station: Station, day: date, calendar: Calendar, *, now: datetime
) -> list[FreeSlot]:
    """Return the slots of a day that are still to come, full ones too.

    Raises
    ------
    YearNotConfirmed
        If the day's hours depend on a calendar that nobody has confirmed.
    """
    if station.ended_at is not None or not DAY * 0 <= day - now.astimezone(SHANGHAI).date() <= AHEAD:
        return []
    taken = {
        slot.starts_at: slot
        for slot in session.exec(
            select(StationSlot).where(StationSlot.station_id == station.id, StationSlot.day == day)
        )
    }
    found = []
    for starts, ends in opening_of(station).slots(day, station.slot_minutes, calendar):
        if starts > now:
            slot = taken.get(starts)
            found.append(FreeSlot(starts, ends, slot.capacity - slot.booked if slot else station.capacity))
    return found


def refer(
    session: Session,
    station_id: str,
    actor: Actor,
    *,
    service: str,
    now: datetime,
    post_id: str | None = None,
    case_id: str | None = None,
) -> StationReferral:
    """Point the author of a post, or a case, to a station; the platform of the post is told.

    Raises
    ------
    NotFound
        If the post or the case is out of reach, or there is no such station.
    InvalidInput, Conflict
        If neither or both are named, the station does not offer the service, or the post is gone.
    """
    station = station_of(session, station_id)
    if (post_id is None) is (case_id is None):
        raise InvalidInput("refer a post or a case", field="/post_id")
    if station.ended_at is not None or service not in station.services:
        raise InvalidInput("the station does not offer this", code="no_such_service", field="/service")
    post = _post_in_reach(session, post_id, actor) if post_id is not None else None
    if case_id is not None:
        case = session.get(Case, case_id)
        if case is None:
            raise NotFound("no such case, or none that you may see")
        actor.require(case.organisation)
    referral = StationReferral(
        station_id=station.id,
        organisation=station.organisation,
        post_id=post_id,
        case_id=case_id,
        service=service,
        referred_by=actor.audit_name,
        referred_at=now,
    )
    session.add(referral)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="station.referred",
        subject=f"post:{post_id}" if post_id else f"case:{case_id}",
        organisation=station.organisation,
        details={"referral": referral.id, "station": station.id},
    )
    if post is not None:
        tell_platform(
            session,
            post.source,
            Topic.STATION_REFERRED,
            post.id,
            payload={
                "post": post.id,
                "external_id": post.external_id,
                "referral": referral.id,
                "station": station.id,
                "service": service,
            },
            now=now,
            occurrence=referral.id,
        )
    return referral


def _post_in_reach(session: Session, post_id: str, actor: Actor) -> Post:
    """Return a published post that the actor's place has: on its board, or as a question handed to it."""
    post = session.get(Post, post_id)
    if post is None:
        raise NotFound("no such post, or none that you may see")
    clock = clock_rows.of(session, ClockSubject.QUESTION, post.id)
    if not (actor.reaches(post.organisation) or (clock and actor.reaches(clock.organisation))):
        raise NotFound("no such post, or none that you may see")
    if post.state is not PostState.PUBLISHED:
        raise Conflict("the post is not published", code="question_gone")
    return post


def referrals_of(session: Session, post_id: str) -> list[tuple[StationReferral, str]]:
    """Return where a post's author was referred to, with the stations' names."""
    rows = session.exec(
        select(StationReferral, Station.name)
        .join(Station, col(Station.id) == col(StationReferral.station_id))
        .where(StationReferral.post_id == post_id)
        .order_by(col(StationReferral.id))
    ).all()
    return [(referral, name) for referral, name in rows]
