"""Replay posts in time order through the jobs themselves, with the clock simulated.

It puts each post on record as published at its own time, runs reading and grouping every ten
simulated minutes in which something came, and notes when each demand was proposed. So a back-test
goes through the very code that runs live, over a database of its own.

Neighbours: `api/commands/evaluate_demands.py` gives it the posts and shows the figures.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import select

from learning.bundle import Bundle
from models.base import new_id
from models.database import Database
from models.demand import Demand, DemandMember
from models.organisation import Organisation, ancestors
from models.post import Post, PostRevision
from models.vocabulary import DemandState, OrganisationKind, PostKind, PostState
from sentiment.demand.grouping import group_due
from sentiment.reading import read_due
from sentiment.settings import SentimentSettings

EVERY: Final = timedelta(minutes=10)
SOURCE: Final = "replay"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One post to replay. `key` is unique; the time is aware."""

    key: str
    author: str
    organisation: str
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where each post stands at the end, which demands are proposed, and when each first was.

    `members` goes from a post's key to its demand; `proposed_at` from a demand to the time of the
    run that proposed it; `joined_by` from a proposed demand to its posts at that time.
    """

    members: dict[str, str]
    proposed: frozenset[str]
    proposed_at: dict[str, datetime]
    joined_by: dict[str, tuple[str, ...]]


@dataclass
class IdsKept:
    """How many ids of demands, and how many posts in them, go on from one run to the next.

    An id goes on if it, or the demand it leads to after a merge, still has posts.
    """

    ids: int = 0
    ids_kept: int = 0
    posts: int = 0
    posts_kept: int = 0
    _before: dict[str, str] = field(default_factory=dict)

    def look(self, database: Database) -> None:
        """Compare what stands on record with what stood there at the last look."""
        with database.reading() as session:
            now = dict(session.exec(select(DemandMember.post_id, DemandMember.demand_id)).all())
            leads = dict(session.exec(select(Demand.id, Demand.merged_into)).all())
        held = set(now.values())
        for post, demand in self._before.items():
            self.posts += 1
            self.posts_kept += _led(demand, leads) == now.get(post)
        for demand in set(self._before.values()):
            self.ids += 1
            self.ids_kept += _led(demand, leads) in held
        self._before = now


def _led(demand: str, leads: Mapping[str, str | None]) -> str:
    """Return the demand that `demand` is now."""
    while (further := leads.get(demand)) is not None:
        demand = further
    return demand


def replay(
    database: Database,
    bundle: Bundle,
    settings: SentimentSettings,
    posts: Sequence[Replayed],
    *,
    every: timedelta = EVERY,
    progress: Callable[[int], None] = lambda _: None,
) -> Outcome:
    """Replay `posts` over an empty, migrated database."""
    ordered = sorted(posts, key=lambda post: (post.created_at, post.key))
    _plant(database, ordered)
    keys: dict[str, str] = {}
    proposed_at: dict[str, datetime] = {}
    joined_by: dict[str, tuple[str, ...]] = {}
    start = 0
    while start < len(ordered):
        now = ordered[start].created_at + every
        end = start
        while end < len(ordered) and ordered[end].created_at <= now:
            end += 1
        _publish(database, ordered[start:end], keys)
        read_due(database, bundle, settings, now)
        for demand in group_due(database, bundle, settings, now).proposed:
            if demand not in proposed_at:
                proposed_at[demand] = now
                joined_by[demand] = tuple(keys[post] for post in _posts_of(database, demand))
        progress(end - start)
        start = end
    with database.reading() as session:
        members = {
            keys[post]: demand
            for post, demand in session.exec(select(DemandMember.post_id, DemandMember.demand_id))
        }
        proposed = frozenset(session.exec(select(Demand.id).where(Demand.state == DemandState.PROPOSED)))
    return Outcome(members, proposed, proposed_at, joined_by)


def _plant(database: Database, posts: Sequence[Replayed]) -> None:
    """Make the nodes that posts stand under; their names are not known here."""
    paths = {path for post in posts for path in ancestors(post.organisation)}
    with database.transaction() as session:
        for path in sorted(paths):
            kind = OrganisationKind.PROVINCE if "/" not in path else OrganisationKind.COUNTY
            made = posts[0].created_at
            session.add(Organisation(path=path, name=path, kind=kind, created_at=made))


def _publish(database: Database, posts: Sequence[Replayed], keys: dict[str, str]) -> None:
    with database.transaction() as session:
        for post in posts:
            identifier = new_id()
            keys[identifier] = post.key
            session.add(
                Post(
                    id=identifier,
                    source=SOURCE,
                    external_id=post.key,
                    revision=1,
                    kind=PostKind.QUESTION,
                    organisation=post.organisation,
                    author=post.author,
                    state=PostState.PUBLISHED,
                    created_at=post.created_at,
                    received_at=post.created_at,
                )
            )
        session.flush()
        for identifier, post in zip(list(keys)[-len(posts) :], posts, strict=True):
            session.add(
                PostRevision(
                    post_id=identifier,
                    revision=1,
                    text=post.text,
                    fingerprint="",
                    received_at=post.created_at,
                )
            )


def _posts_of(database: Database, demand: str) -> list[str]:
    with database.reading() as session:
        return list(session.exec(select(DemandMember.post_id).where(DemandMember.demand_id == demand)))
