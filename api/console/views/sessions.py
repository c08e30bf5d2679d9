"""One's own sessions: where one is signed in, and the way to end each of them, or all the others."""

from typing import Annotated

from fastapi import Form, Request, Response

from api import second_factor, sessions
from api.console import page
from api.console.console import pages
from api.dependencies import CurrentPrincipal, Now, Reading, TheService, Transaction
from models.errors import NotPermitted

router = pages()


@router.get("/sessions")
def listing(
    request: Request, principal: CurrentPrincipal, service: TheService, session: Reading, now: Now
) -> Response:
    """Show one's own live sessions, this one marked, and the state of one's second factor."""
    return page.render(
        request,
        "sessions.html",
        principal=principal,
        live=sessions.list_live(session, service.settings, principal.id, now, current=principal.sign_in_id),
        factor=second_factor.confirmed(session, principal.id),
        codes=second_factor.codes_left(session, principal.id),
    )


@router.post("/sessions")
def end(
    principal: CurrentPrincipal,
    session: Transaction,
    now: Now,
    chosen: Annotated[str, Form(alias="session")] = "",
) -> Response:
    """End one session, or every other one if none is named."""
    if principal.is_key:
        raise NotPermitted("a key has no sessions")
    if not chosen:
        sessions.end_others(session, principal, now)
    else:
        sessions.end_one(session, principal.id, chosen, actor=principal.actor, now=now)
    return page.go("/sessions", "sessions_ended")
