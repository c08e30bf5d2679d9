"""What a person does with demands: confirm, take out, split, merge, move, rename.

Each act is a row (`DemandCorrection`) with what stood before it, an entry of the audit log, and facts
that every later run keeps. A split says of each post in which of the two it belongs, so that no run
brings the two together again; a merge says of every post that it belongs to what is left, and the id
that went leads there for good.

Refuses: what contradicts a standing fact, unless the person insists, who was shown the fact; a demand
that is closed or rejected; two demands that both have gone up; more than the person reaches.

Neighbours: `undoing` takes an act back; `facts` reads what is written here, `grouping` obeys it and
counts; `api/routes` and the console call these.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from models import audit
from models.base import new_id
from models.correction import DemandCorrection, DemandVoice
from models.demand import Demand, DemandFact, DemandMember
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.post import Post
from models.vocabulary import CorrectionKind, DemandState, PostState
from sentiment.demand import facts
from sentiment.demand.grouping import OPEN, recount
from sentiment.demand.naming import LONGEST_TITLE
from sentiment.settings import SentimentSettings

UNDO: Final = timedelta(seconds=30)
"""So long every act can be taken back; afterwards only until the next run of the grouping."""

MOST_POSTS: Final = 500
"""Posts that one act may name."""

ACTIONS: Final = {
    CorrectionKind.CONFIRM: "demand.post_confirmed",
    CorrectionKind.REJECT: "demand.post_rejected",
    CorrectionKind.SPLIT: "demand.split",
    CorrectionKind.MERGE: "demand.merged",
    CorrectionKind.MOVE: "demand.posts_moved",
    CorrectionKind.RENAME: "demand.renamed",
    CorrectionKind.UNDO: "demand.correction_undone",
}


@dataclass(frozen=True, slots=True)
class Hand:
    """Whose act it is, and what it is made with.

    `reaches` says whether the person may act at a node. `insists`: the facts that speak against the act
    were shown, and give way. `version` is the one of the demand that the person saw, if known.
    """

    actor: str
    now: datetime
    settings: SentimentSettings
    reaches: Callable[[str], bool] = field(default=lambda _: True)
    reason: str = ""
    insists: bool = False
    version: int | None = None


@dataclass
class Act:
    """What one act changes: facts, places of posts, and demands."""

    kind: CorrectionKind
    demand: Demand
    other: Demand | None = None
    posts: tuple[str, ...] = ()
    facts: list[tuple[str, str, bool]] = field(default_factory=list)
    places: dict[str, str | None] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)


def confirm(session: Session, demand_id: str, posts: Sequence[str], hand: Hand) -> DemandCorrection:
    """Say that posts belong to the demand they stand in."""
    demand = _opened(session, [demand_id], hand)[0]
    chosen = _chosen(session, demand, posts, hand)
    act = Act(CorrectionKind.CONFIRM, demand, None, chosen)
    act.facts = [(post, demand.id, True) for post in chosen]
    return do(session, act, hand)


def reject(session: Session, demand_id: str, posts: Sequence[str], hand: Hand) -> DemandCorrection:
    """Say that posts do not belong, and take them out; they may come together elsewhere."""
    demand = _opened(session, [demand_id], hand)[0]
    chosen = _chosen(session, demand, posts, hand)
    act = Act(CorrectionKind.REJECT, demand, None, chosen)
    act.facts = [(post, demand.id, False) for post in chosen]
    act.places = dict.fromkeys(chosen)
    return do(session, act, hand)


def split(session: Session, demand_id: str, posts: Sequence[str], hand: Hand) -> DemandCorrection:
    """Make a demand of its own out of some posts; what is left keeps the id.

    Raises
    ------
    InvalidInput
        If nothing would be left.
    """
    demand = _opened(session, [demand_id], hand)[0]
    chosen = _chosen(session, demand, posts, hand)
    rest = sorted(set(_members(session, [demand.id])) - set(chosen))
    if not rest:
        raise InvalidInput("a split leaves at least one post", code="nothing_left", field="/posts")
    made = Demand(
        id=new_id(),
        title=demand.title,
        domain=demand.domain,
        organisation=demand.organisation,
        first_posted_at=demand.first_posted_at,
        last_posted_at=demand.last_posted_at,
    )
    session.add(made)
    session.flush()
    act = Act(CorrectionKind.SPLIT, demand, made, chosen)
    act.facts = [(post, demand.id, False) for post in chosen]
    act.facts += [(post, made.id, True) for post in chosen]
    act.facts += [(post, made.id, False) for post in rest]
    act.places = dict.fromkeys(chosen, made.id)
    return do(session, act, hand)


def merge(session: Session, demand_id: str, other_id: str, hand: Hand) -> DemandCorrection:
    """Make one demand of two: `demand_id` stays, and the id of the other leads to it from now on.

    Raises
    ------
    Conflict
        `both_verified`, if both have gone up: each has its own event and its own record.
    """
    stays, goes = _opened(session, [demand_id, other_id], hand)
    if stays.id == goes.id:
        raise InvalidInput("a demand cannot be merged with itself", code="same_demand", field="/other")
    if goes.state is DemandState.VERIFIED:
        if stays.state is DemandState.VERIFIED:
            raise Conflict("both have gone up, each with its own record", code="both_verified")
        stays, goes = goes, stays
    inside = _members(session, [stays.id, goes.id])
    act = Act(CorrectionKind.MERGE, stays, goes, tuple(sorted(inside)))
    act.facts = [(post, stays.id, True) for post in act.posts]
    act.places = {post: stays.id for post, row in inside.items() if row.demand_id == goes.id}
    act.before["redirect"] = goes.id
    act.before["voices"] = _bring_voices(session, stays.id, goes.id)
    goes.merged_into = stays.id
    session.add(goes)
    return do(session, act, hand)


def move(
    session: Session, demand_id: str, posts: Sequence[str], target_id: str, hand: Hand
) -> DemandCorrection:
    """Put posts of one demand into another."""
    demand, target = _opened(session, [demand_id, target_id], hand)
    if demand.id == target.id:
        raise InvalidInput("the posts stand there already", code="same_demand", field="/to")
    chosen = _chosen(session, demand, posts, hand)
    act = Act(CorrectionKind.MOVE, demand, target, chosen)
    act.facts = [(post, demand.id, False) for post in chosen]
    act.facts += [(post, target.id, True) for post in chosen]
    act.places = dict.fromkeys(chosen, target.id)
    return do(session, act, hand)


def put(session: Session, post_id: str, target_id: str, hand: Hand) -> DemandCorrection:
    """Put a post that stands in no demand into one."""
    target = _opened(session, [target_id], hand)[0]
    post = session.get(Post, post_id)
    if post is None or post.state is not PostState.PUBLISHED or not hand.reaches(post.organisation):
        raise NotFound("no such post, or none that you may see")
    act = Act(CorrectionKind.MOVE, target, None, (post_id,))
    act.facts = [(post_id, target.id, True)]
    act.places = {post_id: target.id}
    return do(session, act, hand)


def rename(session: Session, demand_id: str, title: str, hand: Hand) -> DemandCorrection:
    """Give a demand a title that no later run overwrites."""
    words = " ".join(title.split())
    if not 1 <= len(words) <= LONGEST_TITLE:
        raise InvalidInput(f"a title has 1 to {LONGEST_TITLE} characters", code="title", field="/title")
    demand = _opened(session, [demand_id], hand)[0]
    act = Act(CorrectionKind.RENAME, demand)
    act.before["title"], act.before["titled_by"] = demand.title, demand.titled_by
    demand.title, demand.titled_by = words, hand.actor
    return do(session, act, hand)


def _opened(session: Session, demand_ids: Sequence[str], hand: Hand) -> list[Demand]:
    """Return the demands that these ids lead to, locked; the first one's version is checked."""
    redirects = facts.redirects_of(session)
    wanted = [facts.heir_of(redirects, one) for one in demand_ids]
    rows = {
        row.id: row
        for row in session.exec(
            select(Demand).where(col(Demand.id).in_(wanted)).order_by(col(Demand.id)).with_for_update()
        )
    }
    for one in wanted:
        if one not in rows or not hand.reaches(rows[one].organisation):
            raise NotFound("no such demand, or none that you may see")
        if rows[one].state not in OPEN:
            raise Conflict(f"the demand is {rows[one].state.value}", code="not_open")
    first = rows[wanted[0]]
    if hand.version is not None and first.version != hand.version:
        raise StaleVersion("the demand was changed meanwhile", version=first.version)
    return [rows[one] for one in wanted]


def _members(session: Session, demand_ids: Sequence[str]) -> dict[str, DemandMember]:
    rows = session.exec(
        select(DemandMember).where(col(DemandMember.demand_id).in_(demand_ids)).with_for_update()
    )
    return {row.post_id: row for row in rows}


def _chosen(session: Session, demand: Demand, posts: Sequence[str], hand: Hand) -> tuple[str, ...]:
    """Return the posts that an act names, if all stand in the demand within the person's reach."""
    chosen = tuple(dict.fromkeys(posts))
    if not 1 <= len(chosen) <= MOST_POSTS:
        raise InvalidInput(f"choose 1 to {MOST_POSTS} posts", code="no_posts", field="/posts")
    found = session.exec(
        select(Post.id, Post.organisation)
        .join(DemandMember, col(DemandMember.post_id) == col(Post.id))
        .where(DemandMember.demand_id == demand.id, col(Post.id).in_(chosen))
    ).all()
    if {post for post, organisation in found if hand.reaches(organisation)} != set(chosen):
        raise NotFound("a post is not in this demand, or none that you may see", field="/posts")
    return chosen


def _bring_voices(session: Session, stays: str, goes: str) -> list[str]:
    """Let who joined one demand have joined the other; whoever had joined both stays counted once."""
    there = select(DemandVoice.author).where(DemandVoice.demand_id == stays)
    rows = session.exec(
        select(DemandVoice).where(DemandVoice.demand_id == goes, col(DemandVoice.author).not_in(there))
    ).all()
    for row in rows:
        row.demand_id = stays
        session.add(row)
    return [row.id for row in rows]


def do(session: Session, act: Act, hand: Hand) -> DemandCorrection:
    """Put an act on record: its facts, the places of its posts, the counts, and the entry in the log."""
    correction = DemandCorrection(
        id=new_id(),
        kind=act.kind,
        organisation=act.demand.organisation,
        demand_id=act.demand.id,
        other_id=act.other.id if act.other else None,
        posts=list(act.posts),
        before=act.before,
        reason=hand.reason.strip(),
        made_by=hand.actor,
        made_at=hand.now,
        undo_until=hand.now + UNDO,
    )
    _say(session, act, correction, hand)
    members = {
        row.post_id: row
        for row in session.exec(select(DemandMember).where(col(DemandMember.post_id).in_(list(act.places))))
    }
    act.before["members"] = [_place(row) for row in members.values()]
    act.before["put"] = sorted(set(act.places) - set(members))
    for post, demand in act.places.items():
        stand(session, members.get(post), post, demand, hand.now)
    act.before["states"] = {one.id: one.state.value for one in (act.demand, act.other) if one}
    session.add(correction)
    session.flush()
    for demand_row in (act.demand, act.other):
        if demand_row is not None and act.kind is not CorrectionKind.RENAME:
            by_hand = act.kind in {CorrectionKind.SPLIT, CorrectionKind.MERGE, CorrectionKind.MOVE}
            # What keeps the old id was put together by nobody; only the other side of a split was.
            vouched = by_hand and (demand_row is not act.demand or act.kind is CorrectionKind.MERGE)
            recount(session, demand_row, hand.settings, hand.now, vouched=vouched)
            demand_row.recount_due = True  # The words of its title are made anew by the next run.
        elif demand_row is not None:
            demand_row.version += 1
            session.add(demand_row)
    log(session, correction, hand)
    session.flush()
    return correction


def _place(row: DemandMember) -> dict[str, Any]:
    return {
        "post": row.post_id,
        "demand": row.demand_id,
        "probability": row.probability,
        "parts": dict(row.parts),
        "joined_at": row.joined_at.isoformat(),
    }


def stand(session: Session, row: DemandMember | None, post: str, demand: str | None, now: datetime) -> None:
    """Let a post stand in a demand, or in none."""
    if demand is None:
        if row is not None:
            session.delete(row)
    elif row is None:
        session.add(
            DemandMember(
                demand_id=demand, post_id=post, probability=1.0, parts={"person": 1.0}, joined_at=now
            )
        )
    else:
        row.demand_id, row.probability, row.parts, row.joined_at = demand, 1.0, {"person": 1.0}, now
        session.add(row)


def _say(session: Session, act: Act, correction: DemandCorrection, hand: Hand) -> None:
    """Write the facts of an act in place of those that give way, which are kept in `before`."""
    redirects = facts.redirects_of(session)
    if act.kind is CorrectionKind.MERGE and act.other is not None:
        redirects[act.other.id] = act.demand.id
    standing = session.exec(
        select(DemandFact).where(col(DemandFact.post_id).in_({post for post, _, _ in act.facts}))
    ).all()
    wanted = {(post, demand): belongs for post, demand, belongs in act.facts}
    puts = {post: demand for post, demand, belongs in act.facts if belongs}
    open_ids = set(session.exec(select(Demand.id).where(col(Demand.state).in_(OPEN))))
    against: list[DemandFact] = []
    gone: list[DemandFact] = []
    for one in standing:
        demand = facts.heir_of(redirects, one.demand_id)
        now_said = wanted.get((one.post_id, demand))
        elsewhere = one.belongs and puts.get(one.post_id, demand) != demand and demand in open_ids
        if (now_said is not None and now_said != one.belongs) or (now_said is None and elsewhere):
            against.append(one)
        elif now_said is not None and one.demand_id == demand:
            gone.append(one)
    if against and not hand.insists:
        raise Conflict(
            "somebody has said otherwise",
            code="contradicts",
            facts=[
                {
                    "post": one.post_id,
                    "demand": facts.heir_of(redirects, one.demand_id),
                    "belongs": one.belongs,
                    "decided_at": one.decided_at.isoformat(),
                }
                for one in against
            ],
        )
    act.before["facts"] = [_fact(one) for one in (*against, *gone)]
    for one in (*against, *gone):
        session.delete(one)
    session.flush()
    for (post, demand), belongs in wanted.items():
        session.add(
            DemandFact(
                demand_id=demand,
                post_id=post,
                belongs=belongs,
                reason=hand.reason.strip(),
                decided_by=hand.actor,
                decided_at=hand.now,
                correction_id=correction.id,
            )
        )


def _fact(one: DemandFact) -> dict[str, Any]:
    return {
        "demand": one.demand_id,
        "post": one.post_id,
        "belongs": one.belongs,
        "reason": one.reason,
        "by": one.decided_by,
        "at": one.decided_at.isoformat(),
        "correction": one.correction_id,
    }


def log(session: Session, correction: DemandCorrection, hand: Hand) -> None:
    """Put an act on the audit log: the posts by their identifiers, never a text."""
    details: dict[str, Any] = {"correction": correction.id, "posts": correction.posts[:MOST_POSTS]}
    if correction.other_id is not None:
        details["other"] = correction.other_id
    if correction.undoes is not None:
        details["undoes"] = correction.undoes
    if hand.insists:
        details["insisted"] = True
    audit.record(
        session,
        hand.now,
        actor=hand.actor,
        action=ACTIONS[correction.kind],
        subject=correction.demand_id,
        organisation=correction.organisation,
        details=details,
    )
