"""How good a version is on rows whose truth is known, its predictions being those that it would answer with."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision_rule import Codes
from functions.shared.domain.performance.measures import measure
from functions.shared.domain.spec import ModelSpec

type Floats = NDArray[np.float64]


class Predicting(Protocol):
    """A version, released or about to be."""

    @property
    def spec(self) -> ModelSpec:
        """What it predicts, and from which columns."""
        ...

    def predict(self, rows: pa.RecordBatch, scores: Floats) -> Codes | None:
        """The numbers of the outcomes that rows with these scores are predicted, shape (rows,); None for a regression."""
        ...


def measure_rows(version: Predicting, rows: TrainingSet, scores: Floats) -> Mapping[str, float | None]:
    """The metrics of a version's scores, shape (rows, outputs), on labelled rows."""
    return measure(version.spec.task, rows.truth(), scores, predicted(version, rows, scores))


def predicted(version: Predicting, rows: TrainingSet, scores: Floats) -> Codes | None:
    """The numbers of the outcomes that a version predicts for rows with these scores, shape (rows,); None for a regression."""
    found, start = [np.empty(0, dtype=np.intp)], 0
    for batch in rows.table.to_batches():
        codes = version.predict(batch, scores[start : start + batch.num_rows])
        if codes is None:
            return None
        found.append(codes)
        start += batch.num_rows
    return np.concatenate(found)
