"""Events: what was reported, exactly as it went up, and the disposal record with its next steps."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from alerts import cases, events
from api.console import page
from api.console.console import pages
from api.console.views.demands import actor_for
from api.console.views.queue import organisation_names
from api.dependencies import Now, Reading, Transaction, require
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.errors import InvalidInput
from models.vocabulary import EventState, Step

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.EVENTS_READ))]
Doer = Annotated[Principal, Depends(require(Permission.EVENTS_ACT))]


@router.get("/events")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show the events in scope, newest first."""
    found = events.list_events(session, scopes(principal, Permission.EVENTS_READ), limit=100)
    names = organisation_names(session, {one.organisation for one in found})
    return page.render(request, "events.html", principal=principal, events=found, names=names)


@router.get("/events/{event_id}")
def card(request: Request, event_id: str, principal: Reader, session: Reading) -> Response:
    """Show one event."""
    found = events.event_card(session, event_id)
    place = found.event.organisation
    authorise_found(principal, Permission.EVENTS_READ, place)
    case = cases.case_of_event(session, event_id) if allows(principal, Permission.CASES_READ, place) else None
    return page.render(
        request,
        "event.html",
        principal=principal,
        card=found,
        case=case,
        may_act=allows(principal, Permission.EVENTS_ACT, place),
        may_report=allows(principal, Permission.EVENTS_ACT, place)
        and found.event.state is not EventState.CLOSED,
        may_see_demand=allows(principal, Permission.DEMANDS_READ, place),
        names=organisation_names(session, {place} | {entry.organisation for entry in found.record}),
    )


@router.post("/events/{event_id}/report")
def report(event_id: str, principal: Doer, session: Transaction, now: Now) -> Response:
    """Report again: what is new since the last report."""
    events.report_up(session, event_id, actor_for(principal, Permission.EVENTS_ACT), now=now)
    return page.go(f"/events/{event_id}", "reported")


@router.post("/events/{event_id}/steps")
def step(
    *,
    event_id: str,
    principal: Doer,
    session: Transaction,
    now: Now,
    taken: Annotated[Step, Form(alias="step")],
    version: Annotated[int, Form()],
    text: Annotated[str, Form(max_length=events.TEXT)] = "",
) -> Response:
    """Put a step on the disposal record."""
    if not text.strip():
        raise InvalidInput("say what was done", code="no_note", field="/text")
    events.take_step(
        session,
        event_id,
        actor_for(principal, Permission.EVENTS_ACT),
        taken,
        text.replace("\r\n", "\n"),
        now=now,
        version=version,
    )
    return page.go(f"/events/{event_id}", "step")
