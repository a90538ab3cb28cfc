"""Metrics against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.calibration import calibration_curve

from functions.shared.domain.performance.intervals import intervals
from functions.shared.domain.performance.losses import losses
from functions.shared.domain.performance.metrics import METRICS, auc, calibration_error, measure
from functions.shared.domain.spec import Task
from tests.unit.shared.domain.performance.answers import most_probable

type Floats = NDArray[np.float64]

PROBABILITY = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
BINARY = st.lists(st.tuples(st.booleans(), PROBABILITY), min_size=1, max_size=40)
MULTICLASS = st.integers(1, 30).flatmap(
    lambda rows: st.tuples(arrays(np.int64, rows, elements=st.integers(0, 2)), arrays(np.float64, (rows, 3), elements=st.floats(0.01, 1)))
)
REGRESSION = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=40)


def split(rows: list[tuple[bool, float]]) -> tuple[NDArray[np.bool_], Floats]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(BINARY, PROBABILITY)
def test_binary_metrics_are_those_of_scikit_learn_at_any_threshold(rows: list[tuple[bool, float]], threshold: float) -> None:
    truth, score = split(rows)
    predicted = score > threshold
    found = measure(Task.BINARY, truth, score[:, np.newaxis], predicted.astype(np.intp))
    assert tuple(found) == METRICS[Task.BINARY]
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(truth, score, labels=[False, True]), abs=1e-12)
    clipped = np.clip(score, 1e-6, 1 - 1e-6)
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, clipped, labels=[False, True]))
    assert found["precision"] == (pytest.approx(metrics.precision_score(truth, predicted)) if predicted.any() else None)
    assert found["recall"] == (pytest.approx(metrics.recall_score(truth, predicted)) if truth.any() else None)
    assert found["f1"] == (pytest.approx(metrics.f1_score(truth, predicted)) if (truth | predicted).any() else None)
    both = truth.any() and not truth.all()
    assert found["auc"] == (pytest.approx(metrics.roc_auc_score(truth, score)) if both else None)


@given(MULTICLASS)
def test_multiclass_metrics_are_those_of_scikit_learn(rows: tuple[NDArray[np.int64], Floats]) -> None:
    truth, weights = rows
    scores = weights / weights.sum(axis=1, keepdims=True)
    predicted = most_probable(Task.MULTICLASS, scores)
    found = measure(Task.MULTICLASS, truth, scores, predicted)
    assert tuple(found) == METRICS[Task.MULTICLASS]
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, scores, labels=[0, 1, 2]))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(truth, scores, labels=[0, 1, 2], scale_by_half=False))
    ranked = [metrics.roc_auc_score(truth == label, scores[:, label]) for label in set(truth.tolist()) if not np.all(truth == label)]
    assert found["auc"] == (pytest.approx(np.mean(ranked)) if ranked else None)


@given(REGRESSION)
def test_regression_metrics_are_those_of_scikit_learn(rows: list[tuple[float, float]]) -> None:
    truth, prediction = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = measure(Task.REGRESSION, truth, prediction[:, np.newaxis], None)
    assert tuple(found) == METRICS[Task.REGRESSION]
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, prediction))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, prediction))
    if np.ptp(truth) > 1e-6:
        assert found["r2"] == pytest.approx(metrics.r2_score(truth, prediction), rel=1e-6)
    said = truth != 0
    if np.abs(truth[said]).min(initial=1.0) > 1e-6:
        expected = metrics.mean_absolute_percentage_error(truth[said], prediction[said]) if said.any() else None
        assert found["mape"] == (pytest.approx(expected) if expected is not None else None)


def test_a_metric_too_large_for_a_number_is_undefined() -> None:
    found = measure(Task.REGRESSION, np.array([1e-310, 2e-310]), np.array([[1e200], [1.0]]), None)
    assert (found["rmse"], found["r2"], found["mape"]) == (None, None, None)
    assert "rmse" not in intervals(Task.REGRESSION, np.array([1e-310, 2e-310]), np.array([[1e200], [1.0]]), None)


def test_the_fit_of_a_constant_target_is_undefined() -> None:
    assert measure(Task.REGRESSION, np.array([2.0, 2.0]), np.array([[1.0], [3.0]]), None)["r2"] is None


@pytest.mark.parametrize("task", list(Task))
def test_without_rows_no_metric_is_defined_and_there_is_no_interval(task: Task) -> None:
    truth, scores = np.array([]), np.empty((0, 3 if task is Task.MULTICLASS else 1))
    assert measure(task, truth, scores, most_probable(task, scores)) == dict.fromkeys(METRICS[task])
    assert intervals(task, truth, scores, most_probable(task, scores)) == {}
    assert losses(task, truth, scores).size == 0


def test_calibration_error_is_worked_out_by_hand() -> None:
    # Bin .2-.3: mean confidence .25 against 1 of 2 hits; last bin: mean .975 against 1 of 2.
    hit, confidence = np.array([True, False, True, False]), np.array([0.22, 0.28, 0.95, 1.0])
    assert calibration_error(hit, confidence) == pytest.approx((0.25 + 0.475) / 2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 999)), min_size=1, max_size=60))
def test_calibration_error_is_the_distance_to_scikit_learns_calibration_curve(rows: list[tuple[bool, int]]) -> None:
    hit, confidence = np.array([row[0] for row in rows]), np.array([(row[1] + 0.5) / 1000 for row in rows])
    shares, confidences = calibration_curve(hit, confidence, pos_label=True, n_bins=10)
    counts = np.histogram(confidence, bins=10, range=(0, 1))[0]
    assert calibration_error(hit, confidence) == pytest.approx(np.abs(shares - confidences) @ counts[counts > 0] / hit.size)


def test_ranking_of_one_class_is_undefined() -> None:
    assert auc(np.array([True, True]), np.array([0.1, 0.2])) is None
    assert "auc" not in intervals(Task.BINARY, np.array([1, 1]), np.array([[0.1], [0.2]]), np.array([0, 0]))
