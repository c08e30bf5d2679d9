"""The inbox of an office: the reports that came up, and the receipt that the first look leaves.

Opening a report is the receipt, so it is a form that is sent and not a link that a browser may
fetch on its own.
"""

from typing import Annotated

from fastapi import Depends, Request, Response

from alerts import inbox
from api.console import page
from api.console.console import pages
from api.console.demand_card import actor_for
from api.console.names import organisation_names
from api.dependencies import Now, Reading, Transaction, require
from api.security import Permission, Principal, holds, nodes, scopes
from models.errors import NotFound
from models.event import InboxItem
from moderation import referrals

router = pages()

Office = Annotated[Principal, Depends(require(Permission.INBOX_READ))]
Receiver = Annotated[Principal, Depends(require(Permission.INBOX_RECEIVE))]


@router.get("/inbox")
def listing(request: Request, principal: Office, session: Reading) -> Response:
    """Show what came up, newest first."""
    scope = scopes(principal, Permission.INBOX_READ)
    found = inbox.list_items(session, scope, incidents=scopes(principal, Permission.INCIDENTS), limit=100)
    notices = referrals.open_notices(session, scope)
    offices = {one.organisation for one in found} | {one.organisation for one in notices}
    names = organisation_names(session, offices)
    return page.render(
        request,
        "inbox.html",
        principal=principal,
        items=found,
        notices=notices,
        names=names,
        receiving=nodes(principal, Permission.INBOX_RECEIVE),
        looks=not holds(principal, Permission.INBOX_RECEIVE),
    )


@router.post("/inbox/{item_id}")
def receive(item_id: str, principal: Receiver, session: Transaction, now: Now) -> Response:
    """Sign for a report, then show it."""
    inbox.open_item(
        session,
        item_id,
        actor_for(principal, Permission.INBOX_RECEIVE),
        now=now,
        signs_for=nodes(principal, Permission.INBOX_RECEIVE),
        incidents=scopes(principal, Permission.INCIDENTS),
    )
    return page.go(f"/inbox/{item_id}", "received")


@router.get("/inbox/{item_id}")
def letter(request: Request, item_id: str, principal: Office, session: Transaction, now: Now) -> Response:
    """Show a report. One that was not signed for asks an office for the receipt first; an auditor looks."""
    looking = actor_for(principal, Permission.INBOX_READ)
    item = session.get(InboxItem, item_id)
    if item is None:
        raise NotFound("no such report, or none that you may see")
    looking.require(item.organisation)
    if item.read_at is None and holds(principal, Permission.INBOX_RECEIVE):
        return page.render(
            request,
            "receipt.html",
            principal=principal,
            item=item,
            may_receive=item.organisation in nodes(principal, Permission.INBOX_RECEIVE),
            names=organisation_names(session, {item.organisation}),
        )
    found = inbox.open_item(
        session, item_id, looking, now=now, incidents=scopes(principal, Permission.INCIDENTS)
    )
    return page.render(
        request,
        "letter.html",
        principal=principal,
        letter=found,
        names=organisation_names(
            session,
            {item.organisation, found.event.organisation} | {one.organisation for one in found.record},
        ),
    )
