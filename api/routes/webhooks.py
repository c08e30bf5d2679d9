"""Webhook endpoints, a test message to one, and the log of deliveries with replay."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from alerts import endpoints
from alerts.endpoints import Reach
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.alerts import Before, Identifier, Limit, Page, page_of
from api.schemas.webhooks import (
    AttemptOut,
    DeliveryOut,
    EndpointBody,
    EndpointOut,
    MessageOut,
    NewEndpointOut,
)
from api.security import Permission, Principal, authorise, nodes, scopes
from models.errors import InvalidInput
from models.vocabulary import MessageState

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
        source=principal.source,
        organisation=organisation,
        url=body.url,
        topics=body.topics,
        settings=service.alerts,
        actor=principal.actor,
        now=now,
    )
    return NewEndpointOut.model_validate(endpoint)


@router.get("/webhooks")
def listing(principal: Reader, session: Reading) -> list[EndpointOut]:
    """List the endpoints within reach, without their secrets."""
    reach = reach_of(principal, Permission.WEBHOOKS_READ)
    return [EndpointOut.model_validate(row) for row in endpoints.list_endpoints(session, reach)]


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


@router.get("/deliveries")
def deliveries(
    principal: Looking,
    session: Reading,
    *,
    state: MessageState | None = None,
    endpoint: Identifier | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> Page[DeliveryOut]:
    """List messages within reach with every try at them, newest first."""
    reach = reach_of(principal, Permission.DELIVERY_READ, Permission.WEBHOOKS_READ)
    rows = endpoints.list_deliveries(
        session, reach, state=state, endpoint_id=endpoint, before=before, limit=limit
    )
    items = [
        DeliveryOut(
            message=MessageOut.model_validate(message),
            attempts=[AttemptOut.model_validate(attempt) for attempt in attempts],
        )
        for message, attempts in rows
    ]
    return page_of(items, rows[-1][0].id if rows else None, limit)


@router.post("/deliveries/{message_id}:replay", status_code=status.HTTP_202_ACCEPTED)
def replay(message_id: Identifier, principal: Resending, session: Transaction, now: Now) -> MessageOut:
    """Make a settled message due again, under the same id."""
    reach = reach_of(principal, Permission.DELIVERY_RESEND, Permission.WEBHOOKS_MANAGE)
    message = endpoints.replay(session, message_id, reach, actor=principal.actor, now=now)
    return MessageOut.model_validate(message)
