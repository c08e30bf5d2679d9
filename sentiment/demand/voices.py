"""People who join a demand through their platform: each counted once, and not beside a post of their own.

A voice is a keyed hash, as the author of a post is, and the demand it joined. It tells nothing else,
takes part in no grouping, and never carries a demand over the number of people: only a demand that
enough people voice by posts can be joined (charter, 5). Whoever joined may leave, and the row is gone.

Neighbours: `warmth` counts voices; `api/routes/similar.py` takes them from a platform.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from models import audit
from models.correction import DemandVoice
from models.demand import Demand, DemandMember
from models.errors import NotFound
from models.post import Post
from models.threshold import threshold_for
from models.vocabulary import DemandState, PostState
from sentiment.demand import facts

JOINED = (DemandState.PROPOSED, DemandState.VERIFIED)
OVER = (DemandState.REJECTED, DemandState.CLOSED)


def people_of(session: Session, demand: Demand) -> int:
    """Return how many people a demand may be said to have now: 0 below the number that may be told of.

    Counted from the posts as they are, not from a stored figure. Voices add to it, and never make it.
    """
    if demand.state not in JOINED or demand.merged_into is not None:
        return 0
    authors = set(
        session.exec(
            select(Post.author)
            .join(DemandMember, col(DemandMember.post_id) == col(Post.id))
            .where(DemandMember.demand_id == demand.id, col(Post.state) == PostState.PUBLISHED)
            .distinct()
        )
    )
    people = len(authors) - demand.in_concert
    if people < threshold_for(session, demand.organisation).k:
        return 0
    return people + beside(session, {demand.id: authors}).get(demand.id, 0)


def open_demand(session: Session, demand_id: str) -> Demand:
    """Return the demand that an id leads to, if it may be told of.

    Raises
    ------
    NotFound
        If there is none, or too few people voice it now: nothing says which.
    """
    demand = session.get(Demand, facts.follow(session, demand_id))
    if demand is None or people_of(session, demand) == 0:
        raise NotFound("no such demand, or none that you may see")
    return demand


def join(
    session: Session,
    demand: Demand,
    *,
    source: str,
    author: str,
    post_id: str | None,
    actor: str,
    now: datetime,
) -> bool:
    """Let somebody join; return whether that is new. The log says that somebody did, and not who."""
    known = session.exec(
        select(DemandVoice).where(DemandVoice.demand_id == demand.id, DemandVoice.author == author)
    ).first()
    if known is not None:
        if post_id is not None and known.post_id is None:
            known.post_id = post_id
            session.add(known)
        return False
    session.add(
        DemandVoice(demand_id=demand.id, source=source, author=author, post_id=post_id, joined_at=now)
    )
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action="demand.joined",
        subject=demand.id,
        organisation=demand.organisation,
        details={"with_post": post_id is not None},
    )
    return True


def leave(session: Session, demand: Demand, *, author: str, actor: str, now: datetime) -> bool:
    """Forget that somebody joined; return whether there was something to forget."""
    gone = session.execute(
        sa.delete(DemandVoice).where(
            col(DemandVoice.demand_id) == demand.id, col(DemandVoice.author) == author
        )
    )
    if not gone.rowcount:  # type: ignore[attr-defined]
        return False
    audit.record(
        session, now, actor=actor, action="demand.left", subject=demand.id, organisation=demand.organisation
    )
    return True


def beside(session: Session, authors: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Return for each demand how many people joined it who wrote none of its posts."""
    found: defaultdict[str, int] = defaultdict(int)
    rows = session.exec(
        select(DemandVoice.demand_id, DemandVoice.author).where(col(DemandVoice.demand_id).in_(list(authors)))
    )
    for demand, author in rows:
        found[demand] += author not in authors[demand]
    return dict(found)


def is_untidy(session: Session) -> bool:
    """Return whether voices stand in a demand that is over, or that became part of another."""
    return (
        session.exec(
            select(DemandVoice.id)
            .join(Demand, col(Demand.id) == col(DemandVoice.demand_id))
            .where(sa.or_(col(Demand.state).in_(OVER), col(Demand.merged_into).is_not(None)))
            .limit(1)
        ).first()
        is not None
    )


def tidy(session: Session) -> None:
    """Forget who joined a demand that is over (charter, 10), and bring others to what theirs became.

    The count of an ended demand stays in its row.
    """
    ended = select(Demand.id).where(col(Demand.state).in_(OVER))
    session.execute(sa.delete(DemandVoice).where(col(DemandVoice.demand_id).in_(ended)))
    redirects = facts.redirects_of(session)
    moved = session.exec(select(DemandVoice).where(col(DemandVoice.demand_id).in_(list(redirects)))).all()
    for row in moved:
        heir = facts.heir_of(redirects, row.demand_id)
        there = session.exec(
            select(DemandVoice.id).where(DemandVoice.demand_id == heir, DemandVoice.author == row.author)
        ).first()
        if there is None:
            row.demand_id = heir
            session.add(row)
        else:
            # Whoever joined both is one person: a row left behind could not be taken back by leaving.
            session.delete(row)
        session.flush()
