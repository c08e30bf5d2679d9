"""What a route may ask for: the service, the time, a session, and who is asking.

    def verify(who: Annotated[Principal, Depends(require(Permission.DEMANDS_VERIFY))],
               session: Transaction, now: Now, service: TheService) -> …

`require` asks whether the caller holds the permission anywhere; the route then asks
`security.authorise` about the place of the very thing. Reads take `Reading`, which can not write.

Neighbours: `security` decides; `sessions` knows cookies and sign-ins.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlmodel import Session

from api import sessions
from api.security import Permission, Principal, holds
from api.wiring import Service
from models.errors import NotAuthenticated, NotPermitted

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


# What touches no database is a coroutine: a plain function would cost a hop to another thread.
async def get_service(request: Request) -> Service:
    """Return the service that this application was made with."""
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(get_service)]


async def current_time(service: TheService) -> datetime:
    """Return the time of this request, in UTC."""
    return service.clock()


Now = Annotated[datetime, Depends(current_time)]


def open_transaction(service: TheService) -> Iterator[Session]:
    """Yield a session that is committed before the answer leaves, or undone if anything is raised."""
    with service.database.transaction() as session:
        yield session


def open_reading(service: TheService) -> Iterator[Session]:
    """Yield a session that only reads."""
    with service.database.reading() as session:
        yield session


# The scope "function" ends the transaction before the answer is sent: an error at commit is then a 500
# and not a 200.
Transaction = Annotated[Session, Depends(open_transaction, scope="function")]
Reading = Annotated[Session, Depends(open_reading, scope="function")]


async def sent_csrf(request: Request) -> str:
    """Return the CSRF token of the header, or of the form's field `csrf`."""
    token = request.headers.get("x-csrf-token", "")
    if (
        not token
        and request.method not in SAFE_METHODS
        and request.headers.get("content-type", "").startswith(FORM_TYPES)
    ):
        value = (await request.form()).get("csrf", "")
        token = value if isinstance(value, str) else ""
    return token


def bearer(request: Request) -> str | None:
    """Return the key that a request was sent with, if any."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def signed_in(
    request: Request, service: TheService, now: Now, csrf: Annotated[str, Depends(sent_csrf)]
) -> Principal:
    """Return who is asking, even one who must change the password first.

    Raises
    ------
    NotAuthenticated
        If there is no key and no cookie, or one that does not hold.
    NotPermitted
        If a cookie alone asks for a change: without the session's CSRF token, or from another site.
    """
    key = bearer(request)
    cookie = request.cookies.get(sessions.cookie_name(service.settings))
    if key is not None:
        with service.database.looking() as connection:
            principal = sessions.principal_of_key(connection, key)
        if sessions.key_use_is_due(key, now):
            sessions.note_key_use(service.database, key, now)
        request.state.principal = principal
        return principal
    if cookie is None:
        raise NotAuthenticated("sign in, or send a key as Authorization: Bearer")
    principal = sessions.principal_of_cookie(service.database, service.keys, service.settings, cookie, now)
    if request.method not in SAFE_METHODS:
        sessions.refuse_other_sites(request.headers, service.settings, host=request.url.netloc)
        sessions.refuse_wrong_csrf(principal, csrf)
    request.state.principal = principal
    return principal


SignedIn = Annotated[Principal, Depends(signed_in)]


async def past_second_factor(principal: SignedIn) -> Principal:
    """Return who is asking, with the second factor given if there is one.

    Raises
    ------
    NotPermitted
        If the session has to give its code first.
    """
    if principal.owes_code:
        raise NotPermitted("give the code of the second factor first", code="second_factor_needed")
    return principal


PastSecondFactor = Annotated[Principal, Depends(past_second_factor)]


async def current_principal(principal: SignedIn) -> Principal:
    """Return who is asking and owes nothing: no code, no own password, no enrolment.

    Raises
    ------
    NotPermitted
        Naming by its code what comes first.
    """
    await past_second_factor(principal)
    if principal.must_change_password:
        raise NotPermitted("change the one-time password first", code="password_change_needed")
    if principal.owes_enrolment:
        raise NotPermitted("enrol a second factor first", code="enrolment_needed")
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]


def refuse_unless(principal: Principal, *permissions: Permission) -> Principal:
    """Return the principal; refuse one that holds none of `permissions` at any place."""
    if not any(holds(principal, permission) for permission in permissions):
        raise NotPermitted(f"{permissions[0].value} is not permitted")
    return principal


def require(*permissions: Permission) -> Callable[[Principal], Awaitable[Principal]]:
    """Return a dependency that refuses whoever holds none of `permissions` at any place."""

    async def holding(principal: CurrentPrincipal) -> Principal:
        return refuse_unless(principal, *permissions)

    return holding
