"""Say in a demand's row what its posts are: how many, of whom, where, since when, and in which words.

Neighbours: `grouping` asks when a demand changes; `naming` finds the words, `concert` who speaks as one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col

from models.demand import Demand, DemandMember
from models.organisation import ancestors
from models.post import Post
from models.reading import Reading
from models.threshold import Threshold, nearest
from models.vocabulary import DOMAIN_WORDS, DemandState, Domain, PostState
from sentiment.demand import concert, naming
from sentiment.place import common_place

MOSTLY: Final = 0.7
"""Share of a demand's posts that stand under the organisation it is said to be of."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a demand's row is made from beside its own posts."""

    nodes: set[str]
    thresholds: dict[str, Threshold]
    default: int
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    everywhere: Mapping[str, int] = field(default_factory=dict)
    total: int = 0
    cohesion: Mapping[str, float] = field(default_factory=dict)
    vouched: frozenset[str] = frozenset()


def describe(session: Session, demand: Demand, frame: Frame) -> int:
    """Fill in what the demand's row says of its posts, and return how many people it needs."""
    rows = session.execute(
        sa.select(
            col(Post.id),
            col(Post.author),
            col(Post.organisation),
            col(Post.created_at),
            col(Reading.domain),
            col(Reading.place),
        )
        .join(DemandMember, col(DemandMember.post_id) == col(Post.id))
        .outerjoin(Reading, col(Reading.post_id) == col(Post.id))
        .where(col(DemandMember.demand_id) == demand.id, col(Post.state) == PostState.PUBLISHED)
        .order_by(col(Post.created_at), col(Post.id))
    ).all()
    one_voice = concert.voices(
        [
            concert.Said(row.author, row.created_at, frozenset(frame.words[row.id]))
            for row in rows
            if row.id in frame.words
        ]
    )
    accounts = len({row.author for row in rows})
    if frame.words:
        demand.in_concert = accounts - len({one_voice.get(row.author, row.author) for row in rows})
    demand.posts, demand.authors = len(rows), max(0, accounts - demand.in_concert)
    if rows:
        demand.first_posted_at, demand.last_posted_at = rows[0].created_at, rows[-1].created_at
        organisations = [row.organisation for row in rows]
        if demand.state in {DemandState.GATHERING, DemandState.PROPOSED}:
            demand.organisation = common_organisation(organisations, frame.nodes)
        domains = Counter(row.domain for row in rows if row.domain not in {None, Domain.NONE})
        if domains:
            demand.domain = max(sorted(domains), key=domains.__getitem__)
        demand.place = common_place([row.place for row in rows], organisations)
        _name(demand, [(row.author, frame.words[row.id]) for row in rows if row.id in frame.words], frame)
    needed = nearest(frame.thresholds, demand.organisation, frame.default).k
    demand.tenth_author_at = nth_author_at(
        [(row.created_at, one_voice.get(row.author, row.author)) for row in rows], needed
    )
    return needed


def _name(demand: Demand, said: Sequence[tuple[str, Sequence[str]]], frame: Frame) -> None:
    if not said:
        return
    demand.terms = naming.shared_terms(said, frame.everywhere, max(1, frame.total))
    if demand.titled_by is None:
        demand.title = naming.title(demand.terms, demand.place, DOMAIN_WORDS[demand.domain].zh)


def nth_author_at(posts: Iterable[tuple[datetime, str]], count: int) -> datetime | None:
    """Return when the author of that number wrote for the first time, or None if there are fewer."""
    seen: set[str] = set()
    for posted, author in sorted(posts):
        seen.add(author)
        if len(seen) == count:
            return posted
    return None


def common_organisation(organisations: Sequence[str], nodes: set[str]) -> str:
    """Return the lowest node that most of the posts stand under.

    Posts on the common board at the root say nothing about where a demand is, unless all stand there.
    """
    placed = [path for path in organisations if "/" in path] or list(organisations)
    held = Counter(above for path in placed for above in ancestors(path) if above in nodes or above in placed)
    most = [path for path, count in held.items() if count >= MOSTLY * len(placed)]
    lowest = max(most, key=lambda path: (path.count("/"), held[path], path), default=None)
    return lowest or placed[0].split("/")[0]
