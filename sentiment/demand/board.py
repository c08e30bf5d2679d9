"""The board: the demands that enough people voice, filtered and sorted.

Neighbours: `warmth` keeps the heat and the trend that are sorted by; routes and the console show it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.demand import Demand
from models.organisation import under, within
from models.vocabulary import DemandState, Domain, Trend

SHOWN: Final = tuple(state for state in DemandState if state is not DemandState.GATHERING)


class Order(StrEnum):
    """What the board is sorted by."""

    HEAT = "heat"
    LATEST = "latest"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for. `place` is a node of the tree, with what lies under it."""

    state: DemandState | None = None
    domain: Domain | None = None
    place: str | None = None
    trend: Trend | None = None
    order: Order = Order.HEAT


def board(session: Session, scope: Sequence[str], sought: Sought, *, limit: int = 100) -> list[Demand]:
    """Return the demands at and under the nodes of `scope`; what waits to be verified comes first."""
    states = SHOWN if sought.state is None else (sought.state,)
    query = select(Demand).where(
        within(Demand.organisation, scope), col(Demand.state).in_(states), col(Demand.merged_into).is_(None)
    )
    if sought.domain is not None:
        query = query.where(col(Demand.domain) == sought.domain)
    if sought.place is not None:
        query = query.where(under(col(Demand.organisation), sought.place))
    if sought.trend is not None:
        query = query.where(col(Demand.trend) == sought.trend)
    waits = sa.case((col(Demand.state) == DemandState.PROPOSED, 0), else_=1)
    by: Any = {
        Order.HEAT: col(Demand.heat).desc(),
        Order.LATEST: col(Demand.last_posted_at).desc(),
        Order.PEOPLE: col(Demand.authors).desc(),
    }[sought.order]
    ordered = query.order_by(waits, by, col(Demand.last_posted_at).desc(), col(Demand.id))
    return list(session.exec(ordered.limit(limit)))


def places(session: Session, scope: Sequence[str], sought: Sought) -> list[tuple[str, int]]:
    """Return the nodes that have demands of the kind that is looked for, the most first, with how many."""
    states = SHOWN if sought.state is None else (sought.state,)
    query = select(Demand.organisation, sa.func.count()).where(
        within(Demand.organisation, scope), col(Demand.state).in_(states), col(Demand.merged_into).is_(None)
    )
    if sought.domain is not None:
        query = query.where(col(Demand.domain) == sought.domain)
    rows = session.exec(query.group_by(col(Demand.organisation))).all()
    return sorted(rows, key=lambda row: (-row[1], row[0]))
