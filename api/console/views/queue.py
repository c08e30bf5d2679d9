"""The desk: one post in an officer's hands, with what stands beside it.

Opening a post takes it for ten minutes, which the queue writes into the audit log. After a decision the
next post opens by itself, and the last decision can be undone while nothing of it has left. Whoever may
only look sees the list and no text.

Neighbours: `queue_list` is the list, `queue_alike` decides about near-duplicates in one, `queue_links` writes
filters as addresses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from alerts import helping
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.queue_links import go_on, query_of, sought_of
from api.dependencies import Now, TheService, Transaction, require
from api.routes.reviews import care_of, decides
from api.security import Permission, Principal, allows, scopes
from api.wiring import Service
from models.errors import Conflict, InvalidInput
from models.notice import Notice
from models.post import Post
from models.review import Decision
from models.vocabulary import CLAUSES, HARMS, Action, Category, PostState
from moderation import (
    alignment,
    card,
    exposure,
    fresh_looks,
    leases,
    queue,
    referrals,
    reports,
    review,
    undo,
)
from moderation.filters import NO_FILTER, QueueFilter
from moderation.rulings import REASON_LIMIT, Ruling

router = pages()
TRAY: Final = 20

Reader = Annotated[Principal, Depends(require(Permission.REVIEW_READ))]
Officer = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]


@dataclass(frozen=True, slots=True)
class Help:
    """Whether whoever looks may open a help case about a post, and the one there is, if they may see it."""

    may_open: bool
    case: str | None


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page shows: what waits, how much of it, the post in hand, and what can still be undone."""

    items: Sequence[queue.QueueItem]
    counts: queue.QueueCounts
    opened: leases.OpenedTask | None
    card: card.Card | None
    folded: Sequence[alignment.Changed]
    undoable: Sequence[Decision]
    notices: Sequence[Notice]
    exposure: exposure.Exposure
    reported: reports.Beside | None
    help: Help | None
    fresh_looks: int
    sought: QueueFilter
    query: str
    names: dict[str, str]


def help_of(session: Session, principal: Principal, post: Post) -> Help | None:
    """Return the way from a post that is held or referred to a help case; None for any other."""
    if post.state not in {PostState.HELD, PostState.REFERRED}:
        return None
    may_open = allows(principal, Permission.CASES_EDIT, post.organisation)
    return Help(may_open, helping.case_about(session, post.id) if may_open else None)


def desk_of(
    session: Session,
    principal: Principal,
    opened: leases.OpenedTask | None,
    now: datetime,
    *,
    service: Service,
    sought: QueueFilter = NO_FILTER,
) -> Desk:
    """Return what the page of the desk shows."""
    scope, care = scopes(principal, Permission.REVIEW_READ), care_of(principal)
    items = queue.waiting(
        session, scope, now=now, sought=sought, care=care, free_for=principal.id, limit=TRAY
    )
    notices = referrals.open_notices(session, scope)
    beside = None
    if opened is not None:
        beside = card.card(session, opened, decides(principal), principal.id, service.keys.likeness, now=now)
    paths = {item.organisation for item in items} | {one.organisation for one in notices}
    return Desk(
        items=items,
        counts=service.last_counts.counts(session, scope, now=now, care=care),
        opened=opened,
        card=beside,
        folded=alignment.changes(opened.text) if opened else (),
        undoable=undo.undoable(session, principal.id, now),
        notices=notices,
        exposure=exposure.of_officer(session, principal.id, now),
        reported=reports.beside(session, opened.post) if opened else None,
        help=help_of(session, principal, opened.post) if opened else None,
        fresh_looks=fresh_looks.count_open(session, scopes(principal, Permission.APPEALS_READ)),
        sought=sought,
        query=query_of(sought),
        names=organisation_names(session, paths | ({opened.post.organisation} if opened else set())),
    )


def show(
    request: Request,
    principal: Principal,
    desk: Desk,
    now: datetime,
    *,
    problem: Conflict | None = None,
    standing: card.Standing | None = None,
    look_first: bool = False,
) -> Response:
    """Return the page of the desk."""
    return page.render(
        request,
        "queue.html",
        principal=principal,
        desk=desk,
        now=now,
        problem=f"error.{problem.problem_code}" if problem else None,
        changed=_changed(problem),
        standing=standing,
        look_first=look_first,
        # A page that is put in by a script shows the problem in itself; a browser alone is told by status.
        status=200 if problem is None or "hx-request" in request.headers else problem.status,
    )


def _changed(problem: Conflict | None) -> dict[str, Any] | None:
    """Return what changed, as the problem tells it, with its time as a time."""
    told = problem.extra.get("changed") if problem else None
    return told | {"at": datetime.fromisoformat(told["at"]) if told["at"] else None} if told else None


@router.get("/queue")
def next_post(
    request: Request, principal: Reader, session: Transaction, now: Now, service: TheService
) -> Response:
    """Open the post that should be looked at next."""
    sought, scope = sought_of(request), decides(principal)
    opened = (
        leases.next_task(session, scope, principal.id, now=now, sought=sought, care=care_of(principal))
        if scope
        else None
    )
    desk = desk_of(session, principal, opened, now, service=service, sought=sought)
    return show(request, principal, desk, now)


@router.post("/queue/undo")
def take_back(
    request: Request,
    principal: Officer,
    session: Transaction,
    now: Now,
    decision: Annotated[str, Form(max_length=32)],
) -> Response:
    """Undo what was decided last; the post is in the same hands again."""
    tasks = undo.undo(session, decision, principal.id, decides(principal), now=now)
    bulk = len(tasks) > 1
    address = f"/queue/{tasks[0].id}/alike" if bulk else f"/queue/{tasks[0].id}"
    return go_on(sought_of(request), "undone", address)


@router.post("/queue/leave")
def leave(principal: Officer, session: Transaction, now: Now, task: Annotated[list[str], Form()]) -> Response:
    """Give back what a page had in hand when it was left. Each `task` is an id and its lease."""
    for one in sorted(task[: review.AT_ONCE]):
        identifier, _, lease = one.partition(":")
        leases.release(session, identifier, principal.id, decides(principal), now=now, lease=lease)
    return Response(status_code=204)


@router.get("/queue/{task_id}")
def one_post(
    request: Request, task_id: str, principal: Officer, session: Transaction, now: Now, *, service: TheService
) -> Response:
    """Open one post of the list. One that somebody else has in hand meanwhile is said to be so."""
    problem, opened = None, None
    try:
        opened = leases.lease(
            session, task_id, principal.id, decides(principal), now=now, care=care_of(principal)
        )
    except Conflict as error:
        problem = error
    desk = desk_of(session, principal, opened, now, service=service, sought=sought_of(request))
    return show(request, principal, desk, now, problem=problem)


@router.post("/queue/{task_id}/keep")
def keep(task_id: str, principal: Officer, session: Transaction, now: Now) -> Response:
    """Keep a post in hand for ten minutes from now, while somebody is at work on it."""
    leases.keep(session, task_id, principal.id, decides(principal), now=now, care=care_of(principal))
    return Response(status_code=204)


@router.post("/queue/{task_id}/standing")
def standing(
    *,
    request: Request,
    task_id: str,
    principal: Officer,
    session: Transaction,
    now: Now,
    service: TheService,
    again: Annotated[str, Form()] = "",
) -> Response:
    """Show the standing of the author of a post in hand, after a first look."""
    found, look_first = None, False
    try:
        found = card.standing(
            session,
            task_id,
            principal.id,
            decides(principal),
            now=now,
            asked_twice=bool(again),
            care=care_of(principal),
        )
    except Conflict as error:
        if error.problem_code != "look_first":
            raise
        look_first = True
    opened = leases.lease(session, task_id, principal.id, decides(principal), now=now)
    desk = desk_of(session, principal, opened, now, service=service, sought=sought_of(request))
    return show(request, principal, desk, now, standing=found, look_first=look_first)


def ruling_of(action: Action, category: str, reason: str, *, quick: bool = False) -> Ruling:
    """Return what was decided; a removal by one key gives the published rule as its reason."""
    if action is not Action.REMOVE:
        return Ruling(action, None, reason)
    if category not in HARMS:
        raise InvalidInput("a removal names a category of harm", code="no_category", field="/category")
    if quick and not reason.strip():
        reason = CLAUSES[Category(category)].rule.zh
    if not reason.strip():
        raise InvalidInput("a removal has a reason", code="no_reason", field="/reason")
    return Ruling(action, Category(category), reason.replace("\r\n", "\n"))


@router.post("/queue/{task_id}")
def decide(
    *,
    request: Request,
    task_id: str,
    principal: Officer,
    session: Transaction,
    now: Now,
    service: TheService,
    action: Annotated[Action, Form()],
    version: Annotated[int, Form()],
    category: Annotated[str, Form()] = "",
    reason: Annotated[str, Form(max_length=REASON_LIMIT)] = "",
    quick: Annotated[str, Form()] = "",
) -> Response:
    """Decide about a post, then go on to the next. A decision that comes too late is told what changed."""
    ruling = ruling_of(action, category, reason, quick=bool(quick))
    sought = sought_of(request)
    try:
        made = review.decide(
            session,
            task_id,
            principal.id,
            ruling.action,
            version=version,
            scope=decides(principal),
            care=care_of(principal),
            now=now,
            category=ruling.category,
            reason=ruling.reason,
            undo=service.moderation.undo,
        )
    except Conflict as error:
        opened = leases.next_task(
            session, decides(principal), principal.id, now=now, sought=sought, care=care_of(principal)
        )
        desk = desk_of(session, principal, opened, now, service=service, sought=sought)
        return show(request, principal, desk, now, problem=error)
    return go_on(sought, "second_asked" if made.second else action.value)
