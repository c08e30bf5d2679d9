"""The inbox of suggestions: splits and merges that the nightly run would make, accepted or dismissed.

Neighbours: `sentiment/demand/suggestions.py`; an accepted one is undone on the card like any correction.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session, col, select

from alerts.members import members_of, texts_of
from alerts.redaction import redact
from api.console import demand_card, page
from api.console.console import pages
from api.console.names import organisation_names
from api.correcting import Person
from api.dependencies import Now, Transaction, require
from api.security import Permission, Principal, allows
from models import audit
from models.correction import DemandSuggestion
from models.demand import Demand
from sentiment.demand import facts, suggestions

router = pages()
EXAMPLES = 4

Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion with its demands, and a few posts of either side for whoever may read them."""

    row: DemandSuggestion
    demand: Demand
    other: Demand | None
    goes: list[str]
    stays: list[str]
    may_decide: bool


@router.get("/demand-suggestions")
def inbox(request: Request, principal: Reader, session: Transaction, now: Now) -> Response:
    """Show what waits for a person, the surest first."""
    found = [
        one
        for one in suggestions.open_suggestions(session)
        if allows(principal, Permission.DEMANDS_READ, one.organisation)
    ]
    redirects = facts.redirects_of(session)
    named = {facts.heir_of(redirects, one) for row in found for one in (row.demand_id, row.other_id) if one}
    demands = {one.id: one for one in session.exec(select(Demand).where(col(Demand.id).in_(named)))}
    shown = [_shown(session, principal, one, demands, redirects) for one in found]
    if any(one.goes or one.stays for one in shown):
        audit.record(
            session,
            now,
            actor=principal.actor,
            action="demand.posts_viewed",
            subject="demand-suggestions",
            details={"suggestions": [one.row.id for one in shown if one.goes or one.stays]},
        )
    language = page.language_of(request, principal)
    return page.render(
        request,
        "demand_suggestions.html",
        principal=principal,
        found=shown,
        names=organisation_names(session, {one.demand.organisation for one in shown}),
        why=lambda name: demand_card.why(name, language),
    )


def _shown(
    session: Session,
    principal: Principal,
    row: DemandSuggestion,
    demands: Mapping[str, Demand],
    redirects: Mapping[str, str],
) -> Shown:
    demand = demands[facts.heir_of(redirects, row.demand_id)]
    other = demands[facts.heir_of(redirects, row.other_id)] if row.other_id else None
    goes: list[str] = []
    stays: list[str] = []
    if allows(principal, Permission.POSTS_READ, row.organisation):
        inside = [
            one
            for one in members_of(session, demand.id)
            if allows(principal, Permission.POSTS_READ, one.organisation)
        ]
        if other is None:
            out = [one for one in inside if one.post_id in set(row.posts)]
        else:
            out = [
                one
                for one in members_of(session, other.id)
                if allows(principal, Permission.POSTS_READ, one.organisation)
            ]
        left = [one for one in inside if one.post_id not in set(row.posts)]
        texts = texts_of(session, [*out[:EXAMPLES], *left[:EXAMPLES]])
        goes = [redact(texts[one.post_id]) for one in out[:EXAMPLES] if one.post_id in texts]
        stays = [redact(texts[one.post_id]) for one in left[:EXAMPLES] if one.post_id in texts]
    may = allows(principal, Permission.DEMANDS_CORRECT, row.organisation)
    return Shown(row, demand, other, goes, stays, may)


@router.post("/demand-suggestions/{suggestion_id}")
def decide(
    suggestion_id: str,
    person: Person,
    session: Transaction,
    outcome: Annotated[str, Form(pattern="^(accept|dismiss)$")],
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Accept a suggestion as one's own act, or turn it down."""
    if outcome == "accept":
        done = suggestions.accept(session, suggestion_id, person.hand(reason=reason))
        return page.go(f"/demands/{done.demand_id}", f"demand_{done.kind.value}")
    suggestions.dismiss(session, suggestion_id, person.hand(reason=reason))
    return page.go("/demand-suggestions", "suggestion_dismissed")
