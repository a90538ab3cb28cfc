"""Candidate rules for how a fitted classifier's `predict` uses its scores.

The proof finds out which of them is right.
"""

from collections.abc import Iterator
from typing import Any

from scipy.special import expit
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from functions.shared.domain.decision_rule import HIGHEST, DecisionRule, above
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.steps import decider_of


def possible_rules(pipeline: Any, spec: ModelSpec) -> Iterator[DecisionRule]:
    """Yield the candidate rules for a classifier, most likely first."""
    if spec.task is Task.MULTICLASS:
        yield HIGHEST
        return
    decider = decider_of(pipeline)
    if isinstance(decider, FixedThresholdClassifier | TunedThresholdClassifierCV):
        about_positive = _label(decider) == decider.classes_[0 if spec.scores_first_class else 1]
        for threshold in _probabilities(decider):
            yield above(threshold, inclusive=True) if about_positive else above(1.0 - threshold)
    # Between two equally probable classes, most estimators predict the first, some the second.
    yield above(0.5, inclusive=spec.scores_first_class)
    yield above(0.5, inclusive=not spec.scores_first_class)


def _label(decider: Any) -> Any:
    """Return the class that is predicted from the threshold on."""
    tuned = isinstance(decider, TunedThresholdClassifierCV)
    label = decider._curve_scorer._get_pos_label() if tuned else decider.pos_label  # noqa: SLF001 - what its predict does
    return decider.classes_[1] if label is None else label


def _probabilities(decider: Any) -> tuple[float, ...]:
    """Return the threshold as a probability.

    A decision function's threshold is converted by each link that may turn it into a probability.
    """
    tuned = isinstance(decider, TunedThresholdClassifierCV)
    threshold = decider.best_threshold_ if tuned else decider.threshold
    if decider.response_method != "decision_function":
        return (0.5 if threshold == "auto" else float(threshold),)
    raw = 0.0 if threshold == "auto" else float(threshold)
    return float(expit(raw)), float(expit(2 * raw))
