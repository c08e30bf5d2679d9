"""Events: read, reported up, and the steps on their disposal record."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from alerts import cases, events
from api.dependencies import Now, Reading, Transaction, require
from api.routes.cases import case_out
from api.routes.demands import actor_of
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.cases import CaseOut
from api.schemas.events import (
    EntryOut,
    EventCardOut,
    EventOut,
    ReportBody,
    ReportOut,
    StepBody,
)
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.vocabulary import EventState

router = APIRouter(prefix="/v1/events", tags=["events"])
Reader = Annotated[Principal, Depends(require(Permission.EVENTS_READ))]
Acting = Annotated[Principal, Depends(require(Permission.EVENTS_ACT))]
Editor = Annotated[Principal, Depends(require(Permission.CASES_EDIT))]


@router.get("")
def listing(
    principal: Reader,
    session: Reading,
    state: EventState | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[EventOut]:
    """List the events in scope, newest first."""
    rows = events.list_events(
        session, scopes(principal, Permission.EVENTS_READ), state=state, before=before, limit=limit
    )
    return page_of([EventOut.model_validate(row) for row in rows], rows[-1].id if rows else None, limit)


@router.get("/{event_id}")
def one(event_id: Identifier, principal: Reader, session: Reading) -> EventCardOut:
    """Show one event with its reports and its disposal record."""
    card = events.event_card(session, event_id)
    authorise_found(principal, Permission.EVENTS_READ, card.event.organisation)
    may_see_case = allows(principal, Permission.CASES_READ, card.event.organisation)
    case = cases.case_of_event(session, event_id) if may_see_case else None
    return EventCardOut(
        event=EventOut.model_validate(card.event),
        reports=[
            ReportOut(
                id=report.id,
                sequence=report.sequence,
                reported_at=report.reported_at,
                figures=report.figures,
                examples=card.examples[report.id],
            )
            for report in card.reports
        ],
        record=[EntryOut.model_validate(entry) for entry in card.record],
        open_steps=card.open_steps,
        case_id=case.id if case else None,
    )


@router.post("/{event_id}:report", status_code=status.HTTP_201_CREATED)
def report(
    event_id: Identifier, body: ReportBody, principal: Acting, session: Transaction, now: Now
) -> ReportOut:
    """Report an event up, first or again; again needs something new."""
    made = events.report_up(
        session, event_id, actor_of(principal, Permission.EVENTS_ACT), now=now, examples=body.examples
    )
    card = events.event_card(session, event_id)
    return ReportOut(
        id=made.id,
        sequence=made.sequence,
        reported_at=made.reported_at,
        figures=made.figures,
        examples=card.examples[made.id],
    )


@router.post("/{event_id}:step", status_code=status.HTTP_201_CREATED)
def step(event_id: Identifier, body: StepBody, principal: Acting, session: Transaction, now: Now) -> EntryOut:
    """Take one step by hand; the record gets an entry."""
    entry = events.take_step(
        session,
        event_id,
        actor_of(principal, Permission.EVENTS_ACT),
        body.step,
        body.text,
        now=now,
        version=body.version,
    )
    return EntryOut.model_validate(entry)


@router.post("/{event_id}:open-form", status_code=status.HTTP_201_CREATED)
def open_form(event_id: Identifier, principal: Editor, session: Transaction, now: Now) -> CaseOut:
    """Open the collective-demand form of an event that was reported without one."""
    case = cases.open_form(session, event_id, actor_of(principal, Permission.CASES_EDIT), now=now)
    return case_out(case)
