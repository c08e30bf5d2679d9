"""When a service station is open, and the slots of its days. Pure.

Opening hours stand by weekday; a date that is closed, and a statutory holiday unless the station opens
on holidays, has none. A slot begins at the opening and every so many minutes after it, and ends before
the closing. Times are Asia/Shanghai.

Refuses: hours that overlap or run backwards; a day of a year that nobody has confirmed, where the
station closes on holidays.

Neighbours: `stations` books the slots.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from alerts.calendar import SHANGHAI, WEEKDAYS, Calendar
from models.errors import InvalidInput
from models.service_vocabulary import DayKind
from models.vocabulary import Words

WEEK: Final = tuple("1234567")
TIME: Final = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00")
MOST_SPANS: Final = 4
SHORTEST_SLOT: Final = 10
LONGEST_SLOT: Final = 480


@dataclass(frozen=True, slots=True)
class Opening:
    """A station's hours: for each ISO weekday the minutes of the day between which it is open."""

    hours: Mapping[int, tuple[tuple[int, int], ...]]
    closed_on: frozenset[date] = frozenset()
    on_holidays: bool = False

    def spans(self, day: date, calendar: Calendar) -> tuple[tuple[int, int], ...]:
        """Return the minutes between which it is open on a day.

        Raises
        ------
        YearNotConfirmed
            If that depends on a calendar that nobody has confirmed.
        """
        spans = self.hours.get(day.isoweekday(), ())
        if not spans or day in self.closed_on:
            return ()
        if not self.on_holidays and calendar.day(day).kind is DayKind.HOLIDAY:
            return ()
        return spans

    def is_open(self, moment: datetime, calendar: Calendar) -> bool:
        """Return whether it is open at a moment; the closing minute is closed."""
        local = moment.astimezone(SHANGHAI)
        minute = local.hour * 60 + local.minute
        return any(first <= minute < last for first, last in self.spans(local.date(), calendar))

    def slots(self, day: date, minutes: int, calendar: Calendar) -> list[tuple[datetime, datetime]]:
        """Return when the slots of a day begin and end."""
        found: list[tuple[datetime, datetime]] = []
        for first, last in self.spans(day, calendar):
            begin = first
            while begin + minutes <= last:
                found.append((_at(day, begin), _at(day, begin + minutes)))
                begin += minutes
        return found


def _at(day: date, minute: int) -> datetime:
    return datetime.combine(day, time(), SHANGHAI) + timedelta(minutes=minute)


def _minute(text: str) -> int:
    if not TIME.fullmatch(text):
        raise InvalidInput("a time such as 09:00", code="wrong_hours", field="/hours")
    return int(text[:2]) * 60 + int(text[3:])


def read_hours(hours: Mapping[str, Sequence[Sequence[str]]]) -> dict[int, tuple[tuple[int, int], ...]]:
    """Return the hours that a document describes: a weekday from "1" to "7" to pairs of times.

    Raises
    ------
    InvalidInput
        If a weekday or a time is none, or spans overlap or run backwards.
    """
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for weekday, spans in hours.items():
        if weekday not in WEEK or len(spans) > MOST_SPANS or any(len(span) != len("ab") for span in spans):
            raise InvalidInput("weekdays 1 to 7 with pairs of times", code="wrong_hours", field="/hours")
        pairs = sorted((_minute(first), _minute(last)) for first, last in spans)
        ends = [0, *(last for _, last in pairs)]
        if any(first >= last or first < before for (first, last), before in zip(pairs, ends, strict=False)):
            raise InvalidInput("hours overlap or run backwards", code="wrong_hours", field="/hours")
        if pairs:
            found[int(weekday)] = tuple(pairs)
    return found


def read_lines(text: str) -> dict[str, list[list[str]]]:
    """Return the hours written as lines such as `1-5 09:00-12:00 14:00-18:00`, as a form has them.

    Raises
    ------
    InvalidInput
        If a line is not of that form, or names a weekday again.
    """
    hours: dict[str, list[list[str]]] = {}
    for line in filter(None, (one.strip() for one in text.replace("\r", "").split("\n"))):
        days, *spans = line.split()
        first, _, last = days.partition("-")
        known = {first, last or first} <= set(WEEK)
        wanted = WEEK[WEEK.index(first) : WEEK.index(last or first) + 1] if known else ()
        if not wanted or not spans or set(wanted) & set(hours):
            raise InvalidInput("lines such as 1-5 09:00-18:00", code="wrong_hours", field="/hours")
        pairs = [span.split("-") for span in spans]
        hours.update({day: [list(pair) for pair in pairs] for day in wanted})
    read_hours(hours)
    return hours


def lines_of(hours: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """Return hours as the lines of a form, weekdays of the same hours together."""
    lines: list[tuple[str, str, str]] = []
    for day in WEEK:
        spans = " ".join("-".join(span) for span in hours.get(day, ()))
        if not spans:
            continue
        if lines and lines[-1][2] == spans and int(lines[-1][1]) + 1 == int(day):
            lines[-1] = (lines[-1][0], day, spans)
        else:
            lines.append((day, day, spans))
    return "\n".join(f"{a if a == b else f'{a}-{b}'} {spans}" for a, b, spans in lines)


def told(hours: Mapping[str, Sequence[Sequence[str]]]) -> Words:
    """Return hours as people read them, in both languages: a line for weekdays of the same hours."""
    zh, en = [], []
    for line in lines_of(hours).split("\n"):
        days, _, spans = line.partition(" ")
        first, _, last = days.partition("-")
        names = [WEEKDAYS[int(one) - 1] for one in (first, last) if one]
        zh.append(f"{'至'.join(name.zh for name in names)} {spans}")
        en.append(f"{' to '.join(name.en for name in names)} {spans}")
    return Words("\n".join(zh), "\n".join(en))
