"""Intervals of the metrics of `performance.measure`, in closed form.

Rows must be drawn independently.

| metric | method |
| --- | --- |
| accuracy, precision, recall | Wilson's score interval |
| f1 (binary) | Wilson's for J = hits / (hits + both kinds of error), carried over by f1 = 2 J / (1 + J) |
| auc (binary) | Newcombe's method 5: score interval with Hanley and McNeil's variance |
| log_loss, brier, mae, mape | mean ± Student's t times the standard error |
| rmse, r2 | the mean squared error's interval carried over; for r2 with the spread of the truth held fixed |
| ece; f1 and auc of a multiclass task | none |

Rows of one day share its chance events, so across days these are too narrow: compare days by their own intervals, or
use `confidence.confidence_sequence`.
"""

from math import isfinite
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.performance.days import Interval
from functions.shared.domain.performance.losses import Scores, Truth, losses
from functions.shared.domain.performance.metrics import auc
from functions.shared.domain.spec import Task

CONFIDENCE = 0.95


def intervals(task: Task, truth: Truth, scores: Scores, predicted: Codes | None) -> dict[str, Interval]:
    """Return 95 % intervals of the task's metrics.

    Metrics that are undefined on these rows, or have no method, are left out.

    Arguments as `performance.measure` takes them.
    """
    if predicted is None:
        found = _regression(truth.astype(np.float64), scores[:, 0])
    elif task is Task.BINARY:
        found = _binary(truth == 1, scores, predicted == 1)
    else:
        found = _multiclass(truth, scores, predicted)
    return {name: interval for name, interval in found.items() if interval and isfinite(interval.low) and isfinite(interval.high)}


def wilson(successes: int, trials: int) -> Interval | None:
    """95 % interval of a proportion; None without trials.

    Source: Wilson, JASA 22, 1927.
    """
    if not trials:
        return None
    z = _normal_quantile()
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return Interval(low=max(0.0, float(centre - half)), high=min(1.0, float(centre + half)))


def auc_interval(value: float, positives: int, negatives: int) -> Interval:
    """Return a 95 % interval of an area under the ROC curve, 0 to 1.

    It stays wide where ranking was perfect.

    The bounds are the areas whose own standard error puts `value` at the edge of 95 %, with Hanley and McNeil's
    variance (Radiology 143, 1982). Source: Newcombe, Statistics in Medicine 25, 2006, method 5.
    """
    lower = _lowest_area(value, positives, negatives)
    upper = 1 - _lowest_area(1 - value, positives, negatives)
    return Interval(low=lower, high=upper)


def mean_interval(values: NDArray[np.float64]) -> Interval | None:
    """95 % interval of a mean by Student's t; None below two rows. Shape (rows,)."""
    if values.size < 2:
        return None
    from scipy.special import stdtrit

    t = float(stdtrit(values.size - 1, (1 + CONFIDENCE) / 2))
    with np.errstate(all="ignore"):
        mean, half = float(values.mean()), t * float(values.std(ddof=1)) / np.sqrt(values.size)
    return Interval(low=float(mean - half), high=float(mean + half))


def interval_from_zero(values: NDArray[np.float64]) -> Interval | None:
    """`mean_interval` of what cannot be below zero."""
    interval = mean_interval(values)
    return interval and Interval(low=max(0.0, interval.low), high=interval.high)


def _binary(positive: NDArray[np.bool_], scores: Scores, predicted: NDArray[np.bool_]) -> dict[str, Interval | None]:
    score = scores[:, 0]
    hits = int(np.count_nonzero(predicted & positive))
    area = auc(positive, score)
    positives = int(np.count_nonzero(positive))
    return {
        "accuracy": wilson(int(np.count_nonzero(predicted == positive)), positive.size),
        "precision": wilson(hits, int(np.count_nonzero(predicted))),
        "recall": wilson(hits, positives),
        "f1": _f1_interval(hits, int(np.count_nonzero(predicted | positive))),
        "auc": None if area is None else auc_interval(area, positives, positive.size - positives),
        "log_loss": interval_from_zero(losses(Task.BINARY, positive, scores)),
        "brier": interval_from_zero((score - positive) ** 2),
    }


def _multiclass(truth: Truth, scores: Scores, predicted: Codes) -> dict[str, Interval | None]:
    is_truth = truth[:, np.newaxis] == np.arange(scores.shape[1])
    return {
        "accuracy": wilson(int(np.count_nonzero(predicted == truth)), truth.size),
        "log_loss": interval_from_zero(losses(Task.MULTICLASS, truth, scores)),
        "brier": interval_from_zero(np.sum((scores - is_truth) ** 2, axis=1)),
    }


def _regression(truth: NDArray[np.float64], prediction: NDArray[np.float64]) -> dict[str, Interval | None]:
    nonzero = truth != 0
    with np.errstate(all="ignore"):
        error = prediction - truth
        relative = np.abs(error[nonzero] / truth[nonzero])
        squared = interval_from_zero(error**2)
    spread = float(np.var(truth)) if truth.size else 0.0
    return {
        "mae": interval_from_zero(np.abs(error)),
        "rmse": squared and Interval(low=float(np.sqrt(squared.low)), high=float(np.sqrt(squared.high))),
        "r2": Interval(low=1 - squared.high / spread, high=1 - squared.low / spread) if squared and spread else None,
        "mape": interval_from_zero(relative),
    }


def _f1_interval(hits: int, hits_and_errors: int) -> Interval | None:
    overlap = wilson(hits, hits_and_errors)
    return overlap and Interval(low=2 * overlap.low / (1 + overlap.low), high=2 * overlap.high / (1 + overlap.high))


def _lowest_area(value: float, positives: int, negatives: int) -> float:
    z = _normal_quantile()
    low, high = 0.0, value
    for _ in range(60):
        middle = (low + high) / 2
        if value - middle > z * np.sqrt(_auc_variance(middle, positives, negatives)):
            low = middle
        else:
            high = middle
    return low


def _auc_variance(area: float, positives: int, negatives: int) -> float:
    pooled = (positives + negatives) / 2 - 1
    shape = 1 + pooled * ((1 - area) / (2 - area) + area / (1 + area))
    return area * (1 - area) * shape / (positives * negatives)


def _normal_quantile() -> float:
    return NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
