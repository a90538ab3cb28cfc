"""Measure a version on labelled rows, with the predictions that it would serve."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.performance.metrics import measure
from functions.shared.domain.spec import ModelSpec

type Floats = NDArray[np.float64]


class Predicting(Protocol):
    """A version, released or not yet."""

    @property
    def spec(self) -> ModelSpec:
        """Return the version's spec."""
        ...

    def predict(self, rows: pa.RecordBatch, scores: Floats) -> Codes | None:
        """Return the predicted outcomes' numbers, shape (rows,); None for a regression."""
        ...


def measure_rows(version: Predicting, rows: TrainingSet, scores: Floats) -> Mapping[str, float | None]:
    """Return the metrics of scores, shape (rows, outputs), on labelled rows."""
    return measure(version.spec.task, rows.truth(), scores, predicted(version, rows, scores))


def predicted(version: Predicting, rows: TrainingSet, scores: Floats) -> Codes | None:
    """Return predicted outcomes by number, (rows,); None for a regression."""
    found, start = [np.empty(0, dtype=np.intp)], 0
    for batch in rows.table.to_batches():
        codes = version.predict(batch, scores[start : start + batch.num_rows])
        if codes is None:
            return None
        found.append(codes)
        start += batch.num_rows
    return np.concatenate(found)
