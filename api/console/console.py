"""The console for the application: its pages, its static files, and its way to show errors.

An error of the one tree becomes a page that says what to do: without a sign-in, the sign-in; with
a one-time password, the page to change it; without its second factor, the page that asks for it.

Neighbours: `views` are the pages; `api/problems.py` answers the same errors to programs.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles

from api.console import page, words
from models.errors import InvalidInput, NotAuthenticated, TingjianError

FIRST: Final = {
    "password_change_needed": "/password",
    "second_factor_needed": "/second-factor",
    "enrolment_needed": "/second-factor/enrol",
}
"""What a session owes before it sees a page, and the page where it gives that."""

OWN_PATH = re.compile(r"/(?![/\\])[\w/.-]*")


def next_address(wanted: str) -> str:
    """Return where to go after a sign-in: a path of this console, or the start."""
    return wanted if OWN_PATH.fullmatch(wanted) else "/"


def error_page(request: Request, error: TingjianError) -> Response:
    """Return what a person sees instead of the page that was asked for."""
    if isinstance(error, NotAuthenticated) and error.problem_code not in {"wrong_credentials", "wrong_code"}:
        target = quote(request.url.path) if request.method == "GET" else "/"
        return page.go(f"/sign-in?next={target}")
    if error.problem_code in FIRST:
        return page.go(FIRST[error.problem_code])
    key = f"error.{error.problem_code}"
    return page.render(
        request,
        "error.html",
        principal=getattr(request.state, "principal", None),
        status=error.status,
        key=key if words.has(key) else f"error.status_{error.status}",
    )


class Page(APIRoute):
    """A route whose errors are pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the errors caught."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except TingjianError as error:
                return error_page(request, error)
            except RequestValidationError:
                return error_page(request, InvalidInput("a field of the form is missing or wrong"))

        return shown


def pages() -> APIRouter:
    """Return a router for pages; they are for people and stand in no description of the interface."""
    return APIRouter(route_class=Page, include_in_schema=False)


def routers() -> list[APIRouter]:
    """Return the routers of all pages."""
    from api.console import views  # noqa: PLC0415 - the views need `pages` from this module

    return views.routers()


def install(app: FastAPI) -> None:
    """Put the console's static files on the application."""
    app.mount("/static", StaticFiles(directory=page.STATIC), name="static")
