"""What an engine is: the one method that scoring calls, whatever computes behind it."""

from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Reals = NDArray[np.floating[Any]]
"""Sums in the precision of the library that a model is of, and what is added to them."""


class EngineKind(StrEnum):
    """How a version is scored: compiled into arrays (`linear`, `bitvector`, `forest`) or by its own library (`native`)."""

    LINEAR = "linear"
    BITVECTOR = "bitvector"
    FOREST = "forest"
    NATIVE = "native"


class Backend(StrEnum):
    """What a compiled engine computes with: our compiled loops, or NumPy's. Scores do not depend on which."""

    KERNEL = "kernel"
    NUMPY = "numpy"


class Engine(Protocol):
    """Scores typed rows; several threads may call it at once."""

    @property
    def backend(self) -> str:
        """One of `Backend`, or the library that a native engine is."""
        ...

    def score(self, batch: pa.RecordBatch) -> Floats:
        """Scores of shape (rows, outputs), in row order.

        One output for a binary task (probability of the positive class) and for a regression (the prediction); one a
        class, in the order of `spec.classes`, for a multiclass task.

        Args:
            batch: holds at least the model's features, found by name: numbers as float64, booleans as bool, categories
                as dictionary or string; nulls are missing values. Other columns are ignored.

        Raises:
            KeyError: if a feature is not a column of the batch.
        """
        ...
