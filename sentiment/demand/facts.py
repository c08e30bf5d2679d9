"""What people have said about posts and demands, as one run of the grouping and one page need it.

A fact is about a post and a demand. One about a demand that became part of another is read as one about
that other. A post that somebody put into an open demand is *pinned* there: no run moves it. Facts that
contradict each other are never settled here: they are listed, for a person to decide.

Neighbours: `corrections` writes the facts; `grouping` obeys them; the console lists contradictions.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.correction import DemandCorrection
from models.demand import Demand, DemandFact

LONGEST_CHAIN: Final = 100
"""Redirects that are followed; a chain that long is a circle, which nothing here makes."""

Fact = tuple[str, str, bool]
"""A post, the demand as it is called now, and whether the post belongs."""


@dataclass(frozen=True, slots=True)
class Said:
    """The facts in the order in which they were said, and the posts that stay where somebody put them."""

    facts: tuple[Fact, ...] = ()
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One post about which two facts cannot both hold. `demands` are those it was said to belong to.

    With one demand, it was said to belong and not to belong to it.
    """

    post_id: str
    demands: tuple[str, ...]
    facts: tuple[str, ...]


def heir_of(redirects: Mapping[str, str], demand: str) -> str:
    """Return what a demand is called now."""
    for _ in range(LONGEST_CHAIN):
        if demand not in redirects:
            break
        demand = redirects[demand]
    return demand


def redirects_of(session: Session) -> dict[str, str]:
    """Return for each demand that became part of another the id of that other."""
    rows = session.exec(select(Demand.id, Demand.merged_into).where(col(Demand.merged_into).is_not(None)))
    return {demand: heir for demand, heir in rows if heir is not None}


def follow(session: Session, demand_id: str) -> str:
    """Return the id under which a demand goes on: its own, or that of what it became part of."""
    return heir_of(redirects_of(session), demand_id)


def said(session: Session, open_demands: Collection[str]) -> Said:
    """Return every fact, and the posts that facts pin to a demand that is open."""
    redirects = redirects_of(session)
    facts = tuple(
        (post, heir_of(redirects, demand), belongs)
        for post, demand, belongs in session.exec(
            select(DemandFact.post_id, DemandFact.demand_id, DemandFact.belongs).order_by(
                col(DemandFact.decided_at), col(DemandFact.id)
            )
        )
    )
    return Said(facts, pinned(facts, open_demands))


def pinned(facts: Iterable[Fact], open_demands: Collection[str]) -> dict[str, str]:
    """Return the posts that stay where somebody put them; of two such words the later one holds.

    The earlier one is not forgotten: it is among the contradictions.
    """
    last: dict[tuple[str, str], bool] = {}
    for post, demand, belongs in facts:
        last.pop((post, demand), None)
        last[post, demand] = belongs
    return {post: demand for (post, demand), belongs in last.items() if belongs and demand in open_demands}


def belonging(column: Any) -> sa.ColumnElement[bool]:  # noqa: ANN401 - any mapped column of a post's id
    """Return the condition that somebody said of a post where it belongs."""
    condition: sa.ColumnElement[bool] = column.in_(select(DemandFact.post_id).where(DemandFact.belongs))
    return condition


def spoken_of(session: Session) -> set[str]:
    """Return the demands that a person or a redirect speaks of: their rows stay, posts or none."""
    found = set(session.exec(select(DemandFact.demand_id).where(DemandFact.belongs).distinct()))
    for column in (DemandCorrection.demand_id, DemandCorrection.other_id, Demand.merged_into):
        found |= {one for one in session.exec(select(column).distinct()) if one is not None}
    return found | set(session.exec(select(Demand.id).where(col(Demand.merged_into).is_not(None))))


def contradictions(session: Session) -> list[Contradiction]:
    """Return the facts that cannot both hold, by post."""
    redirects = redirects_of(session)
    rows = session.exec(
        select(DemandFact.id, DemandFact.post_id, DemandFact.demand_id, DemandFact.belongs).order_by(
            col(DemandFact.decided_at), col(DemandFact.id)
        )
    )
    return conflicting([(one, post, heir_of(redirects, demand), yes) for one, post, demand, yes in rows])


def conflicting(facts: Sequence[tuple[str, str, str, bool]]) -> list[Contradiction]:
    """Return which of (fact, post, demand, belongs) cannot both hold. Pure; in order of the posts' ids."""
    by_post: defaultdict[str, list[tuple[str, str, bool]]] = defaultdict(list)
    for fact, post, demand, belongs in facts:
        by_post[post].append((fact, demand, belongs))
    found = []
    for post, about in sorted(by_post.items()):
        yes = {demand for _, demand, belongs in about if belongs}
        no = {demand for _, demand, belongs in about if not belongs}
        if len(yes) > 1:
            involved = yes
        elif yes & no:
            involved = yes & no
        else:
            continue
        found.append(
            Contradiction(
                post,
                tuple(sorted(involved)),
                tuple(fact for fact, demand, _ in about if demand in involved),
            )
        )
    return found
