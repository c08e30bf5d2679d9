import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from learning import measures

cases = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40).map(
    lambda pairs: (np.array([one for one, _ in pairs]), np.array([two / 8 for _, two in pairs]))
)


@given(cases)
def test_ranking_figures_agree_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = case
    if labels.all() or not labels.any():
        return

    assert measures.auroc(labels, scores) == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert measures.average_precision(labels, scores) == pytest.approx(
        metrics.average_precision_score(labels, scores)
    )


@given(cases)
def test_f1_agrees_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = case
    predicted = scores >= 0.5

    assert measures.macro_f1(labels, predicted) == pytest.approx(
        metrics.f1_score(labels, predicted, average="macro", labels=[False, True], zero_division=0)
    )


@given(cases)
def test_no_threshold_is_better_than_the_best(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, scores = case
    best = measures.accuracy(labels, scores >= measures.best_threshold(labels, scores))

    for threshold in [*np.unique(scores), 2.0]:
        assert best >= measures.accuracy(labels, scores >= threshold)


def test_one_class_alone_says_nothing_about_ranking() -> None:
    assert measures.auroc(np.array([True, True]), np.array([0.1, 0.2])) == 0.5
    assert measures.average_precision(np.array([False]), np.array([0.1])) == 0.0


def test_calibration_error_is_the_mean_gap() -> None:
    labels = np.array([True, False, True, True])
    probabilities = np.array([0.95, 0.95, 0.05, 0.05])

    assert measures.calibration_error(labels, probabilities) == pytest.approx(0.5 * 0.45 + 0.5 * 0.95)
    assert [row.count for row in measures.reliability(labels, probabilities)] == [2, 2]


def test_precision_recall_and_balanced_accuracy_agree_with_scikit_learn() -> None:
    draw = np.random.default_rng(4)
    labels, predicted = draw.random(200) < 0.3, draw.random(200) < 0.4

    assert np.isclose(measures.precision(labels, predicted), metrics.precision_score(labels, predicted))
    assert np.isclose(measures.recall(labels, predicted), metrics.recall_score(labels, predicted))
    assert np.isclose(
        measures.balanced_accuracy(labels, predicted), metrics.balanced_accuracy_score(labels, predicted)
    )


def test_without_a_positive_row_or_call_there_is_no_precision_or_recall() -> None:
    nothing = np.zeros(3, dtype=bool)

    assert measures.precision(nothing, nothing) == 0.0
    assert measures.recall(nothing, nothing) == 0.0


def test_a_balanced_threshold_does_not_call_everything_what_most_rows_are() -> None:
    labels = np.array([True] * 18 + [False] * 2)
    scores = np.array([0.9] * 12 + [0.2] * 6 + [0.3] * 2)

    assert (scores >= measures.best_threshold(labels, scores)).all()
    assert (scores >= measures.best_threshold(labels, scores, balanced=True)).sum() == 12


def test_an_interval_holds_its_figure_and_narrows_with_more_rows() -> None:
    few, many = np.arange(50) % 2 == 0, np.arange(5000) % 2 == 0
    small = measures.interval(lambda places: float(few[places].mean()), len(few), rounds=200)
    large = measures.interval(lambda places: float(many[places].mean()), len(many), rounds=200)

    assert small.value == large.value == 0.5
    assert small.lower < large.lower < 0.5 < large.upper < small.upper
    assert str(large).startswith("0.500 (0.4")


def test_an_interval_is_the_same_under_the_same_seed() -> None:
    rows = np.random.default_rng(1).random(80)
    once = measures.interval(lambda places: float(rows[places].mean()), 80, rounds=100, seed=5)

    assert once == measures.interval(lambda places: float(rows[places].mean()), 80, rounds=100, seed=5)
    assert once != measures.interval(lambda places: float(rows[places].mean()), 80, rounds=100, seed=6)


def test_rows_that_belong_together_make_an_interval_wider() -> None:
    rows = np.repeat(np.random.default_rng(2).random(20) < 0.5, 30)
    clusters = [np.arange(30) + 30 * place for place in range(20)]
    apart = measures.interval(lambda places: float(rows[places].mean()), len(rows), rounds=300)
    together = measures.clustered_interval(lambda places: float(rows[places].mean()), clusters, rounds=300)

    assert together.value == apart.value
    assert together.upper - together.lower > 2 * (apart.upper - apart.lower)


def test_no_rows_have_no_interval() -> None:
    with pytest.raises(ValueError, match="needs rows"):
        measures.clustered_interval(lambda _: 0.0, [])


def test_a_likely_threshold_counts_what_labels_and_a_second_reading_make_likely() -> None:
    likely = np.array([0.9, 0.9, 0.1, 0.9, 0.05, np.nan])
    scores = np.array([0.9, 0.8, 0.6, 0.55, 0.2, 0.99])

    assert measures.likely_threshold(likely, scores) == pytest.approx(0.7)
    assert measures.likely_threshold(np.full(6, 0.02), scores) > 0.99
    assert measures.likely_threshold(np.full(6, 0.98), scores) == pytest.approx(0.2)
