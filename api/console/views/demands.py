"""Collective demands: the board, the card with its evidence and its exact preview, verified or turned down.

Before anything goes up, the card shows exactly what would: the report is made by the very code that
makes the real one, and undone. An id that a merge ended leads to what it became part of.

Neighbours: `demand_card` makes the card; `corrections` changes what belongs together.
"""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from alerts import events
from api.console import demand_card, page
from api.console.console import pages
from api.console.demand_card import actor_for
from api.console.names import organisation_names
from api.dependencies import Now, Reading, Transaction, require
from api.routes.demands import demand_out
from api.security import Permission, Principal, authorise_found, scopes
from models.errors import InvalidInput
from models.vocabulary import DemandState, Domain, Trend
from sentiment.demand import facts
from sentiment.demand.board import SHOWN, Order, Sought, board, places

router = pages()
PLACES_SHOWN = 30

Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]
Verifier = Annotated[Principal, Depends(require(Permission.DEMANDS_VERIFY))]


def sought_of(request: Request) -> Sought:
    """Return what an address looks for. What is not a word of it asks nothing."""
    asked = request.query_params
    state, domain = asked.get("state", ""), asked.get("domain", "")
    trend, order = asked.get("trend", ""), asked.get("order", "")
    return Sought(
        state=DemandState(state) if state in set(SHOWN) else None,
        domain=Domain(domain) if domain in set(Domain) - {Domain.NONE} else None,
        place=asked.get("place") or None,
        trend=Trend(trend) if trend in set(Trend) else None,
        order=Order(order) if order in set(Order) else Order.HEAT,
    )


def address_of(sought: Sought, **changes: Any) -> str:  # noqa: ANN401 - a word of one of the lists, or None
    """Return the board's address for what is looked for, with some of it changed."""
    order = sought.order if sought.order is not Order.HEAT else None
    said: dict[str, Any] = {
        "state": sought.state,
        "domain": sought.domain,
        "place": sought.place,
        "trend": sought.trend,
        "order": order,
    } | changes
    kept = {name: str(value) for name, value in said.items() if value and value is not Order.HEAT}
    return f"/demands?{urlencode(kept)}" if kept else "/demands"


@router.get("/demands")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show the demands that enough people voice: what waits first, then by heat."""
    sought = sought_of(request)
    scope = scopes(principal, Permission.DEMANDS_READ)
    found = board(session, scope, sought)
    near = places(session, scope, sought)[:PLACES_SHOWN]
    paths = {one.organisation for one in found} | {path for path, _ in near} | {sought.place or ""}
    return page.render(
        request,
        "demands.html",
        principal=principal,
        demands=[demand_out(principal, one) for one in found],
        names=organisation_names(session, paths),
        sought=sought,
        near=near,
        to=lambda **changes: address_of(sought, **changes),
        states=SHOWN,
        domains=[one for one in Domain if one is not Domain.NONE],
        trends=[one for one in Trend if one is not Trend.UNKNOWN],
        orders=list(Order),
    )


@router.get("/demands/{demand_id}")
def card(request: Request, demand_id: str, principal: Reader, session: Transaction, now: Now) -> Response:
    """Show one demand."""
    heir = facts.follow(session, demand_id)
    demand = events.demand_of(session, heir)
    authorise_found(principal, Permission.DEMANDS_READ, demand.organisation)
    if heir != demand_id:
        return RedirectResponse(f"/demands/{heir}", status_code=308)
    return demand_card.show(request, session, principal, demand, now)


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
    quoted: Annotated[list[str] | None, Form()] = None,
    words: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Verify a demand, report it up and open its form; `words` are the officer's for the posts `quoted`."""
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
        paraphrases=paraphrased(quoted, words),
    )
    return page.go(f"/events/{event.id}", "verified")


def paraphrased(quoted: list[str] | None, words: list[str] | None) -> dict[str, str]:
    """Return what the form says of each post; a field left empty leaves its post at home."""
    return {post: said for post, said in zip(quoted or (), words or (), strict=False) if said.strip()}


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
