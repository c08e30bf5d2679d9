"""Messages in an office's own inbox, with the receipt that the office's first look leaves.

Neighbours: `channels/inbox.py` puts them there; `composer` says them in the reader's language;
`inbox` holds the reports that came up, whose receipt stands on a disposal record.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from alerts.actor import Actor
from alerts.channels.channel import Envelope
from alerts.composer import Letter, compose
from models import audit
from models.errors import NotFound
from models.office import OfficeMessage
from models.organisation import within


def list_messages(
    session: Session,
    scope: Sequence[str],
    *,
    unread: bool = False,
    before: str | None = None,
    limit: int = 50,
) -> list[OfficeMessage]:
    """Return what came to the offices at and under `scope`, newest first."""
    query = select(OfficeMessage).where(within(OfficeMessage.organisation, scope))
    if unread:
        query = query.where(col(OfficeMessage.read_at).is_(None))
    if before is not None:
        query = query.where(col(OfficeMessage.id) < before)
    return list(session.exec(query.order_by(col(OfficeMessage.id).desc()).limit(limit)))


def receive(
    session: Session, message_id: str, actor: Actor, *, signs_for: Sequence[str], now: datetime
) -> OfficeMessage:
    """Leave the office's receipt; a second look changes nothing.

    Parameters
    ----------
    signs_for
        The very offices that the actor speaks for.

    Raises
    ------
    NotFound
        If there is none, or it came to none of those offices.
    """
    message = session.exec(
        select(OfficeMessage).where(col(OfficeMessage.id) == message_id).with_for_update()
    ).one_or_none()
    if message is None or message.organisation not in signs_for:
        raise NotFound("no such message, or none that you may see")
    if message.read_at is None:
        message.read_at, message.read_by = now, actor.account_id
        session.add(message)
        session.flush()
        audit.record(
            session,
            now,
            actor=actor.audit_name,
            action="message.received",
            subject=f"message:{message.message_id}",
            organisation=message.organisation,
        )
    return message


def told(message: OfficeMessage, language: str, public_url: str) -> Letter:
    """Return a message in the reader's language."""
    return compose(
        Envelope(
            id=message.message_id,
            topic=message.topic.value,
            created_at=message.arrived_at,
            payload=message.payload,
            address="",
            secret="",
            language=language,
        ),
        public_url,
    )
