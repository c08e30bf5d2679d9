"""The page of a station's activity: who signed up by code, who came, photos, and calling it off.

Neighbours: `stations` lists a station's activities; `alerts/activities.py` does the work.
"""

from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Form, Request, Response, UploadFile

from alerts import activities, attachments, stations
from alerts.activities import ActivityPlan
from alerts.attachments import Upload
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.demands import actor_of
from api.security import Permission, Principal, allows, authorise_found
from models.errors import InvalidInput, NotFound
from models.service_vocabulary import SignUpState

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.STATIONS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.STATIONS_MANAGE))]
PICTURES = ".png,.jpg,.jpeg"


def _moment(text: str, name: str) -> datetime:
    """Return a moment as a form writes it, in Shanghai."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=page.SHANGHAI)
    except ValueError:
        raise InvalidInput("a day and a time", code="wrong_activity", field=f"/{name}") from None


@router.post("/stations/{station_id}/activities")
def plan(
    *,
    station_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    title: Annotated[str, Form(max_length=500)],
    starts_at: Annotated[str, Form(max_length=30)],
    ends_at: Annotated[str, Form(max_length=30)],
    capacity: Annotated[int, Form()],
    place: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Plan an activity."""
    wanted = ActivityPlan(
        title, _moment(starts_at, "starts_at"), _moment(ends_at, "ends_at"), capacity, place
    )
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    made = activities.plan_activity(session, station_id, wanted, actor, now=now)
    return page.go(f"/activities/{made.id}", "activity_planned")


@router.get("/activities/{activity_id}")
def card(request: Request, activity_id: str, principal: Reader, session: Reading, now: Now) -> Response:
    """Show one activity."""
    activity = activities.activity_of(session, activity_id)
    authorise_found(principal, Permission.STATIONS_READ, activity.organisation)
    may_manage = allows(principal, Permission.STATIONS_MANAGE, activity.organisation)
    on = activity.cancelled_at is None
    return page.render(
        request,
        "activity.html",
        principal=principal,
        activity=activity,
        station=stations.station_of(session, activity.station_id),
        people=activities.sign_ups_of(session, activity.id),
        came=SignUpState.CAME,
        cancelled=SignUpState.CANCELLED,
        photos=attachments.of_subject(session, activity.id),
        accepted=PICTURES,
        megabytes=attachments.LIMIT // 1_000_000,
        may_note=may_manage and on and activity.starts_at <= now,
        may_show=may_manage and on and activity.ends_at <= now,
        may_call_off=may_manage and on and activity.starts_at > now,
        names=organisation_names(session, {activity.organisation}),
    )


@router.post("/activities/{activity_id}/attendance")
def attendance(
    *,
    activity_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    version: Annotated[int, Form()],
    came: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Say who came; the others did not."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    activities.note_attendance(session, activity_id, actor, came or [], version=version, now=now)
    return page.go(f"/activities/{activity_id}", "activity_attended")


@router.post("/activities/{activity_id}/call-off")
def call_off(
    *,
    activity_id: str,
    principal: Manager,
    session: Transaction,
    now: Now,
    version: Annotated[int, Form()],
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Call the activity off."""
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    activities.call_off(session, activity_id, actor, reason=reason, version=version, now=now)
    return page.go(f"/activities/{activity_id}", "activity_called_off")


@router.post("/activities/{activity_id}/photos")
def show(
    *,
    activity_id: str,
    principal: Manager,
    service: TheService,
    session: Transaction,
    now: Now,
    file: UploadFile,
) -> Response:
    """Keep a photo from after the end."""
    upload = Upload(file.filename or "", file.file.read(attachments.LIMIT + 1))
    actor = actor_of(principal, Permission.STATIONS_MANAGE)
    attachments.to_activity(session, activity_id, actor, upload, service.settings.attachments, now=now)
    return page.go(f"/activities/{activity_id}", "attached")


@router.get("/activities/{activity_id}/photos/{photo_id}")
def photo(
    activity_id: str, photo_id: str, principal: Reader, service: TheService, session: Reading
) -> Response:
    """Give a photo, to be kept and not shown in place."""
    activity = activities.activity_of(session, activity_id)
    authorise_found(principal, Permission.STATIONS_READ, activity.organisation)
    row = attachments.attachment(session, photo_id)
    if row.subject_id != activity.id:
        raise NotFound("no such photo, or none that you may see")
    return Response(
        attachments.content_of(service.settings.attachments, row),
        media_type=row.media_type,
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
        },
    )
