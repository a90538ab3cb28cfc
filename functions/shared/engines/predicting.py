"""Turn scores into predictions by the version's rule.

Where scores do not decide, the pipeline's own `predict` does.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from functions.shared.domain.decision_rule import Codes, DecisionRule, Floats
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.native import NativeEngine


def predict(rule: DecisionRule, rows: pa.RecordBatch, scores: Floats, spec: ModelSpec, native: Callable[[], NativeEngine]) -> Codes:
    """Return the number of each row's predicted outcome in `spec.outcomes`: (rows,).

    Args:
        rule: the rule that decides.
        rows: the scored rows.
        scores: their scores, from any engine.
        spec: the version's spec.
        native: returns the fitted pipeline; with a compiled engine, the call loads it.
    """
    predicted = rule.decide(scores)
    asked = rule.cannot_tell(scores)
    if asked.any():
        predicted[asked] = own_prediction(native(), rows.filter(pa.array(asked)), spec)
    return predicted


def own_prediction(native: NativeEngine, rows: pa.RecordBatch, spec: ModelSpec) -> Codes:
    """Return the pipeline's own predictions, as numbers of outcomes."""
    codes = native.predict(rows)
    return np.subtract(1, codes) if spec.scores_first_class else codes
