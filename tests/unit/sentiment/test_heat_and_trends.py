from datetime import UTC, date, datetime, timedelta

import pytest

from models.intervals import wilson
from models.vocabulary import Trend
from sentiment.demand.concert import Said, rings, voices
from sentiment.demand.facts import conflicting, heir_of, pinned
from sentiment.demand.heat import heat
from sentiment.demand.missed import Side, recall_of
from sentiment.terms import Phase, is_off, kind_of, phase_of
from sentiment.trends import expected, growth, interval, series, trend_of
from sentiment.urgency import urgency

MONDAY = date(2025, 11, 24)


def days(count: int, value: int = 10) -> dict[date, int]:
    return {MONDAY - timedelta(days=back): value for back in range(1, count + 1)}


def test_more_people_growth_urgency_or_waiting_never_cool_a_demand() -> None:
    base = heat(20, 10, 5, 0.2, 3)
    for hotter in (
        heat(40, 10, 5, 0.2, 3),
        heat(20, 30, 5, 0.2, 3),
        heat(20, 10, 5, 0.8, 3),
        heat(20, 10, 5, 0.2, 20),
    ):
        assert hotter.value > base.value
    assert heat(0, 0, 0, 0, 0).value == 0
    assert heat(10_000, 10_000, 0, 1.0, 900).value >= 95
    assert sum(base.parts().values()) > 0
    for wrong in ((-1, 0, 0, 0, 0), (1, 0, 0, 1.1, 0), (1, 0, 0, 0, -1), (1, -1, 0, 0, 0)):
        with pytest.raises(ValueError, match="at least 0"):
            heat(*wrong)


def test_a_day_is_compared_with_days_of_its_own_kind() -> None:
    counts = days(56) | {MONDAY - timedelta(weeks=week): 30 for week in range(1, 9)}
    mondays, tuesday = expected(counts, MONDAY), expected(counts, MONDAY + timedelta(days=1))
    assert mondays is not None
    assert tuesday is not None
    assert (mondays.middle, tuesday.middle) == (30, 10)
    assert mondays.low < 30 < mondays.high
    # The Monday of the national holiday in October is another kind of day.
    assert mondays.days == 7
    assert expected(days(2), MONDAY) is None
    assert expected({}, MONDAY) is None
    with pytest.raises(ValueError, match="at least 0"):
        expected({MONDAY: -1}, MONDAY)


def test_the_range_is_wider_where_days_scattered_or_are_few() -> None:
    calm, wild, few = interval([10] * 8), interval([1, 30, 2, 28, 3, 9, 5, 2]), interval([10] * 3)
    assert calm.high < few.high
    assert calm.high < wild.high
    assert interval([0, 0, 0]).middle == 0
    assert interval([0, 0, 0]).low == 0


def test_what_too_few_people_said_is_left_out_and_the_rest_rounded() -> None:
    counts = days(28, 27) | {MONDAY: 4, MONDAY + timedelta(days=1): 27}
    open_, guarded = (series(counts, MONDAY, MONDAY + timedelta(days=1), least=k) for k in (0, 10))
    assert [one.authors for one in open_] == [4, 27]
    assert [one.authors for one in guarded] == [None, 20]
    assert all(one.expected is None or one.expected.high % 10 == 0 for one in guarded)
    assert not open_[0].unusual


def test_growth_and_trend_are_of_counts() -> None:
    assert growth(9, 4) == pytest.approx(2)
    assert [trend_of(*pair) for pair in ((30, 5), (5, 30), (10, 9), (0, 0))] == [
        Trend.RISING,
        Trend.FALLING,
        Trend.STEADY,
        Trend.UNKNOWN,
    ]
    with pytest.raises(ValueError, match="at least 0"):
        growth(-1, 0)


def test_the_year_of_a_campus_has_its_parts() -> None:
    parts = {(1, 5): Phase.EXAMS, (2, 1): Phase.BREAK, (3, 16): Phase.TERM, (7, 20): Phase.BREAK}
    assert {pair: phase_of(date(2026, *pair)) for pair in parts} == parts
    assert is_off(date(2025, 10, 1))
    assert not is_off(date(2025, 9, 28))  # a Sunday that is worked for the holidays
    assert kind_of(MONDAY) == kind_of(MONDAY + timedelta(weeks=1))


def test_urgency_is_what_is_said_and_not_how_angry() -> None:
    calm = urgency("希望图书馆周末开门")
    assert calm == 0 == urgency("") == urgency("太气人了！！！凭什么！！！")
    assert urgency("宿舍停水两天了，有人中暑晕倒，请尽快处理") > urgency("宿舍停水，请尽快处理") > calm
    assert urgency("漏电 停水 只剩两天 救命" * 9) <= 1


START = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)
WORDS = frozenset({"热水", "宿舍", "洗澡", "凌晨"})


def in_concert(accounts: int, times: int, *, words: frozenset[str] = WORDS, apart: int = 1) -> list[Said]:
    return [
        Said(f"a{account}", START + timedelta(days=time, minutes=apart * account), words)
        for time in range(times)
        for account in range(accounts)
    ]


def test_a_handful_in_concert_is_one_voice_and_many_people_are_many() -> None:
    ring = in_concert(3, 3)
    assert rings(ring) == [frozenset({"a0", "a1", "a2"})]
    assert set(voices(ring).values()) == {"a0"}
    # A petition that a hundred people copy once; three who repeat themselves hours apart; a crowd.
    assert rings(in_concert(100, 1)) == []
    assert rings(in_concert(3, 3, apart=60)) == []
    assert rings(in_concert(12, 3, apart=0)) == []
    assert rings(in_concert(3, 3, words=frozenset({"热水"}))) == []
    everybody = {one.author for one in ring} | {f"other-{number}" for number in range(10)}
    assert len({voices(ring).get(one, one) for one in everybody}) == 11


def test_facts_that_cannot_both_hold_are_named() -> None:
    told = [("1", "p", "a", True), ("2", "p", "b", True), ("3", "q", "a", True), ("4", "q", "a", False)]
    told += [("5", "r", "a", False), ("6", "r", "b", True)]
    found = conflicting(told)
    assert [(one.post_id, one.demands) for one in found] == [("p", ("a", "b")), ("q", ("a",))]
    assert found[1].facts == ("3", "4")
    assert pinned([("p", "a", True), ("p", "b", True), ("p", "a", False)], {"a", "b"}) == {"p": "b"}
    assert pinned([("p", "a", True)], set()) == {}
    assert heir_of({"a": "b", "b": "c"}, "a") == "c"


def test_recall_is_estimated_from_both_sides_of_the_board() -> None:
    found = recall_of(Side(900, 100, 10), Side(300, 30, 27))
    assert found.value == pytest.approx(270 / (270 + 90), abs=1e-4)
    assert found.low is not None
    assert found.high is not None
    assert 0 < found.low < 0.75 < found.high < 1
    wider = recall_of(Side(900, 10, 1), Side(300, 10, 9))
    assert wider.low is not None
    assert wider.low < found.low
    assert recall_of(Side(900, 0, 0), Side(300, 30, 27)).value is None
    assert recall_of(Side(0, 5, 0), Side(9, 0, 0)).value == 1
    assert wilson(0, 0) == (0.0, 1.0)
    for part, whole in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="part"):
            wilson(part, whole)
    with pytest.raises(ValueError, match="belong"):
        Side(5, 3, 4)
