"""Take a new year of the State Council's calendar in, on a person's word, with the library as second witness.

The library `holidays` follows the same notices. Where both say the same, a person's look at the notice
is enough; where they differ, the person says so expressly, with the reason, and it is on the audit log.

Refuses: to take a year from the library alone that knows no make-up working day of it, because then the
library has not seen the notice and guesses.

Neighbours: `calendar` reads what is confirmed here; the command line calls.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlmodel import Session, col, select

from alerts.calendar import DAY, FIRST_YEAR, Calendar, Notice, notice_of, read_notice, shipped
from models import audit
from models.clock import ConfirmedYear
from models.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from holidays import HolidayBase

LAST_YEAR: Final = 2100
SUBSTITUTED: Final = "休息日"
EVE: Final = "农历除夕"
EXTENDED: Final = "春节延长假期"


def _library(year: int) -> "HolidayBase":
    from holidays import country_holidays  # noqa: PLC0415 - takes a second, and only confirming asks it

    return country_holidays("CN", years=range(year, year + 2), language="zh_CN")


def _every_day(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + offset * DAY for offset in range((date(year + 1, 1, 1) - first).days)]


def by_library(year: int) -> Notice:
    """Return the notice as the library knows it: each stretch of days off named after its holidays.

    Raises
    ------
    InvalidInput
        If the library knows no make-up working day of the year, and so has not seen its notice.
    """
    found = _library(year)
    working = frozenset(day for day in found.weekend_workdays if day.year == year)
    if not working:
        raise InvalidInput(
            f"the library knows no make-up days of {year}, so it has not seen the notice; give --notice",
            code="notice_unknown",
            field="/notice",
        )
    off: dict[date, str] = {}
    stretch: list[date] = []
    for day in [*_every_day(year), date(year + 1, 1, 1)]:
        if day.year == year and not found.is_working_day(day):
            stretch.append(day)
            continue
        names = dict.fromkeys(name for one in stretch for name in _names(found.get(one)))
        off.update(dict.fromkeys(stretch, "、".join(names)) if names else {})
        stretch = []
    return Notice(year, off, working)


def _names(label: str | None) -> list[str]:
    """Return the holidays in a label of the library, without what it adds to them."""
    parts = [re.sub(r"（.*?）", "", part).strip() for part in (label or "").split(";")]
    return ["春节" if part in {EVE, EXTENDED} else part for part in parts if part and part != SUBSTITUTED]


def differences(notice: Notice, others: Iterable[Notice] = ()) -> list[date]:
    """Return the days of a year on which a notice and the library disagree whether people work.

    `others` are the notices of other years: a year's last days belong to the next year's.
    """
    calendar = Calendar.of([*(one for one in others if one.year != notice.year), notice])
    known = _library(notice.year)
    return [
        day
        for day in _every_day(notice.year)
        if calendar.day(day).kind.is_working != known.is_working_day(day)
    ]


def read_file(path: Path, year: int) -> Notice:
    """Return the notice in a file of the form of `tables/calendar.toml`, with or without the year above it.

    Raises
    ------
    InvalidInput
        If it is not of that form.
    """
    try:
        table: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} is not TOML", field="/notice") from error
    return read_notice(year, table.get(str(year), table))


def confirm_year(
    session: Session,
    notice: Notice,
    *,
    actor: str,
    reason: str,
    now: datetime,
    despite_library: bool = False,
) -> ConfirmedYear:
    """Put a year on record as confirmed.

    Raises
    ------
    InvalidInput
        If there is no reason, or the year is none of ours.
    Conflict
        If the library disagrees, naming the days, or the same is on record already.
    """
    if not reason.strip():
        raise InvalidInput("confirming needs a reason, such as the notice's number", field="/reason")
    if not FIRST_YEAR <= notice.year <= LAST_YEAR:
        raise InvalidInput(f"a year from {FIRST_YEAR} to {LAST_YEAR}", field="/year")
    rows = rows_of(session)
    odd = differences(notice, [*shipped(), *(notice_of(row) for row in rows)])
    if odd and not despite_library:
        raise Conflict(
            f"the library disagrees about {', '.join(str(day) for day in odd)}; look at the notice again, "
            "then say --despite-library",
            code="library_disagrees",
        )
    earlier = [row for row in rows if row.year == notice.year]
    standing = (
        notice_of(earlier[-1]) if earlier else next((n for n in shipped() if n.year == notice.year), None)
    )
    if standing == notice:
        raise Conflict(f"{notice.year} is confirmed already, with the same days", code="already_confirmed")
    row = ConfirmedYear(
        year=notice.year,
        sequence=len(earlier) + 1,
        holidays={day.isoformat(): name for day, name in sorted(notice.holidays.items())},
        working=[day.isoformat() for day in sorted(notice.working)],
        reason=reason.strip(),
        confirmed_by=actor,
        confirmed_at=now,
    )
    session.add(row)
    audit.record(
        session,
        now,
        actor=actor,
        action="calendar.confirmed",
        subject=f"year:{notice.year}",
        details={
            "sequence": row.sequence,
            "days_off": len(notice.holidays),
            "working": row.working,
            "differs": [day.isoformat() for day in odd],
            "reason": row.reason,
        },
    )
    session.flush()
    return row


def rows_of(session: Session) -> Sequence[ConfirmedYear]:
    """Return what people confirmed, oldest first within each year."""
    return session.exec(
        select(ConfirmedYear).order_by(col(ConfirmedYear.year), col(ConfirmedYear.sequence))
    ).all()
