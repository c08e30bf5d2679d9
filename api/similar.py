"""Tell somebody who is writing which demands the text belongs to, and how many people voice them.

Only demands that enough people voice at that moment are told of, with their people in round numbers,
and under a name that no single person's words can be read from. The text is kept nowhere.

Neighbours: `sentiment/demand/similar.py` compares; `sentiment/demand/voices.py` counts people.
"""

from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from sqlmodel import Session, col, select

from alerts.disclosure import rounded_down
from alerts.members import members_of, texts_of
from api.wiring import Service
from models.demand import Demand
from models.errors import Unavailable
from models.organisation import is_under
from models.threshold import threshold_for
from models.vocabulary import DOMAIN_WORDS, DemandState
from sentiment.demand import similar, voices
from sentiment.demand.items import items_of, newest_of
from sentiment.demand.scoring import Item
from sentiment.pipeline import load_reader
from sentiment.reading import gazetteer_of

TOLD = 3
"""Demands that are told of at most."""

MOST_KEPT = 300
"""Demands whose newest posts are kept in memory as numbers, so that a second question is quick."""

CHECKED = (DemandState.VERIFIED, DemandState.CLOSED)


@dataclass(frozen=True, slots=True)
class Told:
    """A demand as anybody may be told of it. `people` is rounded down."""

    demand_id: str
    title: str
    domain: str
    people: int
    verified: bool


class Neighbourhood:
    """The newest posts of demands as the grouping compares them, kept while the demand does not change."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: dict[str, tuple[int, list[Item]]] = {}

    def of(self, session: Session, demands: list[Demand]) -> dict[str, list[Item]]:
        """Return the items of each demand."""
        with self._lock:
            missing = [one for one in demands if self._kept.get(one.id, (0,))[0] != one.version]
        if missing:
            newest = newest_of(session, [one.id for one in missing], similar.COMPARED)
            items = items_of(session, [post for few in newest.values() for post in few])
            with self._lock:
                for one in missing:
                    found = [items[post] for post in newest[one.id] if post in items]
                    self._kept.pop(one.id, None)
                    self._kept[one.id] = (one.version, found)
                while len(self._kept) > MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
        with self._lock:
            return {one.id: self._kept[one.id][1] for one in demands if one.id in self._kept}


def is_near(organisation: str, demand: Demand) -> bool:
    """Return whether a demand is of a node's own branch of the tree."""
    return is_under(organisation, demand.organisation) or is_under(demand.organisation, organisation)


def similar_to(
    service: Service, session: Session, kept: Neighbourhood, *, text: str, organisation: str, now: datetime
) -> list[Told]:
    """Return the demands that a text belongs to, the likeliest first.

    Raises
    ------
    Unavailable
        If nothing is loaded to read with.
    """
    if service.bundle is None:
        raise Unavailable("nothing is loaded to read with")
    demands = [
        one
        for one in session.exec(
            select(Demand)
            .where(col(Demand.state).in_(voices.JOINED), col(Demand.merged_into).is_(None))
            .order_by(col(Demand.last_posted_at).desc(), col(Demand.id))
            .limit(MOST_KEPT)
        )
        if is_near(organisation, one)
    ]
    reader = load_reader(service.bundle, gazetteer_of(session, service.sentiment))
    draft = similar.item_of_text(reader, text, organisation, now)
    by_id = {one.id: one for one in demands}
    found = []
    for likeness in similar.ranked(draft, kept.of(session, demands)):
        demand = by_id[likeness.demand]
        people = voices.people_of(session, demand)
        if similar.belongs(likeness) and people:
            found.append(told(session, demand, people))
    return found[:TOLD]


def told(session: Session, demand: Demand, people: int) -> Told:
    """Return a demand as anybody may be told of it: by an officer's name, or by many people's words."""
    title = demand.title
    if demand.state not in CHECKED:
        members = members_of(session, demand.id)
        texts = texts_of(session, members)
        title = similar.told_title(
            demand.terms,
            [(one.author, texts.get(one.post_id, "")) for one in members],
            threshold_for(session, demand.organisation).k,
            DOMAIN_WORDS[demand.domain].zh,
        )
    return Told(demand.id, title, demand.domain.value, rounded_down(people), demand.state in CHECKED)
