"""Where webhooks go, and the log of what was sent there.

An endpoint belongs to a source (a platform) or, without one, to an organisation (an office). Its
secret is made here, shown once to whoever makes it, and never again. Deleting an endpoint
disables it: its log stays.

Refuses: addresses that requests may not reach.

Neighbours: `delivery` sends; `channels/address.py` guards; `models/outbox.py` chooses endpoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.channels.address import check_url
from alerts.channels.webhook import new_secret
from alerts.settings import AlertsSettings
from models import audit
from models.base import new_id
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import Organisation, under
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint
from models.vocabulary import MessageState, Topic

MOST: Final = 20
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose endpoints and deliveries somebody may see: nodes of the tree, and for a key its source.

    `own` are offices whose endpoints are within reach at the very node, without what lies under it
    and without those of platforms.
    """

    scope: tuple[str, ...]
    source: str | None = None
    own: tuple[str, ...] = ()

    def condition(self) -> sa.ColumnElement[bool]:
        """Return the reach as a condition over endpoints."""
        places = sa.or_(sa.false(), *(under(WebhookEndpoint.organisation, root) for root in self.scope))
        if self.source is None:
            office = sa.and_(
                col(WebhookEndpoint.source).is_(None), col(WebhookEndpoint.organisation).in_(self.own)
            )
            return sa.or_(places, office) if self.own else places
        return sa.and_(places, col(WebhookEndpoint.source) == self.source)


def add_endpoint(
    session: Session,
    *,
    source: str | None,
    organisation: str,
    url: str,
    topics: Sequence[Topic],
    settings: AlertsSettings,
    actor: str,
    now: datetime,
) -> WebhookEndpoint:
    """Add an endpoint with a new secret. No topics means all of them.

    Raises
    ------
    InvalidInput
        If the address may not be reached, or the organisation is unknown.
    Conflict
        If the source or office has too many, or this very one.
    """
    check_url(url, allow_private=settings.allow_private)
    if session.get(Organisation, organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    owner = (
        col(WebhookEndpoint.source) == source
        if source is not None
        else sa.and_(col(WebhookEndpoint.source).is_(None), col(WebhookEndpoint.organisation) == organisation)
    )
    live = session.exec(
        select(WebhookEndpoint.url).where(owner, col(WebhookEndpoint.disabled_at).is_(None))
    ).all()
    if url in live:
        raise Conflict("this address is there already", code="endpoint_exists")
    if len(live) >= MOST:
        raise Conflict(f"at most {MOST} endpoints", code="too_many_endpoints")
    endpoint = WebhookEndpoint(
        source=source,
        organisation=organisation,
        url=url,
        secret=new_secret(),
        topics=sorted({topic.value for topic in topics}),
        created_at=now,
    )
    session.add(endpoint)
    _audit(session, endpoint, "webhook.added", actor, now)
    return endpoint


def _audit(session: Session, endpoint: WebhookEndpoint, action: str, actor: str, now: datetime) -> None:
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"webhook:{endpoint.id}",
        organisation=endpoint.organisation,
    )


def list_endpoints(session: Session, reach: Reach) -> list[WebhookEndpoint]:
    """Return the endpoints within reach that were not deleted, newest first."""
    return list(
        session.exec(
            select(WebhookEndpoint)
            .where(
                reach.condition(),
                sa.or_(
                    col(WebhookEndpoint.disabled_reason).is_(None),
                    col(WebhookEndpoint.disabled_reason) != DELETED,
                ),
            )
            .order_by(col(WebhookEndpoint.id).desc())
        )
    )


def endpoint_of(session: Session, endpoint_id: str, reach: Reach) -> WebhookEndpoint:
    """Return one endpoint.

    Raises
    ------
    NotFound
        If there is none within reach.
    """
    endpoint = session.exec(
        select(WebhookEndpoint).where(col(WebhookEndpoint.id) == endpoint_id, reach.condition())
    ).one_or_none()
    if endpoint is None or endpoint.disabled_reason == DELETED:
        raise NotFound("no such endpoint, or none that you may see")
    return endpoint


def delete_endpoint(session: Session, endpoint_id: str, reach: Reach, *, actor: str, now: datetime) -> None:
    """Disable an endpoint for good; what still waited for it is withdrawn.

    Raises
    ------
    NotFound
        If there is none within reach.
    """
    endpoint = endpoint_of(session, endpoint_id, reach)
    endpoint.disabled_at = endpoint.disabled_at or now
    endpoint.disabled_reason = DELETED
    session.add(endpoint)
    session.exec(
        sa.update(OutboxMessage)
        .where(
            col(OutboxMessage.endpoint_id) == endpoint.id, col(OutboxMessage.state) == MessageState.PENDING
        )
        .values(state=MessageState.WITHDRAWN, settled_at=now, lease=None, leased_until=None)
        .execution_options(synchronize_session=False)
    )
    _audit(session, endpoint, "webhook.deleted", actor, now)


def send_test(
    session: Session, endpoint_id: str, reach: Reach, *, actor: str, now: datetime
) -> OutboxMessage:
    """Put a test message for one endpoint into the outbox.

    Raises
    ------
    NotFound
        If there is none within reach.
    Conflict
        If it is disabled.
    """
    endpoint = endpoint_of(session, endpoint_id, reach)
    if endpoint.disabled_at is not None:
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
    message = OutboxMessage(
        key=f"{Topic.WEBHOOK_TEST.value}:{endpoint.id}:{new_id()}",
        channel="webhook",
        endpoint_id=endpoint.id,
        organisation=endpoint.organisation,
        topic=Topic.WEBHOOK_TEST,
        subject_id=endpoint.id,
        payload={"endpoint": endpoint.id},
        due_at=now,
        created_at=now,
    )
    session.add(message)
    _audit(session, endpoint, "webhook.tested", actor, now)
    return message


def list_deliveries(
    session: Session,
    reach: Reach,
    *,
    state: MessageState | None = None,
    endpoint_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[tuple[OutboxMessage, list[DeliveryAttempt]]]:
    """Return messages within reach with every try at them, newest first."""
    query = (
        select(OutboxMessage)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(reach.condition())
    )
    if state is not None:
        query = query.where(col(OutboxMessage.state) == state)
    if endpoint_id is not None:
        query = query.where(col(OutboxMessage.endpoint_id) == endpoint_id)
    if before is not None:
        query = query.where(col(OutboxMessage.id) < before)
    messages = list(session.exec(query.order_by(col(OutboxMessage.id).desc()).limit(limit)))
    attempts: dict[str, list[DeliveryAttempt]] = {message.id: [] for message in messages}
    for attempt in session.exec(
        select(DeliveryAttempt)
        .where(col(DeliveryAttempt.message_id).in_(list(attempts)))
        .order_by(col(DeliveryAttempt.at), col(DeliveryAttempt.id))
    ):
        attempts[attempt.message_id].append(attempt)
    return [(message, attempts[message.id]) for message in messages]


def replay(session: Session, message_id: str, reach: Reach, *, actor: str, now: datetime) -> OutboxMessage:
    """Make a settled message due again, under the same id.

    Raises
    ------
    NotFound
        If there is none within reach.
    Conflict
        If it is waiting anyway, or its endpoint is disabled.
    """
    found = session.exec(
        select(OutboxMessage, WebhookEndpoint)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(col(OutboxMessage.id) == message_id, reach.condition())
    ).one_or_none()
    if found is None:
        raise NotFound("no such message, or none that you may see")
    message, endpoint = found
    if message.state is MessageState.PENDING:
        raise Conflict("the message is waiting already", code="pending")
    if endpoint.disabled_at is not None:
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
    message.state, message.attempts, message.due_at = MessageState.PENDING, 0, now
    message.settled_at = message.last_error = None
    session.add(message)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action="delivery.replayed",
        subject=f"message:{message.id}",
        organisation=message.organisation,
    )
    return message
