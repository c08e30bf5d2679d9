"""Say at which desks of the demand mechanism somebody sits, and which addresses authors get.

Neighbours: `security` has the permissions; `alerts/desks.py` knows the desks, `alerts/loop.py` the links.
"""

from datetime import datetime
from typing import Final

from alerts.desks import Desk, Worker
from alerts.loop import Links
from api.security import Permission, Principal, scopes
from api.wiring import Service
from models import audit
from models.errors import NotPermitted
from models.event import Case

DESKS: Final = {
    Desk.OPERATIONS: Permission.CASES_EDIT,
    Desk.COORDINATION: Permission.CASES_REVIEW,
    Desk.UNIT: Permission.CASES_RESULT,
    Desk.LEADER: Permission.CASES_REMARK,
}


def worker_of(principal: Principal) -> Worker:
    """Return the worker that an account is, with the places at each desk.

    Raises
    ------
    NotPermitted
        If a key is asking: these things are done by a person.
    """
    if principal.is_key:
        raise NotPermitted("this takes a person, not a key", code="person_needed")
    desks = {desk: tuple(scopes(principal, permission)) for desk, permission in DESKS.items()}
    return Worker(
        principal.id,
        principal.name,
        tuple(sorted({root for places in desks.values() for root in places})),
        desks=desks,
        reads=tuple(scopes(principal, Permission.CASES_READ)),
        helps=tuple(scopes(principal, Permission.CASES_HELP)),
    )


def links_of(service: Service) -> Links:
    """Return what makes and reads the addresses that authors get."""
    return Links(service.settings.public_url, service.keys.derive("casework"))


def note_view(service: Service, principal: Principal, case: Case, now: datetime) -> None:
    """Write on the audit log that somebody looked at a help case: it may name its author."""
    with service.database.transaction() as session:
        audit.record(
            session,
            now,
            actor=principal.actor,
            action="case.viewed",
            subject=f"case:{case.id}",
            organisation=case.organisation,
        )
