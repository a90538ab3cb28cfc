"""Metrics of a holdout written as means over its rows.

So one interval over days serves them all.

Each function gives one value per row whose mean *is* the metric on these rows and whose spread over days is the
metric's own: exact for a loss, the first-order influence for AUC and ECE.
"""

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.gate.bootstrap import Floats
from functions.shared.domain.performance.calibration import CALIBRATION_BINS


def auc_by_row(positive: NDArray[np.bool_], score: Floats) -> Floats:
    """Return values whose mean is the area under the ROC curve.

    A positive row counts the share of negatives ranked below it, a negative one the share of positives above it (ties
    by half), both less the area and scaled to their class. Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44
    (1988); summed by cluster: Obuchowski, Biometrics 53 (1997).

    Args:
        positive: n, with at least one true and one false.
        score: n, higher for the positive class.

    >>> auc_by_row(np.array([False, True, True]), np.array([0.2, 0.9, 0.1])).mean().item()
    0.5
    """
    placements = np.empty(score.size)
    placements[positive] = _share_below(score[~positive], score[positive])
    placements[~positive] = 1 - _share_below(score[positive], score[~positive])
    area = placements[positive].mean()
    class_share = np.where(positive, positive.mean(), 1 - positive.mean())
    result: Floats = area + (placements - area) / class_share
    return result


def ece_by_row(correct: NDArray[np.bool_], confidence: Floats) -> Floats:
    """Return values whose mean is the expected calibration error.

    It is taken over `CALIBRATION_BINS` equal bins of [0, 1].

    The error of a bin is the absolute sum of outcome minus probability, so each row counts its own difference with its
    bin's sign. Source: Naeini, Cooper and Hauskrecht, AAAI 2015.

    Args:
        correct: n outcomes of the event that `confidence` is the probability of.
        confidence: n probabilities.

    >>> ece_by_row(np.array([True, False, True]), np.array([0.95, 0.95, 0.35])).mean().round(4).item()
    0.5167
    """
    surplus = correct - confidence
    bin_of_row = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    signs = np.sign(np.bincount(bin_of_row, weights=surplus, minlength=CALIBRATION_BINS))
    result: Floats = signs[bin_of_row] * surplus
    return result


def brier_by_row(truth: NDArray[np.intp], probabilities: Floats) -> Floats:
    """Return the squared distance of the probabilities from what happened.

    It is 0 to 1 for two classes, and 0 to 2 for more.

    Args:
        truth: n class numbers.
        probabilities: (n, 1) of class 1, or (n, classes).
    """
    if probabilities.shape[1] == 1:
        return np.asarray((probabilities[:, 0] - truth) ** 2, dtype=np.float64)
    happened = truth[:, np.newaxis] == np.arange(probabilities.shape[1])
    return np.asarray(((probabilities - happened) ** 2).sum(axis=1), dtype=np.float64)


def _share_below(reference: Floats, values: Floats) -> Floats:
    """Return the share of `reference` below each value, ties by half."""
    ordered = np.sort(reference)
    ranks = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    result: Floats = ranks / (2 * ordered.size)
    return result
