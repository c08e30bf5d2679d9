"""Come in and go out: the first page, sign-in, sign-out, one's own password, the language.

The language is a cookie of its own, so that it also holds where nobody signs in.
"""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from api import accounts, sessions
from api.console import page, words
from api.console.console import next_address, pages
from api.dependencies import (
    CurrentPrincipal,
    Now,
    PastSecondFactor,
    SignedIn,
    TheService,
    Transaction,
    get_service,
)
from api.routes.sign_in import arrival_of
from api.wiring import Service
from models import audit
from models.errors import NotAuthenticated, NotPermitted, TingjianError, TooManyRequests

router = pages()
YEAR_SECONDS = 365 * 24 * 3600


def own_site(request: Request, service: Annotated[Service, Depends(get_service)]) -> None:
    """Refuse a form that another site's page sends."""
    sessions.refuse_other_sites(request.headers, service.settings, host=request.url.netloc)


@router.get("/")
def start(principal: CurrentPrincipal) -> Response:
    """Go to the first page that this person works on."""
    return page.go(page.home(principal))


@router.get("/sign-in")
def sign_in_page(request: Request, service: TheService) -> Response:
    """Show the form."""
    wanted = next_address(request.query_params.get("next", "/"))
    return page.render(
        request,
        "sign_in.html",
        next=wanted,
        problem=None,
        login="",
        provider=service.provider,
        subject=None,
    )


@router.post("/sign-in", dependencies=[Depends(own_site)])
def sign_in(
    *,
    request: Request,
    service: TheService,
    now: Now,
    login: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Open a session and go on, or show the form again and why."""
    cookie = request.cookies.get(sessions.cookie_name(service.settings))
    try:
        account, opened = sessions.sign_in(
            service.database,
            service.settings,
            login=login,
            password=password,
            now=now,
            replaces=sessions.sign_in_id(service.keys, cookie),
            arrival=arrival_of(request),
        )
    except (NotAuthenticated, TooManyRequests) as error:
        return page.render(
            request,
            "sign_in.html",
            status=error.status,
            next=next_address(next_),
            problem=f"error.{error.problem_code}",
            login=login,
            provider=service.provider,
            subject=None,
        )
    answer = page.go("/password" if account.must_change_password else next_address(next_))
    sessions.set_cookie(answer, service, opened)
    return answer


@router.post("/sign-out")
def sign_out(principal: SignedIn, service: TheService, session: Transaction, now: Now) -> Response:
    """End the session."""
    if principal.sign_in_id is not None:
        sessions.revoke(session, principal.sign_in_id, now)
        audit.record(session, now, actor=principal.actor, action="sign_out", subject=principal.id)
    answer = page.go("/sign-in", "signed_out")
    sessions.clear_cookie(answer, service)
    return answer


@router.get("/password")
def password_page(request: Request, principal: PastSecondFactor) -> Response:
    """Show the form to change one's own password."""
    return page.render(request, "password.html", principal=principal, problem=None)


@router.post("/password")
def change_password(
    *,
    request: Request,
    principal: PastSecondFactor,
    service: TheService,
    now: Now,
    current: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
    again: Annotated[str, Form()] = "",
) -> Response:
    """Change one's own password, or show the form again and why not."""
    problem = "password.differ" if new != again else None
    if problem is None:
        try:
            with service.database.transaction() as session:
                accounts.change_password(session, principal, current=current, new=new, now=now)
                opened = sessions.rotate(session, principal, now)
        except TingjianError as error:
            if error.problem_code not in {"wrong_credentials", "weak_password"}:
                raise
            code = "wrong_current" if isinstance(error, NotPermitted) else "weak"
            problem = f"password.{code}"
    if problem is not None:
        return page.render(request, "password.html", principal=principal, problem=problem, status=422)
    answer = page.go("/", "password_changed")
    sessions.set_cookie(answer, service, opened)
    return answer


@router.post("/language", dependencies=[Depends(own_site)])
def choose_language(
    service: TheService,
    language: Annotated[str, Form()] = words.DEFAULT,
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Remember the language in this browser."""
    answer = page.go(next_address(next_))
    if language in words.LANGUAGES:
        answer.set_cookie(
            page.LANGUAGE_COOKIE,
            language,
            max_age=YEAR_SECONDS,
            secure=service.settings.is_https,
            httponly=True,
            samesite="lax",
        )
    return answer
