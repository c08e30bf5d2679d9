"""The review queue: a list without texts, and the post in hand with the passages marked.

Opening a post takes it for ten minutes, which the queue writes into the audit log. After a
decision the next post opens by itself. Whoever may only look sees the list and no text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session, col, select

from api.console import page
from api.console.console import pages
from api.dependencies import Now, Transaction, require
from api.security import Permission, Principal, scopes
from models.errors import Conflict, InvalidInput
from models.organisation import Organisation
from models.vocabulary import HARMS, Action, Category
from moderation import queue, review

router = pages()
LISTED = 100

Reader = Annotated[Principal, Depends(require(Permission.REVIEW_READ))]
Officer = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page shows: the waiting tasks, how many there are, and the one in hand."""

    items: Sequence[queue.QueueItem]
    counts: queue.QueueCounts
    opened: queue.OpenedTask | None
    names: dict[str, str]


def organisation_names(session: Session, paths: set[str]) -> dict[str, str]:
    """Return what organisations are called."""
    rows = session.exec(
        select(Organisation.path, Organisation.name).where(col(Organisation.path).in_(paths))
    ).all()
    return {path: path for path in paths} | dict(rows)


def _desk(session: Session, principal: Principal, opened: queue.OpenedTask | None, now: datetime) -> Desk:
    scope = scopes(principal, Permission.REVIEW_READ)
    items = queue.waiting(session, scope, now=now, limit=LISTED)
    paths = {item.organisation for item in items} | ({opened.post.organisation} if opened else set())
    return Desk(items, queue.counts(session, scope, now=now), opened, organisation_names(session, paths))


@router.get("/queue")
def next_post(request: Request, principal: Reader, session: Transaction, now: Now) -> Response:
    """Open the post that should be looked at next."""
    decides = scopes(principal, Permission.REVIEW_DECIDE)
    opened = queue.next_task(session, decides, principal.id, now=now) if decides else None
    return page.render(
        request, "queue.html", principal=principal, desk=_desk(session, principal, opened, now), problem=None
    )


@router.get("/queue/{task_id}")
def one_post(request: Request, task_id: str, principal: Officer, session: Transaction, now: Now) -> Response:
    """Open one post of the list. One that somebody else has in hand meanwhile is said to be so."""
    problem, opened = None, None
    try:
        opened = queue.lease(
            session, task_id, principal.id, scopes(principal, Permission.REVIEW_DECIDE), now=now
        )
    except Conflict as error:
        problem = f"error.{error.problem_code}"
    return page.render(
        request,
        "queue.html",
        principal=principal,
        desk=_desk(session, principal, opened, now),
        problem=problem,
    )


@router.post("/queue/{task_id}")
def decide(
    *,
    task_id: str,
    principal: Officer,
    session: Transaction,
    now: Now,
    action: Annotated[Action, Form()],
    version: Annotated[int, Form()],
    category: Annotated[str, Form()] = "",
    reason: Annotated[str, Form(max_length=review.REASON_LIMIT)] = "",
) -> Response:
    """Decide about a post, then go on to the next."""
    if action is Action.REMOVE and category not in HARMS:
        raise InvalidInput("a removal names a category of harm", code="no_category", field="/category")
    if action is Action.REMOVE and not reason.strip():
        raise InvalidInput("a removal has a reason", code="no_reason", field="/reason")
    review.decide(
        session,
        task_id,
        principal.id,
        action,
        version=version,
        scope=scopes(principal, Permission.REVIEW_DECIDE),
        now=now,
        category=Category(category) if action is Action.REMOVE else None,
        reason=reason,
    )
    return page.go("/queue", action)
