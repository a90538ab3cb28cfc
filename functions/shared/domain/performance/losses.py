"""What an answer costs, once its truth is known.

Gate, canary and decay compare models by this loss.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.labels import LARGEST_TARGET
from functions.shared.domain.performance.calibration import PROBABILITY_FLOOR
from functions.shared.domain.spec import Task

type Truth = NDArray[np.bool_ | np.integer[Any] | np.floating[Any]]
"""Shape (rows,): the index of the true class among the spec's classes, or the true value of a regression."""
type Scores = NDArray[np.float64]
"""Shape (rows, outputs), as engines give it.

One column with the probability of the positive class (binary) or the prediction (regression), or one per class (multiclass).
"""

TAIL_ROWS: Final = 1000
"""Fewer rows do not show how large a loss may well be."""
ABSURD: Final = 100
"""A loss this many times above the ceiling, an error ten times as large, is taken for a slip in the label."""


def losses(task: Task, truth: Truth, scores: Scores, ceiling: float | NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return each row's loss, shape (rows,).

    It is -ln of the true class's probability clipped to [1e-6, 1 - 1e-6], or the squared error.

    A squared error is at most that of `LARGEST_TARGET`, so that its squares add up to a number however absurd an answer was.

    Args:
        task: of the model.
        truth: of each row.
        scores: of each row.
        ceiling: the most that one row counts with, from `loss_ceiling`, or that of each row, shape (rows,); None for no limit.
    """
    match task:
        case Task.BINARY:
            likelihood = np.where(truth == 1, scores[:, 0], 1 - scores[:, 0])
        case Task.MULTICLASS:
            likelihood = np.take_along_axis(scores, truth.astype(np.intp)[:, np.newaxis], axis=1)[:, 0]
        case Task.REGRESSION:
            squared = np.clip(scores[:, 0] - truth, -LARGEST_TARGET, LARGEST_TARGET).astype(np.float64) ** 2
            return squared if ceiling is None else np.minimum(squared, ceiling)
    return -np.log(np.clip(likelihood, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR))


def loss_ceiling(task: Task, found: NDArray[np.float64]) -> float | None:
    """Return the most that one row's squared error counts with.

    About one row in 10,000 exceeds it.

    A mean follows its largest value, so one label with a misplaced decimal point would hide all that other rows say. Means of
    losses cut at one ceiling compare models as before: a model that does worse has more losses at the ceiling. The ceiling is
    the 99.9 % quantile q times q over the 99 % quantile, which for a power law is the 99.99 % quantile; in 1,000 rows one absurd
    label does not move it.

    Args:
        task: of the model; a log loss has a ceiling by its clipped probabilities.
        found: `losses` on rows that the fit did not see, shape (rows,).

    Returns:
        None for a classifier, below `TAIL_ROWS` rows, and where 99 % of the losses are zero.
    """
    if task is not Task.REGRESSION or found.size < TAIL_ROWS:
        return None
    large, larger = np.quantile(found, (0.99, 0.999), method="lower")
    return float(larger * (larger / large)) if large > 0 else None
