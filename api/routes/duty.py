"""The duty roster over HTTP: layers, changes by hand, gaps, holiday reports, and the calendar feed.

Neighbours: `alerts/duty.py`, `gaps.py` and `duty_feed.py` do the work.
"""

from calendar import monthrange
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response, status

from alerts import duty, duty_feed, gaps
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.demands import actor_of
from api.schemas.alerts import Identifier
from api.schemas.duty import (
    ChangedLayerBody,
    FeedBody,
    FeedOut,
    GapOut,
    HolidayBody,
    HolidayReportOut,
    LayerOut,
    Month,
    NewLayerBody,
    OverrideBody,
    RosterOut,
    SwapBody,
    TurnOut,
)
from api.security import Permission, Principal, scopes

router = APIRouter(prefix="/v1/duty", tags=["duty"])

Reader = Annotated[Principal, Depends(require(Permission.DUTY_READ))]
Keeper = Annotated[Principal, Depends(require(Permission.DUTY_MANAGE))]
ICALENDAR = "text/calendar; charset=utf-8"


def month_of(text: str | None, now: datetime) -> tuple[date, date]:
    """Return the first and the last day of a month such as 2026-03; of this month without one."""
    first = date.fromisoformat(f"{text}-01") if text else duty.today(now).replace(day=1)
    return first, first.replace(day=monthrange(first.year, first.month)[1])


@router.get("")
def roster(principal: Reader, session: Reading, now: Now, month: Month | None = None) -> RosterOut:
    """Show a month of every roster in scope, and the gaps ahead."""
    scope = scopes(principal, Permission.DUTY_READ)
    first, last = month_of(month, now)
    places = duty.rosters(session, scope)
    return RosterOut(
        layers=[LayerOut.model_validate(one) for place in places for one in duty.layers_of(session, place)],
        turns=[
            TurnOut.model_validate(turn)
            for place in places
            for turn in duty.turns_between(session, place, first, last)
        ],
        gaps=[GapOut.model_validate(gap) for gap in gaps.open_gaps(session, scope, now=now)],
    )


@router.post("/layers", status_code=status.HTTP_201_CREATED)
def make(body: NewLayerBody, principal: Keeper, session: Transaction, now: Now) -> LayerOut:
    """Add a layer to a roster."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    return LayerOut.model_validate(duty.make_layer(session, body.organisation, body.plan(), actor, now=now))


@router.put("/layers/{layer_id}")
def change(
    layer_id: Identifier, body: ChangedLayerBody, principal: Keeper, session: Transaction, now: Now
) -> LayerOut:
    """Change a layer from today on."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    changed = duty.change_layer(session, layer_id, body.plan(), actor, version=body.version, now=now)
    return LayerOut.model_validate(changed)


@router.post("/layers/{layer_id}/overrides")
def override(
    layer_id: Identifier, body: OverrideBody, principal: Keeper, session: Transaction, now: Now
) -> TurnOut:
    """Put somebody else on duty on one day."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    turn = duty.override(session, layer_id, body.day, body.account_id, actor, reason=body.reason, now=now)
    return TurnOut.model_validate(turn)


@router.post("/swaps")
def swap(body: SwapBody, principal: Keeper, session: Transaction, now: Now) -> list[TurnOut]:
    """Let two people change their days."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    turns = duty.swap(session, body.one, body.other, actor, reason=body.reason, now=now)
    return [TurnOut.model_validate(turn) for turn in turns]


@router.get("/reports")
def reports(principal: Reader, session: Reading) -> list[HolidayReportOut]:
    """List the holiday reports that came up to the organisations in scope, newest first."""
    found = gaps.reports_to(session, scopes(principal, Permission.DUTY_READ))
    return [HolidayReportOut.model_validate(one) for one in found]


@router.post("/reports", status_code=status.HTTP_201_CREATED)
def report(body: HolidayBody, principal: Keeper, session: Transaction, now: Now) -> HolidayReportOut:
    """Report who is on duty over a holiday to the level above."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    made = gaps.report_holiday(session, body.organisation, body.first_day, actor, now=now)
    return HolidayReportOut.model_validate(made)


@router.post("/feeds", status_code=status.HTTP_201_CREATED)
def make_feed(
    body: FeedBody, principal: Keeper, session: Transaction, now: Now, service: TheService
) -> FeedOut:
    """Make a calendar feed of a roster; its address is shown this once."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    feed, token = duty_feed.make_feed(session, body.organisation, actor, now=now)
    return FeedOut(
        id=feed.id, organisation=feed.organisation, address=feed_address(service.settings.public_url, token)
    )


def feed_address(public_url: str, token: str) -> str:
    """Return where a feed is found."""
    return f"{public_url}/v1/duty/feeds/{token}.ics"


@router.delete("/feeds/{feed_id}", status_code=status.HTTP_204_NO_CONTENT)
def end_feed(feed_id: Identifier, principal: Keeper, session: Transaction, now: Now) -> None:
    """End a calendar feed."""
    duty_feed.end_feed(session, feed_id, actor_of(principal, Permission.DUTY_MANAGE), now=now)


@router.get("/feeds/{token}.ics", response_class=Response)
def feed(token: str, session: Reading, now: Now) -> Response:
    """Show a roster as iCalendar to whoever has its address, which cannot be guessed."""
    return Response(duty_feed.feed(session, token, now=now), media_type=ICALENDAR)
