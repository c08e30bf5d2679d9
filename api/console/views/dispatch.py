"""Dispatch 问题分办: what the service proposes to hand on, and what was handed on and sent back."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from alerts import dispatch
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import people
from api.console.views.clocks import left
from api.dependencies import Now, Reading, Transaction, require
from api.routes.demands import actor_of
from api.security import Permission, Principal, allows, scopes

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.CLOCKS_READ))]
Answering = Annotated[Principal, Depends(require(Permission.CLOCKS_ANSWER))]


@router.get("/dispatch")
def listing(request: Request, principal: Reader, session: Reading, now: Now) -> Response:
    """Show the open proposals, and the newest hand-overs."""
    scope = scopes(principal, Permission.CLOCKS_READ)
    language = page.language_of(request, principal)
    found = dispatch.suggestions(session, scope)
    recent = dispatch.recent(session, scope)
    every = [step for step, _ in found] + recent
    return page.render(
        request,
        "dispatch.html",
        principal=principal,
        suggestions=found,
        left={clock.id: left(clock, now, language) for _, clock in found},
        settling={
            step.id
            for step, _ in found
            if allows(principal, Permission.CLOCKS_ANSWER, step.from_organisation)
        },
        recent=recent,
        people=people(session, [one.made_by for one in every]),
        names=organisation_names(
            session, {path for one in every for path in (one.from_organisation, one.to_organisation)}
        ),
    )


@router.post("/dispatch/{handover_id}")
def settle(
    *,
    handover_id: str,
    principal: Answering,
    session: Transaction,
    now: Now,
    take: Annotated[bool, Form()],
) -> Response:
    """Follow a proposal, or dismiss it."""
    actor = actor_of(principal, Permission.CLOCKS_ANSWER)
    dispatch.settle_suggestion(session, handover_id, actor, take=take, now=now)
    return page.go("/dispatch", "handed" if take else "suggestion_dismissed")
