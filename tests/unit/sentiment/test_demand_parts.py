from datetime import UTC, datetime, timedelta

import pytest

from sentiment.demand import measures, naming
from sentiment.demand.constraints import CannotLink, Constraints, MustLink
from sentiment.demand.grouping import common_organisation, nth_author_at

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def test_b_cubed_of_the_truth_is_one() -> None:
    gold = ["a", "a", "b", None, None]

    score = measures.bcubed(gold, ["x", "x", "y", None, None])

    assert (score.precision, score.recall, score.f1) == (1, 1, 1)


def test_noise_in_a_group_costs_b_cubed_precision_by_hand() -> None:
    score = measures.bcubed(["a", "a", None, None], ["x", "x", "x", None])

    assert score.precision == pytest.approx(2 / 3)
    assert score.recall == 1


def test_posts_that_stand_alone_are_precise_and_recall_little() -> None:
    score = measures.bcubed(["a", "a", "a"], [None, None, None])

    assert score.precision == 1
    assert score.recall == pytest.approx(1 / 3)


def test_pairs_by_hand() -> None:
    score = measures.pairs(["a", "a", "a", None], ["x", "x", "y", "x"])

    assert score.precision == pytest.approx(1 / 3)
    assert score.recall == pytest.approx(1 / 3)


def test_an_event_is_right_from_eighty_percent_of_one_large_demand() -> None:
    gold = ["a"] * 10 + [None] * 2 + ["b"] * 9
    authors = list(range(21))

    pure = measures.events(gold, ["x"] * 12 + [None] * 9, authors, minimum=10)
    mixed = measures.events(gold, ["x"] * 13 + [None] * 8, authors, minimum=10)

    assert (pure.score.precision, pure.score.recall) == (1, 1)
    assert (mixed.score.precision, mixed.score.recall, mixed.true) == (0, 0, 1)


def test_mutual_information_is_one_for_the_truth_and_about_nothing_for_one_heap() -> None:
    gold = ["a", "a", "a", "b", "b", "b"]

    assert measures.adjusted_mutual_information(gold, ["x", "x", "x", "y", "y", "y"]) == pytest.approx(1)
    assert measures.adjusted_mutual_information(gold, ["x"] * 6) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (0.01, 1.0)])
def test_a_quantile_is_a_value_that_occurred(share: float, value: float) -> None:
    assert measures.quantile([4.0, 1.0, 3.0, 2.0], share) == value
    assert measures.quantile([], share) is None


def test_a_title_uses_only_words_that_two_people_used() -> None:
    posts = [
        ("a", naming.words_of("宿舍热水又停了")),
        ("b", naming.words_of("热水什么时候修好，宿舍没法洗澡")),
        ("c", naming.words_of("李试样说热水坏了")),
    ]

    terms = naming.shared_terms(posts, {}, 10)
    title = naming.title(terms, "榕湖学院", "校园生活")

    assert "热水" in terms
    assert "试样" not in title
    assert title.startswith("榕湖学院：")


def test_a_demand_without_shared_words_is_called_by_its_domain() -> None:
    assert naming.title([], None, "校园生活") == "校园生活"


def test_contradicting_facts_are_named_and_not_settled() -> None:
    said = Constraints([MustLink("a", "b"), MustLink("b", "c")], [CannotLink("a", "c"), CannotLink("a", "d")])

    assert said.contradictions(["a", "b", "c", "d"]) == [CannotLink("a", "c")]


def test_the_time_of_an_author_is_that_of_the_first_post() -> None:
    posts = [(START + timedelta(hours=hour), author) for hour, author in enumerate(["a", "a", "b", "c"])]

    assert nth_author_at(posts, 3) == START + timedelta(hours=3)
    assert nth_author_at(posts, 4) is None


def test_a_demand_is_of_the_lowest_node_that_most_posts_stand_under() -> None:
    nodes = {"gd", "gd/a", "gd/a/x", "gd/a/y", "gd/b"}

    assert common_organisation(["gd/a/x", "gd/a/x", "gd", "gd/a/x"], nodes) == "gd/a/x"
    assert common_organisation(["gd/a/x", "gd/a/y"], nodes) == "gd/a"
    assert common_organisation(["gd/a/x", "gd/b"], nodes) == "gd"
    assert common_organisation(["gd", "gd"], nodes) == "gd"
