"""Keys of sources, for administrators; auditors look. A key stands on the page that makes it alone."""

from typing import Annotated

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from api import keys
from api.accounts import Actor
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import Why, places
from api.dependencies import Now, Reading, Transaction, require
from api.security import Permission, Principal
from models.errors import InvalidInput
from models.vocabulary import KeyScope

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.KEYS_READ))]
Manager = Annotated[Principal, Depends(require(Permission.KEYS_MANAGE))]
SCOPES = {scope.value: scope for scope in KeyScope}


@router.get("/keys")
def listing(request: Request, principal: Reader, session: Reading) -> Response:
    """Show the keys, newest first."""
    return keys_page(request, session, principal)


def keys_page(request: Request, session: Session, principal: Principal, new: str | None = None) -> Response:
    """Return the list of keys, with a new one if it was made just now."""
    found = keys.list_keys(session, principal)
    return page.render(
        request,
        "keys.html",
        principal=principal,
        keys=found,
        new=new,
        names=organisation_names(session, {one.organisation for one in found}),
        places=places(session, principal, Permission.KEYS_MANAGE),
        scopes=list(KeyScope),
    )


@router.post("/keys")
def create(
    *,
    request: Request,
    principal: Manager,
    session: Transaction,
    now: Now,
    reason: Why,
    source: Annotated[str, Form()] = "",
    name: Annotated[str, Form(max_length=64)] = "",
    organisation: Annotated[str, Form()] = "",
    scope: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a key and show it this once."""
    chosen = scope or []
    if not set(chosen) <= set(SCOPES):
        raise InvalidInput("no such scope", code="unknown_word", field="/scope")
    _, key = keys.create_key(
        session,
        Actor.of(principal, reason),
        source=source.strip(),
        name=name.strip() or source.strip(),
        organisation=organisation,
        may=[SCOPES[one] for one in chosen],
        now=now,
    )
    return keys_page(request, session, principal, key)


@router.post("/keys/{key_id}/revoke")
def revoke(key_id: str, principal: Manager, session: Transaction, now: Now, reason: Why) -> Response:
    """End a key at once."""
    keys.revoke_key(session, Actor.of(principal, reason), key_id, now)
    return page.go("/keys", "key_revoked")
