"""What everybody may read of a demand: what was asked, by how many, what is being done, by whom, since when.

Every figure is one of a report that went up, so it is about k people at least, and no later look tells more
than the reports did. What is being done is the words that were told to the authors.

Refuses: events that were not reported, incidents of immediate danger, help cases, live counts.

Neighbours: `events` made the reports, `loop` told the authors; `api/routes/public_demands.py` shows this.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from alerts import disposal
from alerts.case_steps import TO_AUTHORS
from alerts.redaction import redact
from models.errors import NotFound
from models.event import Case, Event, Report
from models.organisation import Organisation
from models.vocabulary import CaseState, Domain, EventKind, EventState, Step

PUBLIC_STEPS: Final = (*TO_AUTHORS, Step.REPORT_UP, Step.ASSIGNED, Step.ACCEPTED, Step.RESULT, Step.ARCHIVED)
WORDS_SHOWN: Final = frozenset(TO_AUTHORS)


@dataclass(frozen=True, slots=True)
class PublicStep:
    """One step as everybody may read it; words only where they were told to the authors."""

    step: Step
    at: datetime
    words: str | None


@dataclass(frozen=True, slots=True)
class PublicDemand:
    """One demand as everybody may read it. Counts are those of the last report."""

    event_id: str
    title: str
    domain: Domain
    where: str
    place: str | None
    posts: int
    authors: int
    since: str
    until: str
    state: EventState
    case_state: CaseState | None
    lead: str | None
    lead_since: datetime | None
    reported_at: datetime
    steps: list[PublicStep]


def listed(session: Session, *, before: str | None = None, limit: int = 50) -> list[PublicDemand]:
    """Return the reported demands, newest first."""
    query = select(Event).where(
        col(Event.kind) == EventKind.COLLECTIVE_DEMAND,
        col(Event.immediate).is_(False),
        col(Event.id).in_(select(Report.event_id)),
    )
    if before is not None:
        query = query.where(col(Event.id) < before)
    rows = session.exec(query.order_by(col(Event.id).desc()).limit(limit)).all()
    return [_shown(session, event, steps=False) for event in rows]


def one(session: Session, event_id: str) -> PublicDemand:
    """Return one reported demand.

    Raises
    ------
    NotFound
        If there is none that everybody may read.
    """
    event = session.get(Event, event_id)
    if event is None or event.kind is not EventKind.COLLECTIVE_DEMAND or event.immediate:
        raise NotFound("no such demand")
    return _shown(session, event, steps=True)


def _shown(session: Session, event: Event, *, steps: bool) -> PublicDemand:
    report = session.exec(
        select(Report).where(col(Report.event_id) == event.id).order_by(col(Report.sequence).desc())
    ).first()
    if report is None:
        raise NotFound("no such demand")
    case = session.exec(select(Case).where(col(Case.event_id) == event.id)).one_or_none()
    counts = report.figures["counts"]
    lead = session.get(Organisation, case.lead) if case is not None and case.lead is not None else None
    return PublicDemand(
        event_id=event.id,
        title=report.figures["title"],
        domain=event.domain,
        where=report.figures["names"].get(event.organisation, event.organisation),
        place=report.figures["place"],
        posts=counts["posts"],
        authors=counts["authors"],
        since=counts["period"]["from"],
        until=counts["period"]["to"],
        state=event.state,
        case_state=case.state if case is not None else None,
        lead=lead.name if lead is not None else None,
        lead_since=case.assigned_at if case is not None and lead is not None else None,
        reported_at=report.reported_at,
        steps=_steps(session, event, case) if steps else [],
    )


def _steps(session: Session, event: Event, case: Case | None) -> list[PublicStep]:
    record = disposal.record_of(session, event.id) + (disposal.record_of(session, case.id) if case else [])
    return [
        PublicStep(entry.step, entry.at, redact(entry.text) if entry.step in WORDS_SHOWN else None)
        for entry in sorted(record, key=lambda entry: (entry.at, entry.id))
        if entry.step in PUBLIC_STEPS
    ]
