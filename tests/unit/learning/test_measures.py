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
