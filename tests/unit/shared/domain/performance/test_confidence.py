"""Bounds that may be looked at after every day."""

import math
from datetime import date, timedelta
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from functions.shared.domain.performance.confidence import DaySums, confidence_sequence, unit_margin

FIRST = date(2013, 1, 1)

DAYS = st.lists(
    st.lists(st.floats(-2, 2), min_size=1, max_size=30),
    min_size=2,
    max_size=12,
)


def sums(values_by_day: list[list[float]]) -> list[DaySums]:
    return [
        DaySums(day=FIRST + timedelta(number), rows=len(values), sum=sum(values), sum_squares=sum(v * v for v in values))
        for number, values in enumerate(values_by_day)
    ]


def robbins_margin(rows: int, alpha: float) -> float:
    """Where Robbins' half-normal mixture of likelihood ratios reaches 1/alpha, found numerically in its exact form."""
    tightness = -2 * math.log(2 * alpha)
    spread = (tightness + math.log(tightness + 1)) / 2000
    growth = rows * spread + 1

    def log_mixture_above_threshold(mean: float) -> float:
        x = rows * mean * math.sqrt(spread / growth)
        return float(math.log(2) - math.log(growth) / 2 + x * x / 2 + norm.logcdf(x) + math.log(alpha))

    return float(brentq(log_mixture_above_threshold, 1e-9, 10))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("rows", [100, 500, 2000, 50_000])
def test_the_margin_is_barely_wider_than_the_exact_mixture_boundary(rows: int, alpha: float) -> None:
    assert 1.0 <= unit_margin(rows, alpha) / robbins_margin(rows, alpha) < 1.15


@given(DAYS)
def test_the_estimate_and_the_rows_are_those_of_all_days_together(values_by_day: list[list[float]]) -> None:
    bounds = confidence_sequence(sums(values_by_day), 0.05)
    together = [value for values in values_by_day for value in values]
    assert bounds.estimate == pytest.approx(np.mean(together), abs=1e-12)
    assert (bounds.rows, bounds.days) == (len(together), len(values_by_day))
    assert bounds.low <= np.mean(together) + 1e-12
    assert bounds.high >= np.mean(together) - 1e-12


@given(DAYS)
def test_the_width_is_the_larger_of_rows_and_days_variance(values_by_day: list[list[float]]) -> None:
    together = np.concatenate(values_by_day)
    centred = np.array([sum(values) - together.mean() * len(values) for values in values_by_day])
    day_variance = len(centred) * np.var(centred, ddof=1) / together.size
    expected = math.sqrt(max(np.var(together, ddof=1), day_variance)) * unit_margin(together.size, 0.05)
    bounds = confidence_sequence(sums(values_by_day), 0.05)
    assert bounds.high - bounds.low == pytest.approx(2 * expected, abs=1e-6)


@given(DAYS, st.randoms(use_true_random=False))
def test_neither_the_order_of_days_nor_their_pieces_matter(values_by_day: list[list[float]], random: Random) -> None:
    whole = sums(values_by_day)
    pieces = [piece for number, values in enumerate(values_by_day) for piece in _pieces(number, values)]
    random.shuffle(pieces)
    expected, found = confidence_sequence(whole, 0.05), confidence_sequence(pieces, 0.05)
    assert (found.rows, found.days) == (expected.rows, expected.days)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def _pieces(number: int, values: list[float]) -> list[DaySums]:
    day = FIRST + timedelta(number)
    return [DaySums(day=day, rows=1, sum=value, sum_squares=value * value) for value in values]


@given(DAYS)
def test_changing_the_sign_of_all_values_mirrors_the_bounds(values_by_day: list[list[float]]) -> None:
    bounds = confidence_sequence(sums(values_by_day), 0.05)
    mirrored = confidence_sequence(sums([[-value for value in values] for values in values_by_day]), 0.05)
    assert mirrored.low == pytest.approx(-bounds.high, abs=1e-9)


def test_no_rows_say_nothing() -> None:
    bounds = confidence_sequence([DaySums(day=FIRST, rows=0, sum=0.0, sum_squares=0.0)], 0.05)
    assert (bounds.estimate, bounds.low, bounds.high, bounds.days) == (None, -math.inf, math.inf, 0)


def test_one_day_has_an_estimate_but_no_bounds() -> None:
    bounds = confidence_sequence(sums([[0.1, 0.3]]), 0.05)
    assert bounds.estimate == pytest.approx(0.2)
    assert (bounds.low, bounds.high) == (-math.inf, math.inf)


def test_days_that_differ_more_than_their_rows_widen_the_bounds() -> None:
    alike = confidence_sequence(sums([[0.0, 1.0] * 50] * 10), 0.05)
    unlike = confidence_sequence(sums([[float(number % 2)] * 100 for number in range(10)]), 0.05)
    assert unlike.high - unlike.low > 3 * (alike.high - alike.low)
