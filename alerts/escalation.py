"""Sweep the reply clocks: warn before a limit ends, and call ever higher once it has.

    before the limit      the officers of the organisation that has to reply
    at the limit          the officers again
    half an hour later    the organisation's lead
    two hours later       the level above

What one organisation owes is called for in one call for each stage, and not again for a quarter of an
hour: what came meanwhile is in the next one. A call is a row, a message to the office and an entry of the
audit log. It names clocks and no post.

Refuses: nothing. Safe to run twice; a crash leaves the clocks for the next round.

Neighbours: `clocks` knows the stages, `models/outbox.py` takes the messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts import clocks
from alerts.actor import Actor
from alerts.clock_rows import running
from models import audit
from models.clock import Clock, ClockCall
from models.database import Database
from models.errors import NotFound
from models.organisation import ancestors, within
from models.outbox import tell_office
from models.service_vocabulary import CallStage, ClockRule
from models.vocabulary import Topic

QUIET: Final = timedelta(minutes=15)
AT_ONCE: Final = 1_000
SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How many calls were raised in one round, and over how many clocks."""

    calls: int
    clocks: int


def sweep_clocks(database: Database, now: datetime) -> SweepReport:
    """Call for every clock whose next stage has come."""
    with database.transaction() as session:
        return sweep(session, now)


def sweep(session: Session, now: datetime) -> SweepReport:
    """Call for every clock whose next stage has come, inside a transaction."""
    rows = session.exec(
        select(Clock)
        .where(*running(), col(Clock.next_at) <= now)
        .order_by(col(Clock.next_at), col(Clock.id))
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    groups: dict[tuple[str, CallStage], list[Clock]] = {}
    for clock in rows:
        stage = clocks.next_stage(clock.stage)
        if stage is not None:
            groups.setdefault((clock.organisation, stage), []).append(clock)
    called = 0
    for (about, stage), group in sorted(groups.items()):
        if not _quiet(session, about, stage, now):
            _call(session, about, stage, group, now)
            called += 1
            for clock in group:
                clock.stage = stage
                clock.next_at = clocks.next_call(clock.rule, clock.due_at, stage)
                session.add(clock)
    session.flush()
    return SweepReport(called, sum(len(group) for group in groups.values()))


def _quiet(session: Session, about: str, stage: CallStage, now: datetime) -> bool:
    """Return whether the organisation was called for this stage a moment ago."""
    return (
        session.exec(
            select(ClockCall.id)
            .where(ClockCall.about == about, ClockCall.stage == stage, col(ClockCall.raised_at) > now - QUIET)
            .limit(1)
        ).first()
        is not None
    )


def called(about: str, stage: CallStage) -> str:
    """Return the organisation that a stage calls: the level above in the end, if there is one."""
    line = ancestors(about)
    return line[1] if stage is CallStage.ABOVE and len(line) > 1 else about


def _call(session: Session, about: str, stage: CallStage, group: Sequence[Clock], now: datetime) -> None:
    call = ClockCall(
        stage=stage,
        organisation=called(about, stage),
        about=about,
        clocks=[clock.id for clock in group],
        earliest_due=min(clock.due_at for clock in group),
        raised_at=now,
    )
    session.add(call)
    session.flush()
    audit.record(
        session,
        now,
        actor="service",
        action="clock.called",
        subject=f"call:{call.id}",
        organisation=call.organisation,
        details={"stage": stage.value, "about": about, "clocks": len(group)},
    )
    tell_office(
        session,
        call.organisation,
        Topic.CLOCK_CALLED,
        call.id,
        payload={
            "call": call.id,
            "stage": stage.value,
            "organisation": call.organisation,
            "about": about,
            "count": len(group),
            "clocks": call.clocks[:SHOWN],
            "earliest_due": call.earliest_due.isoformat(),
        },
        now=now,
        occurrence=call.id,
    )


def mark_seen(session: Session, call_id: str, actor: Actor, *, now: datetime) -> ClockCall:
    """Put on record that somebody has taken a call up.

    Raises
    ------
    NotFound
        If there is none within the actor's scope.
    """
    call = session.exec(select(ClockCall).where(col(ClockCall.id) == call_id).with_for_update()).one_or_none()
    if call is None:
        raise NotFound("no such call, or none that you may see")
    actor.require(call.organisation)
    if call.seen_at is None:
        # Whoever takes up the highest call has taken up what led to it.
        for earlier in session.exec(
            select(ClockCall).where(
                ClockCall.organisation == call.organisation,
                ClockCall.about == call.about,
                col(ClockCall.seen_at).is_(None),
                col(ClockCall.raised_at) <= call.raised_at,
            )
        ).all():
            earlier.seen_by, earlier.seen_at = actor.account_id, now
            session.add(earlier)
        audit.record(
            session,
            now,
            actor=actor.audit_name,
            action="clock.call_seen",
            subject=f"call:{call.id}",
            organisation=call.organisation,
        )
        session.flush()
    return call


def open_calls(session: Session, scope: Sequence[str], *, limit: int = 200) -> list[ClockCall]:
    """Return the calls to the organisations of a scope that nobody has taken up, highest stage first.

    Of several calls to one organisation about another's clocks, the newest of the highest stage stands
    for all.
    """
    rows = session.exec(
        select(ClockCall)
        .where(col(ClockCall.seen_at).is_(None), within(ClockCall.organisation, scope))
        .order_by(col(ClockCall.raised_at), col(ClockCall.id))
        .limit(limit)
    ).all()
    stages = list(CallStage)
    highest: dict[tuple[str, str], ClockCall] = {}
    for call in rows:
        known = highest.get((call.organisation, call.about))
        if known is None or stages.index(call.stage) >= stages.index(known.stage):
            highest[call.organisation, call.about] = call
    return sorted(highest.values(), key=lambda call: (-stages.index(call.stage), call.earliest_due))


def board(
    session: Session, scope: Sequence[str], *, late_before: datetime | None = None, limit: int = 100
) -> list[Clock]:
    """Return the clocks that run within a scope, first to end first; with `late_before`, the late ones."""
    query = select(Clock).where(*running(), within(Clock.organisation, scope))
    if late_before is not None:
        query = query.where(col(Clock.due_at) < late_before)
    return list(session.exec(query.order_by(col(Clock.due_at), col(Clock.id)).limit(limit)))


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """What became of the clocks of one limit. `in_time` of `stopped` were answered within it."""

    rule: ClockRule
    stopped: int
    in_time: int
    late_running: int


def figures(session: Session, scope: Sequence[str], *, since: datetime, now: datetime) -> list[RuleFigures]:
    """Return what became of the clocks that ended or passed their limit since a moment, by limit."""
    ended = session.exec(
        select(
            Clock.rule,
            sa.func.count(),
            sa.func.sum(sa.case((col(Clock.stopped_at) <= col(Clock.due_at), 1), else_=0)),
        )
        .where(within(Clock.organisation, scope), col(Clock.stopped_at) >= since)
        .group_by(col(Clock.rule))
    ).all()
    late = dict(
        session.exec(
            select(Clock.rule, sa.func.count())
            .where(within(Clock.organisation, scope), *running(), col(Clock.due_at) < now)
            .group_by(col(Clock.rule))
        ).all()
    )
    counts = {rule: (stopped, int(in_time or 0)) for rule, stopped, in_time in ended}
    return [
        RuleFigures(rule, *counts.get(rule, (0, 0)), late.get(rule, 0))
        for rule in ClockRule
        if rule in counts or rule in late
    ]
