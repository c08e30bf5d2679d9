"""The weekly and the monthly digest of an office: what was reported, what is open, what was not heard.

Counts of people are those that a report has told already: a digest adds no number of its own about
people, so nothing can be learnt by subtracting it from anything. A report under the threshold, and every
incident that went the restricted way, is counted as an event and not described. All else are counts of
the service's own doings.

Neighbours: `disclosure` made the figures of the reports; `models/outbox.py` takes the message, whose key
is the office's and the period's, so that a second run adds nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlmodel import Session, SQLModel, col, func, select

from models.database import Database
from models.event import Event, Report
from models.notice import Alarm
from models.organisation import under
from models.outbox import OutboxMessage, WebhookEndpoint, tell_office
from models.threshold import LOWEST_AUTHORS
from models.vocabulary import EventKind, EventState, MessageState, Topic

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
HOUR: Final = time(8)
MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in Shanghai, both ends inclusive."""

    topic: Topic
    first: date
    last: date

    @property
    def begins(self) -> datetime:
        """The first moment of the period."""
        return datetime.combine(self.first, time(0), SHANGHAI)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time(0), SHANGHAI)


def periods(now: datetime) -> list[Period]:
    """Return the last week and the last month that are over at `now`, each told from eight o'clock on."""
    local = now.astimezone(SHANGHAI)
    today = local.date() if local.time() >= HOUR else local.date() - timedelta(days=1)
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    month_ends = first - timedelta(days=1)
    return [
        Period(Topic.DIGEST_WEEKLY, monday - timedelta(days=7), monday - timedelta(days=1)),
        Period(Topic.DIGEST_MONTHLY, month_ends.replace(day=1), month_ends),
    ]


def digest_due(database: Database, now: datetime) -> int:
    """Write the digests that are due and not written yet; return how many messages that made."""
    with database.reading() as session:
        wanted = [
            (office, period)
            for period in periods(now)
            for office in _readers(session, period.topic, period.ends)
            if not _is_written(session, office, period)
        ]
    made = 0
    for office, period in wanted:
        with database.transaction() as session:
            if not _is_written(session, office, period):
                made += tell_office(
                    session,
                    office,
                    period.topic,
                    _subject(period),
                    payload=figures(session, office, period),
                    now=now,
                    occurrence=period.first.isoformat(),
                )
    return made


def _subject(period: Period) -> str:
    """Return what stands for the digests of a period, in at most 32 characters."""
    return f"{period.topic.value}:{period.first.isoformat()}"[:32]


def _readers(session: Session, topic: Topic, since: datetime) -> Sequence[str]:
    """Return the offices that somebody follows; one who came after the period was over waits for the next."""
    rows = session.exec(
        select(WebhookEndpoint).where(
            col(WebhookEndpoint.source).is_(None),
            col(WebhookEndpoint.disabled_at).is_(None),
            col(WebhookEndpoint.created_at) < since,
        )
    ).all()
    return sorted({one.organisation for one in rows if not one.topics or topic.value in one.topics})


def _is_written(session: Session, office: str, period: Period) -> bool:
    return (
        session.exec(
            select(OutboxMessage.id)
            .where(OutboxMessage.subject_id == _subject(period), OutboxMessage.organisation == office)
            .limit(1)
        ).first()
        is not None
    )


def figures(session: Session, office: str, period: Period) -> dict[str, Any]:
    """Return what a digest says about the places at and under an office."""
    here = under(Event.organisation, office)
    newest: dict[str, tuple[Event, Report]] = {}
    for event, report in session.exec(
        select(Event, Report)
        .join(Report, col(Report.event_id) == col(Event.id))
        .where(here, col(Report.reported_at) >= period.begins, col(Report.reported_at) < period.ends)
        .order_by(col(Report.reported_at), col(Report.id))
    ):
        newest[event.id] = (event, report)
    told = [_told(event, report.figures) for event, report in newest.values() if _may_tell(event, report)]
    raised = [under(Alarm.organisation, office), *_during(Alarm.raised_at, period)]
    sent = [OutboxMessage.organisation == office, *_during(OutboxMessage.created_at, period)]
    return {
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "organisation": office,
        "events": len(newest),
        "closed": sum(event.state is EventState.CLOSED for event, _ in newest.values()),
        "alarms": _count(session, Alarm, raised),
        "unacknowledged": _count(session, Alarm, [*raised, col(Alarm.acknowledged_at).is_(None)]),
        "dead": _count(session, OutboxMessage, [*sent, OutboxMessage.state == MessageState.DEAD]),
        "silenced": _count(session, OutboxMessage, [*sent, OutboxMessage.state == MessageState.SILENCED]),
        "reports": sorted(told, key=lambda one: (-one["posts"], one["event"]))[:MOST],
    }


def _may_tell(event: Event, report: Report) -> bool:
    """Return whether a report's own figures may be repeated: they were made for telling."""
    counts = report.figures.get("counts")
    return (
        event.kind is not EventKind.SAFETY_INCIDENT
        and isinstance(counts, Mapping)
        and int(counts.get("authors", 0)) >= int(counts.get("minimum_authors", LOWEST_AUTHORS))
    )


def _told(event: Event, given: Mapping[str, Any]) -> dict[str, Any]:
    counts = given["counts"]
    return {
        "event": event.id,
        "title": given["title"],
        "domain": given["domain"],
        "organisation": given["organisation"],
        "state": event.state.value,
        "posts": counts["posts"],
        "authors": counts["authors"],
    }


def _during(moment: Any, period: Period) -> list[sa.ColumnElement[bool]]:  # noqa: ANN401 - any mapped moment
    return [col(moment) >= period.begins, col(moment) < period.ends]


def _count(session: Session, table: type[SQLModel], conditions: Sequence[Any]) -> int:
    return session.exec(select(func.count()).select_from(table).where(*conditions)).one()
