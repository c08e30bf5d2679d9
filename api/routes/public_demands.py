"""Demands as everybody may read them: what was asked by how many, what is being done, by whom, since when."""

from fastapi import APIRouter

from alerts import public
from alerts.public import PublicDemand
from api.dependencies import Reading
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of

router = APIRouter(prefix="/v1/public/demands", tags=["public"])


@router.get("")
def listing(session: Reading, before: Before = None, limit: Limit = 50) -> Page[PublicDemand]:
    """List the reported demands, newest first."""
    rows = public.listed(session, before=before, limit=limit)
    return page_of(rows, rows[-1].event_id if rows else None, limit)


@router.get("/{event_id}")
def one(event_id: Identifier, session: Reading) -> PublicDemand:
    """Show one reported demand and every step since."""
    return public.one(session, event_id)
