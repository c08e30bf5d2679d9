"""What is known about a rule's precision, and what no longer is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.precision import Precision, displaced, precision_bound, worth

COUNTS = st.integers(0, 400)


def test_149_right_decisions_prove_098_and_148_do_not() -> None:
    assert precision_bound(149, 0) >= 0.98 > precision_bound(148, 0)


def test_nothing_decided_is_nothing_known() -> None:
    nothing = Precision()

    assert (nothing.bound, nothing.share, nothing.error_rate, nothing.interval) == (0.0, None, None, None)


def test_the_interval_is_the_published_one() -> None:
    low, high = Precision(81, 182).interval or (0.0, 0.0)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


@given(COUNTS, COUNTS)
def test_the_bound_lies_below_the_share_and_falls_with_every_error(confirmed: int, overturned: int) -> None:
    found = Precision(confirmed, overturned)

    assert 0.0 <= found.bound <= (found.share or 0.0) + 1e-9
    assert precision_bound(confirmed, overturned + 1) <= found.bound + 1e-9


@given(st.integers(1, 2_000))
def test_a_proof_weighs_what_it_would_take_to_make_it(right: int) -> None:
    assert worth(precision_bound(right, 0)) == right


@pytest.mark.parametrize(
    ("reviewed", "evidence"),
    [
        (Precision(0, 0), Precision(149, 0)),
        (Precision(40, 1), Precision(148, 1)),
        (Precision(149, 0), Precision(149, 0)),
        (Precision(300, 2), Precision(300, 2)),
    ],
)
def test_what_is_reviewed_takes_the_place_of_the_proof(reviewed: Precision, evidence: Precision) -> None:
    assert displaced(precision_bound(149, 0), reviewed) == evidence


@given(st.floats(0.9, 0.999), COUNTS, COUNTS)
def test_an_error_never_makes_the_evidence_look_better(proof: float, confirmed: int, overturned: int) -> None:
    before = displaced(proof, Precision(confirmed, overturned)).bound
    after = displaced(proof, Precision(confirmed, overturned + 1)).bound

    assert after <= before + 1e-9
