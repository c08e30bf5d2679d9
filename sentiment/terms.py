"""What kind of day is it for a student: term, examinations, holidays between terms, a day off? Pure.

How many people ask for something swings with the week and with the year of a campus. A day is
compared only with days of its own kind. The dates are those of most universities of the province, by
month and day, and are published here; statutory days off and make-up working days come from the
`holidays` library, and a year that it does not know has none.

Neighbours: `trends` compares days of one kind.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

import holidays


class Phase(StrEnum):
    """A part of the year of a campus."""

    TERM = "term"
    EXAMS = "exams"
    BREAK = "break"


PHASES: Final = (
    ((1, 1), Phase.EXAMS),
    ((1, 16), Phase.BREAK),
    ((2, 24), Phase.TERM),
    ((6, 20), Phase.EXAMS),
    ((7, 9), Phase.BREAK),
    ((9, 1), Phase.TERM),
    ((12, 25), Phase.EXAMS),
)
"""The month and day on which each part begins."""

SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """What a day is compared by. `weekday` counts from Monday, 0; `off` is a day without work."""

    phase: Phase
    weekday: int
    off: bool


def phase_of(day: date) -> Phase:
    """Return the part of the year in which a day lies."""
    return next(phase for begins, phase in reversed(PHASES) if (day.month, day.day) >= begins)


def kind_of(day: date) -> Kind:
    """Return the kind of a day."""
    return Kind(phase_of(day), day.weekday(), is_off(day))


def is_off(day: date) -> bool:
    """Return whether nobody works: a statutory holiday, or a weekend that is not worked for one."""
    named = _named(day.year).get(day)
    if named is not None:
        return True
    return day.weekday() >= SATURDAY and day not in _worked(day.year)


@functools.cache
def _calendar(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("CN", years=year)


@functools.cache
def _named(year: int) -> Mapping[date, str]:
    return dict(_calendar(year).items())


@functools.cache
def _worked(year: int) -> frozenset[date]:
    return frozenset(getattr(_calendar(year), "weekend_workdays", ()))
