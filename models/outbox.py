"""Messages that must leave: written in the transaction that caused them, delivered later.

At least once, never lost: `key` is unique, so the same cause cannot enqueue twice, and the row's
id is the message's id at the receiver, so a receiver can drop a repeat. A payload holds
identifiers, verdicts, offsets and figures, never the text of a post.

A receiver that asked for it gets what comes together in one message; while a silence holds, the row
says so and nothing leaves. What must not wait (`notice.URGENT`) is neither grouped nor silenced.

Neighbours: `notice` says what is quiet and what calls people; `alerts/delivery.py` sends.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Field, Session, SQLModel, col, select

from models import notice
from models.base import Record, body, document, moment, word
from models.organisation import ancestors, place_in_tree
from models.prepared import Prepared
from models.vocabulary import ChannelKind, MessageState, Signing, Topic

GROUP: Final = "group:"
MOST_ITEMS: Final = 50
"""A group goes on counting beyond this, and names no more of them."""


class WebhookEndpoint(Record, table=True):
    """Where a platform or an office wants its messages.

    A platform's endpoint names its `source`; an office's has none and names its organisation. `url` is
    what may be shown of the address. `sealed` is what must not be: the address of a chat, or the
    private key of a signature; `old_secret` is the sealed key that signs beside the new one until
    `old_secret_until`. `group_seconds` is how long a message waits for others of its topic, and
    `repeat_seconds` the least time between two such groups. Unit: seconds.
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
    channel: ChannelKind = word(
        ChannelKind, default=ChannelKind.WEBHOOK, sa_column_kwargs={"server_default": "webhook"}
    )
    name: str = Field(default="", max_length=120, sa_column_kwargs={"server_default": ""})
    language: str = Field(default="zh", max_length=2, sa_column_kwargs={"server_default": "zh"})
    signing: Signing = word(Signing, default=Signing.HMAC, sa_column_kwargs={"server_default": "hmac"})
    sealed: str | None = body(nullable=True)
    public_key: str | None = Field(default=None, max_length=120)
    old_secret: str | None = body(nullable=True)
    old_secret_until: datetime | None = moment(nullable=True)
    group_seconds: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    repeat_seconds: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


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
    grouped_into: str | None = Field(default=None, index=True, max_length=32)
    silenced_by: str | None = Field(default=None, max_length=32)


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
    everything = topic not in notice.NAMED_ONLY
    return [one for one in endpoints if topic.value in one.topics or (everything and not one.topics)]


_ENDPOINTS: Final = SQLModel.metadata.tables["webhookendpoint"]
_ANY_ENDPOINT: Final = Prepared(
    sa.select(_ENDPOINTS.c.id)
    .where(
        _ENDPOINTS.c.source == sa.bindparam("source", type_=_ENDPOINTS.c.source.type),
        _ENDPOINTS.c.disabled_at.is_(None),
    )
    .limit(1)
)


def endpoints_of(session: Session, source: str) -> Sequence[WebhookEndpoint]:
    """Return the live endpoints of a platform."""
    # Asked of every batch with a post that is held; most platforms have none, and ask instead of waiting.
    session.flush()
    if not _ANY_ENDPOINT.rows(session.connection(), {"source": source}):
        return ()
    return session.exec(
        select(WebhookEndpoint).where(
            col(WebhookEndpoint.source) == source, col(WebhookEndpoint.disabled_at).is_(None)
        )
    ).all()


def tell_platform(
    session: Session,
    source: str,
    topic: Topic,
    subject_id: str,
    *,
    payload: Mapping[str, Any],
    now: datetime,
    occurrence: str,
    due_at: datetime | None = None,
    endpoints: Sequence[WebhookEndpoint] | None = None,
) -> int:
    """Enqueue a message to every live endpoint of a platform; return how many rows were written.

    `occurrence` tells two messages about the same subject apart (a revision, a decision's id). Nothing is
    sent before `due_at`, which is `now` unless the sender may still think better of it. Whoever has many
    messages for a platform in one transaction asks for its `endpoints_of` once and hands them in.
    """
    if endpoints is None:
        endpoints = endpoints_of(session, source)
    return _enqueue(
        session,
        _listening(list(endpoints), topic),
        topic,
        subject_id,
        payload=payload,
        now=now,
        occurrence=occurrence,
        due_at=due_at,
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
    """Enqueue a message to the offices at and above `organisation`; return how many rows were written.

    A topic of `notice.ALARMS` raises an alarm besides, which goes up until somebody acknowledges it.
    """
    if topic in notice.ALARMS:
        notice.raise_alarm(session, organisation, topic, subject_id, occurrence=occurrence, now=now)
    return _enqueue(
        session,
        _listening(_offices(session, ancestors(organisation)), topic),
        topic,
        subject_id,
        payload=payload,
        now=now,
        occurrence=occurrence,
        silent=notice.silences(session, organisation, topic, now),
    )


def tell_office(
    session: Session,
    organisation: str,
    topic: Topic,
    subject_id: str,
    *,
    payload: Mapping[str, Any],
    now: datetime,
    occurrence: str,
) -> int:
    """Enqueue a message to one office and to none above it; return how many rows were written."""
    return _enqueue(
        session,
        _listening(_offices(session, [organisation]), topic),
        topic,
        subject_id,
        payload=payload,
        now=now,
        occurrence=occurrence,
        silent=notice.silences(session, organisation, topic, now),
    )


def _offices(session: Session, organisations: list[str]) -> list[WebhookEndpoint]:
    return list(
        session.exec(
            select(WebhookEndpoint)
            .where(
                col(WebhookEndpoint.source).is_(None),
                col(WebhookEndpoint.organisation).in_(organisations),
                col(WebhookEndpoint.disabled_at).is_(None),
            )
            .order_by(col(WebhookEndpoint.id))
        )
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
    due_at: datetime | None = None,
    silent: Mapping[str, str] = MappingProxyType({}),
) -> int:
    for endpoint in endpoints:
        message = OutboxMessage(
            key=f"{topic.value}:{subject_id}:{occurrence}:{endpoint.id}",
            channel=endpoint.channel.value,
            endpoint_id=endpoint.id,
            organisation=endpoint.organisation,
            topic=topic,
            subject_id=subject_id,
            payload=dict(payload),
            due_at=due_at or now,
            created_at=now,
        )
        if endpoint.organisation in silent:
            message.state, message.settled_at = MessageState.SILENCED, now
            message.silenced_by = silent[endpoint.organisation]
        elif endpoint.group_seconds > 0 and topic not in notice.URGENT and (due_at or now) <= now:
            # What can still be taken back goes by itself: a group would leave without asking for it.
            message.state, message.settled_at = MessageState.GROUPED, now
            message.grouped_into = _join(session, endpoint, message, now)
        session.add(message)
    return len(endpoints)


def _join(session: Session, endpoint: WebhookEndpoint, message: OutboxMessage, now: datetime) -> str:
    """Put a message into the group that still gathers, or open one; return the group's id.

    A group takes nothing more once it is due or was tried, so that every try has the same body. Its
    row is locked, so a worker that is just taking it comes after us or we come after the worker.
    """
    groups = select(OutboxMessage).where(
        col(OutboxMessage.subject_id) == endpoint.id,
        col(OutboxMessage.topic) == message.topic,
        col(OutboxMessage.key).startswith(GROUP, autoescape=True),
    )
    gathering = session.exec(
        groups.where(
            col(OutboxMessage.state) == MessageState.PENDING,
            col(OutboxMessage.due_at) > now,
            col(OutboxMessage.attempts) == 0,
            col(OutboxMessage.lease).is_(None),
        )
        .order_by(col(OutboxMessage.id).desc())
        .limit(1)
        .with_for_update()
    ).first()
    item = {"message": message.id, "subject": message.subject_id, "at": now.isoformat(), **message.payload}
    if gathering is not None:
        items = gathering.payload["items"]
        gathering.payload = {
            "count": gathering.payload["count"] + 1,
            "items": [*items, item] if len(items) < MOST_ITEMS else items,
        }
        session.add(gathering)
        return gathering.id
    last = session.exec(groups.order_by(col(OutboxMessage.due_at).desc()).limit(1)).first()
    due = now + timedelta(seconds=endpoint.group_seconds)
    if last is not None:
        due = max(due, last.due_at + timedelta(seconds=endpoint.repeat_seconds))
    group = OutboxMessage(
        key=f"{GROUP}{message.id}",
        channel=endpoint.channel.value,
        endpoint_id=endpoint.id,
        organisation=endpoint.organisation,
        topic=message.topic,
        subject_id=endpoint.id,
        payload={"count": 1, "items": [item]},
        due_at=due,
        created_at=now,
    )
    session.add(group)
    session.flush()
    return group.id
