"""The duty roster: a month at a glance with its gaps, and what liaison officers change on it.

The past is shown and never offered for a change. Everything works as plain forms.
"""

from calendar import Calendar as Weeks
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from alerts import duty, duty_feed, gaps, rota
from alerts.calendar import Day, load_calendar
from alerts.duty import LayerPlan
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import places
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.demands import actor_of
from api.routes.duty import feed_address, month_of
from api.schemas.duty import Month
from api.security import Permission, Principal, allows, authorise_found, nodes, scopes
from models.duty import DutyTurn
from models.errors import InvalidInput
from models.service_vocabulary import DutyCover

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.DUTY_READ))]
Keeper = Annotated[Principal, Depends(require(Permission.DUTY_MANAGE))]
Why = Annotated[str, Form(max_length=2_000)]
Text = Annotated[str, Form(max_length=200)]
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DECEMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """One day of the month view. `day` is None while the calendar of its year is not confirmed."""

    date: date
    in_month: bool
    day: Day | None
    turns: list[DutyTurn]
    is_gap: bool
    is_today: bool


def weeks_of(
    session: Session, organisation: str, first: date, last: date, *, now: datetime
) -> list[list[Cell]]:
    """Return a month as weeks from Monday to Sunday."""
    calendar, today = load_calendar(session), duty.today(now)
    turns: dict[date, list[DutyTurn]] = {}
    for turn in duty.turns_between(session, organisation, first, last):
        turns.setdefault(turn.day, []).append(turn)
    missing = {day.date for day in gaps.missing(session, organisation, first, last, calendar)}
    begun = min((layer.begins_on for layer in duty.layers_of(session, organisation)), default=last)
    known = rota.last_known(calendar, DutyCover.EVERY_DAY, first, min(last, today + duty.HORIZON))
    return [
        [
            Cell(
                day,
                day.month == first.month,
                calendar.day(day) if day.year in calendar.years else None,
                turns.get(day, []),
                day in missing and begun <= day <= known,
                day == today,
            )
            for day in week
        ]
        for week in Weeks().monthdatescalendar(first.year, first.month)
    ]


@router.get("/duty")
def roster(
    *,
    request: Request,
    principal: Reader,
    session: Reading,
    now: Now,
    organisation: str = "",
    month: str = "",
) -> Response:
    """Show a month of one roster."""
    return _page(request, principal, session, now=now, organisation=organisation, month=month)


def _page(
    request: Request,
    principal: Principal,
    session: Session,
    *,
    now: datetime,
    organisation: str = "",
    month: str = "",
    link: str | None = None,
) -> Response:
    scope = scopes(principal, Permission.DUTY_READ)
    kept = duty.rosters(session, scope)
    own = nodes(principal, Permission.DUTY_READ)
    whose = organisation or next((one for one in [*own, *kept] if one in kept), (own or kept)[0])
    authorise_found(principal, Permission.DUTY_READ, whose)
    first, last = month_of(_month(month), now)
    weeks = weeks_of(session, whose, first, last, now=now)
    layers = duty.layers_of(session, whose)
    keeps = allows(principal, Permission.DUTY_MANAGE, whose)
    ahead = duty.turns_between(session, whose, duty.today(now), duty.today(now) + duty.HORIZON)
    turns = [turn for week in weeks for cell in week for turn in cell.turns] + list(ahead)
    lacking = gaps.open_gaps(session, scope, now=now)
    came_up = gaps.reports_to(session, scope)
    named = {whose, *kept, *(one.organisation for one in lacking), *(one.organisation for one in came_up)}
    return page.render(
        request,
        "duty.html",
        principal=principal,
        whose=whose,
        first=first,
        before=_beside(first, -1),
        after=_beside(first, 1),
        weekdays=WEEKDAYS,
        weeks=weeks,
        layers=layers,
        layer_names={layer.id: layer.name for layer in layers},
        keeps=keeps,
        serving=duty.serving(session, whose) if keeps else {},
        ahead=ahead,
        covers=list(DutyCover),
        today=duty.today(now),
        holidays=gaps.holidays_ahead(session, whose, now=now) if layers else [],
        gaps=lacking,
        came_up=came_up,
        feeds=duty_feed.live_feeds(session, [whose]) if keeps else [],
        people=duty.names_of(
            session, {turn.account_id for turn in turns} | {one for layer in layers for one in layer.people}
        ),
        kept=kept,
        places=places(session, principal, Permission.DUTY_MANAGE),
        names=organisation_names(session, named),
        link=link,
    )


def _month(text: str) -> Month | None:
    """Return the month that an address asks for, if it is one."""
    try:
        date.fromisoformat(f"{text}-01")
    except ValueError:
        return None
    return text


def _beside(first: date, step: int) -> str:
    number = first.year * DECEMBER + first.month - 1 + step
    return f"{number // DECEMBER:04d}-{number % DECEMBER + 1:02d}"


def _date(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("a day such as 2026-05-04", code="absurd_date", field=field) from None


async def layer_plan(request: Request) -> LayerPlan:
    """Return the layer that a form describes.

    Raises
    ------
    InvalidInput
        If a field cannot be.
    """
    sent = await request.form()
    cover = str(sent.get("cover", ""))
    numbers = [str(sent.get(name, "")) for name in ("turn_days", "position")]
    if cover not in set(DutyCover) or not all(one.isdecimal() for one in numbers):
        raise InvalidInput("a field of the form is missing or wrong")
    ends = str(sent.get("ends_on", ""))
    return LayerPlan(
        name=str(sent.get("name", "")),
        people=tuple(str(one) for one in sent.getlist("people")),
        begins_on=_date(str(sent.get("begins_on", "")), "/begins_on"),
        ends_on=_date(ends, "/ends_on") if ends else None,
        cover=DutyCover(cover),
        turn_days=int(numbers[0]),
        position=int(numbers[1]),
    )


Plan = Annotated[LayerPlan, Depends(layer_plan)]


@router.post("/duty/layers")
def make_layer(
    *, principal: Keeper, session: Transaction, now: Now, plan: Plan, organisation: Text
) -> Response:
    """Add a layer to a roster."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    duty.make_layer(session, organisation, plan, actor, now=now)
    return page.go("/duty", "layer_made")


@router.post("/duty/layers/{layer_id}")
def change_layer(
    *,
    layer_id: str,
    principal: Keeper,
    session: Transaction,
    now: Now,
    plan: Plan,
    version: Annotated[int, Form()],
) -> Response:
    """Change a layer from today on."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    duty.change_layer(session, layer_id, plan, actor, version=version, now=now)
    return page.go("/duty", "layer_changed")


@router.post("/duty/override")
def override(
    *,
    principal: Keeper,
    session: Transaction,
    now: Now,
    layer: Text,
    day: Text,
    person: Text,
    reason: Why = "",
) -> Response:
    """Put somebody on duty on one day."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    duty.override(session, layer, _date(day, "/day"), person, actor, reason=reason, now=now)
    return page.go("/duty", "overridden")


@router.post("/duty/swap")
def swap(
    *, principal: Keeper, session: Transaction, now: Now, one: Text, other: Text, reason: Why = ""
) -> Response:
    """Let two people change their days."""
    duty.swap(session, one, other, actor_of(principal, Permission.DUTY_MANAGE), reason=reason, now=now)
    return page.go("/duty", "swapped")


@router.post("/duty/report")
def report(
    *, principal: Keeper, session: Transaction, now: Now, organisation: Text, first_day: Text
) -> Response:
    """Report a holiday's duty to the level above."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    gaps.report_holiday(session, organisation, _date(first_day, "/first_day"), actor, now=now)
    return page.go("/duty", "holiday_reported")


@router.post("/duty/feeds")
def make_feed(
    *,
    request: Request,
    principal: Keeper,
    session: Transaction,
    now: Now,
    service: TheService,
    organisation: Text,
) -> Response:
    """Make a calendar feed, and show its link once."""
    actor = actor_of(principal, Permission.DUTY_MANAGE)
    _, token = duty_feed.make_feed(session, organisation, actor, now=now)
    link = feed_address(service.settings.public_url, token)
    return _page(request, principal, session, now=now, organisation=organisation, link=link)


@router.post("/duty/feeds/{feed_id}/end")
def end_feed(feed_id: str, principal: Keeper, session: Transaction, now: Now) -> Response:
    """End a calendar feed."""
    duty_feed.end_feed(session, feed_id, actor_of(principal, Permission.DUTY_MANAGE), now=now)
    return page.go("/duty", "feed_ended")
