"""Find the parts of a fitted pipeline, inside of mere wrappers."""

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV


def steps_of(pipeline: Any) -> list[Any]:
    """Return the fitted steps that rows pass; the last one gives the scores.

    Wrappers are removed: a classifier with a threshold has the scores of its estimator, and so has a frozen estimator.
    """
    if hasattr(pipeline, "steps"):
        *before, (_, last) = pipeline.steps
        return [*(step for _, step in before), *steps_of(last)]
    if isinstance(pipeline, FixedThresholdClassifier | TunedThresholdClassifierCV):
        return steps_of(getattr(pipeline, "estimator_", pipeline.estimator))
    return steps_of(pipeline.estimator) if isinstance(pipeline, FrozenEstimator) else [pipeline]


def decider_of(pipeline: Any) -> Any:
    """Return the part of a pipeline whose `predict` is the pipeline's."""
    return decider_of(pipeline.steps[-1][1]) if hasattr(pipeline, "steps") else pipeline
