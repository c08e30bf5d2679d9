"""Try a proposal on stored posts: what it would have done, and what people decided about those posts.

A run is a row. It reads the posts of a period and a part of the tree batch by batch, in the order of
their ids, and writes counts and its place after each batch; so it goes on where it stopped, can be
cancelled between two batches, and needs no more memory for a million posts than for a thousand. What it
compares are two verdicts of the present rules on the same text, without the proposal and with it.

Refuses: a proposal that the door would refuse. A rule that may not act on a protected text may not
search for such texts either. It keeps no text: the sample is identifiers and offsets, and each look at
it is on the audit log. Rules on how posts come are not tried: nothing is kept of how posts came.

Neighbours: `arrangement` builds what is tried, `outcomes` knows what people decided, the timetable and
`tingjian backtest` run it.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.base import new_id
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound, TingjianError
from models.organisation import Organisation, under
from models.post import Post, PostRevision
from models.rulebook import Backtest
from models.screening import Screening
from models.vocabulary import Action, BacktestState, Category, PostState, RuleState, Verdict
from moderation import arrangement, editions, proposals
from moderation.arrangement import Base
from moderation.editions import Change, Plan
from moderation.outcomes import judgements
from moderation.pipeline import Screener, Standing
from moderation.policy import Decision, Evidence, Policy, decide
from moderation.precision import Precision
from moderation.proposals import Proposal, ProposalKind
from moderation.rules import Span

BATCH: Final = 500
LEASE: Final = timedelta(minutes=2)
SAMPLE: Final = 40
PER_CHANGE: Final = 15
"""Posts in the sample that show one kind of change; so that a rare one is not crowded out."""

MOST_WAITING: Final = 20
OVERLAPS: Final = 20
LOOKS_BACK: Final = timedelta(days=3650)
"""All that people ever decided about the posts of the period counts."""


# --- The pure part: what one batch adds.


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored post, and what is on record about it."""

    post_id: str
    revision: int
    text: str
    past: Verdict | None


@dataclass(frozen=True, slots=True)
class Compared:
    """What is tried, and against what.

    `wide` finds whatever either side heeds; each side ignores some rules and has its policy. `present`
    finds on its own what holds now, where one pass cannot serve both: with another bundle, or beside an
    older self of the same pack. What counts as a hit is one of `rules`, a probability of `categories`, or
    else any verdict that is not to publish.
    """

    wide: Screener
    now: Policy
    then: Policy
    now_ignores: frozenset[str] = frozenset()
    then_ignores: frozenset[str] = frozenset()
    present: Screener | None = None
    rules: frozenset[str] = frozenset()
    categories: frozenset[Category] = frozenset()

    def pairs(self, texts: Sequence[str]) -> list[tuple[Evidence, Decision, Decision]]:
        """Return for each text all evidence, and the decisions without and with the proposal."""
        evidence = self.wide.evidence(texts)
        present = self.present.evidence(texts) if self.present else evidence
        return [
            (
                one,
                decide(_without(old, self.now_ignores), self.now),
                decide(_without(one, self.then_ignores), self.then),
            )
            for one, old in zip(evidence, present, strict=True)
        ]

    def hit(self, evidence: Evidence, decision: Decision) -> tuple[tuple[Span, ...], tuple[str, ...]] | None:
        """Return where and by what the proposal hits a post, or None where it does not."""
        if self.rules:
            found = [hit for hit in evidence.hits if hit.rule.id in self.rules]
            if not found:
                return None
            return (
                tuple(span for hit in found for span in hit.spans),
                tuple(dict.fromkeys(hit.rule.id for hit in found)),
            )
        if self.categories:
            scored = [word for word in decision.scored if word in self.categories]
            return ((), tuple(word.value for word in scored)) if scored else None
        if decision.verdict is Verdict.PUBLISH:
            return None
        return (), ()


def _without(evidence: Evidence, rules: frozenset[str]) -> Evidence:
    if not rules:
        return evidence
    return replace(evidence, hits=[hit for hit in evidence.hits if hit.rule.id not in rules])


@dataclass(slots=True)
class Tallies:
    """Counts that grow with the batches, and a sample that does not."""

    hits: int = 0
    alone: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    overlap: Counter[str] = field(default_factory=Counter)
    past: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    confirmed: int = 0
    overturned: int = 0
    decided: Counter[str] = field(default_factory=Counter)
    sample: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the tallies as a record holds them."""
        return {
            name: dict(value) if isinstance(value, Counter) else value
            for name, value in ((name, getattr(self, name)) for name in self.__slots__)
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Tallies":
        """Return the tallies that a record holds; an empty record holds none."""
        made = cls()
        for name, value in document.items():
            setattr(made, name, Counter(value) if isinstance(value, dict) else value)
        return made

    @property
    def precision(self) -> Precision:
        """What people's decisions say about the posts that were hit."""
        return Precision(self.confirmed, self.overturned)


Judged = Callable[[str, int], tuple[Action, Category | None] | None]


def add(tallies: Tallies, compared: Compared, posts: Sequence[Stored], judged: Judged) -> None:
    """Count one batch of posts."""
    for post, (evidence, before, after) in zip(
        posts, compared.pairs([post.text for post in posts]), strict=True
    ):
        change = f"{before.verdict}>{after.verdict}"
        changes = before.verdict is not after.verdict
        if changes:
            tallies.changes[change] += 1
        hit = compared.hit(evidence, after)
        if hit is not None:
            said = judged(post.post_id, post.revision)
            _add_hit(tallies, post, hit[1])
            _add_overlap(tallies, compared, evidence)
            if said is not None:
                _add_decided(tallies, *said, clauses=_clauses(compared, evidence, after))
        if hit is not None or changes:
            _add_sample(tallies, post, change if changes else "", hit or ((), ()))


def _add_hit(tallies: Tallies, post: Stored, by: tuple[str, ...]) -> None:
    tallies.hits += 1
    tallies.by_rule.update(by)
    tallies.past[post.past.value if post.past else "none"] += 1


def _add_overlap(tallies: Tallies, compared: Compared, evidence: Evidence) -> None:
    others = {hit.rule.id for hit in evidence.hits} - compared.rules
    tallies.overlap.update(others)
    tallies.alone += not others


def _add_decided(
    tallies: Tallies, action: Action, category: Category | None, *, clauses: frozenset[Category]
) -> None:
    tallies.decided[f"{action}:{category}" if category else action.value] += 1
    if action is Action.REFER:
        # A referral says nothing for or against a rule on harm.
        tallies.confirmed += Category.SELF_HARM in clauses
    elif action is Action.REMOVE and category in clauses:
        tallies.confirmed += 1
    else:
        tallies.overturned += 1


def _clauses(compared: Compared, evidence: Evidence, after: Decision) -> frozenset[Category]:
    """Return the clauses under which the proposal speaks against a post."""
    if compared.rules:
        return frozenset(hit.rule.category for hit in evidence.hits if hit.rule.id in compared.rules)
    if compared.categories:
        return compared.categories & frozenset(after.scored)
    return frozenset({after.category} if after.category else ())


def _add_sample(
    tallies: Tallies, post: Stored, change: str, hit: tuple[tuple[Span, ...], tuple[str, ...]]
) -> None:
    alike = sum(one["change"] == change for one in tallies.sample)
    if len(tallies.sample) < SAMPLE and alike < PER_CHANGE:
        tallies.sample.append(
            {
                "post": post.post_id,
                "revision": post.revision,
                "spans": [list(span) for span in hit[0][:20]],
                "by": list(hit[1]),
                "change": change,
            }
        )


# --- Building what is tried.


def compare(base: Base, plan: Plan, proposal: Proposal, change: Change) -> Compared:
    """Return the screener as it is and the one with a proposal. The proposal goes through the door.

    A rule that is active already is tried the other way round: what if it were retired.

    Raises
    ------
    NotFound, InvalidInput, ConfigurationError, CharterViolation
        If there is no such thing, it cannot be read, or the door refuses it.
    """
    wanted = proposals.planned(base, plan, proposal, RuleState.ACTIVE, change)
    whole = arrangement.admit(base, wanted)
    ignored = whole.standing.retired | whole.standing.silent
    wide = _heeding_all_but(whole, ignored)
    now = arrangement.arranged(base.policy, plan.edition)
    made = Compared(wide, now, whole.policy)
    if proposal.kind is ProposalKind.RULE:
        rules = frozenset({proposal.rule})
        if plan.edition.state_of(proposal.rule) is RuleState.ACTIVE:
            return replace(made, rules=rules, then_ignores=rules)
        return replace(made, rules=rules, now_ignores=rules)
    if proposal.kind is ProposalKind.PACK:
        name, ids = proposals.pack_rules(proposal.source)
        made = replace(made, rules=frozenset(ids))
        if all(pack.name != name for pack in plan.packs):
            return replace(made, now_ignores=frozenset(ids))
        return replace(made, present=_present(base, plan))
    if proposal.kind is ProposalKind.BANDS:
        return replace(made, categories=frozenset(proposal.bands))
    return replace(made, present=_present(base, plan))


def _heeding_all_but(screener: Screener, ignored: frozenset[str]) -> Screener:
    """Return a screener without its trials, which no comparison needs."""
    return Screener(screener.rulebook, screener.policy, screener.bundle, Standing(retired=ignored))


def _present(base: Base, plan: Plan) -> Screener:
    found = arrangement.screener_of(base, plan.edition, arrangement.read(base, plan.packs))
    return _heeding_all_but(found, found.standing.retired | found.standing.silent)


# --- The runs.


@dataclass(frozen=True, slots=True)
class Period:
    """Which posts a run is about: those written in the period, at a node of the tree and under it."""

    organisation: str
    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since >= self.until:
            raise InvalidInput("the period must begin before it ends", field="/until")


def request(
    session: Session, proposal: Proposal, period: Period, change: Change, *, lease: str | None = None
) -> Backtest:
    """Put a run on record; a worker starts it, or whoever holds the `lease` does at once.

    Raises
    ------
    InvalidInput
        If there is no such organisation, or the pack cannot be read at all.
    Conflict
        `too_many_backtests`, if many wait already.
    """
    if session.get(Organisation, period.organisation) is None:
        raise InvalidInput("no such organisation", code="unknown_organisation", field="/organisation")
    if proposal.kind is ProposalKind.PACK:
        proposals.pack_rules(proposal.source)
    waiting = session.exec(
        select(func.count())
        .select_from(Backtest)
        .where(col(Backtest.state).in_([BacktestState.WAITING, BacktestState.RUNNING]))
    ).one()
    if waiting >= MOST_WAITING:
        raise Conflict("too many back-tests wait already", code="too_many_backtests")
    run = Backtest(
        organisation=period.organisation,
        proposal=proposal.document(),
        since=period.since,
        until=period.until,
        state=BacktestState.RUNNING if lease else BacktestState.WAITING,
        requested_by=change.actor,
        created_at=change.now,
        lease=lease,
        leased_until=change.now + LEASE if lease else None,
    )
    session.add(run)
    session.flush()
    audit.record(
        session,
        change.now,
        actor=change.actor,
        action="backtest.requested",
        subject=f"backtest:{run.id}",
        organisation=period.organisation,
        details={"proposal": proposal.subject, "reason": change.reason.strip()},
    )
    return run


def cancel(session: Session, run: Backtest, *, actor: str, now: datetime) -> None:
    """End a run before its time; whoever works on it stops after the batch in hand.

    Raises
    ------
    Conflict
        `backtest_over`, if it has ended.
    """
    locked = _locked(session, run.id)
    if locked.state not in {BacktestState.WAITING, BacktestState.RUNNING}:
        raise Conflict("the back-test has ended", code="backtest_over", state=locked.state.value)
    locked.state, locked.finished_at = BacktestState.CANCELLED, now
    locked.lease = locked.leased_until = None
    session.add(locked)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor,
        action="backtest.cancelled",
        subject=f"backtest:{locked.id}",
        organisation=locked.organisation,
    )


def _locked(session: Session, run_id: str) -> Backtest:
    return session.exec(
        select(Backtest)
        .where(col(Backtest.id) == run_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def find(session: Session, run_id: str) -> Backtest:
    """Return a run.

    Raises
    ------
    NotFound
        If there is none.
    """
    run = session.get(Backtest, run_id)
    if run is None:
        raise NotFound("no such back-test, or none that you may see")
    return run


def listed(session: Session, scope: Sequence[str], *, limit: int = 50) -> list[Backtest]:
    """Return the runs within the scope, newest first."""
    if not scope:
        return []
    return list(
        session.exec(
            select(Backtest)
            .where(sa.or_(*(under(col(Backtest.organisation), root) for root in scope)))
            .order_by(col(Backtest.id).desc())
            .limit(limit)
        )
    )


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What one round did: posts judged, and the run that it was about."""

    judged: int
    run: str | None = None


def backtest_due(
    database: Database, base: Base, clock: Callable[[], datetime], *, seconds: float = 20.0
) -> BacktestReport:
    """Work on the oldest run that waits, or that its worker left, for about so many seconds."""
    lease = new_id()
    now = clock()
    with database.transaction() as session:
        run = session.exec(
            select(Backtest)
            .where(
                sa.or_(
                    col(Backtest.state) == BacktestState.WAITING,
                    sa.and_(
                        col(Backtest.state) == BacktestState.RUNNING,
                        sa.or_(col(Backtest.leased_until).is_(None), col(Backtest.leased_until) < now),
                    ),
                )
            )
            .order_by(col(Backtest.created_at), col(Backtest.id))
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if run is None:
            return BacktestReport(0)
        run.state, run.lease, run.leased_until = BacktestState.RUNNING, lease, now + LEASE
        session.add(run)
    judged = work(database, base, run.id, lease, clock, seconds=seconds)
    return BacktestReport(judged, run.id)


def work(
    database: Database,
    base: Base,
    run_id: str,
    lease: str,
    clock: Callable[[], datetime],
    *,
    seconds: float | None = None,
    told: Callable[[int, int], None] | None = None,
) -> int:
    """Go on with a run that is leased under `lease`; return how many posts were judged.

    It ends when all posts are judged, the run is cancelled or leased by somebody else, or the time is
    over; then the lease is given back and another round goes on. `told` hears of every batch.
    """
    begun, judged = time.monotonic(), 0
    try:
        with database.reading() as session:
            run = find(session, run_id)
            plan = editions.standing_plan(session)
            posts = session.exec(select(func.count()).select_from(_posts(run).subquery())).one()
        change = Change(run.requested_by, "back-test", run.created_at)
        compared = compare(base, plan, Proposal.of(run.proposal), change)
        rulebook = f"{compared.wide.rulebook.revision}{plan.edition.mark}"
        if run.judged and run.rulebook != rulebook:
            # Counts under two rulebooks are counts of nothing: the run begins anew.
            run = run.model_copy(update={"judged": 0, "cursor": "", "tallies": {}})
        while True:
            batch = _batch(database, run)
            tallies = Tallies.of(run.tallies)
            add(tallies, compared, batch, _judged(database, batch, clock()))
            judged += len(batch)
            mine = _advance(database, run, lease, batch, tallies, posts=posts, rulebook=rulebook, now=clock())
            if mine is None or mine.state is BacktestState.DONE:
                return judged
            run = mine
            if told is not None:
                told(run.judged, run.posts)
            if seconds is not None and time.monotonic() - begun >= seconds:
                _give_back(database, run_id, lease)
                return judged
    except TingjianError as error:
        _fail(database, run_id, lease, error.detail, clock())
        return judged
    except BaseException:
        _give_back(database, run_id, lease)
        raise


def _posts(run: Backtest) -> Any:  # noqa: ANN401 - a select
    return (
        select(Post.id, Post.revision, PostRevision.text)
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id)) & (col(PostRevision.revision) == col(Post.revision)),
        )
        .where(
            under(col(Post.organisation), run.organisation),
            col(Post.created_at) >= run.since,
            col(Post.created_at) < run.until,
            col(Post.state) != PostState.DELETED,
            col(PostRevision.text).is_not(None),
        )
    )


def _batch(database: Database, run: Backtest) -> list[Stored]:
    with database.reading() as session:
        rows = session.exec(
            _posts(run).where(col(Post.id) > run.cursor).order_by(col(Post.id)).limit(BATCH)
        ).all()
        past = dict(
            session.exec(
                select(Screening.post_id, Screening.verdict)
                .join(Post, col(Post.id) == col(Screening.post_id))
                .where(
                    col(Screening.post_id).in_([post for post, _, _ in rows]),
                    col(Screening.revision) == col(Post.revision),
                )
                .order_by(col(Screening.sequence))
            ).all()
        )
    return [
        Stored(post, revision, text, Verdict(past[post]) if post in past else None)
        for post, revision, text in rows
    ]


def _judged(database: Database, batch: Sequence[Stored], now: datetime) -> Judged:
    """Return how to ask what people finally decided about the posts of a batch."""
    with database.reading() as session:
        found = judgements(session, now - LOOKS_BACK, now, posts=[one.post_id for one in batch])

    def of(post_id: str, revision: int) -> tuple[Action, Category | None] | None:
        judgement = found.get((post_id, revision))
        return (judgement.action, judgement.category) if judgement else None

    return of


def _advance(
    database: Database,
    run: Backtest,
    lease: str,
    batch: Sequence[Stored],
    tallies: Tallies,
    *,
    posts: int,
    rulebook: str,
    now: datetime,
) -> Backtest | None:
    """Write what a batch brought; None if the run is no longer ours."""
    with database.transaction() as session:
        mine = _locked(session, run.id)
        if mine.state is not BacktestState.RUNNING or mine.lease != lease:
            return None
        mine.tallies = tallies.document()
        mine.judged = run.judged + len(batch)
        mine.posts = max(posts, mine.judged)
        mine.rulebook = rulebook
        mine.leased_until = now + LEASE
        if batch:
            mine.cursor = batch[-1].post_id
        if len(batch) < BATCH:
            mine.state, mine.finished_at, mine.posts = BacktestState.DONE, now, mine.judged
            mine.lease = mine.leased_until = None
        session.add(mine)
    return mine


def _give_back(database: Database, run_id: str, lease: str) -> None:
    with database.transaction() as session:
        run = _locked(session, run_id)
        if run.lease == lease:
            run.lease = run.leased_until = None
            session.add(run)


def _fail(database: Database, run_id: str, lease: str, problem: str, now: datetime) -> None:
    with database.transaction() as session:
        run = _locked(session, run_id)
        if run.lease == lease:
            run.state, run.problem, run.finished_at = BacktestState.FAILED, problem, now
            run.lease = run.leased_until = None
            session.add(run)


# --- Looking at the sample.


@dataclass(frozen=True, slots=True)
class Passage:
    """One post of a sample with its text, for who may see posts. Never who wrote it."""

    post_id: str
    organisation: str
    text: str
    spans: tuple[Span, ...]
    by: tuple[str, ...]
    change: str


def passages(
    session: Session,
    run: Backtest,
    may_see: Callable[[str], bool],
    *,
    actor: str,
    now: datetime,
    limit: int = SAMPLE,
) -> list[Passage]:
    """Return the sample's posts that somebody may see. The look is on the audit log, post by post."""
    sample = Tallies.of(run.tallies).sample[:limit]
    rows = {
        post.id: (post, text)
        for post, text in session.exec(
            select(Post, PostRevision.text)
            .join(
                PostRevision,
                (col(PostRevision.post_id) == col(Post.id))
                & (col(PostRevision.revision) == col(Post.revision)),
            )
            .where(col(Post.id).in_([one["post"] for one in sample]), col(Post.state) != PostState.DELETED)
        )
    }
    shown = []
    for one in sample:
        if one["post"] not in rows:
            continue
        post, text = rows[one["post"]]
        # Offsets are those of the revision that was judged; a later one is not shown by them.
        if text is None or post.revision != one["revision"] or not may_see(post.organisation):
            continue
        spans = tuple((int(start), int(end)) for start, end in one["spans"])
        shown.append(Passage(post.id, post.organisation, text, spans, tuple(one["by"]), one["change"]))
    if shown:
        audit.record(
            session,
            now,
            actor=actor,
            action="backtest.posts_viewed",
            subject=f"backtest:{run.id}",
            organisation=run.organisation,
            details={"posts": [one.post_id for one in shown]},
        )
    return shown


def figures(run: Backtest) -> dict[str, Any]:
    """Return what a run found, in counts and shares."""
    tallies = Tallies.of(run.tallies)
    precision = tallies.precision
    interval = precision.interval
    return {
        "posts": run.judged,
        "hits": tallies.hits,
        "hits_no_other_rule_makes": tallies.alone,
        "by_rule": dict(tallies.by_rule.most_common()),
        "overlap": dict(tallies.overlap.most_common(OVERLAPS)),
        "past_verdicts": dict(tallies.past),
        "changes": dict(tallies.changes),
        "decided": dict(tallies.decided),
        "confirmed": precision.confirmed,
        "overturned": precision.overturned,
        "precision": precision.share,
        "precision_low": interval[0] if interval else None,
        "precision_high": interval[1] if interval else None,
        "precision_bound": precision.bound if precision.decided else None,
    }
