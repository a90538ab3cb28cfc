"""How scores become a prediction: a version's decision rule."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.document import Value

type Floats = NDArray[np.float64]
type Codes = NDArray[np.intp]

PREDICTED_POSITIVE = "predicted_positive"
"""The share of rows that a binary model's rule predicts positive: a column of drift, and a metric of event days."""


class RuleKind(StrEnum):
    """What decides: a threshold, the highest score, or the pipeline's `predict`."""

    THRESHOLD = "threshold"
    ARGMAX = "argmax"
    PIPELINE = "pipeline"


class DecisionRule(Value):
    """How a classifier's scores become its prediction.

    `threshold`: the positive class is predicted where the score is above it, or from it on if it is `inclusive`.
    `margin` is how near to the boundary scores of a compiled engine, which differ in their last digits, do not decide: rows so near
    are decided by the pipeline's own `predict`. None means that scores always decide.
    """

    kind: RuleKind
    threshold: float | None = None
    inclusive: bool = False
    margin: float | None = None

    def decide(self, scores: Floats) -> Codes:
        """Return the outcome's number for each row's scores, shape (rows,).

        Of equal scores the first counts.

        Args:
            scores: as engines give them, shape (rows, outputs).

        >>> above = DecisionRule(kind=RuleKind.THRESHOLD, threshold=0.3)
        >>> above.decide(np.array([[0.2], [0.3], [0.4]])).tolist()
        [0, 0, 1]
        >>> DecisionRule(kind=RuleKind.ARGMAX).decide(np.array([[0.2, 0.4, 0.4]])).tolist()
        [1]
        """
        if self.threshold is None:
            return scores.argmax(axis=1)
        score = scores[:, 0]
        return np.asarray(score >= self.threshold if self.inclusive else score > self.threshold, dtype=np.intp)

    def cannot_tell(self, scores: Floats) -> NDArray[np.bool_]:
        """Return the rows whose scores do not decide the prediction, shape (rows,).

        >>> near = DecisionRule(kind=RuleKind.THRESHOLD, threshold=0.3, margin=0.01)
        >>> near.cannot_tell(np.array([[0.28], [0.295], [0.5]])).tolist()
        [False, True, False]
        """
        if self.kind is RuleKind.PIPELINE:
            return np.ones(len(scores), dtype=np.bool_)
        if self.margin is None:
            return np.zeros(len(scores), dtype=np.bool_)
        if self.threshold is not None:
            return np.asarray(np.abs(scores[:, 0] - self.threshold) <= self.margin)
        highest = np.partition(scores, -2, axis=1)[:, -2:]
        return np.asarray(highest[:, 1] - highest[:, 0] <= self.margin)


BY_PIPELINE = DecisionRule(kind=RuleKind.PIPELINE)
HIGHEST = DecisionRule(kind=RuleKind.ARGMAX)


def above(threshold: float, *, inclusive: bool = False) -> DecisionRule:
    """Return the rule of a threshold."""
    return DecisionRule(kind=RuleKind.THRESHOLD, threshold=threshold, inclusive=inclusive)
