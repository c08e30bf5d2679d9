"""Activities of stations over HTTP: for everybody to find, for platforms to sign up to, for managers to hold.

Neighbours: `alerts/activities.py` and `sign_ups.py` do the work; photos come in on the console's page.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from alerts import activities, attachments, sign_ups
from alerts.activities import ActivityPlan
from api.dependencies import Now, Reading, Transaction, require
from api.routes.clocks import aware, own_source
from api.routes.demands import actor_of
from api.schemas.access import Path
from api.schemas.activities import (
    ActivityBody,
    ActivityCardOut,
    ActivityOut,
    AttendanceBody,
    CallOffBody,
    CodeOut,
    SignUpBody,
    SignUpOut,
)
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.stations import RateBody
from api.security import Permission, Principal, authorise_found, scopes

router = APIRouter(prefix="/v1", tags=["stations"])

Reader = Annotated[Principal, Depends(require(Permission.STATIONS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.STATIONS_MANAGE))]
Platform = Annotated[Principal, Depends(require(Permission.BOOKINGS_WRITE))]


@router.get("/public/activities")
def find(
    session: Reading,
    now: Now,
    place: Annotated[Path | None, Query()] = None,
    station: Annotated[Identifier | None, Query()] = None,
) -> list[ActivityOut]:
    """List the activities that are still to come, of a place, of a station, or all, for everybody."""
    found = activities.list_activities(session, [place] if place else None, station_id=station, ahead=now)
    return [ActivityOut.model_validate(one) for one in found]


@router.get("/activities")
def listing(
    principal: Reader, session: Reading, before: Before = None, limit: Limit = 50
) -> Page[ActivityOut]:
    """List the activities in scope, newest first."""
    scope = scopes(principal, Permission.STATIONS_READ)
    rows = activities.list_activities(session, scope, before=before, limit=limit)
    return page_of([ActivityOut.model_validate(one) for one in rows], rows[-1].id if rows else None, limit)


@router.get("/activities/{activity_id}")
def one(activity_id: Identifier, principal: Reader, session: Reading) -> ActivityCardOut:
    """Show one activity with its sign-ups, by code."""
    activity = activities.activity_of(session, activity_id)
    authorise_found(principal, Permission.STATIONS_READ, activity.organisation)
    return ActivityCardOut(
        activity=ActivityOut.model_validate(activity),
        sign_ups=[CodeOut.model_validate(row) for row in activities.sign_ups_of(session, activity.id)],
        photos=len(attachments.of_subject(session, activity.id)),
    )


@router.post("/stations/{station_id}/activities", status_code=status.HTTP_201_CREATED)
def plan(
    station_id: Identifier, body: ActivityBody, principal: Manager, session: Transaction, now: Now
) -> ActivityOut:
    """Plan an activity of a station."""
    wanted = ActivityPlan(
        body.title,
        aware(body.starts_at, "/starts_at"),
        aware(body.ends_at, "/ends_at"),
        body.capacity,
        body.place,
    )
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    return ActivityOut.model_validate(activities.plan_activity(session, station_id, wanted, actor, now=now))


@router.post("/activities/{activity_id}:call-off")
def call_off(
    activity_id: Identifier, body: CallOffBody, principal: Manager, session: Transaction, now: Now
) -> ActivityOut:
    """Call an activity off, with the reason that everybody who signed up hears."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    ended = activities.call_off(
        session, activity_id, actor, reason=body.reason, version=body.version, now=now
    )
    return ActivityOut.model_validate(ended)


@router.post("/activities/{activity_id}:attendance")
def attendance(
    activity_id: Identifier, body: AttendanceBody, principal: Manager, session: Transaction, now: Now
) -> ActivityOut:
    """Say who of those who signed up came; a later word corrects an earlier."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    noted = activities.note_attendance(session, activity_id, actor, body.came, version=body.version, now=now)
    return ActivityOut.model_validate(noted)


@router.post("/activities/{activity_id}/sign-ups", status_code=status.HTTP_201_CREATED)
def sign_up(
    *,
    activity_id: Identifier,
    body: SignUpBody,
    principal: Platform,
    session: Transaction,
    now: Now,
    response: Response,
) -> SignUpOut:
    """Take a place for somebody; 409 `activity_full` if nobody else fits. The same key is answered alike."""
    made, is_new = sign_ups.sign_up(
        session,
        activity_id,
        body.key,
        source=own_source(principal),
        scope=scopes(principal, Permission.BOOKINGS_WRITE),
        actor=principal.actor,
        now=now,
    )
    if not is_new:
        response.status_code = status.HTTP_200_OK
    return SignUpOut.model_validate(made)


@router.post("/sign-ups/{sign_up_id}:cancel")
def cancel(sign_up_id: Identifier, principal: Platform, session: Transaction, now: Now) -> SignUpOut:
    """Take a sign-up of one's own platform back."""
    source = own_source(principal)
    return SignUpOut.model_validate(
        sign_ups.take_back(session, sign_up_id, source=source, actor=principal.actor, now=now)
    )


@router.post("/sign-ups/{sign_up_id}:rate")
def rate(
    sign_up_id: Identifier, body: RateBody, principal: Platform, session: Transaction, now: Now
) -> SignUpOut:
    """Hand on how it was, once, from who came."""
    source = own_source(principal)
    return SignUpOut.model_validate(
        sign_ups.rate(session, sign_up_id, body.stars, source=source, actor=principal.actor, now=now)
    )
