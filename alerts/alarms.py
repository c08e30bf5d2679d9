"""Alarms: what somebody must acknowledge, and who is called next if nobody does.

An alarm is raised in the transaction of its message (`models/notice.py`). Nobody has acknowledged it
when its time is over: the level above is called, and so on to the top, from where it comes again every
few hours. What an alarm was about may be over by itself, and then the alarm is too. Silences do not
hold for it, and it is never grouped.

Refuses: an acknowledgement by somebody whose nodes do not reach the place.

Neighbours: `models/outbox.py` takes the calls; `api/timetable.py` runs the sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from alerts.actor import Actor
from alerts.settings import AlertsSettings
from models import audit
from models.database import Database
from models.errors import Conflict, NotFound
from models.notice import ALARMS, Alarm, Notice
from models.organisation import Organisation, ancestors, within
from models.outbox import tell_office
from models.vocabulary import NoticeKind, Topic

AT_ONCE: Final = 200
BY_ITSELF: Final = "service"


@dataclass(frozen=True, slots=True)
class EscalationReport:
    """How many alarms were over by themselves, and how many went on to somebody."""

    over: int = 0
    escalated: int = 0


def list_alarms(
    session: Session,
    scope: Sequence[str],
    *,
    waiting: bool = True,
    before: str | None = None,
    limit: int = 50,
) -> list[Alarm]:
    """Return the alarms of the places at and under `scope`, newest first; with `waiting`, those open."""
    query = select(Alarm).where(within(Alarm.organisation, scope))
    if waiting:
        query = query.where(col(Alarm.acknowledged_at).is_(None))
    if before is not None:
        query = query.where(col(Alarm.id) < before)
    return list(session.exec(query.order_by(col(Alarm.id).desc()).limit(limit)))


def acknowledge(session: Session, alarm_id: str, actor: Actor, *, now: datetime) -> Alarm:
    """Take an alarm up: nobody else is called.

    Raises
    ------
    NotFound
        If there is none, or none in the actor's scope.
    Conflict
        If somebody has acknowledged it already.
    """
    alarm = session.exec(select(Alarm).where(col(Alarm.id) == alarm_id).with_for_update()).one_or_none()
    if alarm is None:
        raise NotFound("no such alarm, or none that you may see")
    actor.require(alarm.organisation)
    if alarm.acknowledged_at is not None:
        raise Conflict("the alarm was acknowledged already", code="acknowledged")
    _close(session, alarm, actor.audit_name, now)
    return alarm


def _close(session: Session, alarm: Alarm, by: str, now: datetime) -> None:
    alarm.acknowledged_at, alarm.acknowledged_by = now, by
    session.add(alarm)
    session.flush()
    audit.record(
        session,
        now,
        actor=by,
        action="alarm.acknowledged",
        subject=f"alarm:{alarm.id}",
        organisation=alarm.organisation,
        details={"topic": alarm.topic.value, "calls": alarm.calls},
    )


def escalate_due(database: Database, settings: AlertsSettings, now: datetime) -> EscalationReport:
    """Close what is over by itself, then call the next level for every alarm whose time has come.

    Safe to run in several processes at once, and to be killed anywhere.
    """
    with database.reading() as session:
        due = select(Alarm.id).where(*_waiting(), col(Alarm.escalate_at) <= now)
        if session.exec(due.limit(1)).first() is None:
            return EscalationReport()
    with database.transaction() as session:
        rows = session.exec(
            select(Alarm)
            .where(*_waiting(), col(Alarm.escalate_at) <= now)
            .order_by(col(Alarm.escalate_at), col(Alarm.id))
            .limit(AT_ONCE)
            .with_for_update(skip_locked=True)
        ).all()
        over = 0
        for alarm in rows:
            if _is_over(session, alarm):
                _close(session, alarm, BY_ITSELF, now)
                over += 1
            else:
                _call(session, alarm, settings, now)
        return EscalationReport(over, len(rows) - over)


def _waiting() -> list[sa.ColumnElement[bool]]:
    return [col(Alarm.acknowledged_at).is_(None)]


def _is_over(session: Session, alarm: Alarm) -> bool:
    """Return whether what the alarm was about has been taken up without it."""
    if alarm.topic is not Topic.REFERRAL_WAITING:
        return False
    notice = session.exec(
        select(Notice).where(Notice.kind == NoticeKind.REFERRAL_WAITING, col(Notice.id) == alarm.subject_id)
    ).first()
    return notice is None or notice.settled_at is not None


def _call(session: Session, alarm: Alarm, settings: AlertsSettings, now: datetime) -> None:
    """Call the level above the last one that was called, or the top again."""
    line = ancestors(alarm.level)
    at_top = len(line) == 1
    alarm.level = line[0] if at_top else line[1]
    alarm.calls += 1
    wait = timedelta(seconds=settings.repeat) if "/" not in alarm.level else ALARMS[alarm.topic]
    alarm.escalate_at = now + wait
    session.add(alarm)
    session.flush()
    place = session.get(Organisation, alarm.organisation)
    tell_office(
        session,
        alarm.level,
        Topic.ALARM_ESCALATED,
        alarm.id,
        payload={
            "alarm": alarm.id,
            "about": alarm.topic.value,
            "organisation": alarm.organisation,
            "place_name": place.name if place else alarm.organisation,
            "since": alarm.raised_at.isoformat(),
            "call": alarm.calls,
        },
        now=now,
        occurrence=str(alarm.calls),
    )
    audit.record(
        session,
        now,
        actor="service",
        action="alarm.escalated",
        subject=f"alarm:{alarm.id}",
        organisation=alarm.organisation,
        details={"topic": alarm.topic.value, "level": alarm.level, "call": alarm.calls},
    )
