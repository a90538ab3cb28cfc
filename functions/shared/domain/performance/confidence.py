"""A mean that may be looked at as often as one likes.

Its bounds are uniform over time, from sums by day.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import attrgetter

from pydantic import Field

from functions.shared.domain.document import Value

_TIGHTEST_AT_ROWS = 2000


class DaySums(Value):
    """Rows of one event day: their number and sums.

    The sums are those of the values and of their squares.

    Sums add up: two entries of one day stand for the rows of both.
    """

    day: date
    rows: int = Field(ge=0)
    sum: float
    sum_squares: float = Field(ge=0)


@dataclass(frozen=True, slots=True)
class Bounds:
    """A mean per row and its one-sided bounds, each valid at all times at once.

    `estimate` is None without rows; `low` and `high` are infinite until two days have been seen, since one day says
    nothing of how days differ.
    """

    estimate: float | None
    low: float
    high: float
    rows: int
    days: int


def confidence_sequence(days: Sequence[DaySums], alpha: float) -> Bounds:
    """Return one-sided asymptotic confidence sequences of the mean per row.

    Each of `low` and `high` misses the true mean at *any* time of the stream with probability at most about `alpha`,
    so a rule may look after every day and stop when it likes. The mean found at such a stop is biased away from zero.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
    confidence sequences", Ann. Statist. 52 (2024), the one-sided sequence. At t rows the distance to the mean is
    s √[2(tr + 1)/(t²r) · ln(1 + √(tr + 1)/(2 alpha))], with r such that it is tightest near 2,000 rows. It is Robbins'
    half-normal mixture boundary with the normal distribution function at x ≥ 0 replaced by its lower bound
    1 - exp(-x²/2), hence slightly wide.

    Rows of one day share its shocks, so s² is the larger of the rows' variance and t times the variance of the mean
    over days as clusters, D/(D - 1) Σ(sum - mean · rows)²/t² for D days.

    Args:
        days: sums by day in any order; days without rows do not count.
        alpha: chance of missing, a side, in (0, 1/2).

    >>> week = [DaySums(day=date(2013, 1, d), rows=200, sum=2.0 * (d % 2), sum_squares=50.0) for d in range(1, 8)]
    >>> bounds = confidence_sequence(week, alpha=0.05)
    >>> bounds.rows, bounds.days, round(bounds.estimate or 0, 4), bounds.low < 0 < bounds.high
    (1400, 7, 0.0057, True)
    """
    clusters = _by_day(days)
    rows = sum(cluster.rows for cluster in clusters)
    if not rows:
        return Bounds(None, -math.inf, math.inf, 0, 0)
    mean = math.fsum(cluster.sum for cluster in clusters) / rows
    if len(clusters) < 2:
        return Bounds(mean, -math.inf, math.inf, rows, len(clusters))
    row_variance = max(0.0, math.fsum(cluster.sum_squares for cluster in clusters) / rows - mean**2) * rows / (rows - 1)
    correction = len(clusters) / (len(clusters) - 1)
    day_variance = correction * math.fsum((cluster.sum - mean * cluster.rows) ** 2 for cluster in clusters) / rows
    margin = math.sqrt(max(row_variance, day_variance)) * unit_margin(rows, alpha)
    return Bounds(mean, mean - margin, mean + margin, rows, len(clusters))


def unit_margin(rows: float, alpha: float, *, tightest: int = _TIGHTEST_AT_ROWS) -> float:
    """Return how far a one-sided bound is from the mean of values of variance 1.

    There are `rows` of them; the bound is tightest near `tightest` rows.
    """
    tightness = -2 * math.log(2 * alpha)
    r = (tightness + math.log(tightness + 1)) / tightest
    growth = rows * r + 1
    return math.sqrt(2 * growth / (rows**2 * r) * math.log1p(math.sqrt(growth) / (2 * alpha)))


def _by_day(days: Sequence[DaySums]) -> list[DaySums]:
    """Return one entry a day, each with rows."""
    in_order = sorted((entry for entry in days if entry.rows), key=attrgetter("day"))
    return [_added(day, list(entries)) for day, entries in groupby(in_order, key=attrgetter("day"))]


def _added(day: date, entries: Sequence[DaySums]) -> DaySums:
    return DaySums(
        day=day,
        rows=sum(entry.rows for entry in entries),
        sum=math.fsum(entry.sum for entry in entries),
        sum_squares=math.fsum(entry.sum_squares for entry in entries),
    )
