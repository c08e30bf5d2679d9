"""Sign in, sign out, who am I, and one's own password."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status

from api import accounts, sessions
from api.dependencies import Now, SignedIn, TheService, Transaction, get_service
from api.schemas.access import Me, PasswordBody, RoleAt, SignInBody
from api.security import Principal
from api.wiring import Service
from models import audit

router = APIRouter(prefix="/v1", tags=["sign-in"])


def describe(principal: Principal) -> Me:
    """Return what a principal may know about itself, which is everything but its secrets."""
    return Me(
        id=principal.id,
        name=principal.name,
        source=principal.source,
        language=principal.language,
        must_change_password=principal.must_change_password,
        grants=[RoleAt(role=role, organisation=organisation) for role, organisation in principal.grants],
        permissions={root: sorted(permitted) for root, permitted in principal.permissions.items()},
        csrf=principal.csrf,
    )


def own_site(request: Request, service: Annotated[Service, Depends(get_service)]) -> None:
    """Refuse a sign-in that another site's page sends, so that nobody is signed in as somebody else."""
    sessions.refuse_other_sites(request.headers, service.settings, host=request.url.netloc)


@router.post("/sign-in", dependencies=[Depends(own_site)])
def sign_in(body: SignInBody, request: Request, response: Response, service: TheService, now: Now) -> Me:
    """Open a session: the answer sets the cookie and holds the CSRF token."""
    name = sessions.cookie_name(service.settings)
    account, opened = sessions.sign_in(
        service.database,
        service.settings,
        login=body.login,
        password=body.password.get_secret_value(),
        now=now,
        replaces=sessions.sign_in_id(service.keys, request.cookies.get(name)),
    )
    sessions.set_cookie(response, service, opened)
    with service.database.reading() as session:
        return describe(sessions.principal_of_account(session, account, opened))


@router.post("/sign-out", status_code=status.HTTP_204_NO_CONTENT)
def sign_out(
    principal: SignedIn, response: Response, session: Transaction, service: TheService, now: Now
) -> None:
    """End this session at once."""
    if principal.sign_in_id is not None:
        sessions.revoke(session, principal.sign_in_id, now)
        audit.record(session, now, actor=principal.actor, action="sign_out", subject=principal.id)
    sessions.clear_cookie(response, service)


@router.get("/me")
def me(principal: SignedIn) -> Me:
    """Say who is asking, and what they may do where."""
    return describe(principal)


@router.put("/me/password", status_code=status.HTTP_204_NO_CONTENT)
def change_password(body: PasswordBody, principal: SignedIn, session: Transaction, now: Now) -> None:
    """Change one's own password; every other session of the account ends."""
    accounts.change_password(
        session,
        principal,
        current=body.current.get_secret_value(),
        new=body.new.get_secret_value(),
        now=now,
    )
