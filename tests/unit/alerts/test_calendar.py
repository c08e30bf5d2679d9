"""The confirmed years against the library, and what a year costs that nobody confirmed."""

from datetime import date

import pytest

from alerts import confirming
from alerts.calendar import Calendar, YearNotConfirmed, read_notice, shipped
from models.errors import InvalidInput
from models.service_vocabulary import DayKind


def test_the_table_and_the_library_agree_about_every_day_of_every_year() -> None:
    assert [notice.year for notice in shipped()] == list(range(2016, 2027))
    assert {notice.year: confirming.differences(notice, shipped()) for notice in shipped()} == {
        notice.year: [] for notice in shipped()
    }


@pytest.mark.parametrize(("day", "kind", "holiday"), [
    (date(2026, 2, 14), DayKind.MAKE_UP_DAY, None),
    (date(2026, 2, 15), DayKind.HOLIDAY, "春节"),
    (date(2026, 3, 14), DayKind.WEEKEND, None),
    (date(2026, 3, 16), DayKind.WORKING_DAY, None),
    (date(2020, 1, 31), DayKind.HOLIDAY, "春节"),
    (date(2019, 5, 2), DayKind.HOLIDAY, "劳动节"),
    (date(2018, 12, 29), DayKind.MAKE_UP_DAY, None),
    (date(2022, 12, 31), DayKind.HOLIDAY, "元旦"),
])  # fmt: skip
def test_a_day_is_what_the_notice_makes_of_it(day: date, kind: DayKind, holiday: str | None) -> None:
    found = Calendar.of(shipped()).day(day)
    assert (found.kind, found.holiday) == (kind, holiday)


def test_a_year_that_nobody_confirmed_is_an_error_that_names_it_and_the_command() -> None:
    with pytest.raises(YearNotConfirmed, match=r"2027 .*tingjian calendar confirm 2027"):
        Calendar.of(shipped()).day(date(2027, 1, 1))


def test_a_holiday_is_known_from_its_first_day_to_its_last() -> None:
    assert Calendar.of(shipped()).holiday_of(date(2026, 10, 3)) == (
        "国庆节",
        date(2026, 10, 1),
        date(2026, 10, 7),
    )


def test_the_library_alone_confirms_no_year_whose_notice_it_has_not_seen() -> None:
    with pytest.raises(InvalidInput, match="2027"):
        confirming.by_library(2027)


@pytest.mark.parametrize("table", [
    {"working": []},
    {"holidays": [{"name": "元旦", "first": "2026-01-01", "last": date(2026, 1, 3)}], "working": []},
    {"holidays": [{"name": "元旦", "first": date(2027, 1, 1), "last": date(2027, 1, 3)}], "working": []},
    {"holidays": [], "working": [date(2026, 3, 16)]},
    {"holidays": [], "working": [date(2025, 6, 1)]},
])  # fmt: skip
def test_a_notice_of_another_form_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        read_notice(2026, table)


def test_a_notice_that_the_library_contradicts_is_told_day_by_day() -> None:
    notice = next(one for one in shipped() if one.year == 2026)
    wrong = type(notice)(2026, notice.holidays, notice.working - {date(2026, 1, 4)})
    assert confirming.differences(wrong, shipped()) == [date(2026, 1, 4)]
