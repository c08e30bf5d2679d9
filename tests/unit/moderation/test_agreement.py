"""Krippendorff's alpha against the worked examples that he and others published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.agreement import krippendorff_alpha


def units(*observers: str) -> list[list[str | None]]:
    """One unit for each place; a dot is an answer that is missing."""
    return [[None if one == "." else one for one in unit] for unit in zip(*observers, strict=True)]


def test_two_observers_and_two_answers_as_in_section_a() -> None:
    assert krippendorff_alpha(units("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)


def test_two_observers_and_many_answers_as_in_section_b() -> None:
    assert krippendorff_alpha(units("aabbdcccedda", "babbbcccеddd".replace("е", "e"))) == pytest.approx(
        0.692, abs=5e-4
    )


def test_four_observers_with_answers_missing_as_in_section_c() -> None:
    found = krippendorff_alpha(units("123321412...", "1233224125.3", ".3332342251.", "12332441251."))
    assert found == pytest.approx(0.743, abs=5e-4)


def test_three_observers_who_leave_most_out() -> None:
    # The example by which most programs for alpha are checked.
    found = krippendorff_alpha(units(".....34121133.3", "1.213343.......", "..21344.21133.4"))
    assert found == pytest.approx(0.691, abs=5e-4)


def test_without_two_answers_to_any_unit_there_is_no_alpha() -> None:
    assert krippendorff_alpha([["publish"], [None, "remove"], []]) is None


def test_where_all_say_the_same_there_is_no_alpha() -> None:
    assert krippendorff_alpha([["publish", "publish"], ["publish", "publish"]]) is None


ANSWERS = st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=4), max_size=12)


@given(ANSWERS, st.randoms())
def test_the_order_of_units_and_of_officers_does_not_matter(found: list[list[str | None]], dice) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    turned = [dice.sample(unit, len(unit)) for unit in dice.sample(found, len(found))]
    assert krippendorff_alpha(turned) == pytest.approx(krippendorff_alpha(found), nan_ok=True)


@given(ANSWERS)
def test_alpha_is_at_most_one_and_one_only_for_perfect_agreement(found: list[list[str | None]]) -> None:
    alpha = krippendorff_alpha(found)
    if alpha is None:
        return
    assert alpha <= 1 + 1e-12
    pairs = [[one for one in unit if one] for unit in found]
    agree = all(len(set(unit)) <= 1 for unit in pairs if len(unit) > 1)
    assert (alpha == pytest.approx(1.0)) == agree
