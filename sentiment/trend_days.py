"""Count the people who ask for something, per day, node of the tree and domain. Never per author.

A day is counted again while posts of it may still come in (two days), and then left. Only counts are
kept, so that a figure can look back further than posts are kept. The page that shows them leaves out
what too few people said.

Neighbours: `trends` is the arithmetic; `reading` leaves what is counted; the timetable runs this.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, col, delete, select

from models.correction import TrendDay
from models.database import Database
from models.organisation import ancestors
from models.post import Post
from models.reading import Reading
from models.vocabulary import Domain
from sentiment.trends import WEEKS, Point, series

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
STILL_COMING: Final = timedelta(days=2)
BACK: Final = timedelta(weeks=WEEKS + 1)
LONGEST: Final = 180
"""Days that one figure shows at most."""


@dataclass(frozen=True, slots=True)
class TrendReport:
    """What one round did: days counted."""

    days: int


def count_due(database: Database, now: datetime) -> TrendReport:
    """Count the days that are not counted yet, and those of which posts may still come in."""
    today = now.astimezone(SHANGHAI).date()
    with database.reading() as session:
        rows = session.execute(sa.select(col(TrendDay.day), col(TrendDay.counted_at)))
        counted: dict[date, datetime] = {row.day: row.counted_at for row in rows}
    first = today - BACK
    due = [
        day
        for offset in range((today - first).days + 1)
        if _is_due(day := first + timedelta(days=offset), counted.get(day), now)
    ]
    for day in due:
        with database.transaction() as session:
            _count(session, day, now)
    return TrendReport(len(due))


def _is_due(day: date, counted: datetime | None, now: datetime) -> bool:
    return counted is None or counted < min(now, _begins(day + timedelta(days=1)) + STILL_COMING)


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


def _count(session: Session, day: date, now: datetime) -> None:
    rows = session.exec(
        select(Reading.organisation, Reading.domain, Post.author)
        .join(Post, col(Post.id) == col(Reading.post_id))
        .where(
            col(Reading.is_need).is_(True),
            col(Reading.domain) != Domain.NONE,
            col(Reading.posted_at) >= _begins(day),
            col(Reading.posted_at) < _begins(day + timedelta(days=1)),
        )
    ).all()
    people: defaultdict[tuple[str, Domain | None], set[str]] = defaultdict(set)
    posts: Counter[tuple[str, Domain | None]] = Counter()
    for organisation, domain, author in rows:
        for node in ancestors(organisation):
            for topic in (Domain(domain), None):
                people[node, topic].add(author)
                posts[node, topic] += 1
    session.execute(delete(TrendDay).where(col(TrendDay.day) == day))
    session.add_all(
        TrendDay(
            day=day,
            organisation=node,
            domain=topic,
            posts=posts[node, topic],
            authors=len(who),
            counted_at=now,
        )
        for (node, topic), who in sorted(people.items(), key=lambda one: (one[0][0], one[0][1] or ""))
    )
    if not people:
        # A day without any need is known too; the empty path is no node, and nobody is shown it.
        session.add(TrendDay(day=day, organisation="", domain=None, posts=0, authors=0, counted_at=now))
    session.flush()


def figure(
    session: Session, organisation: str, domain: Domain | None, last: date, days: int, *, least: int = 0
) -> list[Point]:
    """Return the days up to `last` at a node and under it, in one domain or in all of them."""
    first = last - timedelta(days=min(days, LONGEST) - 1)
    since = first - timedelta(weeks=WEEKS)
    topic = col(TrendDay.domain) == domain if domain else col(TrendDay.domain).is_(None)
    counted = _known(session, since)
    counts = dict.fromkeys(counted, 0)
    rows = session.execute(
        sa.select(col(TrendDay.day), col(TrendDay.authors)).where(
            col(TrendDay.organisation) == organisation, topic, col(TrendDay.day) >= since
        )
    )
    counts |= {row.day: row.authors for row in rows}
    return series(counts, first, last, least=least)


def _known(session: Session, since: date) -> Sequence[date]:
    """Return the days that were counted, from the first on which anything was asked anywhere."""
    rows = session.execute(
        sa.select(col(TrendDay.day), col(TrendDay.posts))
        .where(col(TrendDay.day) >= since)
        .order_by(col(TrendDay.day))
    ).all()
    began = next((row.day for row in rows if row.posts), None)
    return sorted({row.day for row in rows if began is not None and row.day >= began})
