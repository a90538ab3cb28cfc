"""What versions predict."""

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.spec import Task


def most_probable(task: Task, scores: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """What the usual rule predicts."""
    if task is Task.REGRESSION:
        return None
    return scores.argmax(axis=1) if task is Task.MULTICLASS else (scores[:, 0] > 0.5).astype(np.intp)
