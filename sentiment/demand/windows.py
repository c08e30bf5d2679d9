"""Read of the window what one run of the grouping needs: all of a small one, of a large one what is touched.

A large window is never read again as a whole. What is new is, then the posts that it is near to
(`standing`), the whole demands in which those stand, the posts that a person put there, and the demands of
which a row no longer holds. What of a demand has left the window, and the demands that nobody proposed and
that the window has left, are touched too, so that both are brought up to date as in a small window.

Neighbours: `grouping` groups what is read here and writes; `standing` says where to look.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlmodel import Session, col, select

from learning.bundle import Bundle
from models.database import Database
from models.demand import Demand, DemandMember
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.reading import Reading
from models.threshold import Threshold, nearest, thresholds
from models.vocabulary import DemandState, Domain, PostState
from sentiment.demand import facts, naming
from sentiment.demand.constraints import CannotLink, Constraints, MustLink
from sentiment.demand.refining import WHOLE
from sentiment.demand.scoring import FloatArray, Item, Scorer, terms_of
from sentiment.demand.standing import Standing, Told
from sentiment.demand.territory import ANEW, FEW
from sentiment.settings import SentimentSettings
from sentiment.topics import DOMAINS, load_topics

SHORTEST_COPY: Final = 8
"""Characters from which two equal texts are copies, and not two people who wrote the same word."""

OPEN: Final = (DemandState.GATHERING, DemandState.PROPOSED, DemandState.VERIFIED)
UNSETTLED: Final = (DemandState.GATHERING, DemandState.PROPOSED)
"""States in which nobody has verified yet, and posts may still come and go."""

COUNTED_EVERY: Final = timedelta(minutes=1)
"""Time after which the posts of all demands of a large window are counted again."""

OVERLAP: Final = timedelta(minutes=10)
"""How far back a run looks for what another process grouped."""

AT_ONCE: Final = 500
"""Values of one statement."""

ROWS_AT_ONCE: Final = 1000
"""Rows of the window that are fetched in one step."""

_READ: Final = tuple(
    getattr(Reading, one)
    for one in (
        "post_id", "revision", "organisation", "need_probability", "domain", "domain_probability", "place",
        "vector", "bundle", "posted_at", "clustered_at",
    )
)  # fmt: skip
"""What grouping knows of a reading. Rows of columns are read in half the time of records."""

DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class WindowPost:
    """A post of the window with what a demand's row is made from."""

    item: Item
    revision: int
    created_at: datetime
    domain: Domain
    words: tuple[str, ...]


@dataclass
class Window:
    """Everything one run reads before it groups.

    `fresh` says that some of what is due could stand in a demand, `changed` that a demand's row says
    something which does not hold any more. Without either, only `due` is filled in. `touched` are the
    demands that were read, None if all were; `everywhere` counts in how many of `total` posts a word stands.
    """

    posts: dict[str, WindowPost] = field(default_factory=dict)
    due: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    fixed: set[str] = field(default_factory=set)
    facts: list[tuple[str, str, bool]] = field(default_factory=list)
    pinned: Mapping[str, str] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    fresh: bool = False
    changed: bool = False
    touched: set[str] | None = None
    everywhere: Mapping[str, int] = field(default_factory=dict)
    total: int = 0


def item_of(
    *,
    key: str,
    author: str,
    organisation: str,
    posted: datetime,
    text: str,
    vector: FloatArray,
    domain: Domain,
    domain_probability: float,
    need: float,
    place: str | None,
) -> Item:
    """Return what grouping knows of one post."""
    domains = np.full(len(DOMAINS), (1 - domain_probability) / (len(DOMAINS) - 1), dtype=np.float32)
    domains[DOMAINS.index(domain)] = domain_probability
    folded = re.sub(r"\W+", "", text).lower()
    copy_of = hashlib.sha256(folded.encode()).hexdigest()[:16] if len(folded) >= SHORTEST_COPY else ""
    return Item(
        key=key,
        author=author,
        organisation=organisation,
        day=posted.timestamp() / 86_400,
        terms=terms_of(text),
        topics=load_topics().profile(text),
        vector=vector,
        domain=domains,
        need=need,
        copy_of=copy_of,
        place=place,
    )


class Lookout:
    """What one process keeps of a window between its runs: where to look, and when it last counted."""

    def __init__(self) -> None:
        self.standing = Standing()
        self.read_with: tuple[str, int] | None = None
        self.seen_until: datetime | None = None
        self.counted_at: datetime | None = None


_lookouts: WeakKeyDictionary[Database, Lookout] = WeakKeyDictionary()


def lookout_of(database: Database) -> Lookout:
    """Return what this process keeps of the window of a database."""
    return _lookouts.setdefault(database, Lookout())


def read_window(  # noqa: PLR0917 - what a run is made of
    session: Session,
    lookout: Lookout,
    bundle: Bundle,
    settings: SentimentSettings,
    scorer: Scorer,
    now: datetime,
) -> Window:
    """Return what a run groups: everything, or in a large window what is new and what that touches."""
    since = now - settings.window
    window = Window()
    window.due = dict(
        session.exec(select(Reading.post_id, Reading.id).where(col(Reading.clustered_at).is_(None))).all()
    )
    window.thresholds = thresholds(session)
    size = _size(session, lookout, scorer, since)
    large = size > WHOLE and len(window.due) <= max(FEW, ANEW * size)
    window.stale = _stale(session, window, lookout if large else None, settings, now)
    window.changed = bool(window.stale)
    window.fresh = (
        session.execute(candidates(scorer, since).where(col(Reading.clustered_at).is_(None)).limit(1)).first()
        is not None
    )
    if not window.fresh and not window.changed:
        return window
    states = dict(session.exec(select(Demand.id, Demand.state).where(col(Demand.state).in_(OPEN))).all())
    merged = set(session.exec(select(Demand.id).where(col(Demand.merged_into).is_not(None))))
    window.fixed = {demand for demand, state in states.items() if state not in UNSETTLED}
    heard = facts.said(session, states.keys() - merged)
    window.facts, window.pinned = list(heard.facts), heard.pinned
    window.nodes = set(session.exec(select(Organisation.path)))
    nowhere = np.zeros_like(bundle.encode([""])[0], dtype=np.float32)
    if large:
        _read_touched(session, window, lookout, states.keys(), (scorer, since, bundle.name, nowhere, now))
        return window
    window.members = dict(session.exec(select(DemandMember.post_id, DemandMember.demand_id)).all())
    _same_vectors(lookout, bundle.name, nowhere)

    def unknown() -> Iterator[tuple[Told, int]]:
        for row in session.execute(candidates(scorer, since).execution_options(yield_per=ROWS_AT_ONCE)):
            post = window_post(row, bundle.name, nowhere)
            if window.members.get(row.post_id, "") in states or row.post_id not in window.members:
                # One that belongs to a demand that was rejected or closed stays there.
                window.posts[row.post_id] = post
            if size > WHOLE and not lookout.standing.knows(row.post_id, row.revision):
                yield (post.item, post.words), post.revision

    # A window that is large is at hand for the next run, which does not read it again.
    lookout.standing.take(unknown())
    if size > WHOLE:
        lookout.standing.leave(since.timestamp() / DAY_SECONDS)
        lookout.seen_until = now
    words = [word for post in window.posts.values() for word in post.words]
    window.everywhere, window.total = Counter(words), len(window.posts)
    return window


def _size(session: Session, lookout: Lookout, scorer: Scorer, since: datetime) -> int:
    """Return how many posts the window has, about: exactly up to `WHOLE` and before they stand ready."""
    few = candidates(scorer, since).with_only_columns(col(Reading.id)).order_by(None)
    found = _count(session, few.limit(WHOLE + 1))
    if found <= WHOLE:
        return found
    return max(found, len(lookout.standing)) if len(lookout.standing) else _count(session, few)


def _count(session: Session, query: Any) -> int:  # noqa: ANN401 - any query
    return int(session.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one())


def _stale(
    session: Session,
    window: Window,
    lookout: Lookout | None,
    settings: SentimentSettings,
    now: datetime,
) -> set[str]:
    """Return the open demands of which a row says something that does not hold any more.

    In a large window those whose row says so are found at once, the others are counted once a minute; and
    what nobody proposed and the window has begun to leave is looked at again.
    """
    columns = (
        col(Demand.id), col(Demand.state), col(Demand.organisation), col(Demand.posts), col(Demand.authors),
        col(Demand.in_concert), col(Demand.recount_due),
    )  # fmt: skip
    rows = sa.select(*columns).where(col(Demand.state).in_(OPEN))
    if lookout is None:
        counts = counts_of(session)
        return {row.id for row in session.execute(rows) if is_stale(row, counts, window.thresholds, settings)}
    found = set(session.exec(select(Demand.id).where(col(Demand.state).in_(OPEN), col(Demand.recount_due))))
    if lookout.counted_at is None or now - lookout.counted_at >= COUNTED_EVERY:
        lookout.counted_at = now
        counts = counts_of(session)
        found |= {
            row.id for row in session.execute(rows) if is_stale(row, counts, window.thresholds, settings)
        }
    return found | set(
        session.exec(
            select(Demand.id).where(
                Demand.state == DemandState.GATHERING,
                col(Demand.proposed_at).is_(None),
                col(Demand.first_posted_at) <= now - settings.window,
                Demand.posts > 0,
            )
        )
    )


Asked = tuple[Scorer, datetime, str, FloatArray, datetime]
"""The scorer, since when posts count, the bundle and its vector of nothing, and now."""


def _read_touched(
    session: Session, window: Window, lookout: Lookout, open_demands: Collection[str], asked: Asked
) -> None:
    """Read what is new in a large window, and what that touches."""
    scorer, since, bundle, nowhere, _ = asked
    fresh = _catch_up(session, lookout, asked)
    day = since.timestamp() / DAY_SECONDS
    keys = window.due.keys() | lookout.standing.near([fresh[key].item for key in sorted(fresh)], scorer, day)
    _read_demands(session, window, keys, open_demands)
    told = candidates(scorer, since)
    for some in in_pieces(sorted(keys)):
        for row in session.execute(told.where(col(Reading.post_id).in_(some))):
            if window.members.get(row.post_id, "") in open_demands or row.post_id not in window.members:
                window.posts[row.post_id] = window_post(row, bundle, nowhere)
    words = {word for post in window.posts.values() for word in post.words}
    window.everywhere, window.total = lookout.standing.everywhere(words), len(lookout.standing)


def _catch_up(session: Session, lookout: Lookout, asked: Asked) -> dict[str, WindowPost]:
    """Take what is new since the last run into what stands ready, and return what was never grouped."""
    scorer, since, bundle, nowhere, now = asked
    _same_vectors(lookout, bundle, nowhere)
    fresh: dict[str, WindowPost] = {}

    def unknown() -> Iterator[tuple[Told, int]]:
        for row in _unknown(session, lookout, candidates(scorer, since)):
            post = window_post(row, bundle, nowhere)
            if row.clustered_at is None:
                fresh[row.post_id] = post
            if not lookout.standing.knows(row.post_id, row.revision):
                yield (post.item, post.words), post.revision

    lookout.standing.take(unknown())
    lookout.standing.leave(since.timestamp() / DAY_SECONDS)
    lookout.seen_until = now
    return fresh


def _same_vectors(lookout: Lookout, bundle: str, nowhere: FloatArray) -> None:
    """Forget a window that was read with the vectors of another bundle."""
    if lookout.read_with != (bundle, len(nowhere)):
        lookout.standing, lookout.seen_until = Standing(), None
        lookout.read_with = bundle, len(nowhere)


def _unknown(session: Session, lookout: Lookout, query: Any) -> Iterator[Any]:  # noqa: ANN401 - rows of a query
    """Yield the posts that do not stand ready yet, or were never grouped.

    What was grouped of late is asked for by its number alone, because most of it is known: after a first run
    over a large window that is the window itself.
    """
    if lookout.seen_until is None:
        yield from session.execute(query.execution_options(yield_per=ROWS_AT_ONCE))
        return
    clustered = col(Reading.clustered_at)
    late = query.where(clustered >= lookout.seen_until - OVERLAP).order_by(None)
    numbers = late.with_only_columns(col(Reading.post_id), col(Reading.revision), maintain_column_froms=True)
    keys = [key for key, revision in session.execute(numbers) if not lookout.standing.knows(key, revision)]
    yield from session.execute(query.where(clustered.is_(None)))
    for some in in_pieces(sorted(keys)):
        yield from session.execute(query.where(col(Reading.post_id).in_(some)))


def _read_demands(session: Session, window: Window, keys: set[str], open_demands: Collection[str]) -> None:
    """Read the demands that posts stand in, whole, and add their posts to `keys`, until nothing is new."""
    pinned: dict[str, list[str]] = defaultdict(list)
    for post, demand in window.pinned.items():
        pinned[demand].append(post)
    window.touched = set()
    waiting, asked = set(window.stale), set[str]()
    while waiting or keys - asked:
        for some in in_pieces(sorted(keys - asked)):
            window.members |= session.exec(_standing_in(col(DemandMember.post_id).in_(some))).all()
        waiting |= {window.members[key] for key in keys - asked if key in window.members}
        waiting |= {window.pinned[key] for key in keys - asked if key in window.pinned}
        asked |= keys
        waiting = {demand for demand in waiting if demand in open_demands} - window.touched
        for some in in_pieces(sorted(waiting)):
            window.members |= session.exec(_standing_in(col(DemandMember.demand_id).in_(some))).all()
        window.touched |= waiting
        keys |= {post for post, demand in window.members.items() if demand in waiting}
        keys |= {post for demand in waiting for post in pinned[demand]}
        waiting = set()


def _standing_in(condition: sa.ColumnElement[bool]) -> Any:  # noqa: ANN401 - a query of two columns
    return select(DemandMember.post_id, DemandMember.demand_id).where(condition)


def in_pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the values in pieces that one statement can hold."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def candidates(scorer: Scorer, since: datetime) -> Any:  # noqa: ANN401 - a query over three tables
    """Return the query for the posts of the window that may stand in a demand."""
    return (
        sa.select(*_READ, col(Post.author), col(PostRevision.text))
        .select_from(Reading)
        .join(Post, col(Post.id) == col(Reading.post_id))
        .join(
            PostRevision,
            sa.and_(
                col(PostRevision.post_id) == col(Reading.post_id),
                col(PostRevision.revision) == col(Reading.revision),
            ),
        )
        .where(
            col(Post.state) == PostState.PUBLISHED,
            col(Post.revision) == col(Reading.revision),
            col(Reading.posted_at) > since,
            sa.or_(
                sa.and_(col(Reading.need_probability) >= scorer.need, col(Reading.domain) != Domain.NONE),
                facts.belonging(col(Reading.post_id)),  # A person's word is above what was read.
            ),
        )
        .order_by(col(Reading.posted_at), col(Reading.post_id))
    )


def window_post(row: Any, bundle: str, nowhere: FloatArray) -> WindowPost:  # noqa: ANN401 - of `candidates`
    """Return a post with its item; `nowhere` is the bundle's vector of nothing."""
    vector: npt.NDArray[Any] = np.frombuffer(row.vector or b"", dtype="<f2")
    if row.bundle != bundle or vector.shape != nowhere.shape:
        # Vectors of two bundles, or of two releases, cannot be compared: other parts judge this post.
        vector = nowhere
    return WindowPost(
        item=item_of(
            key=row.post_id,
            author=row.author,
            organisation=row.organisation,
            posted=row.posted_at,
            text=row.text or "",
            vector=vector,
            domain=row.domain,
            domain_probability=row.domain_probability,
            need=row.need_probability,
            place=row.place,
        ),
        revision=row.revision,
        created_at=row.posted_at,
        domain=row.domain,
        words=tuple(naming.words_of(row.text or "")),
    )


def constraints_of(window: Window) -> Constraints:
    """Return what persons said, as links between posts.

    A post that belongs is bound to the demand's other confirmed posts; one that does not is parted
    from every post that the demand keeps.
    """
    confirmed: dict[str, list[str]] = defaultdict(list)
    for post, demand in window.pinned.items():
        if post in window.posts:
            confirmed[demand].append(post)
    kept: dict[str, list[str]] = defaultdict(list)
    for post, demand in window.members.items():
        if post in window.posts:
            kept[demand].append(post)
    must = [MustLink(posts[0], post) for posts in confirmed.values() for post in posts[1:]]
    cannot = [
        CannotLink(post, other)
        for post, demand, belongs in window.facts
        if not belongs and post in window.posts and window.pinned.get(post) != demand
        for other in dict.fromkeys([*kept[demand], *confirmed[demand]])
        if other != post
    ]
    return Constraints(must, cannot)


def counts_of(session: Session, demands: Collection[str] | None = None) -> dict[str, tuple[int, int]]:
    """Return posts and distinct authors of every demand, or of some, as its members stand now."""
    counted_by = (
        select(DemandMember.demand_id, sa.func.count(), sa.func.count(sa.distinct(col(Post.author))))
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .where(Post.state == PostState.PUBLISHED)
        .group_by(col(DemandMember.demand_id))
    )
    if demands is None:
        return {demand: (posts, authors) for demand, posts, authors in session.execute(counted_by)}
    return {
        demand: (posts, authors)
        for some in in_pieces(sorted(demands))
        for demand, posts, authors in session.execute(counted_by.where(col(DemandMember.demand_id).in_(some)))
    }


def counted(demand: Any) -> tuple[int, int]:  # noqa: ANN401 - a demand, or a row of its columns
    """Return posts and distinct accounts as the row has them, those in concert too."""
    return demand.posts, demand.authors + demand.in_concert


def is_stale(
    demand: Any,  # noqa: ANN401 - a demand, or a row of its columns
    counts: Mapping[str, tuple[int, int]],
    found: Mapping[str, Threshold],
    settings: SentimentSettings,
) -> bool:
    """Return whether a demand's row says something that does not hold any more."""
    authors = counts.get(demand.id, (0, 0))[1] - demand.in_concert
    needed = nearest(found, demand.organisation, settings.minimum_authors).k
    return bool(
        demand.recount_due
        or counts.get(demand.id, (0, 0)) != counted(demand)
        or (demand.state is DemandState.PROPOSED and authors < needed)
    )
