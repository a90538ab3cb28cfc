"""The interface of engines: one method that scoring calls."""

from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Reals = NDArray[np.floating[Any]]
"""Sums, and the values added to them, in the precision of the model's library."""


class EngineKind(StrEnum):
    """How a version is scored: by compiled arrays, or by its own library (`native`)."""

    LINEAR = "linear"
    BITVECTOR = "bitvector"
    FOREST = "forest"
    NATIVE = "native"


class Backend(StrEnum):
    """The loops of a compiled engine, ours or NumPy's. Scores do not depend on it."""

    KERNEL = "kernel"
    NUMPY = "numpy"


class Engine(Protocol):
    """Scores typed rows; several threads may call it at once."""

    @property
    def backend(self) -> str:
        """One of `Backend`, or the library that a native engine is."""
        ...

    def score(self, batch: pa.RecordBatch) -> Floats:
        """Return scores of shape (rows, outputs), in row order.

        A binary task has one output, the probability of the positive class. A regression has one, the prediction. A multiclass task
        has one per class, in the order of `spec.classes`.

        Args:
            batch: has at least the model's features, by name: numbers as float64, booleans as bool, categories as dictionary or
                string. Nulls are missing values. Other columns are ignored.

        Raises:
            KeyError: if a feature is not a column of the batch.
        """
        ...


@runtime_checkable
class Decider(Protocol):
    """Knows what a classifier predicts also where its scores do not show it."""

    def predict(self, batch: pa.RecordBatch) -> NDArray[np.intp]:
        """Return the classifier's own predictions as its classes' numbers: (rows,)."""
        ...
