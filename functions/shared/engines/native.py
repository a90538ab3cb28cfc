"""The engine for pipelines without an exact compiled form: the pipeline itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.spec import Feature, Task
from functions.shared.engines.engine import Floats
from functions.shared.engines.families.table import family_of, threaded_jobs
from functions.shared.engines.frame import to_frame

REFUSALS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""Errors that estimators of all libraries raise for unusable rows or parameters."""


class NativeEngine:
    """Scores by a pipeline's `predict_proba` (classifiers) or `predict` (regressors).

    The pipeline is set to one job, since Lambda has no /dev/shm for joblib. Callers score several batches in threads.
    """

    def __init__(self, pipeline: Any, task: Task, features: Sequence[Feature]) -> None:
        from functions.shared.engines.steps import steps_of  # imports scikit-learn, which compiled engines do not need

        threaded = threaded_jobs(pipeline)
        jobs = {name: jobs for name, jobs in pipeline.get_params().items() if name.rpartition("__")[2] == "n_jobs"}
        if alone := {name: 1 for name, jobs in jobs.items() if jobs is not None or name in threaded}:
            pipeline.set_params(**alone)
        self.pipeline = pipeline
        model = steps_of(pipeline)[-1]
        family = family_of(model)
        family.alone(model)
        self.backend = family.backend
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
        """Return a classifier's own predictions as numbers of its classes: (rows,)."""
        if batch.num_rows == 0:
            return np.empty(0, dtype=np.intp)
        classes = np.asarray(self.pipeline.classes_)
        order = np.argsort(classes)
        predicted = np.asarray(self.pipeline.predict(to_frame(batch, self._features))).ravel()
        return np.asarray(order[np.searchsorted(classes, predicted, sorter=order)], dtype=np.intp)
