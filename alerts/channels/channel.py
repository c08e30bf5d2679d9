"""The ways a message can leave: what delivery may ask of each, behind one seam.

A channel sends one envelope once and tells how that went. It does not wait, retry or remember:
`delivery` does. Webhooks are the first channel; mail and chat channels come behind the same seam,
and tests/contract/test_channels.py holds each of them to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message to one destination. `id` is the same at every try."""

    id: str
    topic: str
    created_at: datetime
    payload: Mapping[str, Any]
    address: str
    secret: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try went.

    `error` is a code and never text of the answer. `retry_after` is what the receiver asked for, in
    seconds. `gone`: it wants no more messages at all. `slow`: it did not answer, or asked for rest.
    """

    succeeded: bool
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    gone: bool = False
    slow: bool = False
    milliseconds: int = 0


class Channel(Protocol):
    """What delivery may ask of a channel."""

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        """Try once, within a bounded time, from any thread. Never raises for what the peer does."""

    def close(self) -> None:
        """Give connections back."""
