"""Demands as everybody may read them: what was asked by how many, what is being done, by whom, since when."""

from datetime import datetime

from fastapi import APIRouter

from alerts import public
from api.dependencies import Reading
from api.schemas.alerts import Before, Identifier, Limit, Out, Page, page_of
from models.vocabulary import CaseState, Domain, EventState, Step

router = APIRouter(prefix="/v1/public/demands", tags=["public"])


class PublicStepOut(Out):
    """One step; words only where they were told to the authors."""

    step: Step
    at: datetime
    words: str | None


class PublicDemandOut(Out):
    """One demand. Counts are those of its last report, about ten people at least."""

    event_id: str
    title: str
    domain: Domain
    where: str
    place: str | None
    posts: int
    authors: int
    since: str
    until: str
    state: EventState
    case_state: CaseState | None
    lead: str | None
    lead_since: datetime | None
    reported_at: datetime
    steps: list[PublicStepOut]


@router.get("")
def listing(session: Reading, before: Before = None, limit: Limit = 50) -> Page[PublicDemandOut]:
    """List the reported demands, newest first."""
    rows = public.listed(session, before=before, limit=limit)
    return page_of(
        [PublicDemandOut.model_validate(row) for row in rows], rows[-1].event_id if rows else None, limit
    )


@router.get("/{event_id}")
def one(event_id: Identifier, session: Reading) -> PublicDemandOut:
    """Show one reported demand and every step since."""
    return PublicDemandOut.model_validate(public.one(session, event_id))
