"""Collective demands: read, verified, turned down."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status
from fastapi.responses import RedirectResponse

from alerts import events
from alerts.actor import Actor
from alerts.disclosure import rounded_down
from alerts.members import SHANGHAI
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.demands import DemandOut, RejectBody, VerifyBody
from api.schemas.events import EventOut
from api.security import Permission, Principal, allows, authorise_found, scopes
from models.demand import Demand
from models.errors import NotPermitted
from models.organisation import PATH_PATTERN
from models.vocabulary import DemandState, Domain, Trend
from sentiment.demand import facts
from sentiment.demand.board import Order, Sought, board

router = APIRouter(prefix="/v1/demands", tags=["demands"])
Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]
Verifier = Annotated[Principal, Depends(require(Permission.DEMANDS_VERIFY))]


def actor_of(principal: Principal, *permissions: Permission) -> Actor:
    """Return the actor that an account is, with the nodes at which it holds any of `permissions`.

    Raises
    ------
    NotPermitted
        If a key is asking: these things are done by a person.
    """
    if principal.is_key:
        raise NotPermitted("this takes a person, not a key", code="person_needed")
    nodes = {root for permission in permissions for root in scopes(principal, permission)}
    return Actor(principal.id, principal.name, tuple(sorted(nodes)))


def demand_out(principal: Principal, demand: Demand) -> DemandOut:
    """Return a demand as it goes out: to whoever may not read its posts, in round numbers and whole days.

    Somebody who looked every hour would otherwise see single people join.
    """
    out = DemandOut.model_validate(demand)
    if allows(principal, Permission.POSTS_READ, demand.organisation):
        return out
    return out.model_copy(
        update={
            "posts": rounded_down(out.posts),
            "authors": rounded_down(out.authors),
            "voices": rounded_down(out.voices),
            "heat": rounded_down(out.heat),
            "heat_parts": None,
            "first_posted_at": _day(out.first_posted_at),
            "last_posted_at": _day(out.last_posted_at),
        }
    )


def _day(moment: datetime) -> datetime:
    return moment.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)


@router.get("")
def listing(
    principal: Reader,
    session: Reading,
    *,
    state: DemandState | None = None,
    domain: Domain | None = None,
    place: Annotated[str | None, Query(pattern=PATH_PATTERN, max_length=200)] = None,
    trend: Trend | None = None,
    order: Order | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[DemandOut]:
    """List the demands in scope, newest first; those that too few people voice are not there.

    With an `order`, a place or a trend they come as on the board, in one page: what waits to be verified
    first, then by heat, by the latest post or by people.
    """
    if order is not None or place is not None or trend is not None:
        sought = Sought(state, domain, place, trend, order or Order.HEAT)
        found = board(session, scopes(principal, Permission.DEMANDS_READ), sought, limit=limit)
        return Page(items=[demand_out(principal, row) for row in found], next=None)
    rows = events.list_demands(
        session,
        scopes(principal, Permission.DEMANDS_READ),
        state=state,
        domain=domain,
        before=before,
        limit=limit,
    )
    return page_of([demand_out(principal, row) for row in rows], rows[-1].id if rows else None, limit)


@router.get("/{demand_id}", response_model=DemandOut)
def one(demand_id: Identifier, principal: Reader, session: Reading) -> DemandOut | Response:
    """Show one demand, without its authors. An id that a merge ended leads to what it became part of."""
    heir = facts.follow(session, demand_id)
    demand = events.demand_of(session, heir)
    authorise_found(principal, Permission.DEMANDS_READ, demand.organisation)
    if heir != demand_id:
        return RedirectResponse(f"/v1/demands/{heir}", status.HTTP_308_PERMANENT_REDIRECT)
    return demand_out(principal, demand)


@router.post("/{demand_id}:verify", status_code=status.HTTP_201_CREATED)
def verify(
    demand_id: Identifier, body: VerifyBody, principal: Verifier, session: Transaction, now: Now
) -> EventOut:
    """Verify a proposed demand; it becomes an event, and by default is reported up at once."""
    event = events.verify_demand(
        session,
        demand_id,
        actor_of(principal, Permission.DEMANDS_VERIFY),
        now=now,
        note=body.note,
        title=body.title,
        domain=body.domain,
        version=body.version,
        report=body.report,
        examples=body.examples,
        paraphrases=body.paraphrases,
    )
    return EventOut.model_validate(event)


@router.post("/{demand_id}:reject")
def reject(
    demand_id: Identifier, body: RejectBody, principal: Verifier, session: Transaction, now: Now
) -> DemandOut:
    """Turn a proposed demand down, with a reason."""
    demand = events.reject_demand(
        session,
        demand_id,
        actor_of(principal, Permission.DEMANDS_VERIFY),
        now=now,
        reason=body.reason,
        version=body.version,
    )
    return demand_out(principal, demand)
