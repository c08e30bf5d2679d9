"""Where a person in danger finds somebody now: open to everybody, without a sign-in.

Whoever has signed in sees besides which lines somebody should check again. Nobody's visit is counted.
"""

from fastapi import Request, Response

from api import sessions
from api.console import page
from api.console.console import pages
from api.dependencies import Now, TheService
from api.help_lines import help_lines
from api.security import Principal
from api.wiring import Service
from models.errors import TingjianError

router = pages()


@router.get("/help")
def help_page(request: Request, service: TheService, now: Now) -> Response:
    """Show several choices of help."""
    lines = help_lines(service.settings.help_lines)
    principal = _whoever(request, service, now)
    return page.render(
        request,
        "help.html",
        principal=principal,
        lines=lines.all,
        stale=lines.stale(now.astimezone(page.SHANGHAI).date()) if principal else (),
    )


def _whoever(request: Request, service: Service, now: Now) -> Principal | None:
    """Return who has signed in, or None: this page asks nobody for it."""
    cookie = request.cookies.get(sessions.cookie_name(service.settings))
    if cookie is None:
        return None
    try:
        return sessions.principal_of_cookie(service.database, service.keys, service.settings, cookie, now)
    except TingjianError:
        return None
