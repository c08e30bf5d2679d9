"""An office's own inbox in this service: a message arrives as a row, once, under the id of the outbox.

What an author lets be known is not copied: it stands on the case's page, where a revocation reaches it.

Neighbours: `models/office.py` is the record; `alerts/messages.py` shows it and takes the receipt.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from alerts.channels.channel import Envelope, Outcome
from models.database import Database
from models.office import OfficeMessage
from models.vocabulary import Topic


class InboxChannel:
    """Puts messages into inboxes. One instance serves any number of threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        """Put it there unless it is there already. See `Channel`."""
        try:
            with self._database.transaction() as session:
                known = select(OfficeMessage.id).where(OfficeMessage.message_id == envelope.id)
                if session.exec(known).first() is None:
                    session.add(
                        OfficeMessage(
                            message_id=envelope.id,
                            organisation=envelope.organisation,
                            topic=Topic(envelope.topic),
                            payload=_kept(envelope),
                            arrived_at=at,
                        )
                    )
        except IntegrityError:
            # Another worker put it there in the same moment.
            return Outcome(succeeded=True)
        return Outcome(succeeded=True)

    def close(self) -> None:
        """Do nothing: the database is the service's."""


def _kept(envelope: Envelope) -> dict[str, Any]:
    """Return what the inbox keeps of a message."""
    if envelope.topic == Topic.CASE_SHARED.value:
        return {"case": envelope.payload.get("case")}
    return dict(envelope.payload)
