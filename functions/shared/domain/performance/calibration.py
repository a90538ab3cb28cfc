"""Calibrate a binary model's scores to probabilities.

They hold on rows that the model was not fitted on, and say how sure they are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.document import Value

type Floats = NDArray[np.float64]
type Fit = Callable[[Floats, Floats, Floats], Floats]
"""Probabilities at the groups' scores from these scores, the positive rows and all rows of each; shapes (groups,)."""

PROBABILITY_FLOOR = 1e-6
CALIBRATION_BINS = 10
ISOTONIC_FROM = 1000
RESAMPLES = 100
FOLDS = 5
KNOTS = 60
NEWTON_STEPS = 15
# Keeps the fit finite where the classes are apart; below the weight of one row.
RIDGE = 1e-3


class Calibration(Value):
    """Calibrated probability by score.

    It is fitted on `rows` labelled rows that the model's fit did not see.

    `curve[i]` is the probability of the positive class at score `knots[i]`, straight lines between and level beyond;
    `counts[i]` rows have scores nearest to it; `resampled` holds the curves of bootstrap samples of the rows, on the
    same knots. `low` and `high` are the scores' 0.5 and 99.5 % quantiles. `error_high` is the one-sided 95 % upper bound
    of the cross-fitted calibration error. `rarer_class` counts the rows of the rarer class.
    """

    method: Literal["platt", "isotonic"]
    rows: int
    rarer_class: int
    low: float
    high: float
    error_high: float
    knots: tuple[float, ...]
    counts: tuple[int, ...]
    curve: tuple[float, ...]
    resampled: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class ScoreGroups:
    """Groups of rows with like scores.

    Each has its mean score, rising, and its number of rows; both of shape (groups,).

    `index` is each row's group, shape (rows,).
    """

    scores: Floats
    counts: Floats
    index: NDArray[np.intp]

    @classmethod
    def of(cls, scores: Floats, limit: int) -> Self:
        """Return at most `limit` groups of nearly equal size.

        Equal scores are never split. If there are few scores, each has a group.
        """
        distinct, index, counts = np.unique(scores, return_inverse=True, return_counts=True)
        if distinct.size > limit:
            middle = np.cumsum(counts) - counts / 2
            group = np.unique((middle * limit / scores.size).astype(np.intp), return_inverse=True)[1]
            index = group[index]
        sizes = np.bincount(index).astype(np.float64)
        return cls(scores=np.bincount(index, weights=scores) / sizes, counts=sizes, index=index)


def fit_calibration(positive: NDArray[np.bool_], scores: Floats, rng: np.random.Generator) -> Calibration | None:
    """Fit a calibration.

    It is Platt's with fewer than 1,000 rows of the rarer class, and isotonic regression otherwise.

    Platt's is a logistic regression on the score's logit, so a calibrated model leaves scores as they are. Rows of like
    scores are taken together in at most 60 groups.

    Args:
        positive: the row is of the positive class; shape (rows,).
        scores: probability of the positive class, of rows the fit did not see; shape (rows,).
        rng: source of the bootstrap and of the folds.

    Returns:
        None if the rows are of one class.
    """
    positives = int(np.count_nonzero(positive))
    rarer = min(positives, positive.size - positives)
    if not rarer:
        return None
    method: Literal["platt", "isotonic"] = "platt" if rarer < ISOTONIC_FROM else "isotonic"
    fit: Fit = _platt if method == "platt" else _isotonic
    groups = ScoreGroups.of(scores, KNOTS)
    hits = np.bincount(groups.index, weights=positive)
    # A bootstrap of rows is a multinomial over the groups' positive and negative cells.
    cells = np.concatenate([hits, groups.counts - hits]) / scores.size
    samples = rng.multinomial(scores.size, cells, size=RESAMPLES).reshape(RESAMPLES, 2, -1).astype(np.float64)
    return Calibration(
        method=method,
        rows=scores.size,
        rarer_class=rarer,
        low=float(np.quantile(scores, 0.005)),
        high=float(np.quantile(scores, 0.995)),
        error_high=_error_bound(groups, positive, fit, rng),
        knots=tuple(groups.scores.tolist()),
        counts=tuple(groups.counts.astype(int).tolist()),
        curve=_rounded(fit(groups.scores, hits, groups.counts)),
        resampled=tuple(_rounded(fit(groups.scores, sample[0], sample.sum(axis=0))) for sample in samples),
    )


def _error_bound(groups: ScoreGroups, positive: NDArray[np.bool_], fit: Fit, rng: np.random.Generator) -> float:
    """Return the upper bound of the calibration error of fits on other rows.

    Each fit uses four fifths of the rows and is measured on the last fifth.

    The error is above 0 by noise alone, and a bootstrap's by noise twice: the pivotal bound 2 x error - lower quantile
    takes it out.
    """
    width = groups.scores.size
    cell = rng.integers(0, FOLDS, positive.size) * width + groups.index
    rows = np.bincount(cell, minlength=FOLDS * width).astype(np.float64)
    hits = np.bincount(cell, weights=positive, minlength=FOLDS * width)
    by_fold = [(hits[fold * width : (fold + 1) * width], rows[fold * width : (fold + 1) * width]) for fold in range(FOLDS)]
    total_hits, total_rows = hits.reshape(FOLDS, width).sum(axis=0), rows.reshape(FOLDS, width).sum(axis=0)
    expected = np.concatenate([fit(groups.scores, total_hits - held, total_rows - size) for held, size in by_fold])
    bins = np.minimum((expected * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    member = bins[:, np.newaxis] == np.arange(CALIBRATION_BINS)

    def error(hit: Floats, size: Floats) -> Floats:
        gaps = (size * expected - hit) @ member
        return np.asarray(np.abs(gaps).sum(axis=-1) / positive.size)

    samples = rng.multinomial(positive.size, np.concatenate([hits, rows - hits]) / positive.size, size=RESAMPLES)
    resampled = samples.reshape(RESAMPLES, 2, -1).astype(np.float64)
    errors = error(resampled[:, 0], resampled.sum(axis=1))
    return max(0.0, float(2 * error(hits, rows) - np.quantile(errors, 0.05)))


def _platt(scores: Floats, hits: Floats, rows: Floats) -> Floats:
    """Logistic regression on the logit of the score, by Newton's method."""
    clipped = np.clip(scores, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    design = np.stack([np.log(clipped / (1 - clipped)), np.ones_like(clipped)], axis=1)
    start = np.array([1.0, 0.0])
    weights = start
    for _ in range(NEWTON_STEPS):
        expected = _logistic(design @ weights)
        gradient = design.T @ (hits - rows * expected) - RIDGE * (weights - start)
        curvature = (design * (rows * expected * (1 - expected))[:, np.newaxis]).T @ design + RIDGE * np.eye(2)
        weights = weights + np.linalg.solve(curvature, gradient)
    return _logistic(design @ weights)


def _isotonic(scores: Floats, hits: Floats, rows: Floats) -> Floats:
    """Return the rising probabilities nearest to the groups' shares of positives."""
    from scipy.optimize import isotonic_regression

    present = rows > 0
    risen = isotonic_regression(hits[present] / rows[present], weights=rows[present]).x
    return np.asarray(np.interp(scores, scores[present], risen))


def _logistic(value: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -500, 500))))


def _rounded(probabilities: Floats) -> tuple[float, ...]:
    """Return six digits: enough for a calibration, and a small document."""
    return tuple(np.clip(probabilities, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR).round(6).tolist())
