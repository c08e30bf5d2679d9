"""Events: what was reported, exactly as it went up, the disposal record with its next steps, what is owed."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from alerts import attachments, cases, disposal, events, findings, incidents
from alerts.members import Example, members_of_event, proposed_examples
from alerts.reporting import report_up
from api.console import page
from api.console.console import pages
from api.console.demand_card import actor_for
from api.console.names import organisation_names
from api.console.views.demands import paraphrased
from api.dependencies import Now, Reading, Transaction, require
from api.organisations import list_organisations
from api.routes.events import require_sight
from api.security import Permission, Principal, allows, holds, scopes
from models import audit
from models.errors import InvalidInput
from models.event import Event
from models.vocabulary import Domain, EventKind, EventState, Step

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.EVENTS_READ))]
Doer = Annotated[Principal, Depends(require(Permission.EVENTS_ACT))]
Raising = Annotated[Principal, Depends(require(Permission.EVENTS_ACT, Permission.INCIDENTS))]
RAISED = tuple(kind for kind in EventKind if kind is not EventKind.COLLECTIVE_DEMAND)


@router.get("/events")
def listing(request: Request, principal: Reader, session: Reading, kind: EventKind | None = None) -> Response:
    """Show the events in scope, newest first."""
    found = events.list_events(
        session,
        scopes(principal, Permission.EVENTS_READ),
        kind=kind,
        incidents=scopes(principal, Permission.INCIDENTS),
        limit=100,
    )
    names = organisation_names(session, {one.organisation for one in found})
    return page.render(
        request,
        "events.html",
        principal=principal,
        events=found,
        kind=kind,
        kinds=list(EventKind),
        may_raise=holds(principal, Permission.EVENTS_ACT) or holds(principal, Permission.INCIDENTS),
        names=names,
    )


@router.get("/events/new")
def new(request: Request, principal: Raising, session: Reading) -> Response:
    """Ask what has happened, and where."""
    return page.render(
        request,
        "event_new.html",
        principal=principal,
        kinds=RAISED,
        domains=[domain for domain in Domain if domain is not Domain.NONE],
        places=list_organisations(session, principal)[:1_000],
        title_limit=incidents.TITLE,
        summary_limit=incidents.SUMMARY,
    )


@router.post("/events/new")
def raise_event(
    *,
    principal: Raising,
    session: Transaction,
    now: Now,
    kind: Annotated[EventKind, Form()],
    organisation: Annotated[str, Form(max_length=200)],
    domain: Annotated[Domain, Form()],
    title: Annotated[str, Form(max_length=200)] = "",
    summary: Annotated[str, Form(max_length=2_000)] = "",
    posts: Annotated[str, Form(max_length=20_000)] = "",
    immediate: Annotated[str, Form()] = "",
) -> Response:
    """Propose an event; immediate danger goes up at once."""
    draft = incidents.Draft(
        kind=kind,
        organisation=organisation,
        domain=domain,
        title=title,
        summary=summary,
        posts=tuple(posts.split()),
        immediate=bool(immediate),
    )
    needed = Permission.INCIDENTS if draft.immediate else Permission.EVENTS_ACT
    event = incidents.raise_event(session, draft, actor_for(principal, needed), now=now)
    return page.go(f"/events/{event.id}", "danger_reported" if draft.immediate else "event_raised")


@router.get("/events/{event_id}")
def card(request: Request, event_id: str, principal: Reader, session: Transaction, now: Now) -> Response:
    """Show one event. Posts that may be put into other words are shown to whoever may read them, audited."""
    found = events.event_card(session, event_id)
    require_sight(principal, found.event)
    place = found.event.organisation
    case = cases.case_of_event(session, event_id)
    also = disposal.record_of(session, case.id) if case is not None else []
    may_see_case = allows(principal, Permission.CASES_READ, place)
    may_act = allows(principal, Permission.EVENTS_ACT, place)
    may_report = may_act and found.event.state not in {EventState.CLOSED, EventState.PROPOSED}
    return page.render(
        request,
        "event.html",
        principal=principal,
        card=found,
        case=case if may_see_case else None,
        findings=findings.of_event(found.event, found.record, now, also),
        files=attachments.of_subject(session, event_id),
        accepted=",".join(attachments.TYPES),
        megabytes=attachments.LIMIT // 1_000_000,
        may_act=may_act and found.event.state is not EventState.PROPOSED,
        may_settle=may_act and found.event.state is EventState.PROPOSED,
        may_report=may_report,
        proposed=to_paraphrase(session, principal, found.event, now) if may_report else [],
        may_see_demand=allows(principal, Permission.DEMANDS_READ, place),
        names=organisation_names(session, {place} | {entry.organisation for entry in found.record}),
    )


def to_paraphrase(session: Session, principal: Principal, event: Event, now: datetime) -> list[Example]:
    """Return posts of an event for the officer to put into other words; none of immediate danger."""
    if event.immediate or not allows(principal, Permission.POSTS_READ, event.organisation):
        return []
    within = [
        one
        for one in members_of_event(session, event)
        if allows(principal, Permission.POSTS_READ, one.organisation)
    ]
    proposed = proposed_examples(session, within)
    if proposed:
        audit.record(
            session,
            now,
            actor=principal.actor,
            action="event.posts_viewed",
            subject=f"event:{event.id}",
            organisation=event.organisation,
            details={"posts": len(proposed)},
        )
    return proposed


@router.post("/events/{event_id}/report")
def report(
    *,
    event_id: str,
    principal: Doer,
    session: Transaction,
    now: Now,
    quoted: Annotated[list[str] | None, Form()] = None,
    words: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Report again: what is new since the last report; `words` are the officer's for the posts `quoted`."""
    report_up(
        session,
        event_id,
        actor_for(principal, Permission.EVENTS_ACT),
        now=now,
        paraphrases=paraphrased(quoted, words),
    )
    return page.go(f"/events/{event_id}", "reported")


@router.post("/events/{event_id}/settle")
def settle(
    *,
    event_id: str,
    principal: Doer,
    session: Transaction,
    now: Now,
    taken: Annotated[Step, Form(alias="step")],
    version: Annotated[int, Form()],
    text: Annotated[str, Form(max_length=events.TEXT)] = "",
) -> Response:
    """Verify a proposed event, or drop it."""
    incidents.settle_proposal(
        session,
        event_id,
        actor_for(principal, Permission.EVENTS_ACT),
        taken,
        text.replace("\r\n", "\n"),
        version=version,
        now=now,
    )
    return page.go(f"/events/{event_id}", "settled")


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
