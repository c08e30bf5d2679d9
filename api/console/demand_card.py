"""What the card of a demand shows: people per day, where they are, its posts, and why these.

Posts are shown redacted, to whoever may read posts at the demand's place, and each such look is on the
audit log. Whoever may not sees the blocks that a report would tell, and nothing smaller (charter, 5).

Neighbours: `views/demands.py` and `views/corrections.py` render the card; `sentiment/demand` explains.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from fastapi import Request, Response
from sqlmodel import Session, col, select

from alerts import events
from alerts.actor import Actor
from alerts.disclosure import release, rounded_down
from alerts.members import Member, author_count, members_of, proposed_examples, texts_of
from alerts.redaction import redact
from api.console import page, words
from api.console.names import organisation_names
from api.routes.demands import demand_out
from api.security import Permission, Principal, allows, scopes
from models import audit
from models.demand import Demand, DemandMember
from models.errors import TingjianError
from models.event import Event, Report
from models.threshold import threshold_for
from models.vocabulary import DemandState, Domain
from sentiment import trends
from sentiment.demand import board, explaining, undoing
from sentiment.demand.items import items_of, newest_of

POSTS_SHOWN: Final = 100
REASONS: Final = 3
OTHERS: Final = 60
BACKGROUND: Final = 300
"""Other posts of the window that are asked along, so that rare words are known as rare."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would go up, or the key of why nothing can."""

    figures: dict[str, Any] | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Voice:
    """One post of a demand as the card lists it, redacted: never who wrote it.

    `reasons` are the parts that spoke most for the join, in logits; by hand if a person put it here.
    """

    post_id: str
    organisation: str
    created_at: datetime
    text: str
    probability: float
    reasons: tuple[tuple[str, float], ...]
    by_hand: bool


def actor_for(principal: Principal, permission: Permission) -> Actor:
    """Return the actor that a principal is in the words of the alerts room."""
    return Actor(principal.id, principal.name, tuple(scopes(principal, permission)))


def timeline(members: Sequence[Member]) -> list[dict[str, Any]]:
    """Return the people per day in Shanghai, days without any too, with what was to be expected.

    The expected range is of the demand's own days before; None where too few are known.
    """
    people: defaultdict[date, set[str]] = defaultdict(set)
    for one in members:
        people[one.created_at.astimezone(page.SHANGHAI).date()].add(one.author)
    if not people:
        return []
    first, last = min(people), max(people)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    counts = {day: len(people[day]) if day in people else 0 for day in days}
    found = []
    for day in days:
        usual = trends.expected(counts, day)
        low, high = (usual.low, usual.high) if usual else (None, None)
        found.append({"label": f"{day:%m-%d}", "people": counts[day], "low": low, "high": high})
    return found


@dataclass(frozen=True, slots=True)
class Cell:
    """How many people (or posts, in what a report would tell) are at one place. None: elsewhere."""

    name: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the people are, by organisation and by the place they name. `exact`: counts of people."""

    organisations: tuple[Cell, ...]
    places: tuple[Cell, ...]
    exact: bool


def spread(
    session: Session, demand: Demand, members: Sequence[Member], names: Mapping[str, str], *, exact: bool
) -> Spread:
    """Return where the posts of a demand are.

    Whoever may not read them gets one cut, in blocks of enough people and in round numbers, so that neither
    a step from one look to the next nor a difference of two cuts tells of a few.
    """
    if exact:
        cells = {}
        for by in ("organisation", "place"):
            people: defaultdict[str, set[str]] = defaultdict(set)
            for one in members:
                people[one.organisation if by == "organisation" else one.place or ""].add(one.author)
            cells[by] = _cells([(name or None, len(who)) for name, who in people.items()], names)
        return Spread(cells["organisation"], cells["place"], exact)
    several = len({one.organisation for one in members}) > 1
    by = "organisation" if several else "place"
    told = release([one.voice(by) for one in members], threshold_for(session, demand.organisation))
    blocks = _cells(
        [(cell.name or None, rounded_down(cell.posts)) for cell in told.spread] if told else [], names
    )
    return Spread(blocks if several else (), () if several else blocks, exact)


def _cells(found: list[tuple[str | None, int]], names: Mapping[str, str]) -> tuple[Cell, ...]:
    found.sort(key=lambda cell: (cell[0] is None, -cell[1], cell[0] or ""))
    return tuple(Cell(names.get(name, name) if name else None, count) for name, count in found)


def voices_of(
    session: Session, principal: Principal, demand: Demand, members: Sequence[Member], now: datetime
) -> list[Voice] | None:
    """Return the posts within reach, the most typical first; None for whoever may not read posts there.

    A demand of one place may hold some posts of another, which its own officers read and nobody else.
    """
    if not allows(principal, Permission.POSTS_READ, demand.organisation):
        return None
    shown = sorted(members, key=lambda one: (-one.probability, one.created_at))[:POSTS_SHOWN]
    texts = texts_of(session, shown)
    parts = dict(
        session.exec(
            select(DemandMember.post_id, DemandMember.parts).where(
                col(DemandMember.post_id).in_([one.post_id for one in shown])
            )
        ).all()
    )
    audit.record(
        session,
        now,
        actor=principal.actor,
        action="demand.posts_viewed",
        subject=f"demand:{demand.id}",
        organisation=demand.organisation,
        details={"posts": len(texts)},
    )
    return [
        Voice(
            one.post_id,
            one.organisation,
            one.created_at,
            redact(texts[one.post_id]),
            one.probability,
            tuple((name, value) for name, value in parts.get(one.post_id, {}).items() if value)[:REASONS],
            "person" in parts.get(one.post_id, {}),
        )
        for one in shown
        if one.post_id in texts
    ]


def preview(session: Session, demand: Demand, principal: Principal, now: datetime) -> Preview:
    """Return what verifying would send up: it is done inside a savepoint and undone."""
    attempt = session.begin_nested()
    try:
        event = events.verify_demand(
            session, demand.id, actor_for(principal, Permission.DEMANDS_VERIFY), now=now, note="preview"
        )
        report = session.exec(select(Report).where(col(Report.event_id) == event.id)).one()
        return Preview(dict(report.figures), None)
    except TingjianError as error:
        return Preview(None, f"error.{error.problem_code}")
    finally:
        attempt.rollback()
        session.refresh(demand)


def left_out(
    session: Session, demand: Demand, members: Sequence[Member], gone: str
) -> explaining.Without | None:
    """Return the demand without one of its posts, asked of the models beside other posts of the board."""
    inside = [one.post_id for one in members]
    if gone not in inside:
        return None
    near = board.board(session, [demand.organisation.split("/")[0]], board.Sought(), limit=OTHERS)
    others = newest_of(session, [one.id for one in near if one.id != demand.id], BACKGROUND // OTHERS)
    beside = [post for few in others.values() for post in few]
    items = items_of(session, [*inside, *beside])
    return explaining.without(list(items.values()), inside, gone)


def why(name: str, language: str) -> str:
    """Return what a part of a join is called; one that has no word yet is called by its own name."""
    key = f"part.{name}"
    return words.phrase(key, language) if words.has(key) else name.replace("_", " ")


def show(
    request: Request,
    session: Session,
    principal: Principal,
    demand: Demand,
    now: datetime,
    *,
    against: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    """Render the card. `against` is an act that facts speak against, to be made again insisting."""
    members = members_of(session, demand.id)
    waits = demand.state is DemandState.PROPOSED
    may_verify = waits and allows(principal, Permission.DEMANDS_VERIFY, demand.organisation)
    within = [one for one in members if allows(principal, Permission.POSTS_READ, one.organisation)]
    voices = voices_of(session, principal, demand, within, now)
    reads = voices is not None
    may_correct = (
        reads
        and demand.state in {DemandState.PROPOSED, DemandState.VERIFIED}
        and allows(principal, Permission.DEMANDS_CORRECT, demand.organisation)
    )
    history = undoing.history(session, demand.id)
    gone = request.query_params.get("without", "")
    others = neighbours(session, principal, demand) if may_correct else []
    paths = (
        {demand.organisation} | {one.organisation for one in members} | {one.organisation for one in others}
    )
    names = organisation_names(session, paths)
    language = page.language_of(request, principal)
    shown = demand_out(principal, demand)
    return page.render(
        request,
        "demand.html",
        principal=principal,
        status=status,
        demand=demand,
        event=session.exec(select(Event).where(col(Event.demand_id) == demand.id)).one_or_none(),
        authors=author_count(members) - demand.in_concert if reads else shown.authors,
        posts=len(members) if reads else shown.posts,
        shown=shown,
        timeline=timeline(within) if reads else [],
        spread=spread(session, demand, within if reads else members, names, exact=reads),
        voices=voices,
        without=left_out(session, demand, within, gone) if reads and gone else None,
        texts={one.post_id: one.text for one in voices or ()},
        why=lambda name: why(name, language),
        may_verify=may_verify,
        may_correct=may_correct,
        others=others,
        history=history if reads else [],
        undoable=next((one for one in history if undoing.may_undo(session, one, now)), None)
        if may_correct
        else None,
        against=against,
        preview=preview(session, demand, principal, now) if may_verify else None,
        proposed=proposed_examples(session, within) if may_verify and reads else [],
        domains=[domain for domain in Domain if domain is not Domain.NONE],
        names=names,
    )


def neighbours(session: Session, principal: Principal, demand: Demand) -> list[Demand]:
    """Return the other open demands that posts could be moved to, those of the same domain first."""
    scope = scopes(principal, Permission.DEMANDS_CORRECT)
    found = board.board(session, scope, board.Sought(order=board.Order.LATEST), limit=2 * OTHERS)
    fitting = [
        one
        for one in found
        if one.id != demand.id and one.state in {DemandState.PROPOSED, DemandState.VERIFIED}
    ]
    fitting.sort(key=lambda one: one.domain is not demand.domain)
    return fitting[:OTHERS]
