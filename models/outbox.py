"""Messages that must leave: written in the transaction that caused them, delivered later.

At least once, never lost: `key` is unique, so the same cause cannot enqueue twice, and the row's
id is the message's id at the receiver, so a receiver can drop a repeat. A payload holds
identifiers, verdicts and offsets, never the text of a post.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, Session, col, select

from models.base import Record, document, moment, word
from models.organisation import ancestors, place_in_tree
from models.vocabulary import MessageState, Topic


class WebhookEndpoint(Record, table=True):
    """Where a platform or an office wants its messages.

    A platform's endpoint names its `source`; an office's has none and names its organisation.
    """

    __table_args__ = (sa.Index("ix_webhook_endpoint_source", "source"),)

    source: str | None = Field(default=None, max_length=64)
    organisation: str = place_in_tree()
    url: str = Field(max_length=500)
    secret: str = Field(max_length=120)
    topics: list[str] = document(factory=list)
    created_at: datetime = moment()
    disabled_at: datetime | None = moment(nullable=True)
    disabled_reason: str | None = Field(default=None, max_length=200)


class OutboxMessage(Record, table=True):
    """One message to one destination."""

    __table_args__ = (
        sa.Index("ix_outbox_due", "state", "due_at"),
        sa.Index("ix_outbox_subject", "subject_id"),
    )

    key: str = Field(unique=True, max_length=200)
    channel: str = Field(max_length=16)
    endpoint_id: str | None = Field(default=None, foreign_key="webhookendpoint.id", max_length=32)
    organisation: str = place_in_tree(index=False)
    topic: Topic = word(Topic)
    subject_id: str = Field(max_length=32)
    payload: dict[str, Any] = document()
    state: MessageState = word(MessageState, default=MessageState.PENDING)
    attempts: int = 0
    due_at: datetime = moment()
    lease: str | None = Field(default=None, max_length=32)
    leased_until: datetime | None = moment(nullable=True)
    created_at: datetime = moment()
    settled_at: datetime | None = moment(nullable=True)
    last_error: str | None = Field(default=None, max_length=200)


class DeliveryAttempt(Record, table=True):
    """One try at one message, for the log that an operator reads."""

    __table_args__ = (sa.Index("ix_delivery_attempt_message", "message_id"),)

    message_id: str = Field(foreign_key="outboxmessage.id", max_length=32)
    at: datetime = moment()
    succeeded: bool
    status: int | None = None
    error: str | None = Field(default=None, max_length=200)
    milliseconds: int = 0


def _listening(endpoints: list[WebhookEndpoint], topic: Topic) -> list[WebhookEndpoint]:
    return [one for one in endpoints if not one.topics or topic.value in one.topics]


def tell_platform(
    session: Session,
    source: str,
    topic: Topic,
    subject_id: str,
    *,
    payload: Mapping[str, Any],
    now: datetime,
    occurrence: str,
) -> int:
    """Enqueue a message to every live endpoint of a platform; return how many rows were written.

    `occurrence` tells two messages about the same subject apart (a revision, a decision's id).
    """
    chosen = session.exec(
        select(WebhookEndpoint).where(
            col(WebhookEndpoint.source) == source, col(WebhookEndpoint.disabled_at).is_(None)
        )
    ).all()
    return _enqueue(
        session,
        _listening(list(chosen), topic),
        topic,
        subject_id,
        payload=payload,
        now=now,
        occurrence=occurrence,
    )


def tell_offices(
    session: Session,
    organisation: str,
    topic: Topic,
    subject_id: str,
    *,
    payload: Mapping[str, Any],
    now: datetime,
    occurrence: str,
) -> int:
    """Enqueue a message to the offices at and above `organisation`; return how many rows were written."""
    chosen = session.exec(
        select(WebhookEndpoint).where(
            col(WebhookEndpoint.source).is_(None),
            col(WebhookEndpoint.organisation).in_(ancestors(organisation)),
            col(WebhookEndpoint.disabled_at).is_(None),
        )
    ).all()
    return _enqueue(
        session,
        _listening(list(chosen), topic),
        topic,
        subject_id,
        payload=payload,
        now=now,
        occurrence=occurrence,
    )


def _enqueue(
    session: Session,
    endpoints: list[WebhookEndpoint],
    topic: Topic,
    subject_id: str,
    *,
    payload: Mapping[str, Any],
    now: datetime,
    occurrence: str,
) -> int:
    for endpoint in endpoints:
        session.add(
            OutboxMessage(
                key=f"{topic.value}:{subject_id}:{occurrence}:{endpoint.id}",
                channel="webhook",
                endpoint_id=endpoint.id,
                organisation=endpoint.organisation,
                topic=topic,
                subject_id=subject_id,
                payload=dict(payload),
                due_at=now,
                created_at=now,
            )
        )
    return len(endpoints)
