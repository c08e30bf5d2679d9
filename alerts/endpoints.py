"""Where messages go: a platform's webhooks, and an office's webhooks, mail, chats and inbox.

An endpoint belongs to a source (a platform) or, without one, to an organisation (an office), and names
the topics it wants. Its secret is made here and shown once to whoever makes it; the address of a chat
is a secret too, sealed when it comes and never shown. While a key is rotated the old one signs beside
the new one. Deleting an endpoint disables it: its log stays.

Refuses: addresses that requests may not reach, and a channel that the operator has not set up.

Neighbours: `delivery` sends; `channels` check addresses; `models/outbox.py` chooses endpoints;
`delivery_log` shows what was sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.channels.address import check_url
from alerts.channels.mail import check_address
from alerts.channels.signing import new_pair, new_secret
from alerts.settings import AlertsSettings
from models import audit
from models.base import new_id
from models.errors import Conflict, InvalidInput, NotFound, Unavailable
from models.organisation import Organisation, within
from models.outbox import OutboxMessage, WebhookEndpoint
from models.sealing import seal
from models.vocabulary import TO_PLATFORMS, ChannelKind, MessageState, Signing, Topic

MOST: Final = 20
DELETED: Final = "deleted"
INBOX_ADDRESS: Final = "inbox"
OVERLAP: Final = timedelta(hours=24)
LONGEST_OVERLAP: Final = timedelta(days=7)


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
        places = within(WebhookEndpoint.organisation, self.scope)
        if self.source is None:
            office = sa.and_(
                col(WebhookEndpoint.source).is_(None), col(WebhookEndpoint.organisation).in_(self.own)
            )
            return sa.or_(places, office) if self.own else places
        return sa.and_(places, col(WebhookEndpoint.source) == self.source)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a receiver wants its messages. `url` is a mail address or a chat's address for those channels.

    `group` is how long a message waits for others of its topic, and `repeat` the least time between two
    such groups. Unit: seconds.
    """

    url: str = ""
    topics: Sequence[Topic] = ()
    channel: ChannelKind = ChannelKind.WEBHOOK
    signing: Signing = Signing.HMAC
    name: str = ""
    language: str = "zh"
    group: int = 0
    repeat: int = 0


def add_endpoint(
    session: Session,
    wish: Wish,
    *,
    source: str | None,
    organisation: str,
    settings: AlertsSettings,
    actor: str,
    now: datetime,
    reason: str = "",
) -> WebhookEndpoint:
    """Add an endpoint with a new secret. No topics means all of them. `reason` goes on the audit log.

    Raises
    ------
    InvalidInput
        If the address may not be reached, the organisation is unknown, or the channel cannot do this.
    Conflict
        If the source or office has too many, or this very one.
    Unavailable
        If the operator has not set the channel up.
    """
    _check_wish(wish, source)
    shown = _checked_address(wish, settings)
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
    if wish.channel is not ChannelKind.CHAT and shown in live:
        raise Conflict("this address is there already", code="endpoint_exists")
    if len(live) >= MOST:
        raise Conflict(f"at most {MOST} endpoints", code="too_many_endpoints")
    endpoint = WebhookEndpoint(
        source=source,
        organisation=organisation,
        url=shown,
        secret=new_secret(),
        topics=sorted({topic.value for topic in wish.topics}),
        created_at=now,
        channel=wish.channel,
        name=wish.name,
        language=wish.language,
        signing=wish.signing,
        group_seconds=wish.group,
        repeat_seconds=wish.repeat,
    )
    if wish.channel is ChannelKind.CHAT:
        endpoint.sealed = _sealed(wish.url, endpoint.id, settings)
    elif wish.signing is Signing.ED25519:
        _new_pair(endpoint, settings)
    session.add(endpoint)
    _audit(session, endpoint, "webhook.added", actor, now, reason=reason)
    return endpoint


def _check_wish(wish: Wish, source: str | None) -> None:
    """Refuse what a channel cannot do: a platform takes webhooks, and only what people read is grouped."""
    if wish.channel is ChannelKind.WEBHOOK:
        if wish.group or wish.repeat:
            raise InvalidInput("webhooks are not grouped", code="not_grouped", field="/group_seconds")
        return
    if source is not None:
        raise InvalidInput("a platform takes webhooks", code="channel", field="/channel")
    if wish.signing is not Signing.HMAC:
        raise InvalidInput("only webhooks are signed", code="signing", field="/signing")
    if wish.repeat and not wish.group:
        raise InvalidInput("an interval needs grouping", code="not_grouped", field="/repeat_seconds")


def _checked_address(wish: Wish, settings: AlertsSettings) -> str:
    """Return what may be shown of an address that may be kept."""
    if wish.channel is ChannelKind.WEBHOOK:
        return check_url(wish.url, allow_private=settings.allow_private)
    if wish.channel is ChannelKind.INBOX:
        return INBOX_ADDRESS
    if wish.channel is ChannelKind.MAIL:
        if settings.mail is None:
            raise Unavailable("no mail server is set up", code="no_mail")
        return check_address(wish.url)
    # The library behind chats takes long to load, and few processes need it.
    from alerts.channels.chat import check_chat  # noqa: PLC0415

    return f"{check_chat(wish.url, allow_private=settings.allow_private)}://…"


def _sealed(secret: str, endpoint_id: str, settings: AlertsSettings) -> str:
    if settings.sealing is None:
        raise Unavailable("there is no key to seal with")
    return seal(settings.sealing, secret.encode(), endpoint_id)


def _new_pair(endpoint: WebhookEndpoint, settings: AlertsSettings) -> None:
    private, endpoint.public_key = new_pair()
    endpoint.sealed = _sealed(private, endpoint.id, settings)


def _audit(
    session: Session,
    endpoint: WebhookEndpoint,
    action: str,
    actor: str,
    now: datetime,
    *,
    reason: str = "",
    **details: object,
) -> None:
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"webhook:{endpoint.id}",
        organisation=endpoint.organisation,
        details={**details, **({"reason": reason} if reason else {})} or None,
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


def change_topics(
    session: Session,
    endpoint_id: str,
    reach: Reach,
    topics: Sequence[Topic],
    *,
    actor: str,
    now: datetime,
    reason: str = "",
) -> WebhookEndpoint:
    """Let an endpoint hear other topics from now on; none means all that it may hear.

    What was written for it before goes on its way under the topic it was written for, groups too.

    Raises
    ------
    NotFound
        If there is none within reach.
    Conflict
        If it is disabled.
    InvalidInput
        If a topic that it did not have yet is one that such a receiver never gets.
    """
    endpoint = endpoint_of(session, endpoint_id, reach)
    session.refresh(endpoint, with_for_update=True)
    if endpoint.disabled_at is not None:
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
    before, wanted = list(endpoint.topics), sorted({topic.value for topic in topics})
    for topic in sorted(set(wanted) - set(before)):
        if topic == Topic.WEBHOOK_TEST or (Topic(topic) in TO_PLATFORMS) is (endpoint.source is None):
            raise InvalidInput("this receiver never gets that topic", code="wrong_topic", field="/topics")
    if wanted != before:
        endpoint.topics = wanted
        session.add(endpoint)
        _audit(
            session,
            endpoint,
            "webhook.topics_changed",
            actor,
            now,
            reason=reason,
            before=before,
            after=wanted,
        )
    return endpoint


def rotate_secret(
    session: Session,
    endpoint_id: str,
    reach: Reach,
    *,
    settings: AlertsSettings,
    actor: str,
    now: datetime,
    overlap: timedelta = OVERLAP,
    reason: str = "",
) -> WebhookEndpoint:
    """Give an endpoint a new key, by which the next try is signed.

    Parameters
    ----------
    overlap
        How long the old key signs beside it, so that the receiver can change over at any moment. None
        at all if the old key has leaked.

    Raises
    ------
    NotFound
        If there is none within reach.
    Conflict
        If it is disabled.
    InvalidInput
        If it is no webhook, or the overlap is longer than a week.
    """
    endpoint = endpoint_of(session, endpoint_id, reach)
    if endpoint.disabled_at is not None:
        raise Conflict("the endpoint is disabled", code="endpoint_disabled")
    if endpoint.channel is not ChannelKind.WEBHOOK:
        raise InvalidInput("only webhooks are signed", code="signing")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput("an overlap of at most a week", code="overlap", field="/overlap_hours")
    old = endpoint.sealed if endpoint.signing is Signing.ED25519 else endpoint.secret
    endpoint.old_secret, endpoint.old_secret_until = (old, now + overlap) if overlap else (None, None)
    if endpoint.signing is Signing.ED25519:
        _new_pair(endpoint, settings)
    else:
        endpoint.secret = new_secret()
    session.add(endpoint)
    _audit(session, endpoint, "webhook.secret_rotated", actor, now, reason=reason)
    return endpoint


def delete_endpoint(
    session: Session, endpoint_id: str, reach: Reach, *, actor: str, now: datetime, reason: str = ""
) -> None:
    """Disable an endpoint for good; what still waited for it is withdrawn.

    Raises
    ------
    NotFound
        If there is none within reach.
    """
    endpoint = endpoint_of(session, endpoint_id, reach)
    endpoint.disabled_at = endpoint.disabled_at or now
    endpoint.disabled_reason = DELETED
    endpoint.sealed = endpoint.old_secret = None
    session.add(endpoint)
    session.exec(
        sa.update(OutboxMessage)
        .where(
            col(OutboxMessage.endpoint_id) == endpoint.id, col(OutboxMessage.state) == MessageState.PENDING
        )
        .values(state=MessageState.WITHDRAWN, settled_at=now, lease=None, leased_until=None)
        .execution_options(synchronize_session=False)
    )
    _audit(session, endpoint, "webhook.deleted", actor, now, reason=reason)


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
        channel=endpoint.channel.value,
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
