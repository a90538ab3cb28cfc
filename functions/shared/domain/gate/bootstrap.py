"""Inference on a mean per row when rows of one day share its shocks.

So days are resampled, not rows.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class DayClusteredMean:
    """A mean per row and its standard error over days.

    It also holds how the studentized mean varies between resamples.

    `studentized` is sorted. With fewer than two days the standard error is infinite, and every bound with it.
    """

    estimate: float
    standard_error: float
    studentized: Floats
    rows: int
    days: int

    def low(self, alpha: float) -> float:
        """Lower bound that exceeds the true mean with chance `alpha`."""
        return self.estimate - self._reach(1 - alpha)

    def high(self, alpha: float) -> float:
        """Return the upper bound that the true mean exceeds with chance `alpha`."""
        return self.estimate - self._reach(alpha)

    def p_above(self, margin: float) -> float:
        """Return the p-value of a true mean of at most `margin`.

        It is one-sided; if it is small, the mean lies above.
        """
        if self.standard_error == 0:
            return 1.0 if self.estimate <= margin else 0.0
        observed = (self.estimate - margin) / self.standard_error
        as_extreme = self.studentized.size - int(np.searchsorted(self.studentized, observed, side="left"))
        return (1 + as_extreme) / (1 + self.studentized.size)

    def _reach(self, probability: float) -> float:
        """Return the quantile of the mean's error, one order statistic outward.

        So few resamples widen the bounds.
        """
        if self.standard_error == 0:
            return 0.0
        if math.isinf(self.standard_error):
            return math.copysign(math.inf, probability - 0.5)
        rank = probability * (self.studentized.size - 1)
        outer = math.ceil(rank) if probability > 0.5 else math.floor(rank)
        return float(self.studentized[outer]) * self.standard_error


def mean_over_days(days: Days, values: Floats, *, resamples: int, rng: np.random.Generator) -> DayClusteredMean:
    """Return the mean of `values` with a bootstrap-t over days as clusters.

    Each resample draws as many days as there are, with replacement, and studentizes its mean by its own day-cluster
    standard error √[D/(D - 1) Σ(sum - mean · rows)²]/rows. Studentizing makes up for the few days, where percentile
    intervals are too narrow.

    Source: Cameron, Gelbach and Miller, "Bootstrap-based improvements for inference with clustered errors", Rev. Econ.
    Stat. 90 (2008); Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 12.

    Args:
        days: each row's event day, n of them, n ≥ 1.
        values: each row's value, n of them, finite.
        resamples: how many; the smallest p-value is 1/(resamples + 1).
        rng: source of the resamples, which alone makes the result random.

    >>> three_days = np.array(["2013-01-01", "2013-01-02", "2013-01-02", "2013-01-03"], dtype="datetime64[D]")
    >>> mean = mean_over_days(three_days, np.array([1.0, 2.0, 3.0, 6.0]), resamples=200, rng=np.random.default_rng(0))
    >>> mean.estimate, mean.days, round(mean.standard_error, 4)
    (3.0, 3, 1.1456)
    """
    _, day_of_row = np.unique(days, return_inverse=True)
    rows = np.bincount(day_of_row).astype(np.float64)
    sums = np.bincount(day_of_row, weights=values)
    estimate = float(sums.sum() / rows.sum())
    count = rows.size
    if count < 2:
        return DayClusteredMean(estimate, math.inf, np.zeros(resamples), values.size, count)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
    drawn_rows = drawn @ rows
    means = drawn @ sums / drawn_rows
    squares = np.maximum(drawn @ sums**2 - 2 * means * (drawn @ (sums * rows)) + means**2 * (drawn @ rows**2), 0.0)
    errors = np.sqrt(count / (count - 1) * squares) / drawn_rows
    shifts = means - estimate
    studentized = np.divide(shifts, errors, out=np.copysign(np.inf, shifts), where=errors > 0)
    studentized[(errors == 0) & (shifts == 0)] = 0.0
    error = math.sqrt(count / (count - 1) * float(((sums - estimate * rows) ** 2).sum())) / float(rows.sum())
    return DayClusteredMean(estimate, error, np.sort(studentized), values.size, count)


def holm(p_values: Floats, alpha: float) -> NDArray[np.bool_]:
    """Return which hypotheses Holm's method rejects.

    The chance of any false rejection stays below `alpha`.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6 (1979).

    >>> holm(np.array([0.04, 0.01, 0.03]), alpha=0.05).tolist()
    [False, True, False]
    """
    order = np.argsort(p_values, kind="stable")
    passed = p_values[order] <= alpha / np.arange(p_values.size, 0, -1)
    rejected = np.zeros(p_values.size, dtype=np.bool_)
    rejected[order] = np.logical_and.accumulate(passed)
    return rejected
