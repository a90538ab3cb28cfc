"""The baseline of a version: its features and scores at training.

It also records how much the version's days differ from each other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field

from functions.shared.domain.document import Document, Value
from functions.shared.domain.drift.binning import Bins, Codes, Column, bin_codes, bin_count, bin_counts, fit_bins
from functions.shared.domain.drift.divergence import Counts, psi, sampling_noise
from functions.shared.domain.drift.effect import BinMeans
from functions.shared.domain.performance.calibration import Calibration
from functions.shared.domain.performance.error_curve import ErrorCurve
from functions.shared.domain.spec import FeatureKind, ModelSpec

type Days = NDArray[np.datetime64]

MIN_DAYS = 14
MIN_RUNS = 4
RUN_DAYS = (1, 3, 7, 14, 28)
_TAIL = np.array([0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4])
SHARES = (*_TAIL, 0.5, *(1 - _TAIL[::-1]))
"""Shares of rows that thresholds lie above, whose days are known: closer together where a class is rare."""


class DayExcess(Value):
    """How much runs of `days` successive days differ beyond random draws.

    It holds the mean and the variance of PSI in excess.
    """

    days: int
    mean: float
    variance: float


class ColumnBaseline(Value):
    """One column at training: its bins, and the training rows in each.

    It also records how much real days are known to differ.

    `excess` holds an entry for each length of run that training had enough days for, in rising order. `means` holds, by
    output and bin, the mean score if this feature lay in that bin; empty where the version does not record it.
    """

    bins: Bins
    counts: tuple[int, ...]
    excess: tuple[DayExcess, ...] = ()
    means: BinMeans = ()


class ThresholdDays(Value):
    """How much runs of days differ in the share of rows from a threshold on.

    `excess` is that of two bins: rows below the threshold, and the others.
    """

    threshold: float
    excess: tuple[DayExcess, ...]


class Baseline(Document):
    """What a version's features and scores looked like at training.

    It also holds how well the version did on rows that it had not seen.

    `out_of_time` holds the metrics on the newest rows, which the fit did not see; `loss` the mean loss there
    (log loss, or squared error for a regression), with each row's cut at `loss_ceiling` if there is one (regression only),
    and `prevalence` the share of the positive class (binary only). `calibration` serves the estimate of performance before
    labels, `error_curve` the choice of a threshold by costs, and `threshold_days`, in rising order, the drift of the share predicted
    positive (all binary only; the last needs enough days, and earlier versions do not have it).
    """

    model: str
    version: str
    rows: int
    days: int
    features: tuple[ColumnBaseline, ...]
    scores: tuple[ColumnBaseline, ...]
    out_of_time: Mapping[str, float | None] = Field(default_factory=dict)
    loss: float | None = None
    loss_ceiling: float | None = None
    prevalence: float | None = None
    calibration: Calibration | None = None
    error_curve: ErrorCurve | None = None
    threshold_days: tuple[ThresholdDays, ...] = ()


def build_column_baseline(name: str, kind: FeatureKind, values: Column, days: Days | None = None) -> ColumnBaseline:
    """Return a column's bins and its training rows in each.

    The bins are fitted on the column's training values; it also has the excess of its days.

    Args:
        values: one a row; null and NaN are missing.
        days: event day of each row, shape (rows,), or None where there is no time column.
    """
    bins = fit_bins(name, kind, values)
    codes = bin_codes(bins, values)
    excess = () if days is None else day_excess(codes, days, bin_count(bins))
    return ColumnBaseline(bins=bins, counts=tuple(bin_counts(bins, codes).tolist()), excess=excess)


def build_baseline(
    model: str,
    version: str,
    table: pa.Table,
    spec: ModelSpec,
    scores: NDArray[np.float64],
    *,
    days: Days | None = None,
    score_days: Days | None = None,
    out_of_time: Mapping[str, float | None] | None = None,
    loss: float | None = None,
    loss_ceiling: float | None = None,
    prevalence: float | None = None,
    calibration: Calibration | None = None,
    error_curve: ErrorCurve | None = None,
) -> Baseline:
    """Return the baseline of a version.

    Args:
        table: training rows with all of the spec's features.
        scores: shape (scored rows, outputs), of rows the fit did not see: a model is surer of rows it was fitted on,
            and later batches would seem to drift. They need not be the rows of `table`.
        days: event day of each row of `table`.
        score_days: event day of each row of `scores`.
        out_of_time: metrics on the newest rows, which the fit did not see.
        loss: mean loss there, each row's cut at `loss_ceiling`.
        loss_ceiling: the most that one row's loss counts with (regression only).
        prevalence: share of the positive class there (binary only).
        calibration: of the scores there (binary only).
        error_curve: of the same.
    """
    features = [build_column_baseline(feature.name, feature.kind, table[feature.name], days) for feature in spec.features]
    outputs = [
        build_column_baseline(name, FeatureKind.NUMBER, pa.array(column), score_days)
        for name, column in zip(spec.score_columns, scores.T, strict=True)
    ]
    return Baseline(
        model=model,
        version=version,
        rows=table.num_rows,
        days=0 if days is None else len(np.unique(days)),
        features=tuple(features),
        scores=tuple(outputs),
        out_of_time=out_of_time or {},
        loss=loss,
        loss_ceiling=loss_ceiling,
        prevalence=prevalence,
        calibration=calibration,
        error_curve=error_curve,
        threshold_days=() if error_curve is None or score_days is None else threshold_days(scores[:, 0], score_days),
    )


def day_excess(codes: Codes, days: Days, bins: int) -> tuple[DayExcess, ...]:
    """Return how much PSI between successive days exceeds that of random draws.

    Some successive days are compared with all others.

    For each length in `RUN_DAYS` of which training had four runs or more (and 14 days at all), every run of that many
    days is compared with all other days. The excess mean e is what the PSIs have on average above `sampling_noise`; the
    excess variance is what theirs has above that of a noncentral chi-squared with this e: 2 (B - 1) s² + 4 e s, with
    s = 1/n + 1/m. Neither is below 0.

    Args:
        codes: bin of each row, shape (rows,), below `bins`.
        days: event day of each row, shape (rows,).
        bins: number of bins, B.
    """
    return _excess(_by_day(codes, days, bins))


def threshold_days(scores: NDArray[np.float64], days: Days) -> tuple[ThresholdDays, ...]:
    """Return how much days differ in the share of rows that reach a threshold.

    The thresholds are quantiles of the scores; without enough days there are none.

    Args:
        scores: of a binary model, shape (rows,).
        days: event day of each row, shape (rows,).
    """
    thresholds = np.unique(np.quantile(scores, SHARES))
    by_day = _by_day(np.searchsorted(thresholds, scores, side="right"), days, thresholds.size + 1)
    below = np.cumsum(by_day, axis=1)[:, :-1]
    parts = np.stack([below, by_day.sum(axis=1, keepdims=True) - below], axis=-1)
    found = zip(thresholds.tolist(), map(_excess, np.moveaxis(parts, 1, 0)), strict=True)
    return tuple(ThresholdDays(threshold=threshold, excess=excess) for threshold, excess in found if excess)


def _by_day(codes: NDArray[np.integer[Any]], days: Days, bins: int) -> Counts:
    """Return the rows in each bin, shape (days, bins)."""
    distinct, day = np.unique(days, return_inverse=True)
    return np.bincount(day * bins + codes, minlength=distinct.size * bins).reshape(-1, bins)


def _excess(by_day: Counts) -> tuple[DayExcess, ...]:
    """Return the excess of each length of run that there are days enough for."""
    if len(by_day) < MIN_DAYS:
        return ()
    return tuple(_excess_of_runs(by_day, length) for length in RUN_DAYS if MIN_RUNS * length <= len(by_day))


def _excess_of_runs(by_day: Counts, length: int) -> DayExcess:
    """Return the excess of runs of `length` days; `by_day` is (days, bins)."""
    run = sliding_window_view(by_day, length, axis=0).sum(axis=-1)
    rest = by_day.sum(axis=0) - run
    spread = 1 / run.sum(axis=1) + 1 / rest.sum(axis=1)
    values = psi(rest, run)
    mean = max(0.0, float(np.mean(values - sampling_noise(rest, run))))
    random_variance = 2 * (by_day.shape[1] - 1) * spread**2 + 4 * mean * spread
    variance = max(0.0, float(np.var(values, ddof=1) - np.mean(random_variance)))
    return DayExcess(days=length, mean=mean, variance=variance)
