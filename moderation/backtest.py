"""Try a proposal on stored posts: what it would have done, and what people decided about those posts.

A run is a row. It reads the posts of a period and a part of the tree batch by batch, in the order of
their ids, and writes counts and its place after each batch; so it goes on where it stopped, can be
cancelled between two batches, and needs no more memory for a million posts than for a thousand. What it
compares are two verdicts of the present rules on the same text, without the proposal and with it.

Refuses: a proposal that the door would refuse. Rules on how posts come are not tried: nothing is kept of
how posts came.

Neighbours: `comparison` builds what is tried, `backtest_counts` counts, `backtest_sample` shows, `outcomes`
knows what people decided, the timetable and `tingjian backtest` run it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.base import new_id
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound, TingjianError
from models.organisation import Organisation, under, within
from models.post import Post, PostRevision
from models.rulebook import Backtest
from models.screening import Screening
from models.vocabulary import Action, BacktestState, Category, PostState, Verdict
from moderation import editions, proposals
from moderation.arrangement import Base
from moderation.backtest_counts import Judged, Stored, Tallies, add
from moderation.comparison import compare
from moderation.editions import Change
from moderation.outcomes import judgements
from moderation.proposals import Proposal, ProposalKind

BATCH: Final = 500
LEASE: Final = timedelta(minutes=2)
MOST_WAITING: Final = 20
LOOKS_BACK: Final = timedelta(days=3650)
"""All that people ever decided about the posts of the period counts."""


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
    return list(
        session.exec(
            select(Backtest)
            .where(within(Backtest.organisation, scope))
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
