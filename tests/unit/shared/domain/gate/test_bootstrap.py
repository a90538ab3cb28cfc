"""Inference on a mean over days as clusters, and Holm's correction."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import t as student

from functions.shared.domain.gate.bootstrap import holm, mean_over_days

FIRST = np.datetime64("2013-01-01")
BY_DAY = st.lists(st.lists(st.floats(-5, 5), min_size=1, max_size=8), min_size=2, max_size=15)


def rows_of(values_by_day: list[list[float]]) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    days = np.repeat(np.arange(len(values_by_day)), [len(values) for values in values_by_day])
    return FIRST + days.astype("timedelta64[D]"), np.concatenate(values_by_day)


@given(BY_DAY, st.floats(0.01, 0.4), st.floats(-3, 3))
def test_a_p_value_below_alpha_is_a_bound_above_the_margin(values_by_day: list[list[float]], alpha: float, margin: float) -> None:
    mean = mean_over_days(*rows_of(values_by_day), resamples=200, rng=np.random.default_rng(0))
    if mean.low(alpha) > margin:
        assert mean.p_above(margin) <= alpha + 2 / 201
    if mean.p_above(margin) > alpha + 2 / 201:
        assert mean.low(alpha) <= margin


@given(BY_DAY)
def test_bounds_enclose_the_mean_and_widen_with_confidence(values_by_day: list[list[float]]) -> None:
    mean = mean_over_days(*rows_of(values_by_day), resamples=200, rng=np.random.default_rng(0))
    assert mean.estimate == pytest.approx(np.concatenate(values_by_day).mean(), abs=1e-12)
    assert mean.low(0.01) <= mean.low(0.2)
    assert mean.high(0.2) <= mean.high(0.01)


def test_the_standard_error_of_equal_days_is_that_of_their_means() -> None:
    values = np.random.default_rng(0).normal(size=(20, 50))
    days, flat = rows_of(values.tolist())
    mean = mean_over_days(days, flat, resamples=200, rng=np.random.default_rng(0))
    assert mean.standard_error == pytest.approx(values.mean(axis=1).std(ddof=1) / math.sqrt(20))


def test_bounds_come_near_students_for_normal_days() -> None:
    half = np.random.default_rng(1).normal(size=14)
    values = np.concatenate([half, -half])  # skewness, which Student's t does not know of, is none
    mean = mean_over_days(*rows_of([[value] for value in values.tolist()]), resamples=20_000, rng=np.random.default_rng(2))
    reach = student.ppf(0.95, 27) * values.std(ddof=1) / math.sqrt(28)
    assert mean.low(0.05) == pytest.approx(values.mean() - reach, abs=0.12 * reach)
    assert mean.high(0.05) == pytest.approx(values.mean() + reach, abs=0.12 * reach)


def test_one_day_bounds_nothing_and_rejects_nothing() -> None:
    mean = mean_over_days(*rows_of([[1.0, 2.0]]), resamples=200, rng=np.random.default_rng(0))
    assert (mean.low(0.05), mean.high(0.05), mean.p_above(0.0)) == (-math.inf, math.inf, 1.0)


def test_values_that_are_all_equal_are_known_exactly() -> None:
    mean = mean_over_days(*rows_of([[2.0], [2.0, 2.0], [2.0]]), resamples=200, rng=np.random.default_rng(0))
    assert (mean.low(0.05), mean.high(0.05), mean.p_above(2.0), mean.p_above(1.9)) == (2.0, 2.0, 1.0, 0.0)


def test_holm_rejects_what_its_paper_says() -> None:
    """0.01 ≤ 0.05/4 and 0.015 ≤ 0.05/3; 0.04 > 0.05/2 stops it, so 0.045 ≤ 0.05 is not reached."""
    assert holm(np.array([0.045, 0.01, 0.04, 0.015]), 0.05).tolist() == [False, True, False, True]
    assert holm(np.array([]), 0.05).tolist() == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(0.001, 0.4))
def test_holm_lies_between_bonferroni_and_no_correction(p_values: list[float], alpha: float) -> None:
    values = np.array(p_values)
    rejected = holm(values, alpha)
    assert not np.any((values <= alpha / values.size) & ~rejected)
    assert not np.any(rejected & (values > alpha))
