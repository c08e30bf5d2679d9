"""What a run without yesterday's decisions would do to the demands: splits and merges, as suggestions.

Every night the posts of the demands on the board are grouped anew, bound by what people have said and
by nothing else. Where the result differs, a suggestion is put into the inbox of the place. It changes
nothing by itself; accepting it is a correction like any other, and can be undone.

What was dismissed is not suggested again. What no longer holds is marked as outdated.

Neighbours: `clustering` groups; `corrections` carries out what is accepted.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlmodel import Session, col, select

from models import audit
from models.correction import DemandCorrection, DemandSuggestion
from models.database import Database
from models.demand import Demand, DemandMember
from models.errors import Conflict, NotFound
from models.vocabulary import DemandState, SuggestionKind, SuggestionState
from sentiment.demand import corrections, facts
from sentiment.demand.clustering import Group, cluster
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.constraints import CannotLink, Constraints, MustLink
from sentiment.demand.corrections import Hand
from sentiment.demand.grouping import GATHERS_FROM
from sentiment.demand.items import items_of, newest_of
from sentiment.demand.refining import load_membership
from sentiment.demand.scoring import Item, load_scorer, parts, profile

SHOWN: Final = (DemandState.PROPOSED, DemandState.VERIFIED)
MOST_OF: Final = 0.6
"""Share of a demand's posts that must lie in one group for it to be that group."""

EACH: Final = 300
"""Newest posts of a demand that are looked at."""

ALL: Final = 6_000
"""Posts that one night looks at."""

SAME: Final = 0.5
"""Posts in common (Jaccard) from which two splits of one demand are the same suggestion."""

REASONS: Final = 3
ACTOR: Final = "job:suggest"


@dataclass(frozen=True, slots=True)
class Proposed:
    """One split or merge that a run would make. `posts` are those that a split takes out."""

    kind: SuggestionKind
    demand: str
    other: str | None
    posts: tuple[str, ...]
    probability: float
    reasons: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The same for the same suggestion, whenever it is made."""
        named = sorted([self.demand, self.other]) if self.other else [self.demand, *sorted(self.posts)]
        return hashlib.sha256("|".join([self.kind.value, *named]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SuggestReport:
    """What one night did."""

    made: int = 0
    outdated: int = 0


def propose(items: Sequence[Item], stands: Mapping[str, str], constraints: Constraints) -> list[Proposed]:
    """Return the splits and merges that grouping `items` anew would make, the surest first. Pure.

    Parameters
    ----------
    items
        The posts of the demands; keys are unique.
    stands
        For each key the demand in which it stands.
    constraints
        What people have said; the result never goes against it.
    """
    if not items:
        return []
    groups = cluster(
        items, load_scorer(), load_membership(), constraints=constraints, cohesion=load_cohesion()
    )
    where = {member.key: number for number, group in enumerate(groups) for member in group.members}
    authors = {item.key: item.author for item in items}
    posts: defaultdict[str, defaultdict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        posts[stands[item.key]][where[item.key]].append(item.key)
    found = _splits(posts, groups, authors) + _merges(posts, groups)
    told = {item.key: item for item in items}
    explained = [
        Proposed(one.kind, one.demand, one.other, one.posts, one.probability, _reasons(one, posts, told))
        for one in found
    ]
    return sorted(explained, key=lambda one: (-one.probability, one.fingerprint))


def _splits(
    posts: Mapping[str, Mapping[int, list[str]]], groups: Sequence[Group], authors: Mapping[str, str]
) -> list[Proposed]:
    found = []
    for demand, pieces in sorted(posts.items()):
        large = {
            number: keys
            for number, keys in pieces.items()
            if len({authors[key] for key in keys}) >= GATHERS_FROM
        }
        if len(large) < 2:  # noqa: PLR2004 - one piece is the demand itself
            continue
        stays = max(large, key=lambda number: (len(large[number]), -number))
        for number, keys in sorted(large.items()):
            if number != stays:
                sure = round(min(groups[number].cohesion, groups[stays].cohesion), 3)
                found.append(Proposed(SuggestionKind.SPLIT, demand, None, tuple(sorted(keys)), sure))
    return found


def _merges(posts: Mapping[str, Mapping[int, list[str]]], groups: Sequence[Group]) -> list[Proposed]:
    home: defaultdict[int, list[tuple[int, str, float]]] = defaultdict(list)
    for demand, pieces in sorted(posts.items()):
        total = sum(len(keys) for keys in pieces.values())
        number = max(pieces, key=lambda one: (len(pieces[one]), -one))
        share = len(pieces[number]) / total
        if share >= MOST_OF:
            home[number].append((-total, demand, share))
    found = []
    for number, demands in sorted(home.items()):
        (_, first, share), *others = sorted(demands)
        for _, other, beside in others:
            sure = round(groups[number].cohesion * min(share, beside), 3)
            found.append(Proposed(SuggestionKind.MERGE, first, other, (), sure))
    return found


def _reasons(
    one: Proposed, posts: Mapping[str, Mapping[int, list[str]]], told: Mapping[str, Item]
) -> dict[str, Any]:
    """Return how alike the two sides are, within and between, and which parts say so most."""
    every = [key for keys in posts[one.demand].values() for key in keys]
    if one.other is None:
        left, right = list(one.posts), sorted(set(every) - set(one.posts))
    else:
        left, right = every, [key for keys in posts[one.other].values() for key in keys]
    left, right = left[:EACH], right[:EACH]
    scorer, profiles = load_scorer(), profile([told[key] for key in (*left, *right)])
    rows = np.arange(len(left), dtype=np.int64)
    columns = np.arange(len(left), len(left) + len(right), dtype=np.int64)
    values = parts(profiles, rows, columns)
    within = scorer.probabilities(parts(profiles, rows, rows))
    shares = scorer.shares(values.mean(axis=(0, 1)))
    return {
        "posts": len(left),
        "of": len(every),
        "between": round(float(scorer.probabilities(values).mean()), 3),
        "within": round(float(within.mean()), 3),
        "parts": dict(list(shares.items())[:REASONS]),
    }


def suggest_due(database: Database, now: datetime) -> SuggestReport:
    """Look at the demands on the board, and put what a free run would do into the inbox."""
    with database.reading() as session:
        demands = list(
            session.exec(
                select(Demand.id)
                .where(col(Demand.state).in_(SHOWN), col(Demand.merged_into).is_(None))
                .order_by(col(Demand.last_posted_at).desc(), col(Demand.id))
            )
        )
        newest = newest_of(session, demands, EACH)
        stands: dict[str, str] = {}
        for demand in demands:
            if len(stands) + len(newest[demand]) <= ALL:
                stands |= dict.fromkeys(newest[demand], demand)
        items = items_of(session, list(stands))
        said = constraints_of(facts.said(session, set(demands)))
    found = propose(list(items.values()), stands, said)
    with database.transaction() as session:
        return keep(session, found, now)


def constraints_of(said: facts.Said) -> Constraints:
    """Return what people said as links between posts, whatever demand a run would call them."""
    together: defaultdict[str, list[str]] = defaultdict(list)
    for post, demand in sorted(said.pinned.items()):
        together[demand].append(post)
    must = [MustLink(posts[0], post) for posts in together.values() for post in posts[1:]]
    cannot = [
        CannotLink(post, other)
        for post, demand, belongs in said.facts
        if not belongs and said.pinned.get(post) != demand
        for other in together[demand][:1]
    ]
    return Constraints(must, cannot)


def keep(session: Session, found: Sequence[Proposed], now: datetime) -> SuggestReport:
    """Put new suggestions on record, and mark those that no longer hold."""
    known = session.exec(select(DemandSuggestion).order_by(col(DemandSuggestion.id))).all()
    by_print = {one.fingerprint: one for one in known}
    wanted = {one.fingerprint for one in found}
    outdated = 0
    for row in known:
        if row.state is SuggestionState.OPEN and row.fingerprint not in wanted:
            row.state, row.decided_at, row.decided_by = SuggestionState.OUTDATED, now, ACTOR
            session.add(row)
            outdated += 1
    places = dict(
        session.exec(
            select(Demand.id, Demand.organisation).where(col(Demand.id).in_({one.demand for one in found}))
        ).all()
    )
    made = 0
    for one in found:
        before = by_print.get(one.fingerprint)
        if before is not None and before.state is SuggestionState.OUTDATED:
            before.state, before.decided_at, before.decided_by = SuggestionState.OPEN, None, None
            before.suggested_at, before.probability = now, one.probability
            before.reasons = dict(one.reasons)
            session.add(before)
        elif before is None and not _was_dismissed(one, known):
            made += 1
            session.add(
                DemandSuggestion(
                    kind=one.kind,
                    organisation=places[one.demand],
                    demand_id=one.demand,
                    other_id=one.other,
                    posts=list(one.posts),
                    probability=one.probability,
                    reasons=dict(one.reasons),
                    fingerprint=one.fingerprint,
                    suggested_at=now,
                )
            )
    session.flush()
    return SuggestReport(made, outdated)


def _was_dismissed(one: Proposed, known: Sequence[DemandSuggestion]) -> bool:
    for row in known:
        if (
            row.kind is not one.kind
            or row.demand_id != one.demand
            or row.state is not SuggestionState.DISMISSED
        ):
            continue
        both, either = set(row.posts) & set(one.posts), set(row.posts) | set(one.posts)
        if either and len(both) >= SAME * len(either):
            return True
    return False


def open_suggestions(session: Session, *, limit: int = 200) -> list[DemandSuggestion]:
    """Return what waits for a person, the surest first."""
    return list(
        session.exec(
            select(DemandSuggestion)
            .where(col(DemandSuggestion.state) == SuggestionState.OPEN)
            .order_by(col(DemandSuggestion.probability).desc(), col(DemandSuggestion.id))
            .limit(limit)
        )
    )


def _waiting(session: Session, suggestion_id: str, hand: Hand) -> DemandSuggestion:
    row = session.exec(
        select(DemandSuggestion).where(DemandSuggestion.id == suggestion_id).with_for_update()
    ).first()
    if row is None or not hand.reaches(row.organisation):
        raise NotFound("no such suggestion, or none that you may see")
    if row.state is not SuggestionState.OPEN:
        raise Conflict(f"the suggestion is {row.state.value}", code="not_open")
    return row


def accept(session: Session, suggestion_id: str, hand: Hand) -> DemandCorrection:
    """Do what a suggestion says, as the person's own act; posts that left meanwhile are passed by.

    Raises
    ------
    Conflict
        If it was decided before, or its demands have changed so that nothing is left of it.
    """
    row = _waiting(session, suggestion_id, hand)
    if row.kind is SuggestionKind.MERGE and row.other_id is not None:
        done = corrections.merge(session, row.demand_id, row.other_id, hand)
    else:
        there = Counter(
            session.exec(
                select(DemandMember.post_id).where(
                    DemandMember.demand_id == row.demand_id, col(DemandMember.post_id).in_(row.posts)
                )
            ).all()
        )
        if not there:
            raise Conflict("its posts are elsewhere by now", code="not_open")
        done = corrections.split(session, row.demand_id, sorted(there), hand)
    _decide(session, row, SuggestionState.ACCEPTED, hand, done.id)
    return done


def dismiss(session: Session, suggestion_id: str, hand: Hand) -> DemandSuggestion:
    """Turn a suggestion down; the like is not suggested again."""
    row = _waiting(session, suggestion_id, hand)
    _decide(session, row, SuggestionState.DISMISSED, hand)
    return row


def _decide(
    session: Session, row: DemandSuggestion, state: SuggestionState, hand: Hand, correction: str | None = None
) -> None:
    row.state, row.decided_by, row.decided_at = state, hand.actor, hand.now
    row.decided_reason, row.correction_id = hand.reason.strip() or None, correction
    session.add(row)
    audit.record(
        session,
        hand.now,
        actor=hand.actor,
        action=f"demand.suggestion_{state.value}",
        subject=row.demand_id,
        organisation=row.organisation,
        details={"suggestion": row.id, "kind": row.kind.value, "correction": correction},
    )
    session.flush()
