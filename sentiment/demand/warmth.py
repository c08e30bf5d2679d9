"""Keep the heat, the trend and the voices of every demand that the board shows.

Counted by a job, so that a page need not count: people per day, what was to be expected of them, how
urgent the posts are, how long it has waited. It touches no version: an officer who works on a demand
does not lose the work because the heat changed. It forgets the voices of demands that are over.

Neighbours: `heat` and `sentiment/trends` are the arithmetic; `voices` counts who joined.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select, update

from models.database import Database
from models.demand import Demand, DemandMember
from models.post import Post
from models.reading import Reading
from models.vocabulary import DemandState, PostState
from sentiment import trends
from sentiment.demand import voices
from sentiment.demand.heat import heat
from sentiment.trend_days import SHANGHAI

SHOWN = (DemandState.PROPOSED, DemandState.VERIFIED)


@dataclass(frozen=True, slots=True)
class WarmthReport:
    """What one round did: demands looked at, and those of which something changed."""

    demands: int
    changed: int


@dataclass
class _Counted:
    """What was said in one demand."""

    people: defaultdict[date, set[str]]
    authors: set[str]
    urgent: list[float]


def warm_due(database: Database, now: datetime) -> WarmthReport:
    """Count heat, trend and voices anew; a row that would say the same is not written."""
    with database.reading() as session:
        demands = session.exec(
            select(Demand).where(col(Demand.state).in_(SHOWN), col(Demand.merged_into).is_(None))
        ).all()
        said = _said(session, [one.id for one in demands])
        joined = voices.beside(session, {one.id: said[one.id].authors for one in demands})
        untidy = voices.is_untidy(session)
    changed: dict[str, dict[str, object]] = {}
    for one in demands:
        wanted = _warmth(one, said[one.id], joined.get(one.id, 0), now)
        if any(getattr(one, name) != value for name, value in wanted.items()):
            changed[one.id] = wanted
    if changed or untidy:
        with database.transaction() as session:
            voices.tidy(session)
            for demand, values in sorted(changed.items()):
                session.execute(
                    update(Demand)
                    .where(col(Demand.id) == demand)
                    .values(**values)
                    .execution_options(synchronize_session=False)
                )
    return WarmthReport(len(demands), len(changed))


def _said(session: Session, demands: list[str]) -> dict[str, _Counted]:
    found = {one: _Counted(defaultdict(set), set(), []) for one in demands}
    rows = session.execute(
        select(DemandMember.demand_id, Post.author, Post.created_at, Reading.urgency)
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .outerjoin(Reading, col(Reading.post_id) == col(Post.id))
        .where(col(DemandMember.demand_id).in_(demands), col(Post.state) == PostState.PUBLISHED)
    )
    for demand, author, created_at, urgent in rows:
        one = found[demand]
        one.people[created_at.astimezone(SHANGHAI).date()].add(author)
        one.authors.add(author)
        one.urgent.append(urgent or 0.0)
    return found


def _warmth(demand: Demand, said: _Counted, joined: int, now: datetime) -> dict[str, object]:
    today = now.astimezone(SHANGHAI).date()
    week = [today - timedelta(days=back) for back in range(trends.WEEK)]
    recent = len(set().union(*(said.people.get(day, set()) for day in week)))
    usual = usual_of({day: len(who) for day, who in said.people.items()}, week)
    found = heat(
        people=max(0, len(said.authors) - demand.in_concert) + joined,
        recent=recent,
        usual=usual,
        urgency=sum(said.urgent) / len(said.urgent) if said.urgent else 0.0,
        days_open=max(0.0, (now - (demand.proposed_at or now)).total_seconds() / 86_400),
    )
    return {
        "heat": found.value,
        "heat_parts": found.parts(),
        "trend": trends.trend_of(recent, usual),
        "voices": joined,
    }


def usual_of(counts: dict[date, int], week: list[date]) -> float:
    """Return how many people were to be expected in a week, by the days of the demand before it.

    By days of the same kind where three are known, by the mean of all days before where not; 0 for a
    demand that is younger than the week.
    """
    first, begins = min(counts, default=None), min(week)
    if first is None or first >= begins:
        return 0.0
    before = {
        first + timedelta(days=offset): counts.get(first + timedelta(days=offset), 0)
        for offset in range((begins - first).days)
    }
    mean = sum(before.values()) / len(before)
    ranges = [trends.expected(before, day) for day in week]
    return sum(mean if one is None else one.middle for one in ranges)
