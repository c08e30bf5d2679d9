"""Objections that wait: somebody else than who removed the post decides."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.dependencies import Now, Transaction, require
from api.security import Permission, Principal, scopes
from models.errors import InvalidInput
from models.vocabulary import AppealState
from moderation import appeals, fresh_looks

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.APPEALS_READ))]
Decider = Annotated[Principal, Depends(require(Permission.APPEALS_DECIDE))]


@router.get("/appeals")
def listing(request: Request, principal: Reader, session: Transaction, now: Now) -> Response:
    """Show the open objections with the posts that they are about; each look is on the audit log."""
    scope = scopes(principal, Permission.APPEALS_READ)
    found = appeals.waiting(session, scope, principal.id)
    appeals.note_looks(session, found, actor=principal.actor, now=now)
    looks = fresh_looks.waiting(session, scope, principal.id)
    fresh_looks.note_looks(session, looks, actor=principal.actor, now=now)
    places = {one.appeal.organisation for one in found} | {one.look.organisation for one in looks}
    names = organisation_names(session, places)
    return page.render(request, "appeals.html", principal=principal, appeals=found, looks=looks, names=names)


@router.post("/appeals/fresh-looks/{look_id}")
def settle(
    *, look_id: str, principal: Decider, session: Transaction, now: Now, restore: Annotated[bool, Form()]
) -> Response:
    """Put a post back that is like one whose removal erred, or leave it."""
    scope = scopes(principal, Permission.APPEALS_DECIDE)
    fresh_looks.settle(session, look_id, principal.id, restore=restore, scope=scope, now=now)
    return page.go("/appeals", "look_restored" if restore else "look_left")


@router.post("/appeals/{appeal_id}")
def decide(
    *,
    appeal_id: str,
    principal: Decider,
    session: Transaction,
    now: Now,
    outcome: Annotated[AppealState, Form()],
    answer: Annotated[str, Form(max_length=appeals.ANSWER_LIMIT)] = "",
) -> Response:
    """Uphold the removal or put the post back."""
    if not answer.strip():
        raise InvalidInput("an objection is answered", code="no_answer", field="/answer")
    appeals.decide(
        session,
        appeal_id,
        principal.id,
        outcome,
        answer=answer.replace("\r\n", "\n"),
        scope=scopes(principal, Permission.APPEALS_DECIDE),
        now=now,
    )
    return page.go("/appeals", f"appeal_{outcome.value}")
