"""What an answer costs, once its truth is known: the loss that gate, canary and decay compare models by."""

from typing import Any

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
