"""The ways a message can leave: what delivery may ask of each, behind one seam.

A channel sends one envelope once and tells how that went. It does not wait, retry or remember:
`delivery` does. Webhooks, mail, chats and the inbox stand behind this one seam;
tests/contract/test_channels.py and test_people_channels.py hold them to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from models.vocabulary import Signing


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to one destination. `id` is the same at every try.

    `sealed` and `old_secret` open only with the key of the settings, and only for `endpoint_id`.
    """

    id: str
    topic: str
    created_at: datetime
    payload: Mapping[str, Any]
    address: str
    secret: str = field(repr=False)
    endpoint_id: str = ""
    signing: Signing = Signing.HMAC
    sealed: str | None = field(default=None, repr=False)
    old_secret: str | None = field(default=None, repr=False)
    language: str = "zh"
    organisation: str = ""
    office: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try went.

    `error` is a code and never text of the answer. `retry_after` is what the receiver asked for, in
    seconds. `gone`: it wants no more messages at all. `slow`: it did not answer, or asked for rest.
    `refused`: it will not take this one however often it comes.
    """

    succeeded: bool
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    gone: bool = False
    slow: bool = False
    refused: bool = False
    milliseconds: int = 0


class Channel(Protocol):
    """What delivery may ask of a channel."""

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        """Try once, within a bounded time, from any thread. Never raises for what the peer does."""

    def close(self) -> None:
        """Give connections back."""
