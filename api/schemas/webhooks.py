"""Endpoints and the log of deliveries over HTTP. A secret goes out once, when it is made."""

from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, Field

from api.schemas.access import Path
from api.schemas.alerts import Body, Out
from models.vocabulary import ChannelKind, MessageState, Signing, Topic

DAY: Final = 86_400
Language = Literal["zh", "en"]


class EndpointBody(Body):
    """A new endpoint. A key's is its source's; an account names the office's organisation.

    `url` is an https address, a mail address, or a chat's address as apprise writes it.
    """

    url: str = Field(default="", max_length=500)
    topics: list[Topic] = Field(default_factory=list, max_length=len(Topic), description="None: all.")
    organisation: Path | None = None
    channel: ChannelKind = ChannelKind.WEBHOOK
    signing: Signing = Signing.HMAC
    name: str = Field(default="", max_length=120)
    language: Language = "zh"
    group_seconds: int = Field(default=0, ge=0, le=DAY, description="Wait so long for others of its topic.")
    repeat_seconds: int = Field(default=0, ge=0, le=7 * DAY, description="Least time between two groups.")


class TopicsBody(Body):
    """What an endpoint hears from now on."""

    topics: list[Topic] = Field(max_length=len(Topic), description="None: all that it may hear.")


class RotationBody(Body):
    """How long the old key signs beside the new one."""

    overlap_hours: int = Field(default=24, ge=0, le=168)


class EndpointOut(Out):
    """An endpoint, without its secret."""

    id: str
    source: str | None
    organisation: str
    url: str
    topics: list[Topic]
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None
    channel: ChannelKind
    signing: Signing
    name: str
    language: str
    public_key: str | None
    old_secret_until: datetime | None
    group_seconds: int
    repeat_seconds: int


class NewEndpointOut(EndpointOut):
    """A new endpoint with its secret, if there is one to share. Keep it: it is not shown again."""

    secret: str | None


class AttemptOut(Out):
    """One try."""

    at: datetime
    succeeded: bool
    status: int | None
    error: str | None
    milliseconds: int


class MessageOut(Out):
    """One message. Its `id` is the `webhook-id` at the receiver."""

    id: str
    endpoint_id: str | None
    topic: Topic
    subject_id: str
    state: MessageState
    attempts: int
    due_at: datetime
    created_at: datetime
    settled_at: datetime | None
    last_error: str | None
    channel: str
    grouped_into: str | None
    silenced_by: str | None


class ReplayedOut(BaseModel):
    """How many messages were made due again."""

    replayed: int


class DeliveryOut(BaseModel):
    """One message with every try at it."""

    message: MessageOut
    attempts: list[AttemptOut]
