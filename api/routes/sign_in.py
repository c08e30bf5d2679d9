"""Sign in and out, who am I, one's own password, second factor and sessions."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status
from sqlmodel import Session

from api import accounts, second_factor, sessions
from api.arrival import Arrival
from api.dependencies import (
    CurrentPrincipal,
    Now,
    PastSecondFactor,
    Reading,
    SignedIn,
    TheService,
    Transaction,
    get_service,
)
from api.schemas.access import (
    CodeBody,
    EnrolmentOut,
    Me,
    PasswordBody,
    RecoveryCodes,
    RoleAt,
    SessionOut,
    SignInBody,
)
from api.security import Principal
from api.wiring import Service
from models import audit
from models.account import Account
from models.errors import NotPermitted

router = APIRouter(prefix="/v1", tags=["sign-in"])


def describe(principal: Principal) -> Me:
    """Return what a principal may know about itself, which is everything but its secrets."""
    return Me(
        id=principal.id,
        name=principal.name,
        source=principal.source,
        language=principal.language,
        must_change_password=principal.must_change_password,
        owes_code=principal.owes_code,
        owes_enrolment=principal.owes_enrolment,
        grants=[RoleAt(role=role, organisation=organisation) for role, organisation in principal.grants],
        permissions={root: sorted(permitted) for root, permitted in principal.permissions.items()},
        csrf=principal.csrf,
    )


def own_site(request: Request, service: Annotated[Service, Depends(get_service)]) -> None:
    """Refuse a sign-in that another site's page sends, so that nobody is signed in as somebody else."""
    sessions.refuse_other_sites(request.headers, service.settings, host=request.url.netloc)


def arrival_of(request: Request) -> Arrival:
    """Return where a request comes from, as coarsely as it is kept."""
    return Arrival.of(request.headers.get("user-agent", ""), request.client.host if request.client else None)


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
        arrival=arrival_of(request),
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
def change_password(
    *,
    body: PasswordBody,
    principal: PastSecondFactor,
    response: Response,
    session: Transaction,
    service: TheService,
    now: Now,
) -> None:
    """Change one's own password; this session goes on under a new cookie, every other one ends."""
    accounts.change_password(
        session,
        principal,
        current=body.current.get_secret_value(),
        new=body.new.get_secret_value(),
        now=now,
    )
    sessions.set_cookie(response, service, sessions.rotate(session, principal, now))


@router.post("/me/second-factor")
def begin_second_factor(
    principal: PastSecondFactor, session: Transaction, service: TheService, now: Now
) -> EnrolmentOut:
    """Return a secret for an authenticator app; it counts once a code of it was confirmed."""
    begun = second_factor.begin(session, service.keys, own_account(session, principal), now)
    return EnrolmentOut(secret=begun.secret, address=begun.address)


@router.post("/me/second-factor/confirm")
def confirm_second_factor(
    *,
    body: CodeBody,
    principal: PastSecondFactor,
    response: Response,
    session: Transaction,
    service: TheService,
    now: Now,
) -> RecoveryCodes:
    """Put the secret in force with a code of it; the recovery codes are in the answer and nowhere else."""
    codes = second_factor.confirm(
        session,
        service.keys,
        own_account(session, principal),
        body.code.get_secret_value(),
        actor=principal.actor,
        now=now,
    )
    opened = sessions.rotate(session, principal, now, second_factor_at=now)
    sessions.set_cookie(response, service, opened)
    return RecoveryCodes(recovery_codes=codes, csrf=opened.csrf)


@router.post("/me/second-factor/give")
def give_second_factor(
    body: CodeBody, principal: SignedIn, response: Response, service: TheService, now: Now
) -> Me:
    """Give a code; the session goes on under a new cookie and a new CSRF token."""
    if principal.is_key:
        raise NotPermitted("a key has no second factor")
    opened = sessions.give_second_factor(
        service.database, service.keys, principal, code=body.code.get_secret_value(), now=now
    )
    sessions.set_cookie(response, service, opened)
    with service.database.reading() as session:
        account = session.get_one(Account, principal.id)
        return describe(sessions.principal_of_account(session, account, opened))


@router.get("/me/sessions")
def own_sessions(
    principal: CurrentPrincipal, session: Reading, service: TheService, now: Now
) -> list[SessionOut]:
    """List one's own live sessions, newest first; the one that asks is marked."""
    found = sessions.list_live(session, service.settings, principal.id, now, current=principal.sign_in_id)
    return [SessionOut.model_validate(one, from_attributes=True) for one in found]


@router.delete("/me/sessions", status_code=status.HTTP_204_NO_CONTENT)
def end_other_sessions(principal: CurrentPrincipal, session: Transaction, now: Now) -> None:
    """End every session of one's own but this one."""
    sessions.end_others(session, principal, now)


@router.delete("/me/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
def end_own_session(session_id: str, principal: CurrentPrincipal, session: Transaction, now: Now) -> None:
    """End one session of one's own at once, in every process."""
    sessions.end_one(session, principal.id, session_id, actor=principal.actor, now=now)


def own_account(session: Session, principal: Principal) -> Account:
    """Return the account that asks.

    Raises
    ------
    NotPermitted
        If a key asks.
    """
    account = None if principal.is_key else session.get(Account, principal.id)
    if account is None:
        raise NotPermitted("a key has no account")
    return account
