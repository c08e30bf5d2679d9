import pytest

from models.errors import InvalidInput
from models.vocabulary import Category, Verdict
from moderation.evaluation import Expectation, SuiteRow, by_function, figures, lower_bound, missed, suite_row
from moderation.pipeline import Outcome


def outcome(verdict: Verdict, category: Category | None = None) -> Outcome:
    return Outcome(verdict, category, (), {}, "rulebook", None, "policy")


ROWS = [
    SuiteRow("a", "petition", Expectation.ALLOW, None),
    SuiteRow("b", "petition", Expectation.ALLOW, None),
    SuiteRow("c", "spam:plain", Expectation.ACT, Category.SPAM),
    SuiteRow("d", "spam:split_char", Expectation.ACT, Category.SPAM),
    SuiteRow("e", "refer:coded", Expectation.REFER, Category.SELF_HARM),
]
OUTCOMES = [
    outcome(Verdict.PUBLISH),
    outcome(Verdict.HOLD, Category.HATE),
    outcome(Verdict.REMOVE, Category.SPAM),
    outcome(Verdict.HOLD, Category.SCAM),
    outcome(Verdict.REFER, Category.SELF_HARM),
]


def test_figures_are_counts_and_shares() -> None:
    found = figures(ROWS, OUTCOMES)

    assert found["expect"]["allow"] == {
        "n": 2,
        "published": 0.5,
        "held": 0.5,
        "removed": 0.0,
        "referred": 0.0,
    }
    assert found["expect"]["act"] == {"n": 2, "published": 0.0, "held": 0.5, "removed": 0.5, "referred": 0.0}
    assert found["expect"]["refer"] == {
        "n": 1,
        "published": 0.0,
        "held": 0.0,
        "removed": 0.0,
        "referred": 1.0,
    }
    assert found["category"] == {
        "spam": {"n": 2, "acted": 1.0, "right": 0.5},
        "self_harm": {"n": 1, "acted": 1.0, "right": 1.0},
    }


def test_an_empty_suite_has_figures_too() -> None:
    assert figures([], [])["expect"]["allow"]["published"] == 0.0


def test_functions_are_counted_apart_and_disguises_told_from_open_writing() -> None:
    found = {entry.function: entry for entry in by_function(ROWS, OUTCOMES)}

    assert (found["petition"].n, found["petition"].right) == (2, 1)
    assert [found[name].is_disguised for name in ("petition", "spam:plain", "spam:split_char")] == [
        False,
        False,
        True,
    ]


def test_a_wrong_category_is_a_miss_as_well() -> None:
    assert [row.id for row, _ in missed(ROWS, OUTCOMES)] == ["b", "d"]


@pytest.mark.parametrize(
    "row",
    [{}, {"function": "x", "expect": "perhaps"}, {"function": "x", "expect": "act", "category": "politics"}],
)
def test_a_row_that_expects_nothing_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="row 7"):
        suite_row(row, 7)


@pytest.mark.parametrize(
    ("right", "total", "bound"), [(0, 10, 0.0), (10, 10, 0.7411), (149, 149, 0.9801), (95, 100, 0.8977)]
)
def test_the_lower_bound_is_the_exact_binomial_one(right: int, total: int, bound: float) -> None:
    assert lower_bound(right, total) == pytest.approx(bound, abs=2e-4)


@pytest.mark.parametrize(("right", "total"), [(-1, 2), (3, 2)])
def test_a_share_outside_its_range_has_no_bound(right: int, total: int) -> None:
    with pytest.raises(ValueError, match="0 <= right <= total"):
        lower_bound(right, total)
