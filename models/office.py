"""What an office reads without being sent to: messages in its own inbox, and the keys of its feed.

A message in the inbox is told once, under the id of its row in the outbox, and the office's first look
is its receipt. Of a feed's key only the hash is kept.

Neighbours: `alerts/channels/inbox.py` puts messages in; `alerts/feeds.py` knows the keys.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from models.base import Record, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import Topic


class OfficeMessage(Record, table=True):
    """One message in an office's inbox. `message_id` is that of the outbox, so a repeat adds nothing."""

    __table_args__ = (sa.Index("ix_office_message", "organisation", "arrived_at"),)

    message_id: str = Field(foreign_key="outboxmessage.id", unique=True, max_length=32)
    organisation: str = place_in_tree(index=False)
    topic: Topic = word(Topic)
    payload: dict[str, Any] = document()
    arrived_at: datetime = moment()
    read_at: datetime | None = moment(nullable=True)
    read_by: str | None = Field(default=None, foreign_key="account.id", max_length=32)


class FeedKey(Record, table=True):
    """A key with which a reader follows an office's feed without signing in; `incidents` stand in it too."""

    __tablename__ = "feed_key"

    organisation: str = place_in_tree()
    name: str = Field(max_length=120)
    language: str = Field(default="zh", max_length=2)
    incidents: bool = False
    key_hash: str = Field(unique=True, max_length=64)
    created_by: str = Field(max_length=120)
    created_at: datetime = moment()
    revoked_at: datetime | None = moment(nullable=True)
