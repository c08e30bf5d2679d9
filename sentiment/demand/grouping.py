"""Group the needs of the window into demands, and propose what enough people voice.

One run reads the window, groups it with no lock held (`clustering`, pure), and writes the result in
one transaction. A verified demand keeps its posts, and may gain some; one that nobody has verified
is formed anew by every run, and goes on under its id in the group that has most of it. If its posts
went over to another demand it leaves a redirect. A post that was withdrawn leaves its demand, and a
proposed demand that falls below the number of people goes back to gathering.

It refuses to count posts: only distinct authors count, and a handful of accounts in `concert` counts
once. What a person said (`facts`) is above everything: a post that was put somewhere stays there. It
groups nothing of the domain *none* by itself (charter, 6), and proposes nothing below the number of
people in force (charter, 5), nor a group that does not hold together (`cohesion`).

Neighbours: `reading` leaves what is grouped; `corrections` is what a person does with it;
`models.threshold` knows the number of people.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, delete, select, update

from learning.bundle import Bundle
from models.audit import record
from models.base import new_id
from models.correction import DemandCorrection
from models.database import Database
from models.demand import Demand, DemandFact, DemandMember
from models.organisation import Organisation
from models.post import Post
from models.reading import Reading
from models.threshold import nearest, thresholds
from models.vocabulary import DOMAIN_WORDS, DemandState, PostState
from sentiment.demand import facts
from sentiment.demand.clustering import Group, Member
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.describing import Frame, common_organisation, describe, nth_author_at
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import load_scorer
from sentiment.demand.territory import regroup
from sentiment.demand.windows import (
    OPEN,
    UNSETTLED,
    Window,
    constraints_of,
    counted,
    counts_of,
    in_pieces,
    item_of,
    lookout_of,
    read_window,
)
from sentiment.settings import SentimentSettings

__all__ = [
    "GATHERS_FROM",
    "OPEN",
    "GroupingReport",
    "common_organisation",
    "group_due",
    "item_of",
    "nth_author_at",
    "recount",
]

GATHERS_FROM: Final = 3
"""People from which posts alike are kept as a demand that gathers."""

TRIES: Final = 3
"""How often one run begins again because a person corrected something meanwhile."""

ACTOR: Final = "job:grouping"
CONFIRMED: Final = 1000
"""What a post that an officer confirmed weighs when an id is passed on."""


@dataclass(frozen=True, slots=True)
class GroupingReport:
    """What one run did. `grouped` counts posts that were new to it."""

    grouped: int = 0
    joined: int = 0
    left: int = 0
    proposed: tuple[str, ...] = ()
    fell_back: int = 0
    contradictions: int = 0


def group_due(
    database: Database, bundle: Bundle, settings: SentimentSettings, now: datetime
) -> GroupingReport:
    """Group what was read since the last run, together with the rest of the window.

    A run with nothing new changes nothing, and one in which nothing new could stand in a demand only
    marks what it saw; neither groups anything. Killed at any point, it leaves the last state whole. If a
    person corrected something while it grouped, it groups again; after `TRIES` it is left to the next run.
    """
    for _ in range(TRIES):
        report = _group(database, bundle, settings, now)
        if report is not None:
            return report
    return GroupingReport()


def _group(
    database: Database, bundle: Bundle, settings: SentimentSettings, now: datetime
) -> GroupingReport | None:
    """Group once. None, and nothing written, if a person corrected something meanwhile."""
    scorer, lookout = load_scorer(), lookout_of(database)
    with database.reading() as session:
        act = _latest_act(session)
        window = read_window(session, lookout, bundle, settings, scorer, now)
    if not window.due and not window.changed:
        return GroupingReport()
    if not window.changed and not window.fresh:
        with database.transaction() as session:
            _mark_clustered(session, window, now)
        return GroupingReport(grouped=len(window.due))
    fixed = {
        key: demand
        for key, demand in {**window.members, **window.pinned}.items()
        if key in window.posts and (demand in window.fixed or window.pinned.get(key) == demand)
    }
    groups = regroup(
        [post.item for post in window.posts.values()],
        scorer,
        load_membership(),
        stands=window.members,
        fresh=window.due.keys() | {key for key, demand in window.members.items() if demand in window.stale},
        fixed=fixed,
        constraints=constraints_of(window),
        cohesion=load_cohesion(),
        rarity=None if window.touched is None else lookout.standing.rarity,
        traffic=None if window.touched is None else lookout.standing.traffic,
    )
    with database.transaction() as session:
        # Whoever corrects holds these rows: from here on nobody can, and what was done before is seen.
        _unsettled(session, window.touched)
        if _latest_act(session) != act:
            return None
        report = _write(session, window, groups, settings, now)
    against = facts.conflicting([("", *fact) for fact in window.facts])
    return replace(report, contradictions=len(against))


def _latest_act(session: Session) -> str | None:
    """Return the id of the latest correction by a person, one taken back included."""
    return session.exec(select(sa.func.max(col(DemandCorrection.id)))).one()


def _write(
    session: Session,
    window: Window,
    groups: Sequence[Group],
    settings: SentimentSettings,
    now: datetime,
) -> GroupingReport:
    """Put the groups on record. A post that changed meanwhile is left for the next run."""
    wanted: dict[str, tuple[str, Member]] = {}
    cohesion: dict[str, float] = {}
    still = _still_there(session, window)
    parted = {(post, demand) for post, demand, belongs in window.facts if not belongs}
    parted -= set(window.pinned.items())
    for demand, group in _assignments(session, window, groups):
        if group.touched:
            cohesion[demand] = group.cohesion
        for member in group.members:
            if member.key in still and (member.key, demand) not in parted:
                wanted[member.key] = (demand, member)
    touched, joined, left = _move(session, window, wanted, now)
    frame = _frame(window, settings, cohesion, _vouched(session, window, wanted))
    concerned = None if window.touched is None else touched | window.touched | cohesion.keys() | frame.vouched
    proposed, fell_back = _refresh(session, touched, concerned, frame, now)
    _mark_clustered(session, window, now)
    return GroupingReport(len(window.due), joined, left, tuple(proposed), fell_back)


def _vouched(session: Session, window: Window, wanted: Mapping[str, tuple[str, Member]]) -> frozenset[str]:
    """Return the demands of which a person put together at least half: those hold together by that word."""
    pinned = Counter(demand for post, (demand, _) in wanted.items() if window.pinned.get(post) == demand)
    posts = Counter(demand for demand, _ in wanted.values())
    if window.touched is not None:
        away = Counter(demand for demand in window.pinned.values() if demand not in posts)
        pinned |= away
        posts |= Counter({demand: count for demand, (count, _) in counts_of(session, away).items()})
    return frozenset(demand for demand, count in pinned.items() if 2 * count >= posts[demand])


def _mark_clustered(session: Session, window: Window, now: datetime) -> None:
    for some in in_pieces(sorted(window.due.values())):
        session.execute(
            update(Reading)
            .where(col(Reading.clustered_at).is_(None), col(Reading.id).in_(some))
            .values(clustered_at=now)
            .execution_options(synchronize_session=False)
        )


def _move(
    session: Session, window: Window, wanted: Mapping[str, tuple[str, Member]], now: datetime
) -> tuple[set[str], int, int]:
    """Let posts leave and join, and return the demands that changed and how many did either.

    A post leaves a demand that nobody has verified as soon as it is wanted elsewhere or nowhere;
    it leaves a verified one never here. What was proposed keeps the posts that the window has left
    behind. A proposed demand whose posts all went is redirected to where most of them are.
    """
    members = {row.post_id: row for row in _members(session, window)}
    concerned = None if window.touched is None else window.touched | {demand for demand, _ in wanted.values()}
    unsettled = _unsettled(session, concerned)
    gathering = unsettled.keys() - window.fixed
    touched: set[str] = set()
    heirs: dict[str, Counter[str]] = defaultdict(Counter)
    gone: set[str] = set()
    for post, row in members.items():
        goes = wanted.get(post, ("",))[0]
        stays = post not in window.posts and unsettled.get(row.demand_id) is not None
        if row.demand_id in gathering and goes != row.demand_id and not stays:
            touched.add(row.demand_id)
            heirs[row.demand_id][goes] += 1
            session.delete(row)
            gone.add(post)
    session.flush()
    held = {row.demand_id for post, row in members.items() if post not in gone}
    held |= {demand for demand, _ in wanted.values()}
    for demand, goes_to in heirs.items():
        heir = goes_to.most_common(1)[0][0]
        if unsettled[demand] is not None and demand not in held and heir:
            session.execute(
                update(Demand)
                .where(col(Demand.id) == demand)
                .values(merged_into=heir)
                .execution_options(synchronize_session="fetch")
            )
    new = {
        post: (demand, member)
        for post, (demand, member) in sorted(wanted.items())
        if post not in members or (members[post].demand_id in gathering and members[post].demand_id != demand)
    }
    for some in in_pieces(list(new)):
        session.execute(
            sa.insert(DemandMember),
            [
                {
                    "id": new_id(),
                    "demand_id": new[post][0],
                    "post_id": post,
                    "probability": new[post][1].probability,
                    "parts": dict(new[post][1].parts),
                    "joined_at": now,
                }
                for post in some
            ],
        )
    touched |= {demand for demand, _ in new.values()}
    return touched, len(new), len(gone)


def _members(session: Session, window: Window) -> Iterator[DemandMember]:
    """Yield the memberships of the demands that were read, and of the posts, locked."""
    every = select(DemandMember).order_by(col(DemandMember.id)).with_for_update()
    if window.touched is None:
        yield from session.exec(every)
        return
    found: dict[str, DemandMember] = {}
    for column, values in ((DemandMember.demand_id, window.touched), (DemandMember.post_id, window.posts)):
        for some in in_pieces(sorted(values)):
            found |= {row.id: row for row in session.exec(every.where(col(column).in_(some)))}
    yield from found.values()


def _still_there(session: Session, window: Window) -> set[str]:
    """Return the posts of the window that are still published in the revision that was grouped."""
    posts = window.posts
    return {
        post
        for some in in_pieces(sorted(posts))
        for post, revision in session.exec(
            select(Reading.post_id, Reading.revision)
            .join(Post, col(Post.id) == col(Reading.post_id))
            .where(
                Post.state == PostState.PUBLISHED,
                Post.revision == Reading.revision,
                col(Reading.post_id).in_(some),
            )
        )
        if posts[post].revision == revision
    }


def _unsettled(session: Session, concerned: Collection[str] | None) -> dict[str, datetime | None]:
    """Return the demands that nobody has verified, with when they were proposed; locked until the end.

    `concerned` are those that are asked for, all by default.
    """
    query = (
        select(Demand.id, Demand.proposed_at)
        .where(col(Demand.state).in_(UNSETTLED), col(Demand.merged_into).is_(None))
        .order_by(col(Demand.id))
        .with_for_update()
    )
    if concerned is None:
        return dict(session.exec(query).all())
    found: dict[str, datetime | None] = {}
    for some in in_pieces(sorted(concerned)):
        found |= session.exec(query.where(col(Demand.id).in_(some))).all()
    return found


def _assignments(session: Session, window: Window, groups: Sequence[Group]) -> list[tuple[str, Group]]:
    """Return which demand each group is. A demand goes on in the group that has most of it.

    What was proposed has the first word, and a post that an officer confirmed weighs more than many.
    """
    result = [(group.kept, group) for group in groups if group.kept is not None]
    kept = {demand for demand, _ in result}
    free = [
        group
        for group in groups
        if group.kept is None and len({window.posts[key].item.author for key in group.keys}) >= GATHERS_FROM
    ]
    shared: Counter[tuple[str, int]] = Counter()
    gathering = _unsettled(session, window.touched)
    confirmed = set(window.pinned.items())
    for number, group in enumerate(free):
        for member in group.members:
            demand = window.members.get(member.key)
            if demand is not None and demand in gathering:
                shared[demand, number] += CONFIRMED if (member.key, demand) in confirmed else 1
    named: dict[int, str] = {}
    for (demand, number), _ in sorted(
        shared.items(), key=lambda entry: (gathering[entry[0][0]] is None, -entry[1], entry[0])
    ):
        if number not in named and demand not in named.values() and demand not in kept:
            named[number] = demand
    for number, group in enumerate(free):
        if number not in named:
            named[number] = _new_demand(session, window, group)
        result.append((named[number], group))
    return result


def _new_demand(session: Session, window: Window, group: Group) -> str:
    first = window.posts[group.members[0].key]
    demand = Demand(
        id=new_id(),
        title=DOMAIN_WORDS[first.domain].zh,
        domain=first.domain,
        organisation=first.item.organisation,
        first_posted_at=first.created_at,
        last_posted_at=first.created_at,
    )
    session.add(demand)
    session.flush()
    return demand.id


def _frame(
    window: Window, settings: SentimentSettings, cohesion: Mapping[str, float], vouched: frozenset[str]
) -> Frame:
    words = {key: post.words for key, post in window.posts.items()}
    return Frame(
        nodes=window.nodes,
        thresholds=window.thresholds,
        default=settings.minimum_authors,
        words=words,
        everywhere=window.everywhere,
        total=window.total,
        cohesion=cohesion,
        vouched=vouched,
    )


def recount(
    session: Session, demand: Demand, settings: SentimentSettings, now: datetime, *, vouched: bool = False
) -> None:
    """Count one demand anew after a person changed it, and send it back if it has too few people.

    It is the next run that proposes, because only a run knows how the group holds together; but one
    that a person put together (`vouched`) is proposed at once if enough people voice it.
    """
    nodes = set(session.exec(select(Organisation.path)))
    by_hand = frozenset({demand.id} if vouched else ())
    frame = Frame(nodes, thresholds(session), settings.minimum_authors, vouched=by_hand)
    _settle(session, demand, frame, now)
    demand.version += 1


def _refresh(
    session: Session, touched: set[str], concerned: Collection[str] | None, frame: Frame, now: datetime
) -> tuple[list[str], int]:
    """Recount every open demand that changed, or of those concerned; propose, send back, or drop it."""
    counts = counts_of(session, concerned)
    proposed: list[str] = []
    fell_back = 0
    spoken_of = facts.spoken_of(session)
    demands = _open(session, concerned)
    for demand in demands:
        posts, authors = counts.get(demand.id, (0, 0))
        needed = nearest(frame.thresholds, demand.organisation, frame.default).k
        holds = (posts, authors) == counted(demand) and not demand.recount_due
        authors -= demand.in_concert
        too_few = demand.state is DemandState.PROPOSED and authors < needed
        ready = demand.state is DemandState.GATHERING and authors >= needed and _coheres(demand, frame)
        loose = demand.state is DemandState.PROPOSED and not _coheres(demand, frame, default=True)
        if demand.id not in touched and holds and not (too_few or ready or loose):
            continue
        empty = posts == 0 and demand.state is DemandState.GATHERING and demand.proposed_at is None
        if empty and demand.id not in spoken_of:
            session.execute(delete(DemandFact).where(col(DemandFact.demand_id) == demand.id))
            session.delete(demand)
            continue
        before, shown = demand.state, _shown(demand)
        _settle(session, demand, frame, now)
        # Runs come every few seconds; one that changed nothing must not refuse what an officer decides.
        if demand.id in touched or _shown(demand) != shown:
            demand.version += 1
        if demand.state is not before:
            proposed += [demand.id] if demand.state is DemandState.PROPOSED else []
            fell_back += demand.state is DemandState.GATHERING
    session.flush()
    return proposed, fell_back


def _shown(demand: Demand) -> tuple[object, ...]:
    """Return what an officer sees of a demand beside its posts."""
    return (demand.state, demand.title, demand.terms, demand.domain, demand.place, *counted(demand))


def _open(session: Session, concerned: Collection[str] | None) -> list[Demand]:
    """Return the open demands in order, or those of `concerned`, locked."""
    query = select(Demand).where(col(Demand.state).in_(OPEN)).order_by(col(Demand.id)).with_for_update()
    if concerned is None:
        return list(session.exec(query))
    return [
        demand
        for some in in_pieces(sorted(concerned))
        for demand in session.exec(query.where(col(Demand.id).in_(some)))
    ]


def _settle(session: Session, demand: Demand, frame: Frame, now: datetime) -> None:
    """Bring one demand's row up to its posts, and its state to its people."""
    needed = describe(session, demand, frame)
    demand.recount_due = False
    demand.cohesion = frame.cohesion.get(demand.id, demand.cohesion)
    if demand.state is DemandState.GATHERING and demand.authors >= needed and _coheres(demand, frame):
        if demand.proposed_at is None:
            _note_delay(session, demand, now)
        demand.state, demand.proposed_at = DemandState.PROPOSED, demand.proposed_at or now
        record(
            session,
            now,
            actor=ACTOR,
            action="demand.proposed",
            subject=demand.id,
            organisation=demand.organisation,
            details={"authors": demand.authors, "posts": demand.posts},
        )
    elif demand.state is DemandState.PROPOSED and (
        demand.authors < needed or not _coheres(demand, frame, default=True)
    ):
        demand.state = DemandState.GATHERING
    session.add(demand)


def _note_delay(session: Session, demand: Demand, now: datetime) -> None:
    """Keep how long, and how many posts, the proposal came after the person who made the number."""
    if demand.tenth_author_at is None:
        return
    demand.delay_seconds = max(0.0, (now - demand.tenth_author_at).total_seconds())
    demand.delay_posts = session.exec(
        select(sa.func.count())
        .select_from(DemandMember)
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .where(DemandMember.demand_id == demand.id, col(Post.created_at) > demand.tenth_author_at)
    ).one()


def _coheres(demand: Demand, frame: Frame, *, default: bool = False) -> bool:
    """Return whether a demand holds together, or `default` if this run did not form it."""
    if demand.id in frame.vouched:
        return True
    found = frame.cohesion.get(demand.id)
    return default if found is None else found >= load_cohesion().proposes
