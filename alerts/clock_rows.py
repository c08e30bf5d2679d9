"""The rows of reply clocks: written once for each subject, stopped or withdrawn once.

Neighbours: `clocks` knows the limits; `questions`, `experts` and `stations` start and stop; `escalation`
sweeps what runs.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from alerts import clocks
from alerts.calendar import Calendar
from models.clock import Clock
from models.organisation import Organisation, ancestors
from models.post import Post
from models.service_vocabulary import ClockRule, ClockSubject
from models.vocabulary import OrganisationKind


def running() -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions for a clock that still runs."""
    return col(Clock.stopped_at).is_(None), col(Clock.withdrawn_at).is_(None)


def start(session: Session, clock: Clock) -> None:
    """Write a new clock, unless its subject has one: two workers that start the same leave one."""
    clock.next_at = clocks.next_call(clock.rule, clock.due_at, None)
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    table = SQLModel.metadata.tables["clock"]
    session.connection().execute(
        insert(table)
        .values(clock.model_dump())
        .on_conflict_do_nothing(index_elements=["subject", "subject_id"])
    )


def locked(session: Session, subject: ClockSubject, subject_id: str) -> Clock | None:
    """Return the clock of a subject, locked until the transaction ends; None if it has none."""
    return session.exec(
        select(Clock)
        .where(col(Clock.subject) == subject, col(Clock.subject_id) == subject_id)
        .with_for_update()
    ).one_or_none()


def of(session: Session, subject: ClockSubject, subject_id: str) -> Clock | None:
    """Return the clock of a subject; None if it has none."""
    return session.exec(
        select(Clock).where(col(Clock.subject) == subject, col(Clock.subject_id) == subject_id)
    ).one_or_none()


def end_clock(
    session: Session, subject: ClockSubject, subject_id: str, *, stopped: datetime | None, now: datetime
) -> Clock | None:
    """Stop the clock of an invitation or a booking, or withdraw it if `stopped` is None."""
    clock = locked(session, subject, subject_id)
    if clock is None or clock.stopped_at or clock.withdrawn_at:
        return clock
    if stopped is None:
        clock.withdrawn_at = now
    else:
        clock.stopped_at = stopped
    clock.next_at = None
    clock.version += 1
    session.add(clock)
    return clock


def start_for(
    session: Session,
    subject: ClockSubject,
    subject_id: str,
    organisation: str,
    *,
    rule: ClockRule,
    now: datetime,
) -> None:
    """Start the clock of an invitation or a booking."""
    start(
        session,
        Clock(
            subject=subject,
            subject_id=subject_id,
            organisation=organisation,
            rule=rule,
            started_at=now,
            due_at=clocks.due(rule, now),
        ),
    )


def campuses(session: Session) -> frozenset[str]:
    """Return the campuses of the tree."""
    return frozenset(
        session.exec(select(Organisation.path).where(Organisation.kind == OrganisationKind.CAMPUS))
    )


def clock_of_question(post: Post, begun: datetime, calendar: Calendar, known: frozenset[str]) -> Clock:
    """Return the clock of a question, not yet written; `known` are the campuses of the tree.

    Raises
    ------
    YearNotConfirmed
        If its limit depends on a calendar that nobody has confirmed.
    """
    campus = not known.isdisjoint(ancestors(post.organisation))
    rule = clocks.rule_of_question(begun, calendar, campus=campus)
    return Clock(
        subject=ClockSubject.QUESTION,
        subject_id=post.id,
        organisation=post.organisation,
        rule=rule,
        started_at=begun,
        due_at=clocks.due(rule, begun),
    )
