"""What may be told, in examples; the laws are in tests/property."""

from datetime import UTC, date, datetime, timedelta

import pytest

from alerts.disclosure import Voice, counted, release, trend
from models.errors import CharterViolation
from models.threshold import Threshold

DAY = date(2026, 3, 9)
AT = datetime(2026, 3, 16, tzinfo=UTC)


def say(first: int, last: int, *, day: int = 0, cell: str = "gd/a") -> list[Voice]:
    return [Voice(f"a{number}", DAY + timedelta(days=day), cell) for number in range(first, last)]


def test_fewer_than_ten_people_are_no_release() -> None:
    assert release(say(0, 9), Threshold()) is None


def test_one_person_who_writes_ten_posts_is_one_person() -> None:
    assert release([Voice("a", DAY, "gd/a")] * 10, Threshold()) is None


def test_nobody_may_set_a_threshold_under_five() -> None:
    with pytest.raises(CharterViolation):
        Threshold(4, "because")


@pytest.mark.parametrize("reason", ["", "   "])
def test_under_ten_needs_a_reason(reason: str) -> None:
    with pytest.raises(CharterViolation):
        Threshold(5, reason)


def test_a_small_place_goes_into_other_and_takes_another_with_it() -> None:
    made = release([*say(0, 20), *say(20, 32, cell="gd/b"), *say(32, 35, cell="gd/c")], Threshold())

    assert made is not None
    assert [(cell.name, cell.posts) for cell in made.spread] == [("gd/a", 20), (None, 15)]


def test_small_places_that_are_ten_together_stand_as_other() -> None:
    made = release([*say(0, 20), *say(20, 26, cell="gd/b"), *say(26, 32, cell="gd/c")], Threshold())

    assert made is not None
    assert [(cell.name, cell.posts) for cell in made.spread] == [("gd/a", 20), (None, 12)]


def test_thin_days_are_told_together() -> None:
    made = release([*say(0, 12), *say(12, 18, day=1), *say(18, 24, day=2), *say(24, 26, day=3)], Threshold())

    assert made is not None
    assert [(span.first.day, span.last.day, span.posts) for span in made.days] == [(9, 9, 12), (10, 12, 14)]


def test_a_first_report_about_too_few_is_refused() -> None:
    with pytest.raises(CharterViolation):
        counted(None, None, 3, Threshold(), AT)


def test_too_few_new_people_leave_the_earlier_figures_as_they_were() -> None:
    first = counted(None, release(say(0, 12), Threshold()), 12, Threshold(), AT)
    second = counted(first, None, 3, Threshold(), AT + timedelta(days=1))

    assert second["repeated"]
    assert {**second, "repeated": False} == first


def test_people_who_spoke_before_do_not_make_the_number_of_authors_grow_by_a_few() -> None:
    first = counted(None, release(say(0, 12), Threshold()), 12, Threshold(), AT)
    second = counted(first, release(say(3, 15, day=3), Threshold()), 3, Threshold(), AT + timedelta(days=3))

    assert (second["posts"], second["authors"]) == (24, 12)


def test_the_trend_follows_the_later_half() -> None:
    def days(*counts: int) -> list[dict[str, object]]:
        return [
            {
                "from": (DAY + timedelta(days=place)).isoformat(),
                "to": (DAY + timedelta(days=place)).isoformat(),
                "posts": count,
            }
            for place, count in enumerate(counts)
        ]

    assert trend(days(10, 10, 30, 30)) == "rising"
    assert trend(days(30, 30, 10, 10)) == "falling"
    assert trend(days(20, 20, 20, 20)) == "steady"
    assert trend(days(20)) == "unknown"
    assert trend([]) == "unknown"
