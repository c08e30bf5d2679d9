"""Find the days on which nobody is on duty, and report the duty of a holiday to the level above.

Every working day and every statutory holiday needs somebody whose account is active and who has a role
there. A gap of the weeks ahead is a finding: a row, a message to the office, and closed when somebody is
there. Who is on duty over a holiday goes to the level above ahead of it, day by day; a report that comes
when the holiday has begun is marked late, and one that no longer fits the roster is made again.

Refuses: a report of a holiday with a gap, or of one that is over; a report from the top of the tree,
which has nobody above it.

Neighbours: `duty` keeps the turns, `calendar` the holidays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from alerts import duty, rota
from alerts.actor import Actor
from alerts.calendar import DAY, Calendar, Day, load_calendar
from models import audit
from models.database import Database
from models.duty import DutyGap, HolidayReport
from models.errors import Conflict, InvalidInput
from models.organisation import Organisation, ancestors, within
from models.outbox import tell_office
from models.vocabulary import Topic

AHEAD: Final = timedelta(days=30)
"""How far ahead a gap is looked for."""

REPORT_AHEAD: Final = timedelta(days=60)
DUE_BEFORE: Final = timedelta(days=7)
"""How long before a holiday its duty should have been reported."""


@dataclass(frozen=True, slots=True)
class GapsReport:
    """How many gaps one round found and closed."""

    found: int
    closed: int


def find_gaps(database: Database, now: datetime) -> GapsReport:
    """Look through every roster for the days ahead that have nobody."""
    found = closed = 0
    with database.reading() as session:
        places = duty.rosters(session, _roots(session))
    for place in places:
        with database.transaction() as session:
            more, less = _look(session, place, now)
            found, closed = found + more, closed + less
    return GapsReport(found, closed)


def _roots(session: Session) -> list[str]:
    return [path for path in session.exec(select(Organisation.path)) if "/" not in path]


def missing(session: Session, organisation: str, first: date, last: date, calendar: Calendar) -> list[Day]:
    """Return the days from `first` to `last` that need somebody on duty and have nobody who may serve.

    Days of a year that nobody has confirmed are not judged.
    """
    may = duty.serving(session, organisation)
    served = [
        turn.day
        for turn in duty.turns_between(session, organisation, first, last)
        if turn.account_id in may or turn.frozen_at
    ]
    days = [calendar.day(day) for day in rota.days_between(first, last) if day.year in calendar.years]
    return rota.gaps(days, served)


def _look(session: Session, organisation: str, now: datetime) -> tuple[int, int]:
    first = duty.today(now)
    calendar = load_calendar(session)
    lacking = {day.date: day for day in missing(session, organisation, first, first + AHEAD, calendar)}
    known = {
        gap.day: gap
        for gap in session.exec(
            select(DutyGap)
            .where(DutyGap.organisation == organisation, col(DutyGap.day) >= first)
            .with_for_update()
        )
    }
    closed = 0
    for day, gap in known.items():
        if gap.closed_at is None and day not in lacking:
            gap.closed_at = now
            session.add(gap)
            closed += 1
    new: list[DutyGap] = []
    for day, lack in lacking.items():
        gap = known.get(day) or DutyGap(organisation=organisation, day=day, found_at=now)
        if day in known and gap.closed_at is None:
            continue
        gap.holiday, gap.found_at, gap.closed_at = lack.holiday, now, None
        session.add(gap)
        new.append(gap)
    session.flush()
    if new:
        days = sorted(gap.day.isoformat() for gap in new)
        audit.record(
            session,
            now,
            actor="service",
            action="duty.gap_found",
            subject=f"duty:{organisation}"[:120],
            organisation=organisation,
            details={"days": days},
        )
        tell_office(
            session,
            organisation,
            Topic.DUTY_GAP,
            new[0].id,
            payload={"organisation": organisation, "days": days},
            now=now,
            occurrence=now.isoformat(),
        )
    return len(new), closed


def open_gaps(session: Session, scope: Sequence[str], *, now: datetime, limit: int = 200) -> list[DutyGap]:
    """Return the gaps of today and the days ahead within a scope, the nearest first."""
    return list(
        session.exec(
            select(DutyGap)
            .where(
                col(DutyGap.closed_at).is_(None),
                col(DutyGap.day) >= duty.today(now),
                within(DutyGap.organisation, scope),
            )
            .order_by(col(DutyGap.day), col(DutyGap.organisation))
            .limit(limit)
        )
    )


@dataclass(frozen=True, slots=True)
class Holiday:
    """A holiday ahead: its days, the gaps in it, and its newest report if there is one."""

    name: str
    first: date
    last: date
    lacking: tuple[date, ...]
    report: HolidayReport | None
    current: bool
    """Whether the report still says what the roster says."""

    def is_due(self, on: date) -> bool:
        """Return whether it should have been reported by a day."""
        return self.first - DUE_BEFORE <= on and not (self.report and self.current)


def holidays_ahead(session: Session, organisation: str, *, now: datetime) -> list[Holiday]:
    """Return the statutory holidays of the weeks ahead, the one that is on included."""
    calendar, day = load_calendar(session), duty.today(now)
    found: list[Holiday] = []
    end = day + REPORT_AHEAD
    while day <= end:
        holiday = calendar.holiday_of(day)
        if holiday is None:
            day += DAY
            continue
        name, first, last = holiday
        lacking = tuple(one.date for one in missing(session, organisation, first, last, calendar))
        report = _newest(session, organisation, first)
        current = report is not None and report.turns == _turns(session, organisation, first, last)
        found.append(Holiday(name, first, last, lacking, report, current))
        day = last + DAY
    return found


def _newest(session: Session, organisation: str, first: date) -> HolidayReport | None:
    return session.exec(
        select(HolidayReport)
        .where(HolidayReport.organisation == organisation, HolidayReport.first_day == first)
        .order_by(col(HolidayReport.sequence).desc())
    ).first()


def _turns(session: Session, organisation: str, first: date, last: date) -> list[dict[str, Any]]:
    turns = duty.turns_between(session, organisation, first, last)
    names = duty.names_of(session, {turn.account_id for turn in turns})
    return [
        {"day": turn.day.isoformat(), "account": turn.account_id, "name": names.get(turn.account_id, "")}
        for turn in turns
    ]


def report_holiday(
    session: Session, organisation: str, first_day: date, actor: Actor, *, now: datetime
) -> HolidayReport:
    """Report who is on duty over a holiday to the level above.

    Raises
    ------
    NotFound, InvalidInput
        If the place is out of reach, at the top, or the day begins no holiday of the weeks ahead.
    Conflict
        If a day of it has nobody, or the roster was reported so already.
    """
    actor.require(organisation)
    line = ancestors(organisation)
    if len(line) == 1:
        raise InvalidInput("nobody is above the top", code="nobody_above", field="/organisation")
    holiday = next(
        (one for one in holidays_ahead(session, organisation, now=now) if one.first == first_day), None
    )
    if holiday is None:
        raise InvalidInput("no holiday of the weeks ahead begins then", code="no_holiday", field="/first_day")
    if holiday.lacking:
        days = ", ".join(day.isoformat() for day in holiday.lacking)
        raise Conflict(f"nobody is on duty on {days}", code="duty_gap")
    if holiday.report is not None and holiday.current:
        raise Conflict("the roster was reported so already", code="nothing_new")
    report = HolidayReport(
        organisation=organisation,
        to_organisation=line[1],
        holiday=holiday.name,
        first_day=holiday.first,
        last_day=holiday.last,
        sequence=(holiday.report.sequence if holiday.report else 0) + 1,
        turns=_turns(session, organisation, holiday.first, holiday.last),
        late=duty.today(now) >= holiday.first,
        reported_by=actor.account_id,
        reported_at=now,
    )
    session.add(report)
    session.flush()
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="duty.holiday_reported",
        subject=f"holiday_report:{report.id}",
        organisation=organisation,
        details={"holiday": report.holiday, "first_day": first_day.isoformat(), "late": report.late},
    )
    tell_office(
        session,
        line[1],
        Topic.DUTY_REPORTED,
        report.id,
        payload={
            "report": report.id,
            "organisation": organisation,
            "holiday": report.holiday,
            "first_day": report.first_day.isoformat(),
            "last_day": report.last_day.isoformat(),
            "sequence": report.sequence,
            "late": report.late,
        },
        now=now,
        occurrence=str(report.sequence),
    )
    return report


def reports_to(session: Session, scope: Sequence[str], *, limit: int = 100) -> list[HolidayReport]:
    """Return the reports that came up to the organisations of a scope, newest first."""
    return list(
        session.exec(
            select(HolidayReport)
            .where(within(HolidayReport.to_organisation, scope))
            .order_by(col(HolidayReport.id).desc())
            .limit(limit)
        )
    )
