"""What each threshold on the score gets wrong, and which of them costs least."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.document import Value
from functions.shared.domain.policy import Costs

MOST_THRESHOLDS = 200
COST = "cost"
"""The metric of a binary model that is the mean of `cost_by_row`."""


class ErrorCurve(Value):
    """Wrong answers on `rows` rows of known truth.

    They are given by the score from which the positive class is predicted.

    `thresholds` rise, from one that no score is below to one that all scores are. They lie half-way between two scores, so that
    the last digits of a score change no answer.
    """

    rows: int
    thresholds: tuple[float, ...]
    false_positives: tuple[int, ...]
    false_negatives: tuple[int, ...]

    def cheapest(self, costs: Costs) -> float:
        """Return the threshold whose wrong answers cost least; the lowest of several.

        >>> curve = ErrorCurve(rows=4, thresholds=(0.1, 0.5, 0.9), false_positives=(2, 1, 0), false_negatives=(0, 0, 2))
        >>> curve.cheapest(Costs(false_positive=1, false_negative=20)), curve.cheapest(Costs(false_positive=20, false_negative=1))
        (0.5, 0.9)
        """
        wrong = np.array((self.false_positives, self.false_negatives), dtype=np.float64)
        total = np.array((costs.false_positive, costs.false_negative)) @ wrong
        return self.thresholds[int(np.argmin(total))]


def error_curve(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> ErrorCurve:
    """Return the curve of a binary model on rows that it did not learn from.

    Args:
        positive: whether a row is of the positive class; shape (rows,), one or more.
        scores: its probability, 0 to 1; shape (rows,).
    """
    distinct = np.unique(scores)
    between = (distinct[:-1] + distinct[1:]) / 2
    places = np.unique(np.linspace(0, max(between.size - 1, 0), MOST_THRESHOLDS - 2).round().astype(np.intp))[: between.size]
    above_all = np.nextafter(max(1.0, distinct[-1]), np.inf)
    thresholds = np.unique(np.concatenate([[min(0.0, distinct[0])], between[places], [above_all]]))
    false_positives = _from_on(scores[~positive], thresholds)
    false_negatives = np.count_nonzero(positive) - _from_on(scores[positive], thresholds)
    return ErrorCurve(
        rows=positive.size,
        thresholds=tuple(thresholds.tolist()),
        false_positives=tuple(false_positives.tolist()),
        false_negatives=tuple(false_negatives.tolist()),
    )


def cost_by_row(positive: NDArray[np.bool_], predicted: NDArray[np.bool_], costs: Costs) -> NDArray[np.float64]:
    """Return what each answer costs, in the unit of `costs`; all of shape (rows,)."""
    wrong_alarm, missed = predicted & ~positive, positive & ~predicted
    return costs.false_positive * wrong_alarm + costs.false_negative * missed


def _from_on(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.integer[Any]]:
    """Return how many scores are no lower than each threshold."""
    return scores.size - np.searchsorted(np.sort(scores), thresholds, side="left")
