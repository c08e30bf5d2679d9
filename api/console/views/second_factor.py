"""One's own second factor: give its code, enrol it with a QR code or by hand, and its recovery codes.

Recovery codes stand on the page that answers the form and nowhere else.

Neighbours: `api/second_factor.py` keeps the secrets; `entrance` is what comes before.
"""

from typing import Annotated, Final

import segno
from fastapi import Form, Request, Response
from markupsafe import Markup

from api import second_factor, sessions
from api.console import page
from api.console.console import next_address, pages
from api.dependencies import CurrentPrincipal, Now, PastSecondFactor, SignedIn, TheService, Transaction
from api.routes.sign_in import own_account
from api.second_factor import Enrolment
from api.security import Principal
from models.errors import NotAuthenticated, NotPermitted, TooManyRequests

router = pages()
QR_SCALE: Final = 5


def qr_code(text: str) -> Markup:
    """Return a QR code as inline SVG, dark on its own light ground in either scheme."""
    drawn = segno.make(text, error="m", micro=False).svg_inline(scale=QR_SCALE, light="#fff", dark="#000")
    return Markup(drawn)  # noqa: S704 - drawn from numbers alone; the text is not in it


def own(principal: Principal) -> Principal:
    """Refuse a key, which has no second factor."""
    if principal.is_key:
        raise NotPermitted("a key has no second factor")
    return principal


@router.get("/second-factor")
def ask(request: Request, principal: SignedIn) -> Response:
    """Ask for the code, of a session that owes one."""
    if not own(principal).owes_code:
        return page.go("/sessions")
    wanted = next_address(request.query_params.get("next", "/"))
    return page.render(request, "second_factor.html", principal=principal, next=wanted, problem=None)


@router.post("/second-factor")
def give(
    *,
    request: Request,
    principal: SignedIn,
    service: TheService,
    now: Now,
    code: Annotated[str, Form(max_length=64)] = "",
    next_: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Take a code and go on in a session with a new cookie, or ask again and say why."""
    try:
        opened = sessions.give_second_factor(
            service.database, service.keys, own(principal), code=code, now=now
        )
    except (NotAuthenticated, TooManyRequests) as error:
        if error.problem_code == "session_ended":
            raise
        return page.render(
            request,
            "second_factor.html",
            principal=principal,
            status=422 if isinstance(error, NotAuthenticated) else error.status,
            next=next_address(next_),
            problem=f"error.{error.problem_code}",
        )
    answer = page.go(next_address(next_))
    sessions.set_cookie(answer, service, opened)
    return answer


@router.get("/second-factor/enrol")
def enrol(
    request: Request, principal: PastSecondFactor, service: TheService, session: Transaction, now: Now
) -> Response:
    """Show the secret of a second factor to come; the same one until it is confirmed."""
    account = own_account(session, principal)
    if second_factor.confirmed(session, account.id) is not None:
        return page.go("/sessions")
    begun = second_factor.begin(session, service.keys, account, now)
    return enrol_page(request, principal, begun)


def enrol_page(
    request: Request, principal: Principal, begun: Enrolment, problem: str | None = None
) -> Response:
    """Return the page with the QR code, the secret in letters, and the form for the first code."""
    return page.render(
        request,
        "second_factor_enrol.html",
        principal=principal,
        status=200 if problem is None else 422,
        drawn=qr_code(begun.address),
        secret=" ".join(begun.secret[at : at + 4] for at in range(0, len(begun.secret), 4)),
        problem=problem,
    )


@router.post("/second-factor/enrol")
def confirm(
    *,
    request: Request,
    principal: PastSecondFactor,
    service: TheService,
    session: Transaction,
    now: Now,
    code: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Put the second factor in force with a code of it, and show the recovery codes this once."""
    account = own_account(session, principal)
    try:
        codes = second_factor.confirm(session, service.keys, account, code, actor=principal.actor, now=now)
    except NotAuthenticated:
        begun = second_factor.begin(session, service.keys, account, now)
        return enrol_page(request, principal, begun, "error.wrong_code")
    opened = sessions.rotate(session, principal, now, second_factor_at=now)
    current = sessions.principal_of_account(session, account, opened)
    answer = page.render(request, "recovery_codes.html", principal=current, codes=codes)
    sessions.set_cookie(answer, service, opened)
    return answer


@router.post("/second-factor/codes")
def new_codes(
    *,
    request: Request,
    principal: CurrentPrincipal,
    service: TheService,
    now: Now,
    code: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Make new recovery codes against a code of the app; those before open nothing more."""
    opened = sessions.give_second_factor(service.database, service.keys, own(principal), code=code, now=now)
    with service.database.transaction() as session:
        account = own_account(session, principal)
        codes = second_factor.new_recovery_codes(session, service.keys, account.id)
        current = sessions.principal_of_account(session, account, opened)
    answer = page.render(request, "recovery_codes.html", principal=current, codes=codes)
    sessions.set_cookie(answer, service, opened)
    return answer
