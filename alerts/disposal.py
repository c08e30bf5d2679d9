"""Append to the disposal record of an event or a case. Entries are never changed or removed.

The row of the event or case is locked first, so that two officers' steps are numbered one after another.

Neighbours: `lifecycle` and `case_steps` say which step may follow; `events`, `handling` and `inbox` take
the steps; `models.guards` refuses in the database itself to change an entry.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from alerts import lifecycle, placed
from alerts.actor import Actor
from models import audit
from models.event import Case, DisposalEntry, Event
from models.vocabulary import Step


def locked(session: Session, event_id: str, actor: Actor) -> Event:
    """Return the event, locked until the transaction ends.

    Raises
    ------
    NotFound
        If there is none, or none in the actor's scope.
    """
    return placed.locked(session, Event, event_id, actor, called="event")


def append(
    session: Session,
    event: Event | Case,
    step: Step,
    text: str,
    *,
    actor: Actor | None,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    organisation: str | None = None,
    at: datetime | None = None,
) -> DisposalEntry:
    """Add an entry to the record of a locked event or case.

    `actor` is None for the service itself; `at` is when it happened, if that was before `now`.
    """
    last = session.exec(
        select(func.max(DisposalEntry.sequence)).where(col(DisposalEntry.subject_id) == event.id)
    ).one()
    entry = DisposalEntry(
        subject_id=event.id,
        sequence=(last or 0) + 1,
        step=step,
        actor_id=actor.account_id if actor else None,
        actor_name=actor.name if actor else "tingjian",
        organisation=organisation or event.organisation,
        text=text,
        details=dict(details or {}),
        at=at or now,
    )
    session.add(entry)
    kind = "case" if isinstance(event, Case) else "event"
    audit.record(
        session,
        now,
        actor=actor.audit_name if actor else "service",
        action=f"{kind}.{step.value}",
        subject=f"{kind}:{event.id}",
        organisation=event.organisation,
        details={"entry": entry.id, "sequence": entry.sequence},
    )
    return entry


def take(
    session: Session,
    event: Event,
    step: Step,
    text: str,
    *,
    actor: Actor | None,
    now: datetime,
    details: Mapping[str, Any] | None = None,
    organisation: str | None = None,
) -> DisposalEntry:
    """Add an entry if the order allows it, and move the event to where the step leads.

    Raises
    ------
    Conflict
        If the step may not be taken now.
    """
    state = lifecycle.after(event.state, step)
    if state is not event.state:
        event.state = state
        event.version += 1
        session.add(event)
    return append(
        session, event, step, text, actor=actor, now=now, details=details, organisation=organisation
    )


def record_of(session: Session, subject_id: str) -> list[DisposalEntry]:
    """Return the whole record, first entry first."""
    return list(
        session.exec(
            select(DisposalEntry)
            .where(col(DisposalEntry.subject_id) == subject_id)
            .order_by(col(DisposalEntry.sequence))
        )
    )
