"""Service stations over HTTP: for everybody to find, for platforms to book, for managers to answer.

Neighbours: `alerts/stations.py` and `bookings.py` do the work.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from alerts import bookings, stations
from alerts.bookings import Wish
from alerts.calendar import load_calendar
from api.dependencies import Now, Reading, Transaction, require
from api.routes.clocks import aware, own_source
from api.routes.demands import actor_of
from api.schemas.access import Path
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.stations import (
    BookBody,
    BookingOut,
    ChangedStationBody,
    DecideBody,
    NewStationBody,
    RateBody,
    ReferBody,
    ReferralOut,
    SettleBody,
    SlotOut,
    StationOut,
)
from api.security import Permission, Principal, scopes
from models.service_vocabulary import BookingState

router = APIRouter(prefix="/v1", tags=["stations"])

Reader = Annotated[Principal, Depends(require(Permission.STATIONS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.STATIONS_MANAGE))]
Referrer = Annotated[Principal, Depends(require(Permission.STATIONS_REFER))]
Platform = Annotated[Principal, Depends(require(Permission.BOOKINGS_WRITE))]


@router.get("/public/stations")
def find(session: Reading, place: Annotated[Path | None, Query()] = None) -> list[StationOut]:
    """List the stations at and under a place, or all, for everybody."""
    return [
        StationOut.model_validate(one) for one in stations.list_stations(session, [place] if place else None)
    ]


@router.get("/public/stations/{station_id}/slots")
def slots(station_id: Identifier, day: date, session: Reading, now: Now) -> list[SlotOut]:
    """List the slots of a station's day that are still to come, and the places left in each."""
    station = stations.station_of(session, station_id)
    found = stations.free_slots(session, station, day, load_calendar(session), now=now)
    return [SlotOut.model_validate(slot) for slot in found]


@router.post("/stations", status_code=status.HTTP_201_CREATED)
def make(body: NewStationBody, principal: Manager, session: Transaction, now: Now) -> StationOut:
    """Add a station."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    return StationOut.model_validate(
        stations.make_station(session, body.organisation, body.plan(), actor, now=now)
    )


@router.put("/stations/{station_id}")
def change(
    station_id: Identifier, body: ChangedStationBody, principal: Manager, session: Transaction, now: Now
) -> StationOut:
    """Change a station; what was booked stays."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    changed = stations.change_station(session, station_id, body.plan(), actor, version=body.version, now=now)
    return StationOut.model_validate(changed)


@router.delete("/stations/{station_id}")
def end(
    station_id: Identifier,
    version: Annotated[int, Query(ge=1)],
    principal: Manager,
    session: Transaction,
    now: Now,
) -> StationOut:
    """Close a station for good."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    return StationOut.model_validate(
        stations.end_station(session, station_id, actor, version=version, now=now)
    )


@router.post("/stations/{station_id}/bookings", status_code=status.HTTP_201_CREATED)
def book(
    *,
    station_id: Identifier,
    body: BookBody,
    principal: Platform,
    session: Transaction,
    now: Now,
    response: Response,
) -> BookingOut:
    """Book a slot for somebody; 409 `slot_full` if nobody else fits. The same key again is answered alike."""
    booking, is_new = bookings.book(
        session,
        station_id,
        Wish(body.key, aware(body.starts_at, "/starts_at"), body.service, body.referral_id),
        source=own_source(principal),
        scope=scopes(principal, Permission.BOOKINGS_WRITE),
        actor=principal.actor,
        now=now,
    )
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return BookingOut.model_validate(booking)


@router.get("/bookings")
def listing(
    *,
    principal: Reader,
    session: Reading,
    state: BookingState | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[BookingOut]:
    """List the bookings in scope, newest first."""
    rows = bookings.list_bookings(
        session, scopes(principal, Permission.STATIONS_READ), state=state, before=before, limit=limit
    )
    shown = [BookingOut.model_validate(row.booking) for row in rows]
    return page_of(shown, rows[-1].booking.id if rows else None, limit)


@router.post("/bookings/{booking_id}:decide")
def decide(
    booking_id: Identifier, body: DecideBody, principal: Manager, session: Transaction, now: Now
) -> BookingOut:
    """Confirm a booking, or decline it with the reason."""
    booking = bookings.decide(
        session,
        booking_id,
        actor_of(principal, Permission.STATIONS_MANAGE),
        confirm=body.confirm,
        answer=body.answer,
        version=body.version,
        now=now,
    )
    return BookingOut.model_validate(booking)


@router.post("/bookings/{booking_id}:settle")
def settle(
    booking_id: Identifier, body: SettleBody, principal: Manager, session: Transaction, now: Now
) -> BookingOut:
    """Say that somebody came and what came of it, or that nobody came."""
    booking = bookings.settle(
        session,
        booking_id,
        actor_of(principal, Permission.STATIONS_MANAGE),
        served=body.served,
        result=body.result,
        version=body.version,
        now=now,
    )
    return BookingOut.model_validate(booking)


@router.post("/bookings/{booking_id}:cancel")
def cancel(booking_id: Identifier, principal: Platform, session: Transaction, now: Now) -> BookingOut:
    """Take a booking of one's own platform back."""
    booking = bookings.cancel(
        session, booking_id, source=own_source(principal), actor=principal.actor, now=now
    )
    return BookingOut.model_validate(booking)


@router.post("/bookings/{booking_id}:rate")
def rate(
    booking_id: Identifier, body: RateBody, principal: Platform, session: Transaction, now: Now
) -> BookingOut:
    """Hand on how it was, once, from who was served."""
    booking = bookings.rate(
        session, booking_id, body.stars, source=own_source(principal), actor=principal.actor, now=now
    )
    return BookingOut.model_validate(booking)


@router.post("/referrals", status_code=status.HTTP_201_CREATED)
def refer(body: ReferBody, principal: Referrer, session: Transaction, now: Now) -> ReferralOut:
    """Point the author of a post, or a case, to a station; nobody books for them."""
    referral = stations.refer(
        session,
        body.station_id,
        actor_of(principal, Permission.STATIONS_REFER),
        service=body.service,
        post_id=body.post_id,
        case_id=body.case_id,
        now=now,
    )
    return ReferralOut.model_validate(referral)
