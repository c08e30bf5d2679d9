"""Look every hour for surges: a need that far more people voice than usual, a wave of scam or spam.

Counts people and not posts, per place and service domain, from the readings; and per place from the posts
that were held or removed as scam or advertising. What stands out is proposed as an event, once a week at
most for one place and domain; an officer verifies it. A need that has a proposed or verified demand there
is not proposed again.

Neighbours: `detection` says what stands out, `incidents` keeps the proposal.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.detection import BASELINE_DAYS, surge
from alerts.incidents import POSTS, Draft, propose
from models.database import Database
from models.demand import Demand, DemandMember
from models.event import Event
from models.post import Post
from models.reading import Reading
from models.threshold import nearest, thresholds
from models.vocabulary import DOMAIN_WORDS, Category, DemandState, Domain, EventKind, PostState

DAY: Final = timedelta(days=1)
AGAIN: Final = 7 * DAY
WAVES: Final = (Category.SPAM, Category.SCAM, Category.MALICIOUS_LINK)
KNOWN: Final = (DemandState.PROPOSED, DemandState.VERIFIED)


@dataclass(frozen=True, slots=True)
class SurgeReport:
    """What one round did."""

    looked_at: int
    proposed: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """One post as the counting needs it."""

    post_id: str
    author: str
    at: datetime


Key = tuple[EventKind, str, Domain]


def watch_surges(database: Database, now: datetime) -> SurgeReport:
    """Propose an event for every place and domain at which far more people speak than usual."""
    with database.reading() as session:
        spoken = {**_needs(session, now), **_waves(session, now)}
        least = thresholds(session)
    found = []
    for (kind, place, domain), posts in sorted(spoken.items()):
        today = {one.author for one in posts if one.at > now - DAY}
        before = _per_day(posts, now)
        if surge(before, len(today), nearest(least, place).k) is not None:
            recent = [one.post_id for one in posts if one.at > now - DAY][-POSTS:]
            found.append(Draft(kind, place, domain, _title(kind, domain), posts=recent))
    proposed = 0
    for draft in found:
        with database.transaction() as session:
            if not _known(session, draft, now):
                propose(session, draft, now=now, actor=None)
                proposed += 1
    return SurgeReport(len(spoken), proposed)


def _title(kind: EventKind, domain: Domain) -> str:
    return (
        "诈骗与广告集中出现" if kind is EventKind.PLATFORM_INTEGRITY else f"{DOMAIN_WORDS[domain].zh}诉求激增"
    )


def _per_day(posts: list[Spoken], now: datetime) -> list[int]:
    """Return the people of each day before the last 24 hours, from the first on which anybody spoke."""
    people: defaultdict[int, set[str]] = defaultdict(set)
    for one in posts:
        people[int((now - one.at) / DAY)].add(one.author)
    oldest = max(people, default=0)
    return [len(people.get(age, ())) for age in range(min(oldest, BASELINE_DAYS), 0, -1)]


def _needs(session: Session, now: datetime) -> Mapping[Key, list[Spoken]]:
    found: defaultdict[Key, list[Spoken]] = defaultdict(list)
    for place, domain, post_id, author, at in session.execute(
        sa.select(
            col(Reading.organisation),
            col(Reading.domain),
            col(Post.id),
            col(Post.author),
            col(Post.created_at),
        )
        .join(Post, col(Post.id) == col(Reading.post_id))
        .where(
            col(Reading.is_need).is_(True),
            col(Reading.domain) != Domain.NONE,
            col(Post.state) == PostState.PUBLISHED,
            col(Post.created_at) > now - (BASELINE_DAYS + 1) * DAY,
            col(Post.created_at) <= now,
        )
        .order_by(col(Post.created_at))
    ):
        found[EventKind.NEED_SURGE, place, Domain(domain)].append(Spoken(post_id, author, at))
    return found


def _waves(session: Session, now: datetime) -> Mapping[Key, list[Spoken]]:
    found: defaultdict[Key, list[Spoken]] = defaultdict(list)
    for place, post_id, author, at in session.exec(
        select(Post.organisation, Post.id, Post.author, Post.created_at)
        .where(
            col(Post.category).in_(WAVES),
            col(Post.state).in_([PostState.HELD, PostState.REMOVED]),
            col(Post.created_at) > now - (BASELINE_DAYS + 1) * DAY,
            col(Post.created_at) <= now,
        )
        .order_by(col(Post.created_at))
    ):
        found[EventKind.PLATFORM_INTEGRITY, place, Domain.PLATFORM].append(Spoken(post_id, author, at))
    return found


def _known(session: Session, draft: Draft, now: datetime) -> bool:
    """Return whether an event about this was proposed within a week, or a demand holds most of its posts."""
    recent = session.exec(
        select(Event.id).where(
            col(Event.kind) == draft.kind,
            col(Event.organisation) == draft.organisation,
            col(Event.domain) == draft.domain,
            col(Event.created_at) > now - AGAIN,
        )
    ).first()
    if recent is not None or draft.kind is EventKind.PLATFORM_INTEGRITY:
        return recent is not None
    held = session.exec(
        select(DemandMember.id)
        .join(Demand, col(Demand.id) == col(DemandMember.demand_id))
        .where(col(DemandMember.post_id).in_(list(draft.posts)), col(Demand.state).in_(KNOWN))
    ).all()
    return 2 * len(held) > len(draft.posts)
