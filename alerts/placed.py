"""What stands at a place in the tree and has a version: locked for whoever reaches it, and asked about once.

Neighbours: `actor` says what somebody reaches; `disposal`, `duty`, `experts` and `stations` change what is
locked here.
"""

from typing import TypeVar

from sqlmodel import Session, col, select

from alerts.actor import Actor
from models.duty import DutyLayer
from models.errors import NotFound, StaleVersion
from models.event import Event
from models.expert import Expert
from models.station import Station

Placed = TypeVar("Placed", DutyLayer, Event, Expert, Station)


def locked(
    session: Session,
    kind: type[Placed],
    row_id: str,
    actor: Actor,
    *,
    called: str,
    version: int | None = None,
) -> Placed:
    """Return a row, locked until the transaction ends. `called` is what an error calls it.

    Raises
    ------
    NotFound
        If there is none, or none in the actor's scope: the words are the same, so nobody learns which.
    StaleVersion
        If a `version` is given and somebody changed the row since.
    """
    row = session.exec(select(kind).where(col(kind.id) == row_id).with_for_update()).one_or_none()
    if row is None or not actor.reaches(row.organisation):
        raise NotFound(f"no such {called}, or none that you may see")
    if version is not None and row.version != version:
        raise StaleVersion(f"the {called} was changed meanwhile")
    return row
