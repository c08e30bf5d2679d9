"""The log of deliveries for operators: searched by links, read message by message, sent again.

It shows identifiers, codes and times, never a text of a post, a payload or a secret.

Neighbours: `alerts/delivery_log.py` searches and replays; `webhooks` shows where messages go.
"""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Request, Response
from sqlmodel import col, select

from alerts import delivery_log
from alerts.delivery_log import Search
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.dependencies import Now, Reading, Transaction, require
from api.routes.webhooks import Resending, reach_of
from api.security import Permission, Principal, allows, nodes
from models.outbox import OutboxMessage
from models.vocabulary import ChannelKind, MessageState, Topic

router = pages()
SHOWN: Final = 50

DeliveryReader = Annotated[Principal, Depends(require(Permission.DELIVERY_READ))]


def sought_of(request: Request) -> Search:
    """Return what an address looks for. What is not a word of it asks nothing."""
    asked = request.query_params
    state, topic, channel = asked.get("state", ""), asked.get("topic", ""), asked.get("channel", "")
    return Search(
        state=MessageState(state) if state in set(MessageState) else None,
        topic=Topic(topic) if topic in set(Topic) else None,
        channel=ChannelKind(channel) if channel in set(ChannelKind) else None,
        endpoint_id=asked.get("endpoint_id") or None,
        organisation=asked.get("organisation") or None,
        text=asked.get("text", "").strip()[:200] or None,
    )


@router.get("/deliveries")
def deliveries(request: Request, principal: DeliveryReader, session: Reading, now: Now) -> Response:
    """Show the newest messages that were looked for, where they went and how it ended."""
    search = sought_of(request)
    before = request.query_params.get("before")
    reach = reach_of(principal, Permission.DELIVERY_READ)
    rows = delivery_log.list_deliveries(session, reach, search, before=before, limit=SHOWN, now=now)

    def with_change(**changes: Any) -> str:  # noqa: ANN401 - a word of one of the lists, or None
        words = search.words() | {name: str(value or "") for name, value in changes.items()}
        return "/deliveries?" + urlencode({name: value for name, value in words.items() if value})

    return page.render(
        request,
        "deliveries.html",
        principal=principal,
        rows=rows,
        search=search,
        with_change=with_change,
        states=list(MessageState),
        channels=list(ChannelKind),
        topics=list(Topic),
        next=with_change(before=rows[-1].message.id) if len(rows) == SHOWN else None,
        names=organisation_names(session, {one.message.organisation for one in rows}),
    )


@router.get("/deliveries/{message_id}")
def delivery(request: Request, message_id: str, principal: DeliveryReader, session: Reading) -> Response:
    """Show one message with every try at it, and what it was grouped with."""
    found = delivery_log.delivery_of(session, message_id, reach_of(principal, Permission.DELIVERY_READ))
    message = found.message
    members = session.exec(
        select(OutboxMessage.id)
        .where(col(OutboxMessage.grouped_into) == message.id)
        .order_by(col(OutboxMessage.id))
        .limit(SHOWN)
    ).all()
    again = message.state in {MessageState.DEAD, MessageState.DELIVERED, MessageState.SILENCED}
    mine = message.organisation in nodes(principal, Permission.WEBHOOKS_OWN) and not found.endpoint.source
    return page.render(
        request,
        "delivery.html",
        principal=principal,
        found=found,
        members=members,
        may_replay=again
        and found.endpoint.disabled_at is None
        and (mine or allows(principal, Permission.DELIVERY_RESEND, message.organisation)),
        names=organisation_names(session, {message.organisation}),
    )


@router.post("/deliveries/{message_id}/replay")
def replay(message_id: str, principal: Resending, session: Transaction, now: Now) -> Response:
    """Make a settled message due again, under the same id."""
    reach = reach_of(principal, Permission.DELIVERY_RESEND, Permission.WEBHOOKS_MANAGE)
    delivery_log.replay(session, message_id, reach, actor=principal.actor, now=now)
    return page.go(f"/deliveries/{message_id}", "delivery_replayed")
