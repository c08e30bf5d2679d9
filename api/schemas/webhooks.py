"""Webhook endpoints and the log of deliveries over HTTP. A secret goes out once, when it is made."""

from datetime import datetime

from pydantic import BaseModel, Field

from api.schemas.access import Path
from api.schemas.alerts import Body, Out
from models.vocabulary import MessageState, Topic


class EndpointBody(Body):
    """A new endpoint. A key's is its source's; an account names the office's organisation."""

    url: str = Field(max_length=500)
    topics: list[Topic] = Field(default_factory=list, max_length=len(Topic), description="None: all.")
    organisation: Path | None = None


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


class NewEndpointOut(EndpointOut):
    """A new endpoint with its secret. Keep it: it is not shown again."""

    secret: str


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


class DeliveryOut(BaseModel):
    """One message with every try at it."""

    message: MessageOut
    attempts: list[AttemptOut]
