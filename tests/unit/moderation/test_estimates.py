import random

import pytest

from moderation.estimates import Stratum, missed_harm
from moderation.precision import Precision


def test_one_stratum_gives_the_share_and_the_interval_of_wilson() -> None:
    found = missed_harm([Stratum("all", 1_000, 100, 7)])
    assert found is not None
    assert found.share == pytest.approx(0.07)
    assert (found.low, found.high) == pytest.approx(Precision(7, 93).interval)
    assert found.covered == pytest.approx(1.0)


def test_a_band_that_was_looked_at_more_often_weighs_no_more_for_it() -> None:
    found = missed_harm([Stratum("low", 9_900, 100, 0), Stratum("high", 100, 100, 50)])
    assert found is not None
    assert found.share == pytest.approx(0.005)


def test_what_nobody_looked_at_may_be_anything() -> None:
    found = missed_harm([Stratum("seen", 800, 400, 0), Stratum("unseen", 200, 0, 0)])
    assert found is not None
    assert found.share == 0.0
    assert found.high > 0.2
    assert found.covered == pytest.approx(0.8)


def test_without_posts_there_is_no_estimate() -> None:
    assert missed_harm([]) is None


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="harmful"):
        Stratum("wrong", 10, 5, 6)


def test_the_interval_holds_the_truth_about_nineteen_times_in_twenty() -> None:
    truths = {"low": (9_000, 900, 0.001), "middle": (900, 180, 0.03), "high": (100, 100, 0.4)}
    truth = sum(posts * share for posts, _, share in truths.values()) / 10_000
    dice, hits, rounds = random.Random(11), 0, 400  # noqa: S311 - a simulation
    for _ in range(rounds):
        strata = [
            Stratum(name, posts, judged, sum(dice.random() < share for _ in range(judged)))
            for name, (posts, judged, share) in truths.items()
        ]
        found = missed_harm(strata)
        assert found is not None
        hits += found.low <= truth <= found.high
    assert 0.92 <= hits / rounds <= 1.0
