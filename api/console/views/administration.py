"""What the administrators' pages share: the reason that every change needs, the places, and people's names.

Refuses: a change without a reason, because the audit log is read by people.

Neighbours: `accounts`, `keys`, `webhooks` and `settings` are the pages.
"""

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import Depends, Form
from sqlmodel import Session, col, select

from api import organisations
from api.security import Permission, Principal, allows
from models.account import Account
from models.errors import InvalidInput
from models.organisation import Organisation

LONGEST_REASON: Final = 1_000


def given_reason(reason: Annotated[str, Form()] = "") -> str:
    """Return why something is changed.

    Raises
    ------
    InvalidInput
        If there is no reason, or it is a long one.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InvalidInput("a change needs its reason", code="reason_needed", field="/reason")
    return reason.strip()


Why = Annotated[str, Depends(given_reason)]


def places(session: Session, principal: Principal, permission: Permission) -> list[Organisation]:
    """Return the nodes at which `principal` may do `permission`, in order of path."""
    return [
        one
        for one in organisations.list_organisations(session, principal)
        if allows(principal, permission, one.path)
    ]


def people(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """Return the names of the accounts among the actors, by actor."""
    ids = {actor.removeprefix("account:") for actor in actors if actor.startswith("account:")}
    rows = session.exec(select(Account.id, Account.name).where(col(Account.id).in_(ids))).all()
    return {f"account:{identifier}": name for identifier, name in rows}
