"""Alarms, silences, messages in an office's inbox, and keys of feeds over HTTP."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas.access import Path
from api.schemas.alerts import Body, Out, Text
from models.vocabulary import Topic


class AlarmOut(Out):
    """What an office must acknowledge. `level` is the highest office that was called so far."""

    id: str
    topic: Topic
    subject_id: str
    organisation: str
    level: str
    raised_at: datetime
    escalate_at: datetime
    calls: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class SilenceBody(Body):
    """Quiet for one office from now on. No topics means all but those that must not wait."""

    organisation: Path
    topics: list[Topic] = Field(default_factory=list, max_length=len(Topic))
    ends_at: AwareDatetime = Field(description="Within a week from now.")
    reason: Text


class SilenceOut(Out):
    """A silence, and whether somebody ended it before its time."""

    id: str
    organisation: str
    topics: list[Topic]
    begins_at: datetime
    ends_at: datetime
    reason: str
    created_by: str
    ended_by: str | None


class OfficeMessageOut(BaseModel):
    """A message in an office's inbox, in the reader's language, with its receipt."""

    id: str
    message_id: str
    organisation: str
    topic: Topic
    subject: str
    lines: list[str]
    arrived_at: datetime
    read_at: datetime | None


class FeedKeyBody(Body):
    """A new key of an office's feed. `incidents` stand in it only if asked for."""

    organisation: Path
    name: str = Field(min_length=1, max_length=120)
    language: Literal["zh", "en"] = "zh"
    incidents: bool = False


class FeedKeyOut(Out):
    """A key of a feed, without the key."""

    id: str
    organisation: str
    name: str
    language: str
    incidents: bool
    created_at: datetime


class NewFeedKeyOut(FeedKeyOut):
    """A new key with the feed's address. Keep it: it is not shown again."""

    url: str
