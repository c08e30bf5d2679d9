"""A solved demand that comes back: find the cases that were about the same before.

Two demands are alike if they are of one service domain, at one place or above one another, and share
their words. The officer sees the earlier cases with their results; nothing is decided by it.

Neighbours: `cases` shows the history. `alike` is pure.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, or_, select

from models.demand import Demand
from models.event import Case, Event
from models.organisation import ancestors, under
from models.vocabulary import CaseState

SHARED: Final = 2
LEAST: Final = 0.34
SETTLED: Final = (CaseState.RESULT_GIVEN, CaseState.ARCHIVED)
SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier case about the same."""

    case_id: str
    organisation: str
    title: str
    state: CaseState
    opened_at: datetime
    settled_at: datetime | None


def alike(terms: Collection[str], other: Collection[str]) -> bool:
    """Return whether two demands share enough words: two at least, and a third of all (Jaccard)."""
    one, two = set(terms), set(other)
    shared = len(one & two)
    return shared >= min(SHARED, len(one), len(two)) and shared > 0 and shared / len(one | two) >= LEAST


def before(session: Session, event: Event) -> list[Earlier]:
    """Return the settled cases that were about what an event is about, newest first."""
    demand = session.get(Demand, event.demand_id) if event.demand_id else None
    if demand is None:
        return []
    found = session.exec(
        select(Case, Demand, Event)
        .join(Demand, col(Demand.id) == col(Case.demand_id))
        .join(Event, col(Event.id) == col(Case.event_id))
        .where(
            col(Case.state).in_(SETTLED),
            col(Event.domain) == event.domain,
            col(Event.id) != event.id,
            or_(
                col(Case.organisation).in_(ancestors(event.organisation)),
                under(Case.organisation, event.organisation),
            ),
        )
        .order_by(col(Case.opened_at).desc())
    ).all()
    return [
        Earlier(
            case.id, case.organisation, case.title or told.title, case.state, case.opened_at, case.settled_at
        )
        for case, other, told in found
        if alike(demand.terms, other.terms)
    ][:SHOWN]


def history(session: Session, case: Case) -> list[Earlier]:
    """Return the chain of cases that a case comes back from, newest first."""
    found: list[Earlier] = []
    known = {case.id}
    following = case.recurs_from
    while following is not None and following not in known and len(found) < SHOWN:
        known.add(following)
        earlier = session.get(Case, following)
        if earlier is None:
            break
        event = session.get(Event, earlier.event_id) if earlier.event_id else None
        title = earlier.title or (event.title if event else "")
        found.append(
            Earlier(
                earlier.id, earlier.organisation, title, earlier.state, earlier.opened_at, earlier.settled_at
            )
        )
        following = earlier.recurs_from
    return found
