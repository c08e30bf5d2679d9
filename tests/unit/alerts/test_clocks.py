"""Reply clocks against an oracle that was written independently, for every minute of eleven years."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from alerts import clocks
from alerts.calendar import SHANGHAI, Calendar, shipped
from models.service_vocabulary import CallStage, ClockRule

CALENDAR = Calendar.of(shipped())

OFF = """
2016 0101-0103 0207-0213 0402-0404 0430-0502 0609-0611 0915-0917 1001-1007 | 0206 0214 0612 0918 1008 1009
2017 0101-0102 0127-0202 0402-0404 0429-0501 0528-0530 1001-1008 1230-1231 | 0122 0204 0401 0527 0930
2018 0101-0101 0215-0221 0405-0407 0429-0501 0616-0618 0922-0924 1001-1007 1230-1231 | 0211 0224 0408 0428 0929 0930 1229
2019 0101-0101 0204-0210 0405-0407 0501-0504 0607-0609 0913-0915 1001-1007 | 0202 0203 0428 0505 0929 1012
2020 0101-0101 0124-0202 0404-0406 0501-0505 0625-0627 1001-1008 | 0119 0426 0509 0628 0927 1010
2021 0101-0103 0211-0217 0403-0405 0501-0505 0612-0614 0919-0921 1001-1007 | 0207 0220 0425 0508 0918 0926 1009
2022 0101-0103 0131-0206 0403-0405 0430-0504 0603-0605 0910-0912 1001-1007 1231-1231 | 0129 0130 0402 0424 0507 1008 1009
2023 0101-0102 0121-0127 0405-0405 0429-0503 0622-0624 0929-1006 | 0128 0129 0423 0506 0625 1007 1008
2024 0101-0101 0210-0217 0404-0406 0501-0505 0608-0610 0915-0917 1001-1007 | 0204 0218 0407 0428 0511 0914 0929 1012
2025 0101-0101 0128-0204 0404-0406 0501-0505 0531-0602 1001-1008 | 0126 0208 0427 0928 1011
2026 0101-0103 0215-0223 0404-0406 0501-0505 0619-0621 0925-0927 1001-1007 | 0104 0214 0228 0509 0920 1010
"""  # noqa: E501 - a line a year reads like the gazette
"""The notices once more, copied out of the gazette by day and month, and read by nothing of the service."""


def oracle() -> np.ndarray:
    """Hours of every minute from 2016-01-01 to 2026-12-31, Shanghai: a state machine over days and minutes.

    Shape (days, 1440), int8: 3 or 12.
    """
    start, end = np.datetime64("2016-01-01"), np.datetime64("2027-01-01")
    days = np.arange(start, end)
    works = (days.astype(int) + 3) % 7 < 5  # 1970-01-01 was a Thursday
    for line in OFF.split("\n"):
        off, _, working = line.partition("|")
        year, *spans = off.split() or [""]
        for span in spans:
            first, last = (np.datetime64(f"{year}-{one[:2]}-{one[2:]}") for one in span.split("-"))
            works[(days >= first) & (days <= last)] = False
        for one in working.split():
            works[days == np.datetime64(f"{year}-{one[:2]}-{one[2:]}")] = True
    minutes = np.arange(24 * 60)
    by_day = (minutes >= 9 * 60) & (minutes < 21 * 60)
    return np.where(works[:, None] & by_day[None, :], 3, 12).astype(np.int8)


def test_every_minute_of_2016_to_2026_has_the_limit_that_the_oracle_says() -> None:
    expected = oracle()
    hours = {rule: limit // timedelta(hours=1) for rule, limit in clocks.LIMITS.items()}
    first = datetime(2016, 1, 1, tzinfo=SHANGHAI)
    minutes = [timedelta(minutes=one) for one in range(1440)]
    # The kinds of days are asked for by the service's own function, each minute by its rule; what the
    # function says of a day's minutes is asked once for each kind of day that the calendar knows.
    known: dict[bool, np.ndarray] = {}
    for works in (True, False):
        day = first + timedelta(days=3 if works else 0)
        assert CALENDAR.at(day).kind.is_working is works
        known[works] = np.array(
            [
                hours[clocks.rule_of_question((day + one).astimezone(UTC), CALENDAR, campus=False)]
                for one in minutes
            ],
            dtype=np.int8,
        )
    found = np.stack(
        [
            known[CALENDAR.day(date(2016, 1, 1) + timedelta(days=offset)).kind.is_working]
            for offset in range(len(expected))
        ]
    )
    wrong = np.argwhere(found != expected)
    assert [str(np.datetime64("2016-01-01") + day) for day, _ in wrong[:5]] == []
    assert found.size == 4_018 * 1_440


@pytest.mark.parametrize("year", range(2016, 2027))
def test_every_boundary_minute_of_every_day_is_asked_one_by_one(year: int) -> None:
    expected = oracle()
    hours = {rule: limit // timedelta(hours=1) for rule, limit in clocks.LIMITS.items()}
    day = date(year, 1, 1)
    while day.year == year:
        row = expected[(day - date(2016, 1, 1)).days]
        for minute in (0, 539, 540, 720, 1259, 1260, 1439):
            asked = datetime(day.year, day.month, day.day, minute // 60, minute % 60, 59, tzinfo=SHANGHAI)
            assert hours[clocks.rule_of_question(asked, CALENDAR, campus=False)] == row[minute], asked
        day += timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(("asked", "rule", "zh", "en"), [
    (
        "2026-10-09T15:20", ClockRule.WORKING_HOURS,
        "10月9日（周五）是工作日，15:20 在 9:00 至 21:00 之间，3 小时内答复：10月9日 18:20 前。",
        (
            "Friday 9 October is a working day and 15:20 is between 9:00 and 21:00, so the limit is 3 hours: "
            "until 18:20 on 9 October."
        ),
    ),
    (
        "2026-10-10T21:00", ClockRule.OFF_HOURS,
        "10月10日（周六）调休上班，但 21:00 不在 9:00 至 21:00 之间，12 小时内答复：10月11日 09:00 前。",
        (
            "Saturday 10 October is a make-up working day, but 21:00 is not between 9:00 and 21:00, "
            "so the limit is 12 hours: until 09:00 on 11 October."
        ),
    ),
    (
        "2026-10-01T10:00", ClockRule.OFF_HOURS,
        "10月1日（周四）是国庆节假期，12 小时内答复：10月1日 22:00 前。",
        (
            "Thursday 1 October is in the National Day holiday, so the limit is 12 hours: "
            "until 22:00 on 1 October."
        ),
    ),
])  # fmt: skip
def test_each_deadline_explains_itself_in_one_sentence(asked: str, rule: ClockRule, zh: str, en: str) -> None:
    moment = at(asked)
    assert clocks.rule_of_question(moment, CALENDAR, campus=False) is rule
    words = clocks.explain(rule, moment, clocks.due(rule, moment), CALENDAR)
    assert (words.zh, words.en) == (zh, en)


def test_a_campus_board_has_a_day_and_asks_no_calendar() -> None:
    moment = at("2031-05-05T10:00")
    assert clocks.rule_of_question(moment, CALENDAR, campus=True) is ClockRule.CAMPUS
    assert clocks.due(ClockRule.CAMPUS, moment) - moment == timedelta(hours=24)
    assert "24" in clocks.explain(ClockRule.CAMPUS, moment, moment, CALENDAR).zh


def test_a_clock_warns_before_its_end_and_calls_ever_higher_after_it() -> None:
    due = at("2026-03-16T12:00")
    stage, calls = None, []
    while (following := clocks.next_stage(stage)) is not None:
        calls.append((following, clocks.next_call(ClockRule.WORKING_HOURS, due, stage)))
        stage = following
    assert calls == [
        (CallStage.WARNING, due - timedelta(minutes=45)),
        (CallStage.BREACH, due),
        (CallStage.LEAD, due + timedelta(minutes=30)),
        (CallStage.ABOVE, due + timedelta(hours=2)),
    ]
    assert clocks.next_call(ClockRule.WORKING_HOURS, due, stage) is None
