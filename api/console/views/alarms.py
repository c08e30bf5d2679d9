"""What an office must acknowledge, and the messages in its inbox, on one page.

Neighbours: `alerts/alarms.py` calls the next level, `alerts/messages.py` takes the receipt; `webhooks`
has the silences and the feeds.
"""

from typing import Annotated

from fastapi import Depends, Request, Response

from alerts import alarms, messages
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.console.views.administration import people
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.routes.demands import actor_of
from api.security import Permission, Principal, allows, nodes, scopes

router = pages()
Reader = Annotated[Principal, Depends(require(Permission.ALARMS_READ, Permission.INBOX_READ))]
Acknowledging = Annotated[Principal, Depends(require(Permission.ALARMS_ACKNOWLEDGE))]
Receiver = Annotated[Principal, Depends(require(Permission.INBOX_RECEIVE))]
SHOWN = 50


@router.get("/alarms")
def listing(request: Request, principal: Reader, session: Reading, service: TheService) -> Response:
    """Show the alarms, those that wait first, and what came to the inbox."""
    scope = scopes(principal, Permission.ALARMS_READ)
    found = alarms.list_alarms(session, scope, waiting=False, limit=SHOWN)
    came = messages.list_messages(session, scopes(principal, Permission.INBOX_READ), limit=SHOWN)
    language = page.language_of(request, principal)
    offices = {one.organisation for one in found} | {one.level for one in found}
    offices |= {one.organisation for one in came}
    return page.render(
        request,
        "alarms.html",
        principal=principal,
        alarms=sorted(found, key=lambda one: one.acknowledged_at is not None),
        acknowledging={
            one.id for one in found if allows(principal, Permission.ALARMS_ACKNOWLEDGE, one.organisation)
        },
        people=people(session, {one.acknowledged_by for one in found if one.acknowledged_by}),
        messages=[(one, messages.told(one, language, service.settings.public_url)) for one in came],
        receiving=nodes(principal, Permission.INBOX_RECEIVE),
        names=organisation_names(session, offices),
    )


@router.post("/alarms/{alarm_id}")
def acknowledge(alarm_id: str, principal: Acknowledging, session: Transaction, now: Now) -> Response:
    """Take an alarm up, so that nobody else is called."""
    actor = actor_of(principal, Permission.ALARMS_ACKNOWLEDGE)
    alarms.acknowledge(session, alarm_id, actor, now=now)
    return page.go("/alarms", "alarm_acknowledged")


@router.post("/alarms/messages/{office_message_id}")
def receive(office_message_id: str, principal: Receiver, session: Transaction, now: Now) -> Response:
    """Leave the receipt of the very office that the message came to."""
    actor = actor_of(principal, Permission.INBOX_RECEIVE)
    offices = nodes(principal, Permission.INBOX_RECEIVE)
    messages.receive(session, office_message_id, actor, signs_for=offices, now=now)
    return page.go("/alarms", "received")
