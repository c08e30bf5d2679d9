"""Who corrects demands, as routes and pages take it: a person, the time, and where the person may.

Neighbours: `sentiment/demand/corrections.py` takes the `Hand` that is made here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends

from api.dependencies import Now, TheService, require
from api.security import Permission, Principal, allows
from api.wiring import Service
from sentiment.demand.corrections import Hand

Corrector = Annotated[Principal, Depends(require(Permission.DEMANDS_CORRECT))]


@dataclass(frozen=True, slots=True)
class Correcting:
    """A person who may correct somewhere, at a moment."""

    principal: Principal
    service: Service
    now: datetime

    def hand(self, *, reason: str = "", insists: bool = False, version: int | None = None) -> Hand:
        """Return the hand of this person."""
        return Hand(
            actor=self.principal.actor,
            now=self.now,
            settings=self.service.sentiment,
            reaches=self.reaches,
            reason=reason,
            insists=insists,
            version=version,
        )

    def reaches(self, path: str) -> bool:
        """Return whether the person may correct at a node."""
        return allows(self.principal, Permission.DEMANDS_CORRECT, path)


async def correcting(principal: Corrector, service: TheService, now: Now) -> Correcting:
    """Return who corrects; refuse whoever may do so nowhere."""
    return Correcting(principal, service, now)


Person = Annotated[Correcting, Depends(correcting)]
