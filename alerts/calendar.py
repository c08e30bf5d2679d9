"""What kind of day a date is: the State Council's yearly calendar, by confirmed years and never by a guess.

Days off and make-up working days 调休上班 come from the notices, in `tables/calendar.toml` and in what a
person confirmed since (`ConfirmedYear`). Pure, but for the loading.

Refuses: a date of a year that nobody has confirmed, naming the year and the command that confirms it.

Neighbours: `clocks` and `duty` ask it; `confirming` takes a new year in, with a library as second witness.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from models.clock import ConfirmedYear
from models.errors import InvalidInput, Unavailable
from models.service_vocabulary import DayKind
from models.vocabulary import Words

TABLE: Final = Path(__file__).parent / "tables" / "calendar.toml"
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
FIRST_YEAR: Final = 2016
SATURDAY: Final = 6
DAY: Final = timedelta(days=1)

WEEKDAYS: Final = tuple(
    Words(f"周{zh}", en)
    for zh, en in zip(
        "一二三四五六日",
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        strict=True,
    )
)
HOLIDAYS_IN_ENGLISH: Final = {
    "元旦": "New Year's Day",
    "春节": "Spring Festival",
    "清明节": "Tomb-Sweeping Day",
    "劳动节": "Labour Day",
    "端午节": "Dragon Boat Festival",
    "中秋节": "Mid-Autumn Festival",
    "国庆节": "National Day",
}


class YearNotConfirmed(Unavailable):
    """A date of a year whose calendar nobody has confirmed."""

    code = "year_not_confirmed"

    def __init__(self, year: int) -> None:
        super().__init__(
            f"the holidays of {year} are not confirmed; run `tingjian calendar confirm {year}`", year=year
        )
        self.year = year


@dataclass(frozen=True, slots=True)
class Notice:
    """One year's notice: each day off with its holiday, and the make-up working days."""

    year: int
    holidays: Mapping[date, str]
    working: frozenset[date]


@dataclass(frozen=True, slots=True)
class Day:
    """One date, what kind of day it is, and the holiday it belongs to if it is one."""

    date: date
    kind: DayKind
    holiday: str | None = None

    @property
    def words(self) -> Words:
        """Return what to call it, with its reason."""
        week = WEEKDAYS[self.date.isoweekday() - 1]
        zh, en = f"{self.date.month}月{self.date.day}日（{week.zh}）", f"{week.en} {self.date:%-d %B}"
        match self.kind:
            case DayKind.WORKING_DAY:
                return Words(f"{zh}是工作日", f"{en} is a working day")
            case DayKind.MAKE_UP_DAY:
                return Words(f"{zh}调休上班", f"{en} is a make-up working day")
            case DayKind.WEEKEND:
                return Words(f"{zh}是周末", f"{en} is at the weekend")
            case DayKind.HOLIDAY:
                return Words(
                    f"{zh}是{self.holiday}假期", f"{en} is in the {in_english(self.holiday or '')} holiday"
                )


def in_english(holiday: str) -> str:
    """Return a holiday's English name; two that fall together are joined."""
    return " and ".join(HOLIDAYS_IN_ENGLISH.get(name, name) for name in holiday.split("、"))


@dataclass(frozen=True)
class Calendar:
    """The confirmed years. Immutable."""

    years: frozenset[int]
    holidays: Mapping[date, str]
    working: frozenset[date]

    @classmethod
    def of(cls, notices: Iterable[Notice]) -> "Calendar":
        """Return the calendar of several notices; a later one of the same year takes the earlier's place."""
        newest = {notice.year: notice for notice in notices}
        off: dict[date, str] = {}
        working: set[date] = set()
        for year in sorted(newest):
            off.update(newest[year].holidays)
            working |= newest[year].working
        return cls(frozenset(newest), off, frozenset(working))

    def day(self, when: date) -> Day:
        """Return what kind of day a date is.

        Raises
        ------
        YearNotConfirmed
            If nobody has confirmed its year.
        """
        if when.year not in self.years:
            raise YearNotConfirmed(when.year)
        if when in self.working:
            return Day(when, DayKind.MAKE_UP_DAY)
        if when in self.holidays:
            return Day(when, DayKind.HOLIDAY, self.holidays[when])
        weekend = when.isoweekday() >= SATURDAY
        return Day(when, DayKind.WEEKEND if weekend else DayKind.WORKING_DAY)

    def at(self, moment: datetime) -> Day:
        """Return the day on which a moment falls in Shanghai."""
        return self.day(moment.astimezone(SHANGHAI).date())

    def holiday_of(self, when: date) -> tuple[str, date, date] | None:
        """Return the holiday that a day off belongs to, with its first and last day; None for other days."""
        name = self.holidays.get(when)
        if name is None:
            return None
        first = last = when
        while self.holidays.get(first - DAY) == name:
            first -= DAY
        while self.holidays.get(last + DAY) == name:
            last += DAY
        return name, first, last


def read_notice(year: int, table: Mapping[str, Any]) -> Notice:
    """Return the notice that a table of the file's form describes.

    Raises
    ------
    InvalidInput
        If it is not of that form, or a day lies outside the year and the December before it.
    """
    days: dict[date, str] = {}
    try:
        for holiday in table["holidays"]:
            first, last, name = holiday["first"], holiday["last"], str(holiday["name"])
            if not date(year - 1, 12, 1) <= first <= last <= date(year, 12, 31):
                raise InvalidInput(f"{name}: not a stretch of days of {year}", field="/holidays")
            for offset in range((last - first).days + 1):
                days[first + offset * DAY] = name
        working = frozenset(table["working"])
        odd = [one for one in working if one in days or one.isoweekday() < SATURDAY]
        beyond = [one for one in working if not date(year - 1, 12, 1) <= one <= date(year, 12, 31)]
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{year}: needs `holidays` with name, first and last, and `working`, all dates", field="/holidays"
        ) from error
    if odd or beyond:
        raise InvalidInput(
            f"not a make-up working day: {', '.join(str(one) for one in sorted({*odd, *beyond}))}",
            field="/working",
        )
    return Notice(year, days, working)


@cache
def shipped() -> tuple[Notice, ...]:
    """Return the notices that come with this release."""
    tables = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return tuple(read_notice(int(year), table) for year, table in tables.items())


@cache
def _shipped_calendar() -> Calendar:
    return Calendar.of(shipped())


def load_calendar(session: Session) -> Calendar:
    """Return the shipped years and those that people confirmed; theirs hold where both have one."""
    rows = session.exec(
        select(ConfirmedYear).order_by(col(ConfirmedYear.year), col(ConfirmedYear.sequence))
    ).all()
    if not rows:
        return _shipped_calendar()
    return Calendar.of([*shipped(), *(notice_of(row) for row in rows)])


def notice_of(row: ConfirmedYear) -> Notice:
    """Return the notice that a row holds."""
    return Notice(
        row.year,
        {date.fromisoformat(day): name for day, name in row.holidays.items()},
        frozenset(date.fromisoformat(day) for day in row.working),
    )
