"""How good scores were, once the truth is known: metrics, losses, and the documents that hold them by event day.

Shapes and words used throughout: `scores` is float64 of shape (rows, outputs) as engines give it: one column with the
probability of the positive class (binary) or the prediction (regression), or one a class (multiclass). `truth` has shape
(rows,): the index of the true class among the spec's classes, or the true value of a regression.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.document import Document, Value
from functions.shared.domain.labels import LARGEST_TARGET
from functions.shared.domain.performance.calibration import CALIBRATION_BINS, PROBABILITY_FLOOR
from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task

METRICS: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: ("accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier", "ece"),
    Task.MULTICLASS: ("accuracy", "f1", "auc", "log_loss", "brier", "ece"),
    Task.REGRESSION: ("mae", "rmse", "r2", "mape"),
}

type Truth = NDArray[np.bool_ | np.integer[Any] | np.floating[Any]]
type Scores = NDArray[np.float64]


class Interval(Value):
    """A two-sided 95 % interval."""

    low: float
    high: float


class GroupPerformance(Value):
    """One version in one role on one event day, over all labelled rows that it scored, whoever answered them.

    `metrics` has the names of `METRICS`, None where undefined; `intervals` those that have one.
    `loss_sum` and `loss_sum_squares` are sums of `losses` and of their squares over the `rows`, so days add up.
    `prevalence` is the share of the positive class (binary only).
    """

    role: Role
    version: str
    rows: int
    metrics: Mapping[str, float | None] = Field(default_factory=dict)
    intervals: Mapping[str, Interval] = Field(default_factory=dict)
    loss_sum: float
    loss_sum_squares: float
    prevalence: float | None = None


class PairedLosses(Value):
    """A challenger against its champion on the rows of one event day that both scored and that are labelled.

    `sums` are over d = loss of challenger - loss of champion, one per row, clipped to [-2, 2] for a log loss (squared
    errors are not clipped): positive means that the challenger did worse. A row enters once, with the first label that
    came for it, and a later correction changes metrics but never these sums: the canary's bounds hold for sums that
    only grow.
    """

    champion: str
    challenger: str
    sums: DaySums


class BatchLosses(Value):
    """The champion's losses on the rows of one event day that one batch scored and that are labelled."""

    batch_id: str
    rows: int
    loss_sum: float


class DayPerformance(Document):
    """All that labels say about one event day of a model; restated whole when labels come late.

    `rows_predicted` counts the day's scored rows and `rows_labelled` those whose label has come, each row once. `batches` are those that
    scored them, so that what was estimated of a batch can be held against its own labels.
    """

    model: str
    day: date
    rows_predicted: int
    rows_labelled: int
    groups: tuple[GroupPerformance, ...] = ()
    pairs: tuple[PairedLosses, ...] = ()
    batches: tuple[BatchLosses, ...] = ()


def class_codes(labels: pa.Array | pa.ChunkedArray, classes: Sequence[str]) -> NDArray[np.int64]:
    """Index of each label (text) among the spec's classes, -1 for a missing or unknown one; shape (rows,).

    >>> class_codes(pa.array(["yes", None, "no", "?"]), ("no", "yes")).tolist()
    [1, -1, 0, -1]
    """
    indices = pc.index_in(labels, value_set=pa.array(classes, labels.type)).fill_null(-1)
    return np.asarray(indices.to_numpy(), dtype=np.int64)


def measure(task: Task, truth: Truth, scores: Scores, predicted: Codes | None) -> dict[str, float | None]:
    """The task's metrics (`METRICS`), None where one is undefined on these rows.

    - `accuracy`, `precision`, `recall` and `f1` are of the predictions, all others of the scores.
    - binary: `precision` needs a predicted, `recall` a true positive, `f1` either, `auc` both classes.
    - multiclass: `f1` is the mean over the classes that occur as truth or prediction, `auc` the mean of
      one-against-rest over the classes that occur as truth; `ece` is of the class with the highest score.
    - `log_loss` is the mean of `losses`; `brier` the mean squared error of the probability (binary, 0 to 1) or its
      sum over classes (multiclass, 0 to 2); `ece` see `calibration_error`.
    - regression: `mape` is a fraction, over rows whose truth is not 0; `r2` needs two different truths. A metric that
      overflows is undefined.

    Args:
        task: of the model.
        truth: shape (rows,), see above.
        scores: shape (rows, outputs).
        predicted: the number of each row's predicted outcome, shape (rows,), by the rule that was in force; None for a regression.
    """
    if not truth.size:
        return dict.fromkeys(METRICS[task])
    if predicted is None:
        return _regression(truth.astype(np.float64), scores[:, 0])
    if task is Task.BINARY:
        return _binary(truth == 1, scores, predicted == 1)
    return _multiclass(truth, scores, predicted)


def losses(task: Task, truth: Truth, scores: Scores) -> NDArray[np.float64]:
    """Each row's loss, shape (rows,): -ln of the true class's probability clipped to [1e-6, 1 - 1e-6], or squared error.

    A squared error is at most that of `LARGEST_TARGET`, so that its squares add up to a number however absurd an answer was.
    """
    match task:
        case Task.BINARY:
            likelihood = np.where(truth == 1, scores[:, 0], 1 - scores[:, 0])
        case Task.MULTICLASS:
            likelihood = np.take_along_axis(scores, truth.astype(np.intp)[:, np.newaxis], axis=1)[:, 0]
        case Task.REGRESSION:
            return np.clip(scores[:, 0] - truth, -LARGEST_TARGET, LARGEST_TARGET).astype(np.float64) ** 2
    return -np.log(np.clip(likelihood, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR))


def auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """Share of pairs of a positive and a negative row that the scores rank rightly, ties counting half.

    None without both classes. Shapes (rows,). Mann and Whitney's U over the number of pairs.
    """
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])
    if not above.size or not below.size:
        return None
    beaten = np.searchsorted(below, above, side="left").sum() + np.searchsorted(below, above, side="right").sum()
    return float(beaten / 2 / above.size / below.size)


def calibration_error(hit: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Expected calibration error, 0 to 1: mean distance of confidence and hits over ten equal bins of confidence.

    Binary tasks give the positive class and its probability, multiclass ones the predicted class. It is above 0 even for
    a perfect model, by about the noise of a bin. Source: Guo et al., On calibration of modern neural networks, 2017.

    Args:
        hit: what was predicted with this confidence did happen; shape (rows,).
        confidence: 0 to 1, shape (rows,).
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - hit)
    return float(np.abs(gaps).sum() / hit.size)


def paired_days(days: Sequence[DayPerformance], champion: str, challenger: str) -> list[DaySums]:
    """The sums of one pair of versions by day, in order of day."""
    pairs = [pair for day in days for pair in day.pairs if (pair.champion, pair.challenger) == (champion, challenger)]
    return sorted((pair.sums for pair in pairs), key=lambda sums: sums.day)


def _binary(positive: NDArray[np.bool_], scores: Scores, predicted: NDArray[np.bool_]) -> dict[str, float | None]:
    score = scores[:, 0]
    return {
        "accuracy": float(np.mean(predicted == positive)),
        "precision": _share(predicted & positive, predicted),
        "recall": _share(predicted & positive, positive),
        "f1": _f1(positive, predicted),
        "auc": auc(positive, score),
        "log_loss": float(losses(Task.BINARY, positive, scores).mean()),
        "brier": float(np.mean((score - positive) ** 2)),
        "ece": calibration_error(positive, score),
    }


def _multiclass(truth: Truth, scores: Scores, predicted: Codes) -> dict[str, float | None]:
    classes = range(scores.shape[1])
    f1 = [_f1(truth == label, predicted == label) for label in classes]
    ranked = [auc(truth == label, scores[:, label]) for label in classes]
    is_truth = truth[:, np.newaxis] == np.arange(scores.shape[1])
    return {
        "accuracy": float(np.mean(predicted == truth)),
        "f1": _mean_of_defined(f1),
        "auc": _mean_of_defined(ranked),
        "log_loss": float(losses(Task.MULTICLASS, truth, scores).mean()),
        "brier": float(np.mean(np.sum((scores - is_truth) ** 2, axis=1))),
        "ece": calibration_error(scores.argmax(axis=1) == truth, scores.max(axis=1)),
    }


def _regression(truth: NDArray[np.float64], prediction: NDArray[np.float64]) -> dict[str, float | None]:
    with np.errstate(all="ignore"):
        error = prediction - truth
        squared = np.sum(error**2)
        found = {
            "mae": np.abs(error).mean(),
            "rmse": np.sqrt(squared / error.size),
            "r2": 1 - squared / np.sum((truth - truth.mean()) ** 2),
            "mape": np.sum(np.abs(error / truth), where=truth != 0) / np.count_nonzero(truth),
        }
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _f1(positive: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float | None:
    overlap = _share(predicted & positive, predicted | positive)
    return None if overlap is None else 2 * overlap / (1 + overlap)


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float | None:
    count = int(np.count_nonzero(whole))
    return int(np.count_nonzero(part)) / count if count else None


def _mean_of_defined(values: list[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None
