"""What delivery may be told by the operator. The charter's bounds are not here: they are code.

Neighbours: `api/wiring.py` fills this from the environment; `delivery` and `channels` read it.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import repeat
from pathlib import Path

MINUTE = 60.0
HOUR = 60 * MINUTE
WAITS = (5.0, 30.0, 2 * MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, *repeat(6 * HOUR, 11))
"""Waits between tries, in seconds. They add up to about three days."""
LONGEST_CONSENT_DAYS = 180


class MailSecurity(StrEnum):
    """How the way to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The server that takes our mail, and the address it comes from.

    The certificate is checked against the system's authorities, or against `authorities` alone.

    Raises
    ------
    ValueError
        If a password would go over an open line.
    """

    host: str
    sender: str
    port: int = 587
    security: MailSecurity = MailSecurity.STARTTLS
    user: str = ""
    password: str = field(default="", repr=False)
    authorities: Path | None = None

    def __post_init__(self) -> None:
        if self.user and self.security is MailSecurity.NONE:
            raise ValueError("a password needs starttls or tls")
        if "@" not in self.sender or not self.sender.isascii():
            raise ValueError("need a sender's address")


@dataclass(frozen=True, slots=True)
class AlertsSettings:
    """How messages are delivered. Times are in seconds.

    `allow_private` lets webhooks go to private and local addresses: for tests and intranets.
    `timeout` bounds one try from the look-up of the name to the answer's headers; `lease` is how
    long a crashed worker's messages wait, and must be longer. `round_limit` is when a round takes
    no new messages any more. `sealing` is the key that seals addresses of chats and private keys.
    `repeat` is when an alarm that nobody acknowledged comes again from the top. `consent_days` is how long
    an archived help case keeps a name. Unit: days, 0 to 180, which is a bound of the code.
    """

    allow_private: bool = False
    timeout: float = 10.0
    lease: float = 30.0
    round_limit: float = 20.0
    poll: float = 0.2
    threads: int = 32
    per_endpoint: int = 4
    waits: tuple[float, ...] = WAITS
    longest_retry_after: float = 24 * HOUR
    sealing: bytes | None = field(default=None, repr=False)
    mail: MailSettings | None = None
    public_url: str = "http://127.0.0.1:8311"
    repeat: float = 4 * HOUR
    consent_days: int = 30

    def __post_init__(self) -> None:
        if not 0.0 < self.timeout < self.lease:
            raise ValueError("need 0 < timeout < lease")
        if not 1 <= self.per_endpoint <= self.threads:
            raise ValueError("need 1 <= per_endpoint <= threads")
        if not self.waits or min(self.waits) < 0.0:
            raise ValueError("need at least one wait, none negative")
        if not 0 <= self.consent_days <= LONGEST_CONSENT_DAYS:
            raise ValueError(f"need 0 <= consent_days <= {LONGEST_CONSENT_DAYS}")
