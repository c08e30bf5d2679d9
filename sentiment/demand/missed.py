"""How many demand posts does the service miss? A random sample, read blind, says so with an interval.

Each week some posts that ask for something are drawn by lot: of those that stand in no demand on the
board, and, so that nobody can tell which is which, of those that do. An officer sees the post and a few
demands of its neighbourhood in an order that says nothing, and says to which it belongs, or to none.

    recall = found / (found + missed)
    missed = posts outside × share of the outside sample that belongs to a demand
    found  = posts inside × share of the inside sample that is where it belongs

The interval puts the outer bounds of the two shares (95 % each) into the same formula, so it is
rather too wide than too narrow. A recall of demands that the board does not have is not in it.

It refuses to show an officer what the machine did, and to take a second answer.

Neighbours: `items` and `similar` find the neighbourhood; `models.intervals` has the interval.
"""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models import audit
from models.correction import DemandProbe
from models.database import Database
from models.demand import Demand, DemandMember
from models.errors import Conflict, InvalidInput, NotFound
from models.intervals import wilson
from models.organisation import is_under
from models.post import Post
from models.reading import Reading
from models.vocabulary import DemandState, Domain, PostState, ProbeAnswer
from sentiment.demand import facts
from sentiment.demand.corrections import Hand
from sentiment.demand.items import items_of, newest_of
from sentiment.demand.similar import COMPARED, ranked
from sentiment.trend_days import SHANGHAI

A_WEEK: Final = 40
"""Posts drawn each week of those outside; a third as many of those inside."""

INSIDE_SHARE: Final = 3
SHOWN: Final = (DemandState.PROPOSED, DemandState.VERIFIED)
CANDIDATES: Final = 4
"""Demands shown beside a post."""


@dataclass(frozen=True, slots=True)
class DrawReport:
    """What one round did: posts drawn."""

    drawn: int


@dataclass(frozen=True, slots=True)
class Side:
    """Posts of one side of the board: how many there are, were judged, and belong. Unit: posts.

    Raises
    ------
    ValueError
        Unless 0 <= belong <= judged.
    """

    posts: int
    judged: int
    belong: int

    def __post_init__(self) -> None:
        if not 0 <= self.belong <= self.judged:
            raise ValueError(f"need 0 <= belong <= judged, got {self}")


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of demand posts that are on the board, in [0, 1], with a 95 % interval; None if unknown."""

    outside: Side
    inside: Side
    value: float | None
    low: float | None
    high: float | None


def recall_of(outside: Side, inside: Side) -> Recall:
    """Return the recall that two samples speak for; unknown until somebody looked outside."""
    if outside.judged == 0 or inside.posts + outside.posts == 0:
        return Recall(outside, inside, None, None, None)
    right = wilson(inside.belong, inside.judged) if inside.judged else (0.0, 1.0)
    lost = wilson(outside.belong, outside.judged)
    share = inside.belong / inside.judged if inside.judged else 1.0

    def at(found: float, missed: float) -> float:
        there, gone = inside.posts * found, outside.posts * missed
        return there / (there + gone) if there + gone else 1.0

    value = at(share, outside.belong / outside.judged)
    low, high = at(right[0], lost[1]), at(right[1], lost[0])
    return Recall(outside, inside, round(value, 4), round(min(low, value), 4), round(max(high, value), 4))


def week_of(now: datetime) -> date:
    """Return the Monday of a moment's week in Shanghai."""
    today = now.astimezone(SHANGHAI).date()
    return today - timedelta(days=today.weekday())


def draw_due(database: Database, secret: bytes, now: datetime) -> DrawReport:
    """Draw this week's sample of the week before, once."""
    week = week_of(now) - timedelta(weeks=1)
    with database.reading() as session:
        if session.exec(select(DemandProbe.id).where(DemandProbe.week == week).limit(1)).first():
            return DrawReport(0)
        outside, inside = _sides(session, week)
        chosen = _lot(outside, secret, week, A_WEEK)
        known = _lot(sorted(inside), secret, week, A_WEEK // INSIDE_SHARE)
        shown = _neighbourhood(session, [*chosen, *known], inside, secret)
        places = dict(
            session.exec(select(Post.id, Post.organisation).where(col(Post.id).in_([*chosen, *known]))).all()
        )
    with database.transaction() as session:
        for post in (*chosen, *known):
            session.add(
                DemandProbe(
                    week=week,
                    post_id=post,
                    organisation=places[post],
                    clustered=post in inside,
                    demand_id=inside.get(post),
                    population=len(inside) if post in inside else len(outside),
                    candidates=shown.get(post, []),
                    drawn_at=now,
                )
            )
    return DrawReport(len(chosen) + len(known))


def _sides(session: Session, week: date) -> tuple[list[str], dict[str, str]]:
    """Return the needs of a week that stand in no demand on the board, and those that do, with it."""
    begins = datetime.combine(week, datetime.min.time(), SHANGHAI)
    rows = session.exec(
        select(Reading.post_id, Demand.id)
        .join(Post, col(Post.id) == col(Reading.post_id))
        .outerjoin(DemandMember, col(DemandMember.post_id) == col(Reading.post_id))
        .outerjoin(
            Demand,
            sa.and_(col(Demand.id) == col(DemandMember.demand_id), col(Demand.state).in_(SHOWN)),
        )
        .where(
            col(Post.state) == PostState.PUBLISHED,
            col(Reading.is_need).is_(True),
            col(Reading.domain) != Domain.NONE,
            col(Reading.posted_at) >= begins,
            col(Reading.posted_at) < begins + timedelta(weeks=1),
        )
        .order_by(col(Reading.post_id))
    ).all()
    outside = [post for post, demand in rows if demand is None]
    return outside, {post: demand for post, demand in rows if demand is not None}


def _lot(posts: Sequence[str], secret: bytes, week: date, count: int) -> list[str]:
    """Return `count` posts by lot: the same for the same secret and week, and not to be foreseen."""

    def number(post: str) -> bytes:
        return hmac.digest(secret, f"{week.isoformat()}/{post}".encode(), hashlib.sha256)

    return sorted(posts, key=number)[:count]


def _neighbourhood(
    session: Session, posts: Sequence[str], inside: Mapping[str, str], secret: bytes
) -> dict[str, list[str]]:
    """Return for each post the demands that are shown beside it, in an order that says nothing."""
    demands = session.exec(
        select(Demand.id, Demand.organisation).where(
            col(Demand.state).in_(SHOWN), col(Demand.merged_into).is_(None)
        )
    ).all()
    newest = newest_of(session, [one for one, _ in demands], COMPARED)
    members = items_of(session, [post for few in newest.values() for post in few])
    drawn = items_of(session, posts)
    found: dict[str, list[str]] = {}
    for post, item in drawn.items():
        near = {
            demand: [members[one] for one in newest[demand] if one in members and one != post]
            for demand, place in demands
            if is_under(place, item.organisation) or is_under(item.organisation, place)
        }
        best = [one.demand for one in ranked(item, near)][:CANDIDATES]
        own = inside.get(post)
        if own is not None and own not in best:
            best = [*best[: CANDIDATES - 1], own]
        found[post] = sorted(best, key=lambda one: hmac.digest(secret, f"{post}/{one}".encode(), "sha256"))
    return found


def waiting(session: Session, reaches: Callable[[str], bool]) -> list[DemandProbe]:
    """Return the posts that wait for an answer within reach, in an order that says nothing."""
    rows = session.exec(
        select(DemandProbe)
        .join(Post, col(Post.id) == col(DemandProbe.post_id))
        .where(col(DemandProbe.answered_at).is_(None), col(Post.state) == PostState.PUBLISHED)
        .order_by(col(DemandProbe.week), col(DemandProbe.post_id))
    ).all()
    return [one for one in rows if reaches(one.organisation)]


def find(session: Session, probe_id: str, hand: Hand) -> DemandProbe:
    """Return one post of the sample that waits within reach.

    Raises
    ------
    NotFound
        If there is none.
    Conflict
        If somebody has answered.
    """
    probe = session.exec(select(DemandProbe).where(DemandProbe.id == probe_id).with_for_update()).first()
    if probe is None or not hand.reaches(probe.organisation):
        raise NotFound("no such post in the sample, or none that you may see")
    if probe.answered_at is not None:
        raise Conflict("somebody has answered", code="answered")
    return probe


def answer(session: Session, probe_id: str, said: ProbeAnswer, chosen: str | None, hand: Hand) -> DemandProbe:
    """Take an officer's answer. It moves no post; what was missed is put in place by a correction.

    Raises
    ------
    InvalidInput
        If a post belongs to a demand that was not shown.
    """
    probe = find(session, probe_id, hand)
    if (said is ProbeAnswer.BELONGS) != (chosen is not None) or (chosen and chosen not in probe.candidates):
        raise InvalidInput("choose one of the demands shown, or none", code="candidate", field="/demand")
    probe.answer, probe.chosen_id = said, chosen
    probe.answered_by, probe.answered_at = hand.actor, hand.now
    session.add(probe)
    audit.record(
        session,
        hand.now,
        actor=hand.actor,
        action="demand.probe_answered",
        subject=f"post:{probe.post_id}",
        organisation=probe.organisation,
        details={"probe": probe.id, "answer": said.value, "demand": chosen},
    )
    session.flush()
    return probe


def estimate(session: Session, reaches: Callable[[str], bool], since: date) -> Recall:
    """Return the recall of the weeks from `since` on, of the posts within reach.

    What officers were unsure about counts on neither side. Weeks in which nobody looked are left out.
    """
    redirects = facts.redirects_of(session)
    rows = [
        one
        for one in session.exec(select(DemandProbe).where(col(DemandProbe.week) >= since))
        if reaches(one.organisation)
    ]
    weeks = {one.week for one in rows if one.answer is not None}
    count: Counter[tuple[bool, str]] = Counter()
    posts: defaultdict[bool, dict[date, int]] = defaultdict(dict)
    for one in rows:
        if one.week not in weeks:
            continue
        posts[one.clustered][one.week] = one.population
        if one.answer in {None, ProbeAnswer.UNSURE}:
            continue
        count[one.clustered, "judged"] += 1
        if one.clustered:
            own = facts.heir_of(redirects, one.demand_id or "")
            right = one.chosen_id is not None and facts.heir_of(redirects, one.chosen_id) == own
            count[True, "belong"] += right
        else:
            count[False, "belong"] += one.answer is ProbeAnswer.BELONGS
    outside, inside = (
        Side(sum(posts[side].values()), count[side, "judged"], count[side, "belong"])
        for side in (False, True)
    )
    return recall_of(outside, inside)
