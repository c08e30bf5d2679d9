"""Collective demands: the list, and the card on which a demand is verified or turned down.

Before anything goes up, the card shows exactly what would: the report is made by the very code that
makes the real one, and undone. Posts are shown to whoever may read posts at the demand's place,
and each such look is on the audit log.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session, col, select

from alerts import events
from alerts.actor import Actor
from alerts.members import Member, author_count, members_of, texts_of
from api.console import page
from api.console.console import pages
from api.console.views.queue import organisation_names
from api.dependencies import Now, Reading, Transaction, require
from api.routes.demands import demand_out
from api.security import Permission, Principal, allows, authorise_found, scopes
from models import audit
from models.demand import Demand
from models.errors import InvalidInput, TingjianError
from models.event import Event, Report, ReportExample
from models.vocabulary import DemandState, Domain

router = pages()

SHOWN: Any = tuple(state for state in DemandState if state is not DemandState.GATHERING)
POSTS_SHOWN = 100

Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]
Verifier = Annotated[Principal, Depends(require(Permission.DEMANDS_VERIFY))]


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go up, or the key of why nothing can."""

    figures: dict[str, Any] | None
    examples: list[str]
    problem: str | None


@dataclass(frozen=True, slots=True)
class Voice:
    """One post of a demand as the card lists it: never who wrote it."""

    post_id: str
    organisation: str
    created_at: datetime
    text: str


def actor_for(principal: Principal, permission: Permission) -> Actor:
    """Return the actor that a principal is in the words of the alerts room."""
    return Actor(principal.id, principal.name, tuple(scopes(principal, permission)))


def timeline(members: list[Member]) -> list[dict[str, Any]]:
    """Return the posts per day in Shanghai from the first to the last day, days without posts too."""
    counts = Counter(one.created_at.astimezone(page.SHANGHAI).date() for one in members)
    if not counts:
        return []
    first, last = min(counts), max(counts)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return [{"label": f"{day:%m-%d}", "posts": counts[day]} for day in days]


@router.get("/demands")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show the demands that enough people voice, newest first."""
    wanted = request.query_params.get("state", "")
    state = DemandState(wanted) if wanted in set(SHOWN) else None
    found = events.list_demands(session, scopes(principal, Permission.DEMANDS_READ), state=state, limit=100)
    names = organisation_names(session, {one.organisation for one in found})
    found.sort(key=lambda one: (one.state is not DemandState.PROPOSED, -one.last_posted_at.timestamp()))
    return page.render(
        request,
        "demands.html",
        principal=principal,
        demands=[demand_out(principal, one) for one in found],
        names=names,
        state=state,
        states=SHOWN,
    )


@router.get("/demands/{demand_id}")
def card(request: Request, demand_id: str, principal: Reader, session: Transaction, now: Now) -> Response:
    """Show one demand."""
    demand = events.demand_of(session, demand_id)
    authorise_found(principal, Permission.DEMANDS_READ, demand.organisation)
    members = members_of(session, demand.id)
    waits = demand.state is DemandState.PROPOSED
    may_verify = waits and allows(principal, Permission.DEMANDS_VERIFY, demand.organisation)
    within = [one for one in members if allows(principal, Permission.POSTS_READ, one.organisation)]
    voices = _voices(session, principal, demand, within, now)
    shown = demand_out(principal, demand)
    event = session.exec(select(Event).where(col(Event.demand_id) == demand.id)).one_or_none()
    return page.render(
        request,
        "demand.html",
        principal=principal,
        demand=demand,
        event=event,
        authors=author_count(members) if voices is not None else shown.authors,
        posts=len(members) if voices is not None else shown.posts,
        timeline=timeline(within) if voices is not None else [],
        voices=voices,
        may_verify=may_verify,
        preview=preview(session, demand, principal, now) if may_verify else None,
        domains=[domain for domain in Domain if domain is not Domain.NONE],
        names=organisation_names(session, {demand.organisation} | {one.organisation for one in voices or ()}),
    )


def _voices(
    session: Session, principal: Principal, demand: Demand, members: list[Member], now: datetime
) -> list[Voice] | None:
    """Return the posts within reach, the most typical first; None for whoever may not read posts there.

    A demand of one place may hold some posts of another, which its own officers read and nobody else.
    """
    if not allows(principal, Permission.POSTS_READ, demand.organisation):
        return None
    shown = sorted(members, key=lambda one: (-one.probability, one.created_at))[:POSTS_SHOWN]
    texts = texts_of(session, shown)
    audit.record(
        session,
        now,
        actor=principal.actor,
        action="demand.posts_viewed",
        subject=f"demand:{demand.id}",
        organisation=demand.organisation,
        details={"posts": len(texts)},
    )
    return [
        Voice(one.post_id, one.organisation, one.created_at, texts[one.post_id])
        for one in shown
        if one.post_id in texts
    ]


def preview(session: Session, demand: Demand, principal: Principal, now: datetime) -> Preview:
    """Return what verifying would send up: it is done inside a savepoint and undone."""
    attempt = session.begin_nested()
    try:
        event = events.verify_demand(
            session, demand.id, actor_for(principal, Permission.DEMANDS_VERIFY), now=now, note="preview"
        )
        report = session.exec(select(Report).where(col(Report.event_id) == event.id)).one()
        texts = session.exec(
            select(ReportExample.text)
            .where(col(ReportExample.report_id) == report.id)
            .order_by(col(ReportExample.id))
        ).all()
        return Preview(dict(report.figures), [text for text in texts if text], None)
    except TingjianError as error:
        return Preview(None, [], f"error.{error.problem_code}")
    finally:
        attempt.rollback()
        session.refresh(demand)


@router.post("/demands/{demand_id}/verify")
def verify(
    *,
    demand_id: str,
    principal: Verifier,
    session: Transaction,
    now: Now,
    version: Annotated[int, Form()],
    note: Annotated[str, Form(max_length=events.TEXT)] = "",
    title: Annotated[str, Form(max_length=events.TITLE)] = "",
    domain: Annotated[str, Form()] = "",
) -> Response:
    """Verify a demand, report it up and open its form."""
    if not note.strip():
        raise InvalidInput("say how it was verified", code="no_note", field="/note")
    demand = events.demand_of(session, demand_id)
    event = events.verify_demand(
        session,
        demand_id,
        actor_for(principal, Permission.DEMANDS_VERIFY),
        now=now,
        note=note.replace("\r\n", "\n"),
        title=title if title.strip() and title.strip() != demand.title else None,
        domain=Domain(domain) if domain in set(Domain) else None,
        version=version,
    )
    return page.go(f"/events/{event.id}", "verified")


@router.post("/demands/{demand_id}/reject")
def reject(
    *,
    demand_id: str,
    principal: Verifier,
    session: Transaction,
    now: Now,
    version: Annotated[int, Form()],
    reason: Annotated[str, Form(max_length=events.TEXT)] = "",
) -> Response:
    """Turn a demand down. Its posts stay where they are."""
    if not reason.strip():
        raise InvalidInput("say why", code="no_note", field="/reason")
    events.reject_demand(
        session,
        demand_id,
        actor_for(principal, Permission.DEMANDS_VERIFY),
        now=now,
        reason=reason.replace("\r\n", "\n"),
        version=version,
    )
    return page.go("/demands", "rejected")
