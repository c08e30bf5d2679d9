"""Quality and care: the figures of blind looks, second readings, a pass, and one's own count of harsh posts.

No page lists officers but a lead's, and that one by name.
"""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, Form, Request, Response

from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.queue_links import go_on, sought_of
from api.dependencies import Now, Reading, Transaction, require
from api.routes.reviews import care_of, decides
from api.security import Permission, Principal, holds, scopes
from models.vocabulary import Action, Category, SecondState
from moderation import confirming, exposure, golden_items, leases, locks, quality, second_reading

router = pages()
PERIOD: Final = timedelta(days=90)

Reader = Annotated[Principal, Depends(require(Permission.QUALITY_READ))]
Officer = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]
Lead = Annotated[Principal, Depends(require(Permission.QUALITY_LEAD))]


@router.get("/quality")
def figures(request: Request, principal: Reader, session: Reading, now: Now) -> Response:
    """Show the figures of the last ninety days, one's own part, and to a lead the officers by name."""
    since = now - PERIOD
    leads = scopes(principal, Permission.QUALITY_LEAD)
    decides_too = holds(principal, Permission.REVIEW_DECIDE)
    mine = quality.golden_agreement(session, since=since, now=now, officer=principal.id)
    return page.render(
        request,
        "quality.html",
        principal=principal,
        figures=quality.figures(session, scopes(principal, Permission.QUALITY_READ), since=since, now=now),
        mine=mine[0].agreed if mine else None,
        exposure=exposure.of_officer(session, principal.id, now) if decides_too else None,
        officers=quality.golden_agreement(session, since=since, now=now, scope=leads) if leads else None,
        together=exposure.together(session, leads, now) if leads else None,
        golden=golden_items.listed(session, leads) if leads else None,
    )


@router.post("/quality/golden")
def add_golden(
    *,
    principal: Lead,
    session: Transaction,
    now: Now,
    post: Annotated[str, Form(max_length=32)],
    expected: Annotated[Action, Form()],
    category: Annotated[str, Form()] = "",
) -> Response:
    """Make a post a golden item."""
    golden_items.add_golden(
        session,
        post.strip(),
        expected,
        Category(category) if expected is Action.REMOVE and category in set(Category) else None,
        scope=scopes(principal, Permission.QUALITY_LEAD),
        actor=principal.actor,
        now=now,
    )
    return page.go("/quality", "golden_added")


@router.post("/quality/golden/{golden_id}/retire")
def retire_golden(golden_id: str, principal: Lead, session: Transaction, now: Now) -> Response:
    """Put a golden item into the queue no more."""
    scope = scopes(principal, Permission.QUALITY_LEAD)
    golden_items.retire_golden(session, golden_id, scope=scope, actor=principal.actor, now=now)
    return page.go("/quality", "golden_retired")


@router.get("/second")
def waiting(request: Request, principal: Officer, session: Transaction, now: Now) -> Response:
    """Show the removals that wait for another officer; each look is on the audit log."""
    found = second_reading.waiting(session, decides(principal), principal.id, now=now)
    second_reading.note_looks(session, found, actor=principal.actor, now=now)
    names = organisation_names(session, {one.post.organisation for one in found})
    return page.render(
        request, "second.html", principal=principal, found=found, names=names, harsh=exposure.HARSH
    )


@router.post("/second/{reading_id}")
def settle(
    reading_id: str,
    principal: Officer,
    session: Transaction,
    now: Now,
    outcome: Annotated[SecondState, Form()],
    *,
    whole: Annotated[str, Form()] = "",
) -> Response:
    """Confirm a removal, decline it, or withdraw one's own."""
    confirming.settle_batch(
        session,
        reading_id,
        principal.id,
        outcome,
        scope=decides(principal),
        now=now,
        whole=bool(whole),
    )
    return page.go("/second", f"second_{outcome.value}")


@router.post("/queue/{task_id}/pass")
def pass_on(request: Request, task_id: str, principal: Officer, session: Transaction, now: Now) -> Response:
    """Give a post to the others without a reason, and go on to the next."""
    leases.pass_on(session, task_id, principal.id, decides(principal), now=now, care=care_of(principal))
    return go_on(sought_of(request), "passed")


@router.post("/queue/{task_id}/unfolded")
def unfolded(task_id: str, principal: Officer, session: Transaction, now: Now) -> Response:
    """Count that one unfolded the harsh text of a post that one has in hand."""
    locks.post_of(session, task_id, decides(principal), care=care_of(principal))
    exposure.note_unfolded(session, task_id, principal.id, now)
    return Response(status_code=204)
