"""Sign in through the identity provider, if the operator set one up: the way out and the way back.

A provider that is out of order is told as such on the sign-in page, where the password still works.

Neighbours: `api/oidc.py` speaks with the provider; `sessions` matches the subject with an account.
"""

from typing import Final

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from api import oidc, sessions
from api.console import page
from api.console.console import next_address, pages
from api.dependencies import Now, TheService
from api.routes.sign_in import arrival_of
from api.wiring import Service
from models.errors import NotAuthenticated, NotPermitted, TingjianError, Unavailable

router = pages()
LONGEST: Final = 4_000


def cookie_name(service: Service) -> str:
    """Return the name of the cookie that a browser has on its way."""
    return "__Host-tingjian-way" if service.settings.is_https else "tingjian-way"


def door(request: Request, service: Service, error: TingjianError, wanted: str) -> Response:
    """Return the sign-in page with what went wrong."""
    answer = page.render(
        request,
        "sign_in.html",
        status=error.status,
        next=wanted,
        problem=f"error.{error.problem_code}",
        login="",
        provider=service.provider,
        subject=error.extra.get("subject"),
    )
    answer.delete_cookie(cookie_name(service), path="/", secure=service.settings.is_https, httponly=True)
    return answer


@router.get("/sign-in/provider")
def leave(request: Request, service: TheService, now: Now) -> Response:
    """Send the browser to the provider."""
    wanted = next_address(request.query_params.get("next", "/"))
    if service.provider is None:
        return page.go("/sign-in")
    try:
        leaving = service.provider.leave(wanted, now)
    except Unavailable as error:
        return door(request, service, error, wanted)
    answer = RedirectResponse(leaving.address, status_code=303)
    answer.set_cookie(
        cookie_name(service),
        leaving.cookie,
        max_age=int(oidc.ON_THE_WAY.total_seconds()),
        path="/",
        secure=service.settings.is_https,
        httponly=True,
        # The way back comes from the provider's site: a strict cookie would stay behind.
        samesite="lax",
    )
    return answer


@router.get("/sign-in/provider/callback")
def back(request: Request, service: TheService, now: Now) -> Response:
    """Take what the provider sends back, and open a session of the account that it is linked to."""
    provider = service.provider
    if provider is None:
        return page.go("/sign-in")
    asked, wanted = request.query_params, "/"
    try:
        state, code = asked.get("state", "")[:LONGEST], asked.get("code", "")[:LONGEST]
        way = provider.opened(request.cookies.get(cookie_name(service)), state, now)
        wanted = next_address(way["next"])
        with service.database.transaction() as session:
            oidc.spend(session, state, now)
        # Who answered is checked (RFC 9207), where the provider says so.
        if asked.get("iss", provider.issuer) != provider.issuer or "error" in asked or not code:
            raise oidc.refused("the provider turned the sign-in down")
        found = provider.identify(code, way, now)
        name = sessions.cookie_name(service.settings)
        with service.database.transaction() as session:
            _, opened = sessions.sign_in_by_provider(
                session,
                service.settings,
                issuer=found.issuer,
                subject=found.subject,
                email=found.email,
                now=now,
                replaces=sessions.sign_in_id(service.keys, request.cookies.get(name)),
                arrival=arrival_of(request),
            )
    except (NotAuthenticated, NotPermitted, Unavailable) as error:
        return door(request, service, error, wanted)
    answer = page.go(wanted)
    answer.delete_cookie(cookie_name(service), path="/", secure=service.settings.is_https, httponly=True)
    sessions.set_cookie(answer, service, opened)
    return answer
