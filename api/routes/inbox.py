"""The inbox of an office: the reports that came up to it."""

from typing import Annotated

from fastapi import APIRouter, Depends

from alerts import inbox
from alerts.inbox import Letter
from api.dependencies import Now, Reading, Transaction, require
from api.routes.demands import actor_of
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.events import EntryOut, EventOut
from api.schemas.inbox import ItemOut, LetterOut
from api.security import Permission, Principal, nodes, scopes

router = APIRouter(prefix="/v1/inbox", tags=["inbox"])
Reader = Annotated[Principal, Depends(require(Permission.INBOX_READ))]
Receiver = Annotated[Principal, Depends(require(Permission.INBOX_RECEIVE))]


@router.get("")
def listing(
    principal: Reader, session: Reading, *, unread: bool = False, before: Before = None, limit: Limit = 50
) -> Page[ItemOut]:
    """List what came to the caller's offices, newest first."""
    rows = inbox.list_items(
        session,
        scopes(principal, Permission.INBOX_READ),
        unread=unread,
        incidents=scopes(principal, Permission.INCIDENTS),
        before=before,
        limit=limit,
    )
    return page_of([ItemOut.model_validate(row) for row in rows], rows[-1].id if rows else None, limit)


@router.get("/{item_id}")
def look(item_id: Identifier, principal: Reader, session: Transaction, now: Now) -> LetterOut:
    """Look at a report without signing for it. The look is on the audit log."""
    return letter_out(
        inbox.open_item(
            session,
            item_id,
            actor_of(principal, Permission.INBOX_READ),
            now=now,
            incidents=scopes(principal, Permission.INCIDENTS),
        )
    )


@router.post("/{item_id}:read")
def read(item_id: Identifier, principal: Receiver, session: Transaction, now: Now) -> LetterOut:
    """Open a report; the first look by the very office that it came to is its receipt."""
    letter = inbox.open_item(
        session,
        item_id,
        actor_of(principal, Permission.INBOX_RECEIVE),
        now=now,
        signs_for=nodes(principal, Permission.INBOX_RECEIVE),
        incidents=scopes(principal, Permission.INCIDENTS),
    )
    return letter_out(letter)


def letter_out(letter: Letter) -> LetterOut:
    """Return an opened report as it goes out."""
    return LetterOut(
        item=ItemOut.model_validate(letter.item),
        event=EventOut.model_validate(letter.event),
        sequence=letter.report.sequence,
        figures=letter.report.figures,
        examples=letter.examples,
        record=[EntryOut.model_validate(entry) for entry in letter.record],
    )
