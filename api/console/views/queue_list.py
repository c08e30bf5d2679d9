"""What waits, narrowed by links, a page at a time; without texts.

A search by author is a form that is sent, so that no name stands in an address, and it is on the audit log
as a look at personal data.
"""

from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.queue_links import AGES, query_of, sought_of
from api.dependencies import Now, TheService, Transaction, require
from api.routes.reviews import care_of, decides
from api.security import Permission, Principal, scopes
from api.wiring import Service
from models import audit
from models.errors import InvalidInput
from moderation import queue
from moderation.filters import QueueFilter
from moderation.intake import author_hash

router = pages()
LISTED: Final = 100

Reader = Annotated[Principal, Depends(require(Permission.REVIEW_READ))]
Officer = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]


@router.get("/queue/list")
def listing(
    request: Request, principal: Reader, session: Transaction, now: Now, service: TheService
) -> Response:
    """Show what waits, narrowed by links, a page at a time."""
    return _list(
        request,
        session,
        principal,
        sought_of(request),
        now,
        service=service,
        after=request.query_params.get("after"),
    )


@router.post("/queue/list")
def search_author(
    *,
    request: Request,
    principal: Officer,
    session: Transaction,
    now: Now,
    service: TheService,
    source: Annotated[str, Form(max_length=64)] = "",
    author: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Show what waits of one author, by the key that the platform gave; the look is on the audit log."""
    if not source.strip() or not author.strip():
        raise InvalidInput(
            "a search by author needs the platform and its key of the author", code="no_author"
        )
    found = author_hash(service.keys, source.strip(), author.strip())
    audit.record(
        session,
        now,
        actor=principal.actor,
        action="author.searched",
        subject=f"author:{found}",
        organisation=decides(principal)[0],
        details={"source": source.strip()},
    )
    return _list(request, session, principal, QueueFilter(author=found), now, service=service)


def _list(
    request: Request,
    session: Session,
    principal: Principal,
    sought: QueueFilter,
    now: datetime,
    *,
    service: Service,
    after: str | None = None,
) -> Response:
    scope, care = scopes(principal, Permission.REVIEW_READ), care_of(principal)
    items = queue.waiting(session, scope, now=now, sought=sought, care=care, after=after, limit=LISTED + 1)
    facets = queue.facets(session, scope, now=now, sought=sought, care=care)
    shown = items[:LISTED]
    paths = {item.organisation for item in shown} | set(facets.organisations)
    return page.render(
        request,
        "queue_list.html",
        principal=principal,
        items=shown,
        more=shown[-1].task_id if len(items) > LISTED else None,
        counts=service.last_counts.counts(session, scope, now=now, care=care),
        facets=facets,
        sought=sought,
        ages=AGES,
        link=lambda **changes: f"/queue/list{query_of(sought, **changes)}",
        desk_link=f"/queue{query_of(sought)}",
        names=organisation_names(session, paths | ({sought.organisation} if sought.organisation else set())),
    )
