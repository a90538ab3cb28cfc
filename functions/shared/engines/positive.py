"""Make the score of a binary task that of its positive class.

The positive class need not be the estimator's second one.
"""

import numpy as np
import pyarrow as pa

from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.engine import Engine, Floats


class Complement:
    """An engine that returns the first class's probability instead of the second's."""

    def __init__(self, second: Engine) -> None:
        """Take the engine of the second class."""
        self._second = second
        self.backend = second.backend

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        return np.subtract(1.0, self._second.score(batch))


def about_positive(engine: Engine, spec: ModelSpec) -> Engine:
    """Return the engine for a spec, given that of the estimator's second class."""
    return Complement(engine) if spec.scores_first_class else engine
