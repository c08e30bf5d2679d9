"""Service stations: the list with its map by place, and the page of one with its slots and bookings.

The map is drawn here, from the stations' own points: no tile of anybody else is asked for.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import cos, radians
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from alerts import activities, bookings, duty, opening, stations
from alerts.calendar import Calendar, YearNotConfirmed, load_calendar
from alerts.stations import FreeSlot, StationPlan
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import places
from api.dependencies import Now, Reading, Transaction, require
from api.routes.clocks import FIGURES
from api.routes.demands import actor_of
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.errors import InvalidInput
from models.station import Station

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.STATIONS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.STATIONS_MANAGE))]
Version = Annotated[int, Form()]
Words = Annotated[str, Form(max_length=2_000)]
WIDTH: Final = 640
HEIGHT: Final = 260
MARGIN: Final = 26
ACTIVITIES: Final = 20
SMALLEST: Final = 0.02
"""Degrees that the map shows at least, so that one station is no point without end."""


@dataclass(frozen=True, slots=True)
class Point:
    """A station on the map: its number in the list, and where on the drawing it stands."""

    number: int
    station: Station
    x: int
    y: int


def points_of(found: list[Station]) -> list[Point]:
    """Return where the stations that name a point stand on a drawing, north up."""
    placed = [
        (number, one, one.latitude, one.longitude)
        for number, one in enumerate(found, 1)
        if one.latitude is not None and one.longitude is not None
    ]
    if not placed:
        return []
    south, north = min(lat for *_, lat, _ in placed), max(lat for *_, lat, _ in placed)
    west, east = min(lon for *_, lon in placed), max(lon for *_, lon in placed)
    narrow = cos(radians((south + north) / 2))
    scale = min(
        (WIDTH - 2 * MARGIN) / max((east - west) * narrow, SMALLEST),
        (HEIGHT - 2 * MARGIN) / max(north - south, SMALLEST),
    )
    return [
        Point(
            number,
            one,
            round(WIDTH / 2 + (lon - (east + west) / 2) * narrow * scale),
            round(HEIGHT / 2 - (lat - (north + south) / 2) * scale),
        )
        for number, one, lat, lon in placed
    ]


def is_open(station: Station, calendar: Calendar, now: datetime) -> bool | None:
    """Return whether a station is open; None where the calendar of the year is not confirmed."""
    try:
        return stations.opening_of(station).is_open(now, calendar)
    except YearNotConfirmed:
        return None


@router.get("/stations")
def listing(request: Request, principal: Reader, session: Reading, now: Now, place: str = "") -> Response:
    """Show the stations in scope, by place."""
    scope = scopes(principal, Permission.STATIONS_READ)
    every = stations.list_stations(session, scope)
    found = [one for one in every if not place or one.organisation == place]
    calendar = load_calendar(session)
    return page.render(
        request,
        "stations.html",
        principal=principal,
        stations=found,
        place=place,
        all_places=sorted({one.organisation for one in every}),
        points=points_of(found),
        width=WIDTH,
        height=HEIGHT,
        hours={
            one.id: getattr(opening.told(one.hours), page.language_of(request, principal)) for one in found
        },
        open={one.id: is_open(one, calendar, now) for one in found},
        waiting=bookings.waiting(session, scope),
        names=organisation_names(session, {one.organisation for one in every}),
        places=places(session, principal, Permission.STATIONS_MANAGE),
    )


def _dates(text: str) -> tuple[date, ...]:
    try:
        return tuple(date.fromisoformat(line.strip()) for line in text.split("\n") if line.strip())
    except ValueError:
        raise InvalidInput("days such as 2026-05-04", code="absurd_date", field="/closed_on") from None


async def station_plan(request: Request) -> StationPlan:
    """Return the station that a form describes.

    Raises
    ------
    InvalidInput
        If a field cannot be.
    """
    sent = {name: str(value).replace("\r\n", "\n") for name, value in (await request.form()).items()}
    try:
        numbers = int(sent.get("capacity", "")), int(sent.get("slot_minutes", ""))
        points = [float(sent[name]) if sent.get(name) else None for name in ("latitude", "longitude")]
    except ValueError:
        raise InvalidInput("a number", code="wrong_station") from None
    return StationPlan(
        name=sent.get("name", ""),
        address=sent.get("address", ""),
        hours=opening.read_lines(sent.get("hours", "")),
        services=tuple(sent.get("services", "").split("\n")),
        capacity=numbers[0],
        slot_minutes=numbers[1],
        telephone=sent.get("telephone", ""),
        latitude=points[0],
        longitude=points[1],
        closed_on=_dates(sent.get("closed_on", "")),
        on_holidays="on_holidays" in sent,
    )


Plan = Annotated[StationPlan, Depends(station_plan)]


@router.post("/stations")
def make(
    *,
    principal: Manager,
    session: Transaction,
    now: Now,
    plan: Plan,
    organisation: Annotated[str, Form(max_length=200)],
) -> Response:
    """Add a station."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    made = stations.make_station(session, organisation, plan, actor, now=now)
    return page.go(f"/stations/{made.id}", "station_made")


@router.get("/stations/{station_id}")
def card(
    *, request: Request, station_id: str, principal: Reader, session: Reading, now: Now, day: str = ""
) -> Response:
    """Show one station: details, the slots of a day, bookings, figures."""
    station = stations.station_of(session, station_id)
    authorise_found(principal, Permission.STATIONS_READ, station.organisation)
    calendar = load_calendar(session)
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        wanted = duty.today(now)
    rows = bookings.list_bookings(session, [station.organisation], station_id=station.id)
    return page.render(
        request,
        "station.html",
        principal=principal,
        station=station,
        hours=opening.lines_of(station.hours),
        told=getattr(opening.told(station.hours), page.language_of(request, principal)),
        open=is_open(station, calendar, now),
        day=wanted,
        last_day=duty.today(now) + stations.AHEAD,
        today=duty.today(now),
        slots=_slots(session, station, wanted, calendar, now),
        rows=rows,
        begun={row.booking.id for row in rows if row.starts_at <= now},
        late={
            row.booking.id
            for row in rows
            if row.clock and row.clock.stopped_at is None and row.clock.due_at < now
        },
        activities=activities.list_activities(session, None, station_id=station.id, limit=ACTIVITIES),
        held=activities.figures(session, station.id, since=now - FIGURES, now=now),
        figures=bookings.figures(session, station.id, since=now - FIGURES),
        may_manage=allows(principal, Permission.STATIONS_MANAGE, station.organisation),
        names=organisation_names(session, {station.organisation}),
        week=timedelta(days=7),
    )


def _slots(
    session: Session, station: Station, day: date, calendar: Calendar, now: datetime
) -> list[FreeSlot] | None:
    """Return the slots of a day; None where the calendar of the year is not confirmed."""
    try:
        return stations.free_slots(session, station, day, calendar, now=now)
    except YearNotConfirmed:
        return None


@router.post("/stations/{station_id}")
def change(
    *, station_id: str, principal: Manager, session: Transaction, now: Now, plan: Plan, version: Version
) -> Response:
    """Change a station's details."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    stations.change_station(session, station_id, plan, actor, version=version, now=now)
    return page.go(f"/stations/{station_id}", "station_changed")


@router.post("/stations/{station_id}/end")
def end(*, station_id: str, principal: Manager, session: Transaction, now: Now, version: Version) -> Response:
    """Close a station for good."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    stations.end_station(session, station_id, actor, version=version, now=now)
    return page.go("/stations", "station_ended")


@router.post("/bookings/{booking_id}/decide")
def decide(
    *,
    booking_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    confirm: Annotated[bool, Form()],
    version: Version,
    answer: Words = "",
) -> Response:
    """Confirm a booking, or decline it."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    booking = bookings.decide(
        session, booking_id, actor, confirm=confirm, answer=answer, version=version, now=now
    )
    done = "booking_confirmed" if confirm else "booking_declined"
    return page.go(f"/stations/{booking.station_id}", done)


@router.post("/bookings/{booking_id}/settle")
def settle(
    *,
    booking_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    served: Annotated[bool, Form()],
    version: Version,
    result: Words = "",
) -> Response:
    """Put on record what came of a booking."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    booking = bookings.settle(
        session, booking_id, actor, served=served, result=result, version=version, now=now
    )
    return page.go(f"/stations/{booking.station_id}", "booking_settled")
