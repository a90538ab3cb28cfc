"""Intervals against SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binomtest, norm, ttest_1samp

from functions.shared.domain.performance.intervals import auc_interval, intervals, mean_interval, wilson
from functions.shared.domain.performance.metrics import measure
from functions.shared.domain.spec import Task
from tests.unit.shared.domain.performance.answers import most_probable

type Floats = NDArray[np.float64]


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
