"""The log of what left, or did not: every message with every try, to be searched and sent again.

A replay goes out under the same id, so that a receiver which has it already can drop it. What somebody
withdrew stays withdrawn; what went out in a group is sent again as the group.

Neighbours: `delivery` writes the tries; `endpoints.Reach` says whose messages somebody may see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.endpoints import Reach
from models import audit
from models.errors import Conflict, NotFound
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint
from models.vocabulary import ChannelKind, MessageState, Topic

AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for; None does not matter. `text` is an id, a subject or an error's code."""

    state: MessageState | None = None
    topic: Topic | None = None
    channel: ChannelKind | None = None
    endpoint_id: str | None = None
    organisation: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return the search as conditions over messages and their endpoints."""
        equal: list[tuple[Any, Any]] = [
            (OutboxMessage.state, self.state),
            (OutboxMessage.topic, self.topic),
            (WebhookEndpoint.channel, self.channel),
            (OutboxMessage.endpoint_id, self.endpoint_id),
            (OutboxMessage.organisation, self.organisation),
        ]
        found = [col(column) == value for column, value in equal if value is not None]
        if self.text:
            named: list[Any] = [OutboxMessage.id, OutboxMessage.subject_id]
            named += [OutboxMessage.last_error, OutboxMessage.grouped_into]
            found.append(sa.or_(*(col(column) == self.text for column in named)))
        if self.since is not None:
            found.append(col(OutboxMessage.created_at) >= self.since)
        if self.until is not None:
            found.append(col(OutboxMessage.created_at) < self.until)
        return found

    def words(self) -> dict[str, str]:
        """Return the search as a page's address says it."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in given.items()
            if value is not None
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message, where it goes, and every try at it, oldest first."""

    message: OutboxMessage
    endpoint: WebhookEndpoint
    attempts: list[DeliveryAttempt]


def list_deliveries(
    session: Session,
    reach: Reach,
    search: Search | None = None,
    *,
    before: str | None = None,
    limit: int = 50,
    now: datetime | None = None,
) -> list[Delivery]:
    """Return messages within reach with every try at them, newest first.

    With `now`, none that may still be taken back: one that is not due and was never tried.
    """
    query = (
        select(OutboxMessage, WebhookEndpoint)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(reach.condition(), *(search or Search()).conditions())
    )
    if before is not None:
        query = query.where(col(OutboxMessage.id) < before)
    if now is not None:
        query = query.where((col(OutboxMessage.due_at) <= now) | (col(OutboxMessage.attempts) > 0))
    rows = session.exec(query.order_by(col(OutboxMessage.id).desc()).limit(limit)).all()
    tries = _attempts(session, [message.id for message, _ in rows])
    return [Delivery(message, endpoint, tries[message.id]) for message, endpoint in rows]


def _attempts(session: Session, messages: Sequence[str]) -> dict[str, list[DeliveryAttempt]]:
    found: dict[str, list[DeliveryAttempt]] = {message: [] for message in messages}
    for attempt in session.exec(
        select(DeliveryAttempt)
        .where(col(DeliveryAttempt.message_id).in_(messages))
        .order_by(col(DeliveryAttempt.at), col(DeliveryAttempt.id))
    ):
        found[attempt.message_id].append(attempt)
    return found


def delivery_of(session: Session, message_id: str, reach: Reach) -> Delivery:
    """Return one message with every try at it.

    Raises
    ------
    NotFound
        If there is none within reach.
    """
    found = session.exec(
        select(OutboxMessage, WebhookEndpoint)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(col(OutboxMessage.id) == message_id, reach.condition())
    ).one_or_none()
    if found is None:
        raise NotFound("no such message, or none that you may see")
    message, endpoint = found
    return Delivery(message, endpoint, _attempts(session, [message.id])[message.id])


def replay(session: Session, message_id: str, reach: Reach, *, actor: str, now: datetime) -> OutboxMessage:
    """Make a settled message due again, under the same id.

    Raises
    ------
    NotFound
        If there is none within reach.
    Conflict
        If it is waiting anyway, was withdrawn, went out in a group, or its endpoint is disabled.
    """
    found = delivery_of(session, message_id, reach)
    message = session.exec(
        select(OutboxMessage)
        .where(col(OutboxMessage.id) == message_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if message.state is MessageState.PENDING:
        raise Conflict("the message is waiting already", code="pending")
    if found.endpoint.disabled_at is not None:
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
    if message.state is MessageState.WITHDRAWN:
        raise Conflict("the message was withdrawn", code="withdrawn")
    if message.state is MessageState.GROUPED:
        raise Conflict("the message went out in a group", code="grouped", group=message.grouped_into)
    _again(session, message, actor, now)
    return message


def replay_dead(session: Session, reach: Reach, search: Search, *, actor: str, now: datetime) -> int:
    """Make the dead among what a search finds due again, at most 500 at once; return how many."""
    rows = session.exec(
        select(OutboxMessage)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(OutboxMessage.endpoint_id))
        .where(
            reach.condition(),
            *search.conditions(),
            col(OutboxMessage.state) == MessageState.DEAD,
            col(WebhookEndpoint.disabled_at).is_(None),
        )
        .order_by(col(OutboxMessage.id))
        .limit(AT_ONCE)
        .with_for_update(of=OutboxMessage)
    ).all()
    for message in rows:
        _again(session, message, actor, now)
    return len(rows)


def _again(session: Session, message: OutboxMessage, actor: str, now: datetime) -> None:
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
