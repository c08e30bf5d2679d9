"""What delivery may be told by the operator. The charter's bounds are not here: they are code.

Neighbours: `api/wiring.py` fills this from the environment; `delivery` and `channels` read it.
"""

from dataclasses import dataclass
from itertools import repeat

MINUTE = 60.0
HOUR = 60 * MINUTE
WAITS = (5.0, 30.0, 2 * MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, *repeat(6 * HOUR, 11))
"""Waits between tries, in seconds. They add up to about three days."""


@dataclass(frozen=True, slots=True)
class AlertsSettings:
    """How messages are delivered. Times are in seconds.

    `allow_private` lets webhooks go to private and local addresses: for tests and intranets.
    `timeout` bounds one try from the look-up of the name to the answer's headers; `lease` is how
    long a crashed worker's messages wait, and must be longer. `round_limit` is when a round takes
    no new messages any more.
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

    def __post_init__(self) -> None:
        if not 0.0 < self.timeout < self.lease:
            raise ValueError("need 0 < timeout < lease")
        if not 1 <= self.per_endpoint <= self.threads:
            raise ValueError("need 1 <= per_endpoint <= threads")
        if not self.waits or min(self.waits) < 0.0:
            raise ValueError("need at least one wait, none negative")
