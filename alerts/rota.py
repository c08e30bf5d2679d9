"""Who is on duty on which day by the rotation of one layer, and which days need somebody. Pure.

A turn is so many days that the layer covers: a layer for working days with turns of five days gives
everybody five working days, over a holiday too. Every working day and every day of a statutory holiday
needs somebody on duty; an ordinary weekend does not.

Neighbours: `duty` writes the turns down.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from alerts.calendar import DAY, Calendar, Day
from models.service_vocabulary import DayKind, DutyCover

LONGEST_TURN: Final = 31


@dataclass(frozen=True, slots=True)
class Rotation:
    """One layer's rotation. `people` take turns of `turn_days` covered days from `begins_on` on."""

    cover: DutyCover
    people: tuple[str, ...]
    turn_days: int
    begins_on: date
    ends_on: date | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.turn_days <= LONGEST_TURN:
            raise ValueError(f"a turn has 1 to {LONGEST_TURN} days")
        if self.ends_on is not None and self.ends_on < self.begins_on:
            raise ValueError("a layer ends on or after the day it begins")


def days_between(first: date, last: date) -> list[date]:
    """Return every day from `first` to `last`, both included."""
    return [first + offset * DAY for offset in range((last - first).days + 1)]


def covers(cover: DutyCover, day: date, calendar: Calendar) -> bool:
    """Return whether a layer is for a day.

    Raises
    ------
    YearNotConfirmed
        If that depends on a calendar that nobody has confirmed.
    """
    if cover is DutyCover.EVERY_DAY:
        return True
    return calendar.day(day).kind.is_working is (cover is DutyCover.WORKING_DAYS)


def last_known(calendar: Calendar, cover: DutyCover, first: date, last: date) -> date:
    """Return the last day up to `last` for which the calendar knows whether the layer covers it."""
    if cover is DutyCover.EVERY_DAY:
        return last
    known = [day for day in days_between(first, last) if day.year in calendar.years]
    return max(known, default=first - DAY)


def rotate(rotation: Rotation, first: date, last: date, calendar: Calendar) -> dict[date, str]:
    """Return who is on duty from `first` to `last`, both included, by the rotation alone.

    Raises
    ------
    YearNotConfirmed
        If a day depends on a calendar that nobody has confirmed.
    """
    end = min(last, rotation.ends_on) if rotation.ends_on else last
    if not rotation.people or end < rotation.begins_on:
        return {}
    covered = [day for day in days_between(rotation.begins_on, end) if covers(rotation.cover, day, calendar)]
    return {
        day: rotation.people[number // rotation.turn_days % len(rotation.people)]
        for number, day in enumerate(covered)
        if day >= first
    }


def needs_somebody(day: Day) -> bool:
    """Return whether a day must have somebody on duty."""
    return day.kind is not DayKind.WEEKEND


def gaps(days: Iterable[Day], served: Sequence[date]) -> list[Day]:
    """Return the days that need somebody and have nobody."""
    there = set(served)
    return [day for day in days if needs_somebody(day) and day.date not in there]
