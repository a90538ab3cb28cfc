"""How good scores were, once the truth is known: the metrics of each task."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.performance.calibration import CALIBRATION_BINS
from functions.shared.domain.performance.losses import Scores, Truth, losses
from functions.shared.domain.spec import Task

METRICS: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: ("accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier", "ece"),
    Task.MULTICLASS: ("accuracy", "f1", "auc", "log_loss", "brier", "ece"),
    Task.REGRESSION: ("mae", "rmse", "r2", "mape"),
}


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
        truth: shape (rows,).
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


def auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> float | None:
    """Return the share of pairs that the scores rank correctly.

    Each pair is a positive and a negative row; ties count half.

    None without both classes. Shapes (rows,). Mann and Whitney's U over the number of pairs.
    """
    above, below = np.sort(scores[positive]), np.sort(scores[~positive])
    if not above.size or not below.size:
        return None
    beaten = np.searchsorted(below, above, side="left").sum() + np.searchsorted(below, above, side="right").sum()
    return float(beaten / 2 / above.size / below.size)


def calibration_error(hit: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Return the expected calibration error, 0 to 1.

    It is the mean distance of confidence and hits over ten equal bins of confidence.

    Binary tasks give the positive class and its probability, multiclass ones the predicted class. It is above 0 even for
    a perfect model, by about the noise of a bin. Source: Guo et al., On calibration of modern neural networks, 2017.

    Args:
        hit: what was predicted with this confidence did happen; shape (rows,).
        confidence: 0 to 1, shape (rows,).
    """
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - hit)
    return float(np.abs(gaps).sum() / hit.size)


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
