"""Metrics against scikit-learn, intervals against SciPy and by simulation, and what the days of a model add up to."""

import math
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest, norm, ttest_1samp
from sklearn import metrics
from sklearn.calibration import calibration_curve

from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.performance.decay import detect_decay
from functions.shared.domain.performance.grading import grade_pair, grade_version
from functions.shared.domain.performance.intervals import auc_interval, intervals, mean_interval, wilson
from functions.shared.domain.performance.measures import (
    METRICS,
    DayPerformance,
    GroupPerformance,
    auc,
    calibration_error,
    class_codes,
    losses,
    measure,
    paired_days,
)
from functions.shared.domain.policy import PerformancePolicy
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task

type Floats = NDArray[np.float64]

PROBABILITY = st.floats(0, 1) | st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
BINARY = st.lists(st.tuples(st.booleans(), PROBABILITY), min_size=1, max_size=40)
MULTICLASS = st.integers(1, 30).flatmap(
    lambda rows: st.tuples(arrays(np.int64, rows, elements=st.integers(0, 2)), arrays(np.float64, (rows, 3), elements=st.floats(0.01, 1)))
)
REGRESSION = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=40)
DAY = date(2024, 3, 1)


def split(rows: list[tuple[bool, float]]) -> tuple[NDArray[np.bool_], Floats]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def most_probable(task: Task, scores: Floats) -> NDArray[np.intp] | None:
    """What the usual rule predicts."""
    if task is Task.REGRESSION:
        return None
    return scores.argmax(axis=1) if task is Task.MULTICLASS else (scores[:, 0] > 0.5).astype(np.intp)


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
    told = truth != 0
    if np.abs(truth[told]).min(initial=1.0) > 1e-6:
        expected = metrics.mean_absolute_percentage_error(truth[told], prediction[told]) if told.any() else None
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


def test_a_wrong_certainty_costs_a_finite_loss() -> None:
    worst = losses(Task.BINARY, np.array([0, 1]), np.array([[1.0], [0.0]]))
    assert worst.tolist() == pytest.approx([-np.log(1e-6)] * 2)


def test_the_loss_of_several_classes_is_that_of_the_true_one() -> None:
    scores = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    assert losses(Task.MULTICLASS, np.array([1, 2]), scores).tolist() == pytest.approx([-np.log(0.3), -np.log(1 - 1e-6)])


def test_the_loss_of_a_regression_is_the_squared_error() -> None:
    assert losses(Task.REGRESSION, np.array([1, 5]), np.array([[3.0], [4.5]])).tolist() == [4.0, 0.25]


def test_labels_become_numbers_of_classes_and_unknown_ones_minus_one() -> None:
    labels = pa.chunked_array([["b", "a"], [None, "z"]])
    assert class_codes(labels, ("a", "b")).tolist() == [1, 0, -1, -1]


@given(st.integers(0, 50), st.integers(1, 50))
def test_intervals_of_proportions_are_scipys_wilson_intervals(first: int, trials: int) -> None:
    successes = min(first, trials)
    found = wilson(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(arrays(np.float64, st.integers(2, 30), elements=st.integers(-1000, 1000).map(float)))
def test_intervals_of_means_are_scipys_t_intervals(values: Floats) -> None:
    found = mean_interval(values)
    assert found is not None
    if np.ptp(values):
        expected = ttest_1samp(values, 0).confidence_interval()
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    else:
        assert (found.low, found.high) == pytest.approx((values[0], values[0]))


@given(st.floats(0, 1), st.integers(2, 200), st.integers(2, 200))
def test_the_bounds_of_an_area_are_where_their_own_error_reaches_it(area: float, positives: int, negatives: int) -> None:
    found = auc_interval(area, positives, negatives)
    assert 0 <= found.low <= area <= found.high <= 1

    def surplus(bound: float) -> float:
        q1, q2 = bound / (2 - bound), 2 * bound**2 / (1 + bound)
        pooled = (positives + negatives) / 2
        # Hanley and McNeil's formula as they wrote it, with both sample sizes replaced by their mean (Newcombe).
        variance = bound * (1 - bound) + (pooled - 1) * (q1 - bound**2) + (pooled - 1) * (q2 - bound**2)
        return abs(bound - area) - float(norm.ppf(0.975)) * math.sqrt(max(variance, 0) / (positives * negatives))

    # At 0 and 1 the variance is 0, so each bound is also a trivial root on the area's own side.
    if area > 1e-3:
        assert found.low == pytest.approx(brentq(surplus, 0, min(area, 1 - 1e-9)), abs=1e-6)
    if area < 1 - 1e-3:
        assert found.high == pytest.approx(brentq(surplus, max(area, 1e-9), 1), abs=1e-6)


def test_perfect_ranking_of_few_rows_is_not_certain() -> None:
    assert auc_interval(1.0, 5, 5).low < 0.85
    assert auc_interval(1.0, 5, 5).high == 1.0


@pytest.mark.parametrize("task", list(Task))
def test_every_interval_holds_its_metric(task: Task) -> None:
    rng = np.random.default_rng(9)
    truth = rng.normal(size=50) if task is Task.REGRESSION else rng.integers(0, 2, 50)
    scores = rng.dirichlet([1, 1, 1], 50) if task is Task.MULTICLASS else rng.random((50, 1))
    found = measure(task, truth, scores, most_probable(task, scores))
    for name, interval in intervals(task, truth, scores, most_probable(task, scores)).items():
        value = found[name]
        assert value is not None
        assert interval.low <= value <= interval.high


def test_ranking_of_one_class_is_undefined() -> None:
    assert auc(np.array([True, True]), np.array([0.1, 0.2])) is None
    assert "auc" not in intervals(Task.BINARY, np.array([1, 1]), np.array([[0.1], [0.2]]), np.array([0, 0]))


def test_predictions_by_another_rule_are_measured_and_not_the_scores_own() -> None:
    truth, scores, by_costs = np.array([0, 1, 1, 0]), np.array([[0.1], [0.2], [0.9], [0.3]]), np.array([0, 1, 1, 1])
    group = grade_version(Role.CHAMPION, "1", Task.BINARY, truth, scores, by_costs)
    assert (group.metrics["accuracy"], group.metrics["precision"], group.metrics["recall"]) == (0.75, 2 / 3, 1.0)
    assert (group.intervals["recall"], group.intervals["precision"]) == (wilson(2, 2), wilson(2, 3))


def test_a_version_is_graded_with_sums_that_add_up_over_days() -> None:
    rng = np.random.default_rng(10)
    truth, scores = rng.integers(0, 2, 30), rng.random((30, 1))
    predicted = most_probable(Task.BINARY, scores)
    assert predicted is not None
    whole = grade_version(Role.CHAMPION, "1", Task.BINARY, truth, scores, predicted)
    cuts = (slice(0, 10), slice(10, 30))
    parts = [grade_version(Role.CHAMPION, "1", Task.BINARY, truth[part], scores[part], predicted[part]) for part in cuts]
    assert whole.loss_sum == pytest.approx(sum(part.loss_sum for part in parts))
    assert whole.loss_sum_squares == pytest.approx(sum(part.loss_sum_squares for part in parts))
    assert whole.loss_sum / 30 == pytest.approx(whole.metrics["log_loss"])
    assert whole.prevalence == pytest.approx(truth.mean())


def test_paired_sums_are_of_clipped_differences() -> None:
    pair = grade_pair(DAY, Task.BINARY, ("1", np.array([1.0, 0.0, 5.0])), ("2", np.array([1.5, 9.0, 0.0])))
    assert pair.sums == DaySums(day=DAY, rows=3, sum=0.5 + 2 - 2, sum_squares=0.25 + 4 + 4)
    assert (pair.champion, pair.challenger) == ("1", "2")


def test_squared_errors_have_a_unit_and_are_not_clipped() -> None:
    pair = grade_pair(DAY, Task.REGRESSION, ("1", np.array([1.0])), ("2", np.array([101.0])))
    assert pair.sums.sum == 100


def test_pairs_of_other_versions_are_left_out_and_days_are_in_order() -> None:
    def day(offset: int, challenger: str) -> DayPerformance:
        when = DAY + timedelta(offset)
        pair = grade_pair(when, Task.BINARY, ("1", np.array([0.1])), (challenger, np.array([0.2])))
        return DayPerformance(model="m", day=when, rows_predicted=1, rows_labelled=1, pairs=(pair,))

    found = paired_days([day(2, "2"), day(1, "3"), day(0, "2")], "1", "2")
    assert [sums.day for sums in found] == [DAY, DAY + timedelta(2)]


def test_a_day_survives_its_json() -> None:
    group = grade_version(Role.CHALLENGER, "2", Task.BINARY, np.array([0, 1]), np.array([[0.2], [0.4]]), np.array([0, 0]))
    day = DayPerformance(model="m", day=DAY, rows_predicted=3, rows_labelled=2, groups=(group,))
    assert DayPerformance.from_json(day.to_json()) == day


BASELINE = Baseline(model="m", version="1", rows=1, days=28, features=(), scores=(), loss=0.5, prevalence=0.3)
POLICY = PerformancePolicy()


def lived_day(
    offset: int, *, loss: float, rows: int = 100, version: str = "1", role: Role = Role.CHAMPION, seed: int = 0
) -> DayPerformance:
    """A day whose rows' losses spread by .3 around `loss`, and whose mean varies by .03 from day to day."""
    rng = np.random.default_rng((seed, offset))
    values = loss + rng.normal(scale=0.03) + rng.normal(scale=0.3, size=rows)
    group = GroupPerformance(
        role=role, version=version, rows=rows, loss_sum=float(values.sum()), loss_sum_squares=float(values @ values), prevalence=0.4
    )
    return DayPerformance(model="m", day=DAY + timedelta(offset), rows_predicted=rows, rows_labelled=rows, groups=(group,))


def test_a_loss_like_that_at_training_is_no_decay() -> None:
    decay = detect_decay([lived_day(offset, loss=0.5) for offset in range(28)], BASELINE, POLICY)
    assert decay.ready
    assert not decay.alert
    assert decay.excess == pytest.approx(0, abs=0.02)
    assert decay.prevalence == pytest.approx(0.4)
    assert decay.baseline_prevalence == 0.3


def test_a_loss_above_that_at_training_is_decay() -> None:
    decay = detect_decay([lived_day(offset, loss=0.6) for offset in range(14)], BASELINE, POLICY)
    assert decay.alert
    assert decay.loss == pytest.approx(0.6, abs=0.02)
    assert decay.low is not None
    assert decay.margin == pytest.approx(0.01)
    assert 0.01 < decay.low < 0.1


def test_a_bad_month_is_seen_behind_a_good_year() -> None:
    days = [lived_day(offset, loss=0.45) for offset in range(337)] + [lived_day(offset, loss=0.6) for offset in range(337, 365)]
    assert detect_decay(days, BASELINE, POLICY).alert


@given(days=st.lists(st.dates(), min_size=1, max_size=8, unique=True), look_back=st.integers(2, 10**12))
def test_a_champion_is_judged_on_any_days(days: list[date], look_back: int) -> None:
    lived = [lived_day(0, loss=0.5).model_copy(update={"day": day}) for day in days]
    decay = detect_decay(lived, BASELINE, POLICY.model_copy(update={"look_back_days": look_back}))
    assert decay.days == sum((max(days) - day).days < look_back for day in days)


def test_excess_below_the_smallest_that_counts_is_no_decay() -> None:
    days = [lived_day(offset, loss=0.505, rows=20_000) for offset in range(28)]
    assert not detect_decay(days, BASELINE, POLICY).alert


@pytest.mark.parametrize(("days", "rows"), [(6, 1000), (20, 20)])
def test_few_days_or_labels_are_not_judged(days: int, rows: int) -> None:
    decay = detect_decay([lived_day(offset, loss=3.0, rows=rows) for offset in range(days)], BASELINE, POLICY)
    assert not decay.ready
    assert not decay.alert


def test_other_versions_and_roles_do_not_count() -> None:
    days = [lived_day(offset, loss=5.0, version="2") for offset in range(20)]
    days += [lived_day(offset, loss=5.0, role=Role.CHALLENGER) for offset in range(20)]
    decay = detect_decay(days, BASELINE, POLICY)
    assert (decay.rows, decay.days, decay.loss, decay.alert) == (0, 0, None, False)


def test_a_baseline_without_a_loss_has_no_decay() -> None:
    unmeasured = BASELINE.model_copy(update={"loss": None})
    decay = detect_decay([lived_day(offset, loss=5.0) for offset in range(20)], unmeasured, POLICY)
    assert (decay.excess, decay.ready, decay.alert) == (None, False, False)


def test_the_excess_of_one_day_has_no_bound() -> None:
    decay = detect_decay([lived_day(0, loss=0.7)], BASELINE, POLICY)
    assert decay.excess == pytest.approx(0.2, abs=0.15)
    assert decay.low is None
