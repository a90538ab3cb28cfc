"""Turn scores into predictions by the version's rule.

Where scores do not decide, the pipeline's own `predict` does, or what knows its answers.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from functions.shared.domain.decision_rule import Codes, DecisionRule, Floats
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.engine import Decider


def predict(rule: DecisionRule, rows: pa.RecordBatch, scores: Floats, spec: ModelSpec, decider: Callable[[], Decider]) -> Codes:
    """Return the number of each row's predicted outcome in `spec.outcomes`: (rows,).

    Args:
        rule: the rule that decides.
        rows: the scored rows.
        scores: their scores, from any engine.
        spec: the version's spec.
        decider: returns the fitted pipeline, which the call may load, or an engine that decides as it does.
    """
    predicted = rule.decide(scores)
    asked = rule.cannot_tell(scores)
    if asked.any():
        predicted[asked] = own_prediction(decider(), rows.filter(pa.array(asked)), spec)
    return predicted


def own_prediction(decider: Decider, rows: pa.RecordBatch, spec: ModelSpec) -> Codes:
    """Return the pipeline's own predictions, as numbers of outcomes."""
    codes = decider.predict(rows)
    return np.subtract(1, codes) if spec.scores_first_class else codes
