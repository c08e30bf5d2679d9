"""Endpoints of every channel, a test message to one, and the log of deliveries with search and replay."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, status
from pydantic import AwareDatetime

from alerts import delivery_log, endpoints
from alerts.delivery_log import Delivery, Search
from alerts.endpoints import Reach, Wish
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.access import Path
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.webhooks import (
    AttemptOut,
    DeliveryOut,
    EndpointBody,
    EndpointOut,
    MessageOut,
    NewEndpointOut,
    ReplayedOut,
    RotationBody,
    TopicsBody,
)
from api.security import Permission, Principal, authorise, nodes, scopes
from models.errors import InvalidInput
from models.outbox import WebhookEndpoint
from models.vocabulary import ChannelKind, MessageState, Signing, Topic

router = APIRouter(prefix="/v1", tags=["webhooks"])
Reader = Annotated[Principal, Depends(require(Permission.WEBHOOKS_READ, Permission.WEBHOOKS_OWN))]
Manager = Annotated[Principal, Depends(require(Permission.WEBHOOKS_MANAGE, Permission.WEBHOOKS_OWN))]
Looking = Annotated[Principal, Depends(require(Permission.DELIVERY_READ, Permission.WEBHOOKS_READ))]
Resending = Annotated[
    Principal,
    Depends(require(Permission.DELIVERY_RESEND, Permission.WEBHOOKS_MANAGE, Permission.WEBHOOKS_OWN)),
]


def reach_of(principal: Principal, *permissions: Permission) -> Reach:
    """Return whose endpoints the caller may see: a key its source's, an account those of its nodes.

    An office sees its own besides, and not those of the offices below it.
    """
    roots = {root for permission in permissions for root in scopes(principal, permission)}
    own = nodes(principal, Permission.WEBHOOKS_OWN)
    return Reach(tuple(sorted(roots)), principal.source, tuple(own))


@router.post("/webhooks", status_code=status.HTTP_201_CREATED)
def create(
    body: EndpointBody, principal: Manager, session: Transaction, service: TheService, now: Now
) -> NewEndpointOut:
    """Add an endpoint. Its secret is in the answer and nowhere else.

    Raises
    ------
    InvalidInput
        If an account names no organisation.
    """
    organisation = body.organisation
    if organisation is None and principal.is_key:
        organisation = scopes(principal, Permission.WEBHOOKS_MANAGE)[0]
    if organisation is None:
        raise InvalidInput("name the office's organisation", code="missing", field="/organisation")
    if organisation not in nodes(principal, Permission.WEBHOOKS_OWN):
        authorise(principal, Permission.WEBHOOKS_MANAGE, organisation)
    endpoint = endpoints.add_endpoint(
        session,
        Wish(
            url=body.url,
            topics=body.topics,
            channel=body.channel,
            signing=body.signing,
            name=body.name,
            language=body.language,
            group=body.group_seconds,
            repeat=body.repeat_seconds,
        ),
        source=principal.source,
        organisation=organisation,
        settings=service.alerts,
        actor=principal.actor,
        now=now,
    )
    return new_endpoint_out(endpoint)


def new_endpoint_out(endpoint: WebhookEndpoint) -> NewEndpointOut:
    """Return an endpoint with the secret that its receiver needs, if it needs one."""
    shared = endpoint.channel is ChannelKind.WEBHOOK and endpoint.signing is Signing.HMAC
    shown = EndpointOut.model_validate(endpoint).model_dump()
    return NewEndpointOut(**shown, secret=endpoint.secret if shared else None)


@router.get("/webhooks")
def listing(principal: Reader, session: Reading) -> list[EndpointOut]:
    """List the endpoints within reach, without their secrets."""
    reach = reach_of(principal, Permission.WEBHOOKS_READ)
    return [EndpointOut.model_validate(row) for row in endpoints.list_endpoints(session, reach)]


@router.patch("/webhooks/{endpoint_id}")
def change(
    endpoint_id: Identifier, body: TopicsBody, principal: Manager, session: Transaction, now: Now
) -> EndpointOut:
    """Let an endpoint hear other topics; what was written for it before still goes to it."""
    endpoint = endpoints.change_topics(
        session,
        endpoint_id,
        reach_of(principal, Permission.WEBHOOKS_MANAGE),
        body.topics,
        actor=principal.actor,
        now=now,
    )
    return EndpointOut.model_validate(endpoint)


@router.post("/webhooks/{endpoint_id}:rotate-secret")
def rotate_secret(
    *,
    endpoint_id: Identifier,
    principal: Manager,
    session: Transaction,
    service: TheService,
    now: Now,
    body: RotationBody | None = None,
) -> NewEndpointOut:
    """Give an endpoint a new key, which is in the answer and nowhere else.

    The old one signs beside it for `overlap_hours`, a day unless the body says otherwise.
    """
    endpoint = endpoints.rotate_secret(
        session,
        endpoint_id,
        reach_of(principal, Permission.WEBHOOKS_MANAGE),
        settings=service.alerts,
        actor=principal.actor,
        now=now,
        overlap=timedelta(hours=(body or RotationBody()).overlap_hours),
    )
    return new_endpoint_out(endpoint)


@router.delete("/webhooks/{endpoint_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete(endpoint_id: Identifier, principal: Manager, session: Transaction, now: Now) -> None:
    """End an endpoint; what still waits for it is withdrawn, its log stays."""
    reach = reach_of(principal, Permission.WEBHOOKS_MANAGE)
    endpoints.delete_endpoint(session, endpoint_id, reach, actor=principal.actor, now=now)


@router.post("/webhooks/{endpoint_id}:test", status_code=status.HTTP_202_ACCEPTED)
def test(endpoint_id: Identifier, principal: Manager, session: Transaction, now: Now) -> MessageOut:
    """Send a test message, through the outbox like any other."""
    reach = reach_of(principal, Permission.WEBHOOKS_MANAGE)
    message = endpoints.send_test(session, endpoint_id, reach, actor=principal.actor, now=now)
    return MessageOut.model_validate(message)


def searched(
    *,
    state: MessageState | None = None,
    topic: Topic | None = None,
    channel: ChannelKind | None = None,
    endpoint: Identifier | None = None,
    organisation: Path | None = None,
    text: Annotated[str | None, Query(max_length=200)] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Search:
    """Return what a request looks for."""
    return Search(state, topic, channel, endpoint, organisation, text, since, until)


@router.get("/deliveries")
def deliveries(
    *,
    principal: Looking,
    session: Reading,
    now: Now,
    search: Annotated[Search, Depends(searched)],
    before: Before = None,
    limit: Limit = 50,
) -> Page[DeliveryOut]:
    """List messages within reach with every try at them, newest first."""
    reach = reach_of(principal, Permission.DELIVERY_READ, Permission.WEBHOOKS_READ)
    rows = delivery_log.list_deliveries(session, reach, search, before=before, limit=limit, now=now)
    items = [delivery_out(row) for row in rows]
    return page_of(items, rows[-1].message.id if rows else None, limit)


@router.get("/deliveries/{message_id}")
def delivery(message_id: Identifier, principal: Looking, session: Reading) -> DeliveryOut:
    """Show one message with every try at it."""
    reach = reach_of(principal, Permission.DELIVERY_READ, Permission.WEBHOOKS_READ)
    return delivery_out(delivery_log.delivery_of(session, message_id, reach))


def delivery_out(found: Delivery) -> DeliveryOut:
    """Return a message as it goes out."""
    return DeliveryOut(
        message=MessageOut.model_validate(found.message),
        attempts=[AttemptOut.model_validate(attempt) for attempt in found.attempts],
    )


@router.post("/deliveries/{message_id}:replay", status_code=status.HTTP_202_ACCEPTED)
def replay(message_id: Identifier, principal: Resending, session: Transaction, now: Now) -> MessageOut:
    """Make a settled message due again, under the same id."""
    reach = reach_of(principal, Permission.DELIVERY_RESEND, Permission.WEBHOOKS_MANAGE)
    message = delivery_log.replay(session, message_id, reach, actor=principal.actor, now=now)
    return MessageOut.model_validate(message)


@router.post("/deliveries:replay-dead", status_code=status.HTTP_202_ACCEPTED)
def replay_dead(
    principal: Resending, session: Transaction, now: Now, search: Annotated[Search, Depends(searched)]
) -> ReplayedOut:
    """Make the dead among what a search finds due again, at most 500 at once, under the same ids."""
    reach = reach_of(principal, Permission.DELIVERY_RESEND, Permission.WEBHOOKS_MANAGE)
    count = delivery_log.replay_dead(session, reach, search, actor=principal.actor, now=now)
    return ReplayedOut(replayed=count)
