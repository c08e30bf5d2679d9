"""Quality and care over HTTP: second readings, passing a post on, and the figures of blind looks.

Neighbours: `moderation/quality.py`, `golden_items.py`, `second_reading.py`, `confirming.py` and
`exposure.py` do the work.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.bodies import RawBody, parse_shallow, validated
from api.dependencies import Now, Reading, Transaction, require
from api.routes.reviews import care_of, decides
from api.schemas.quality import (
    ExposureOut,
    FiguresOut,
    GoldenIn,
    GoldenOut,
    LeadOut,
    MineOut,
    OfficerOut,
    SecondIn,
    SecondOut,
    SecondReadingOut,
    TogetherOut,
)
from api.schemas.reviews import PrecisionOut
from api.security import Permission, Principal, scopes
from moderation import confirming, exposure, golden_items, leases, locks, quality, second_reading
from moderation.precision import Precision

router = APIRouter(prefix="/v1", tags=["quality"])

Officer = Annotated[Principal, Depends(require(Permission.REVIEW_DECIDE))]
Reader = Annotated[Principal, Depends(require(Permission.QUALITY_READ))]
Lead = Annotated[Principal, Depends(require(Permission.QUALITY_LEAD))]
Days = Annotated[int, Query(ge=1, le=365)]
SECOND_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SecondIn.model_json_schema()}},
    }
}
GOLDEN_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": GoldenIn.model_json_schema()}},
    }
}


@router.post("/reviews/{task_id}/pass", status_code=204)
def pass_on(task_id: str, principal: Officer, session: Transaction, now: Now) -> None:
    """Give a post to the others without a reason; for a day it is not assigned to oneself."""
    leases.pass_on(session, task_id, principal.id, decides(principal), now=now, care=care_of(principal))


@router.post("/reviews/{task_id}/unfolded", status_code=204)
def unfolded(task_id: str, principal: Officer, session: Transaction, now: Now) -> None:
    """Count that one unfolded the harsh text of a post that one has in hand."""
    locks.post_of(session, task_id, decides(principal), care=care_of(principal))
    exposure.note_unfolded(session, task_id, principal.id, now)


@router.get("/second-readings")
def second_readings(principal: Officer, session: Transaction, now: Now) -> list[SecondReadingOut]:
    """List the removals that wait for another officer, with the posts; each look is on the audit log."""
    found = second_reading.waiting(session, decides(principal), principal.id, now=now)
    second_reading.note_looks(session, found, actor=principal.actor, now=now)
    return [SecondReadingOut.of(one) for one in found]


@router.post("/second-readings/{reading_id}", openapi_extra=SECOND_BODY)
def settle(reading_id: str, raw: RawBody, principal: Officer, session: Transaction, now: Now) -> SecondOut:
    """Confirm a removal or decline it; whoever proposed it may withdraw it."""
    sent = validated(SecondIn, parse_shallow(raw))
    done = confirming.settle_batch(
        session,
        reading_id,
        principal.id,
        sent.outcome,
        scope=decides(principal),
        now=now,
        whole=sent.all,
    )
    return SecondOut(
        state=done[0].state,
        settled=len(done),
        decisions=[one.decision_id for one in done if one.decision_id],
    )


@router.get("/quality")
def figures(principal: Reader, session: Reading, now: Now, days: Days = 90) -> FiguresOut:
    """Tell what the blind looks of the last days say about the machine, and how far officers agree."""
    scope = scopes(principal, Permission.QUALITY_READ)
    return FiguresOut.of(quality.figures(session, scope, since=now - timedelta(days=days), now=now))


@router.get("/quality/mine")
def mine(principal: Officer, session: Reading, now: Now, days: Days = 90) -> MineOut:
    """Tell one's own agreement with the golden items, and today's count of harsh posts."""
    found = quality.golden_agreement(session, since=now - timedelta(days=days), now=now, officer=principal.id)
    return MineOut(
        golden=PrecisionOut.of(found[0].agreed if found else Precision()),
        exposure=ExposureOut.of(exposure.of_officer(session, principal.id, now)),
    )


@router.get("/quality/officers")
def officers(principal: Lead, session: Reading, now: Now, days: Days = 90) -> LeadOut:
    """Tell the lead each officer's agreement with the golden items, by name, and exposure as a sum."""
    scope = scopes(principal, Permission.QUALITY_LEAD)
    found = quality.golden_agreement(session, since=now - timedelta(days=days), now=now, scope=scope)
    return LeadOut(
        officers=[OfficerOut.of(one) for one in found],
        exposure=[TogetherOut.of(one) for one in exposure.together(session, scope, now)],
    )


@router.get("/quality/golden")
def golden(principal: Lead, session: Reading) -> list[GoldenOut]:
    """List the golden items: references to posts, and no text."""
    found = golden_items.listed(session, scopes(principal, Permission.QUALITY_LEAD))
    return [GoldenOut.of(one) for one in found]


@router.post("/quality/golden", status_code=201, openapi_extra=GOLDEN_BODY)
def add_golden(raw: RawBody, principal: Lead, session: Transaction, now: Now) -> GoldenOut:
    """Make a post a golden item with its right answer."""
    sent = validated(GoldenIn, parse_shallow(raw))
    item = golden_items.add_golden(
        session,
        sent.post_id,
        sent.expected,
        sent.category,
        scope=scopes(principal, Permission.QUALITY_LEAD),
        actor=principal.actor,
        now=now,
    )
    return GoldenOut.of(item)


@router.delete("/quality/golden/{golden_id}")
def retire_golden(golden_id: str, principal: Lead, session: Transaction, now: Now) -> GoldenOut:
    """Put a golden item into the queue no more."""
    scope = scopes(principal, Permission.QUALITY_LEAD)
    found = golden_items.retire_golden(session, golden_id, scope=scope, actor=principal.actor, now=now)
    return GoldenOut.of(found)
