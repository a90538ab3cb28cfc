"""What each model's predictions would have cost on the holdout.

A gate that compares costs needs it.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.gate.bootstrap import Days, Floats
from functions.shared.domain.performance.error_curve import error_curve
from functions.shared.domain.policy import Costs

FEWEST_DIFFERING, FEWEST_DEARER = 30, 5

type Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ComparedCosts:
    """What each row's answer by champion and challenger costs.

    Both have the shape (rows,); one wrong answer costs `each`.
    """

    champion: Floats
    challenger: Floats
    each: Costs

    @property
    def differing(self) -> int:
        """How many rows cost differently by both models; no other says who is cheaper."""
        return int(np.count_nonzero(self.champion != self.challenger))

    @property
    def needed(self) -> int:
        """How many must differ before an interval of the gain can be trusted.

        A few cheap mistakes less look like a gain as long as the dear one that comes with them was not met. Enough must differ that
        of two models that cost the same the dearer mistake would be met `FEWEST_DEARER` times.

        >>> rows = np.zeros(3)
        >>> [ComparedCosts(rows, rows, Costs(false_positive=1, false_negative=dear)).needed for dear in (1, 20, 0)]
        [30, 105, 30]
        """
        cheaper, dearer = sorted((self.each.false_positive, self.each.false_negative))
        return max(FEWEST_DIFFERING, ceil(FEWEST_DEARER * (1 + dearer / cheaper))) if cheaper else FEWEST_DIFFERING


def predicted_by_others_days(days: Days, positive: Flags, scores: NDArray[np.float64], costs: Costs) -> Flags:
    """Return what a model predicts by the cheapest threshold, shape (rows,).

    That is as honest as its cost can be known before the model serves.

    Its threshold is chosen on the holdout, where it would look cheaper than it is. So the rows of every second day are decided by
    the threshold that costs least on the days between, and these by theirs. With a single day nothing is left out.

    Args:
        days: each row's event day, shape (rows,).
        positive: whether a row is of the positive class.
        scores: its probability.
        costs: of wrong answers.

    >>> days = np.array(["2013-01-01", "2013-01-01", "2013-01-02", "2013-01-02"], dtype="datetime64[D]")
    >>> truth, scores = np.array([False, True, False, True]), np.array([0.1, 0.3, 0.5, 0.7])
    >>> predicted_by_others_days(days, truth, scores, Costs(false_positive=1, false_negative=1)).tolist()
    [False, False, True, True]
    """
    _, number = np.unique(days, return_inverse=True)
    odd = number % 2 == 1
    predicted = np.zeros(scores.size, dtype=np.bool_)
    for mine in (odd, ~odd):
        others = ~mine if np.any(~mine) else mine
        if mine.any():
            predicted[mine] = scores[mine] >= error_curve(positive[others], scores[others]).cheapest(costs)
    return predicted
