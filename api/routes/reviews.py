"""The review queue over HTTP, for officers' own tools. The console shows the same functions as pages.

Opening a task shows the post's text and stands in the audit log.

Neighbours: `moderation/queue.py` and `moderation/review.py` do the work within the caller's scope.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from api.bodies import RawBody, parse_shallow, validated
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.reviews import DecisionIn, DecisionOut, OpenedTaskOut, QueueItemOut, QueueOut
from api.security import Permission, Principal, scopes
from models.vocabulary import Category
from moderation import queue, review

router = APIRouter(prefix="/v1/reviews", tags=["reviews"])

Viewer = Annotated[Principal, Depends(require(Permission.REVIEW_READ))]
Decider = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]

DECISION_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": DecisionIn.model_json_schema()}},
    }
}


@router.get("")
def listing(
    *,
    principal: Viewer,
    session: Reading,
    now: Now,
    category: Category | None = None,
    urgency: Annotated[int | None, Query(ge=0, le=5)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> QueueOut:
    """List what waits, most urgent first, without texts."""
    scope = scopes(principal, Permission.REVIEW_READ)
    items = queue.waiting(
        session, scope, now=now, category=category, urgency=urgency, limit=limit, offset=offset
    )
    counts = queue.counts(session, scope, now=now)
    return QueueOut(
        items=[QueueItemOut.model_validate(item) for item in items],
        total=counts.total,
        overdue=counts.overdue,
        by_category={word.value if word else "none": n for word, n in counts.by_category.items()},
        by_urgency=counts.by_urgency,
    )


@router.post("/next", responses={204: {"description": "Nothing waits"}}, response_model=OpenedTaskOut)
def take_next(
    principal: Decider, session: Transaction, now: Now, category: Category | None = None
) -> OpenedTaskOut | Response:
    """Take in hand, for ten minutes, what should be looked at next."""
    opened = queue.next_task(
        session, scopes(principal, Permission.REVIEW_DECIDE), principal.id, now=now, category=category
    )
    return OpenedTaskOut.of(opened) if opened else Response(status_code=204)


@router.post("/{task_id}/lease")
def lease(task_id: str, principal: Decider, session: Transaction, now: Now) -> OpenedTaskOut:
    """Take one task in hand for ten minutes."""
    scope = scopes(principal, Permission.REVIEW_DECIDE)
    return OpenedTaskOut.of(queue.lease(session, task_id, principal.id, scope, now=now))


@router.delete("/{task_id}/lease", status_code=204)
def release(task_id: str, principal: Decider, session: Transaction, now: Now) -> None:
    """Give a task back undecided."""
    queue.release(session, task_id, principal.id, scopes(principal, Permission.REVIEW_DECIDE), now=now)


@router.post("/{task_id}/decision", openapi_extra=DECISION_BODY)
def decide(task_id: str, raw: RawBody, principal: Decider, session: Transaction, now: Now) -> DecisionOut:
    """Publish, remove or refer."""
    sent = validated(DecisionIn, parse_shallow(raw))
    decision = review.decide(
        session,
        task_id,
        principal.id,
        sent.action,
        version=sent.version,
        category=sent.category,
        reason=sent.reason,
        scope=scopes(principal, Permission.REVIEW_DECIDE),
        now=now,
    )
    return DecisionOut.of(decision)
