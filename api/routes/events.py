"""Events: read, reported up, and the steps on their disposal record."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from alerts import attachments, cases, disposal, events, findings, incidents
from alerts.events import EventCard
from alerts.reporting import report_up
from api.dependencies import Now, Reading, Transaction, require
from api.routes.cases import case_out
from api.routes.demands import actor_of
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.cases import AttachmentOut, CaseOut, FindingOut
from api.schemas.events import (
    EntryOut,
    EventCardOut,
    EventOut,
    ProposalBody,
    RaiseBody,
    ReportBody,
    ReportOut,
    StepBody,
)
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.errors import NotFound
from models.event import Event, Report
from models.vocabulary import EventKind, EventState

router = APIRouter(prefix="/v1/events", tags=["events"])
Reader = Annotated[Principal, Depends(require(Permission.EVENTS_READ, Permission.INCIDENTS))]
Acting = Annotated[Principal, Depends(require(Permission.EVENTS_ACT))]
Raising = Annotated[Principal, Depends(require(Permission.EVENTS_ACT, Permission.INCIDENTS))]
Editor = Annotated[Principal, Depends(require(Permission.CASES_EDIT))]


def require_sight(principal: Principal, event: Event) -> None:
    """Refuse an event that the caller may not see; immediate danger is for few eyes.

    Raises
    ------
    NotFound
        If it is not theirs to see.
    """
    authorise_found(principal, Permission.EVENTS_READ, event.organisation)
    if event.immediate and not allows(principal, Permission.INCIDENTS, event.organisation):
        raise NotFound("no such event, or none that you may see")


def report_out(report: Report, card: EventCard) -> ReportOut:
    """Return a report as it goes out."""
    return ReportOut(
        id=report.id,
        sequence=report.sequence,
        reported_at=report.reported_at,
        figures=report.figures,
        examples=card.examples[report.id],
    )


@router.get("")
def listing(
    principal: Reader,
    session: Reading,
    *,
    state: EventState | None = None,
    kind: EventKind | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[EventOut]:
    """List the events in scope, newest first."""
    rows = events.list_events(
        session,
        scopes(principal, Permission.EVENTS_READ),
        state=state,
        kind=kind,
        incidents=scopes(principal, Permission.INCIDENTS),
        before=before,
        limit=limit,
    )
    return page_of([EventOut.model_validate(row) for row in rows], rows[-1].id if rows else None, limit)


@router.post("", status_code=status.HTTP_201_CREATED)
def raise_event(body: RaiseBody, principal: Raising, session: Transaction, now: Now) -> EventOut:
    """Propose an event that no demand stands behind; immediate danger is reported at once.

    Immediate danger takes the permission for incidents, any other event the one to act on events.
    """
    needed = Permission.INCIDENTS if body.immediate else Permission.EVENTS_ACT
    draft = incidents.Draft(
        kind=body.kind,
        organisation=body.organisation,
        domain=body.domain,
        title=body.title,
        summary=body.summary,
        posts=tuple(body.posts),
        immediate=body.immediate,
    )
    return EventOut.model_validate(
        incidents.raise_event(session, draft, actor_of(principal, needed), now=now)
    )


@router.get("/{event_id}")
def one(event_id: Identifier, principal: Reader, session: Reading, now: Now) -> EventCardOut:
    """Show one event with its reports, its disposal record, and what is missing or late."""
    card = events.event_card(session, event_id)
    require_sight(principal, card.event)
    may_see_case = allows(principal, Permission.CASES_READ, card.event.organisation)
    case = cases.case_of_event(session, event_id)
    also = disposal.record_of(session, case.id) if case is not None else []
    return EventCardOut(
        event=EventOut.model_validate(card.event),
        reports=[report_out(report, card) for report in card.reports],
        record=[EntryOut.model_validate(entry) for entry in card.record],
        open_steps=card.open_steps,
        case_id=case.id if case is not None and may_see_case else None,
        findings=[
            FindingOut.model_validate(found)
            for found in findings.of_event(card.event, card.record, now, also)
        ],
        attachments=[AttachmentOut.model_validate(row) for row in attachments.of_subject(session, event_id)],
    )


@router.post("/{event_id}:settle")
def settle(
    event_id: Identifier, body: ProposalBody, principal: Acting, session: Transaction, now: Now
) -> EventOut:
    """Verify a proposed event, or drop it, with what was found out."""
    event = incidents.settle_proposal(
        session,
        event_id,
        actor_of(principal, Permission.EVENTS_ACT),
        body.step,
        body.text,
        version=body.version,
        now=now,
    )
    return EventOut.model_validate(event)


@router.post("/{event_id}:report", status_code=status.HTTP_201_CREATED)
def report(
    event_id: Identifier, body: ReportBody, principal: Acting, session: Transaction, now: Now
) -> ReportOut:
    """Report an event up, first or again; again needs something new."""
    made = report_up(
        session,
        event_id,
        actor_of(principal, Permission.EVENTS_ACT),
        now=now,
        examples=body.examples,
        paraphrases=body.paraphrases,
    )
    return report_out(made, events.event_card(session, event_id))


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
