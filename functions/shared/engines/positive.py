"""The score of a binary task is about its positive class, which need not be the estimator's second."""

import numpy as np
import pyarrow as pa

from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.engine import Engine, Floats


class Complement:
    """An engine of two classes that gives the first one's probability where another gives the second's."""

    def __init__(self, second: Engine) -> None:
        """`second` is the engine of the second class."""
        self._second = second
        self.backend = second.backend

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        return np.subtract(1.0, self._second.score(batch))


def about_positive(engine: Engine, spec: ModelSpec) -> Engine:
    """The engine that serves a spec, made of one that speaks of the estimator's second class."""
    return Complement(engine) if spec.scores_first_class else engine
