"""The engine that is scikit-learn itself, for pipelines without an exact compiled form."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.spec import Feature, Task
from functions.shared.engines.engine import Floats, Means
from functions.shared.engines.frame import to_frame

REFUSALS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What estimators, also those of others, raise about rows and parameters that they cannot work with."""


class NativeEngine:
    """Scores through a fitted pipeline's `predict_proba` (classifiers) or `predict` (regressors).

    The pipeline is set to work in one job, because Lambda has no /dev/shm for joblib; whoever has several batches scores
    them in threads.
    """

    means = Means.SCIKIT_LEARN

    def __init__(self, pipeline: Any, task: Task, features: Sequence[Feature]) -> None:
        jobs = {name: 1 for name, jobs in pipeline.get_params().items() if name.rpartition("__")[2] == "n_jobs" and jobs is not None}
        self.pipeline = pipeline.set_params(**jobs)
        self._task = task
        self._features = tuple(features)

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        if batch.num_rows == 0:
            return np.empty((0, len(self.pipeline.classes_) if self._task is Task.MULTICLASS else 1))
        frame = to_frame(batch, self._features)
        if self._task is Task.REGRESSION:
            return np.asarray(self.pipeline.predict(frame), dtype=np.float64).reshape(-1, 1)
        probabilities = np.asarray(self.pipeline.predict_proba(frame), dtype=np.float64)
        return probabilities[:, 1:] if self._task is Task.BINARY else probabilities

    def predict(self, batch: pa.RecordBatch) -> NDArray[np.intp]:
        """What a classifier's own `predict` says, as numbers of its classes, shape (rows,)."""
        if batch.num_rows == 0:
            return np.empty(0, dtype=np.intp)
        classes = np.asarray(self.pipeline.classes_)
        order = np.argsort(classes)
        predicted = np.asarray(self.pipeline.predict(to_frame(batch, self._features))).ravel()
        return np.asarray(order[np.searchsorted(classes, predicted, sorter=order)], dtype=np.intp)
