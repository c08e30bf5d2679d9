"""Near-duplicates of one post: shown with what differs, and decided about in one.

Each keeps its own record; what is not chosen is given back.
"""

from typing import Annotated

from fastapi import Form, Request, Response

from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.queue_links import go_on, query_of, sought_of
from api.console.views.queue import Officer, desk_of, ruling_of, show
from api.dependencies import Now, TheService, Transaction
from api.routes.reviews import care_of, decides
from models.errors import Conflict, InvalidInput
from models.vocabulary import Action
from moderation import (
    card,
    leases,
    locks,
    review,
    similarity,
)
from moderation.review import Seen
from moderation.rulings import REASON_LIMIT

router = pages()


@router.get("/queue/{task_id}/alike")
def alike(
    request: Request, task_id: str, principal: Officer, session: Transaction, now: Now, *, service: TheService
) -> Response:
    """Take a post's near-duplicates in hand and show where each differs, before one decision about all."""
    scope = decides(principal)
    try:
        opened = leases.lease(session, task_id, principal.id, scope, now=now, care=care_of(principal))
    except Conflict as error:
        desk = desk_of(session, principal, None, now, service=service, sought=sought_of(request))
        return show(request, principal, desk, now, problem=error)
    likes = similarity.lease_alike(session, opened.task, scope, principal.id, service.keys.likeness, now=now)
    return page.render(
        request,
        "queue_alike.html",
        principal=principal,
        opened=opened,
        likes=likes,
        harsh=opened.task.category in card.HARSH,
        query=query_of(sought_of(request)),
        names=organisation_names(session, {one.post.organisation for one in likes}),
    )


@router.post("/queue/{task_id}/alike")
def decide_alike(
    *,
    request: Request,
    task_id: str,
    principal: Officer,
    session: Transaction,
    now: Now,
    service: TheService,
    action: Annotated[Action, Form()],
    category: Annotated[str, Form()] = "",
    reason: Annotated[str, Form(max_length=REASON_LIMIT)] = "",
    seen: Annotated[list[str] | None, Form()] = None,
    held: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Decide alike about the posts that were left chosen, and give the others back."""
    chosen = [Seen(one.partition(":")[0], int(one.partition(":")[2])) for one in seen or [] if _is_seen(one)]
    if not chosen:
        raise InvalidInput("choose at least one post", code="none_chosen", field="/seen")
    scope = decides(principal)
    locks.post_of(session, task_id, scope, care=care_of(principal))
    done = review.decide_many(
        session,
        chosen,
        principal.id,
        ruling_of(action, category, reason),
        scope=scope,
        care=care_of(principal),
        now=now,
        undo=service.moderation.undo,
    )
    decided = {one.task_id for one in done.decided}
    mine = [one for one in held or [] if one not in decided][: review.AT_ONCE]
    similarity.give_back(session, mine, principal.id, scope, now=now)
    similarity.audit_bulk(
        session,
        principal.id,
        done.batch,
        len(done.decided),
        first=task_id,
        organisation=scope[0],
        now=now,
    )
    return go_on(sought_of(request), "bulk" if not done.refused else "bulk_partly")


def _is_seen(one: str) -> bool:
    identifier, _, version = one.partition(":")
    return bool(identifier) and version.isdecimal() and len(version) < len(str(2**31))
