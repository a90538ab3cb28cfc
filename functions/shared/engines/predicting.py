"""From scores to predictions: by the version's rule, and where scores do not decide, by its pipeline's own `predict`."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from functions.shared.domain.decision_rule import Codes, DecisionRule, Floats
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.native import NativeEngine


def predict(rule: DecisionRule, rows: pa.RecordBatch, scores: Floats, spec: ModelSpec, native: Callable[[], NativeEngine]) -> Codes:
    """The number of each row's predicted outcome (`spec.outcomes`), shape (rows,).

    Args:
        rule: that decides.
        rows: that were scored.
        scores: theirs, of any engine.
        spec: of the version.
        native: gives its fitted pipeline, which for a compiled engine has to be loaded.
    """
    predicted = rule.decide(scores)
    asked = rule.cannot_tell(scores)
    if asked.any():
        predicted[asked] = own_prediction(native(), rows.filter(pa.array(asked)), spec)
    return predicted


def own_prediction(native: NativeEngine, rows: pa.RecordBatch, spec: ModelSpec) -> Codes:
    """What the pipeline itself predicts, as numbers of outcomes."""
    codes = native.predict(rows)
    return np.subtract(1, codes) if spec.scores_first_class else codes
