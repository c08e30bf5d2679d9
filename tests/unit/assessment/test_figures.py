import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessment.figures import durations, share


def test_a_share_of_nothing_is_unknown_and_not_zero() -> None:
    assert share(0, 0).value is None


def test_the_interval_is_wilsons() -> None:
    found = share(8, 10)

    assert found.value == pytest.approx(0.8)
    assert found.low == pytest.approx(0.4902, abs=1e-3)
    assert found.high == pytest.approx(0.9433, abs=1e-3)


@pytest.mark.parametrize(("part", "whole"), [(-1, 3), (4, 3)])
def test_counts_that_do_not_fit_are_refused(part: int, whole: int) -> None:
    with pytest.raises(ValueError, match="need 0 <= part <= whole"):
        share(part, whole)


@given(st.integers(0, 500), st.integers(1, 500))
def test_the_interval_holds_the_share_and_stays_between_0_and_1(part: int, extra: int) -> None:
    found = share(part, part + extra)

    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1


def test_durations_take_the_nearest_rank() -> None:
    found = durations([float(second) for second in range(1, 101)])

    assert (found.n, found.p50, found.p95) == (100, 50.0, 95.0)


def test_no_durations_are_unknown() -> None:
    assert durations([]).p50 is None
