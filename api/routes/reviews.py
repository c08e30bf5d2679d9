"""The review queue over HTTP, for officers' own tools. The console shows the same functions as pages.

Opening a task shows the post's text and stands in the audit log.

Neighbours: `moderation/queue.py` and `moderation/review.py` do the work within the caller's scope.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from api.bodies import RawBody, parse_shallow, validated
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.reviews import (
    BulkIn,
    BulkOut,
    CardOut,
    DecisionIn,
    DecisionOut,
    KeptOut,
    LikeOut,
    NoticeOut,
    OpenedTaskOut,
    QueueItemOut,
    QueueOut,
    SeenIn,
    StandingIn,
    StandingOut,
    UndoneOut,
)
from api.security import Permission, Principal, holds, scopes
from models.vocabulary import Category, PostKind
from moderation import alignment, card, leases, queue, referrals, review, similarity, undo
from moderation.filters import QueueFilter
from moderation.review import Seen
from moderation.rulings import Ruling

router = APIRouter(prefix="/v1/reviews", tags=["reviews"])

Viewer = Annotated[Principal, Depends(require(Permission.REVIEW_READ))]
Decider = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]

DECISION_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": DecisionIn.model_json_schema()}},
    }
}


def care_of(principal: Principal) -> list[str] | None:
    """Return where an officer is trained for people in danger; None for whoever only looks at lists."""
    if not holds(principal, Permission.REVIEW_DECIDE):
        return None
    return scopes(principal, Permission.REVIEW_CARE)


def decides(principal: Principal) -> list[str]:
    """Return the places whose posts an officer decides about."""
    return scopes(principal, Permission.REVIEW_DECIDE)


@router.get("")
def listing(
    *,
    principal: Viewer,
    session: Reading,
    now: Now,
    service: TheService,
    category: Category | None = None,
    urgency: Annotated[int | None, Query(ge=0, le=5)] = None,
    organisation: Annotated[str | None, Query(max_length=200)] = None,
    rule: Annotated[str | None, Query(max_length=120)] = None,
    place: Annotated[str | None, Query(max_length=120)] = None,
    kind: PostKind | None = None,
    post: Annotated[str | None, Query(max_length=200, description="The id here or at the platform.")] = None,
    overdue: bool = False,
    waiting_hours: Annotated[int | None, Query(ge=0, le=8_760, description="At least so long.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    after: Annotated[str | None, Query(max_length=32, description="`next` of the page before.")] = None,
) -> QueueOut:
    """List what waits, in the order in which it should be taken, without texts."""
    scope, care = scopes(principal, Permission.REVIEW_READ), care_of(principal)
    sought = QueueFilter(
        organisation=organisation,
        rule=rule,
        place=place,
        kind=kind,
        post_id=post,
        overdue=overdue,
        older_than=timedelta(hours=waiting_hours) if waiting_hours is not None else None,
    )
    items = queue.waiting(
        session,
        scope,
        now=now,
        category=category,
        urgency=urgency,
        sought=sought,
        care=care,
        after=after,
        limit=limit + 1,
        offset=offset,
    )
    counts = service.last_counts.counts(session, scope, now=now, care=care)
    return QueueOut(
        items=[QueueItemOut.model_validate(item) for item in items[:limit]],
        total=counts.total,
        overdue=counts.overdue,
        by_category={word.value if word else "none": n for word, n in counts.by_category.items()},
        by_urgency=counts.by_urgency,
        next=items[limit - 1].task_id if len(items) > limit else None,
    )


@router.get("/notices")
def notices(principal: Viewer, session: Reading) -> list[NoticeOut]:
    """List what calls within the scope: referrals that nobody has opened in time."""
    found = referrals.open_notices(session, scopes(principal, Permission.REVIEW_READ))
    return [NoticeOut.model_validate(one) for one in found]


@router.post("/next", responses={204: {"description": "Nothing waits"}}, response_model=OpenedTaskOut)
def take_next(
    principal: Decider, session: Transaction, now: Now, category: Category | None = None
) -> OpenedTaskOut | Response:
    """Take in hand, for ten minutes, what should be looked at next."""
    opened = leases.next_task(
        session, decides(principal), principal.id, now=now, category=category, care=care_of(principal)
    )
    return OpenedTaskOut.of(opened) if opened else Response(status_code=204)


@router.post("/decisions")
def decide_many(
    sent: BulkIn, principal: Decider, session: Transaction, now: Now, service: TheService
) -> BulkOut:
    """Decide alike about many posts; each keeps its own record, and what cannot be decided is left."""
    done = review.decide_many(
        session,
        [Seen(one.task_id, one.version) for one in sent.tasks],
        principal.id,
        Ruling(sent.action, sent.category, sent.reason),
        scope=decides(principal),
        care=care_of(principal),
        now=now,
        undo=service.moderation.undo,
    )
    return BulkOut.of(done)


@router.post("/decisions/{decision_id}/undo")
def take_back(decision_id: str, principal: Decider, session: Transaction, now: Now) -> UndoneOut:
    """Take back one's own decision, with its whole bulk, before it has left."""
    tasks = undo.undo(session, decision_id, principal.id, decides(principal), now=now)
    return UndoneOut(tasks=[SeenIn(task_id=one.id, version=one.version) for one in tasks])


@router.post("/{task_id}/lease")
def lease(task_id: str, principal: Decider, session: Transaction, now: Now) -> OpenedTaskOut:
    """Take one task in hand for ten minutes."""
    opened = leases.lease(
        session, task_id, principal.id, decides(principal), now=now, care=care_of(principal)
    )
    return OpenedTaskOut.of(opened)


@router.put("/{task_id}/lease")
def keep(task_id: str, principal: Decider, session: Transaction, now: Now) -> KeptOut:
    """Keep a task in hand for ten minutes from now."""
    until = leases.keep(session, task_id, principal.id, decides(principal), now=now, care=care_of(principal))
    return KeptOut(leased_until=until)


@router.delete("/{task_id}/lease", status_code=204)
def release(
    task_id: str,
    principal: Decider,
    session: Transaction,
    now: Now,
    lease: Annotated[str | None, Query(max_length=32)] = None,
) -> None:
    """Give a task back undecided; with `lease`, only if it is the very lease that one had."""
    leases.release(session, task_id, principal.id, decides(principal), now=now, lease=lease)


@router.post("/{task_id}/card")
def beside(task_id: str, principal: Decider, session: Transaction, now: Now, service: TheService) -> CardOut:
    """Take one task in hand and show what stands beside it: thread, folding, precision, past outcomes."""
    scope = decides(principal)
    opened = leases.lease(session, task_id, principal.id, scope, now=now, care=care_of(principal))
    found = card.card(session, opened, scope, principal.id, service.keys.likeness, now=now)
    return CardOut.of(found, alignment.changes(opened.text))


@router.post("/{task_id}/standing")
def standing(
    task_id: str, sent: StandingIn, principal: Decider, session: Transaction, now: Now
) -> StandingOut:
    """Show the standing of the author of a post that one has in hand, after a first look."""
    found = card.standing(
        session,
        task_id,
        principal.id,
        decides(principal),
        now=now,
        asked_twice=sent.again,
        care=care_of(principal),
    )
    return StandingOut.of(found)


@router.post("/{task_id}/alike")
def alike(
    task_id: str, principal: Decider, session: Transaction, now: Now, service: TheService
) -> list[LikeOut]:
    """Take a task and its near-duplicates in hand, the task itself first, with what differs."""
    scope = decides(principal)
    opened = leases.lease(session, task_id, principal.id, scope, now=now, care=care_of(principal))
    found = similarity.lease_alike(session, opened.task, scope, principal.id, service.keys.likeness, now=now)
    return [LikeOut.of(one) for one in found]


@router.post("/{task_id}/decision", openapi_extra=DECISION_BODY)
def decide(
    *, task_id: str, raw: RawBody, principal: Decider, session: Transaction, now: Now, service: TheService
) -> DecisionOut:
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
        scope=decides(principal),
        care=care_of(principal),
        now=now,
        undo=service.moderation.undo,
    )
    return DecisionOut.of(decision)
