"""What a fitted pipeline consists of, inside whatever only wraps it."""

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV


def steps_of(pipeline: Any) -> list[Any]:
    """The fitted steps that rows pass, the last of which gives the scores.

    A classifier with a threshold gives its estimator's scores, and a frozen estimator is the one in it.
    """
    if hasattr(pipeline, "steps"):
        *before, (_, last) = pipeline.steps
        return [*(step for _, step in before), *steps_of(last)]
    if isinstance(pipeline, FixedThresholdClassifier | TunedThresholdClassifierCV):
        return steps_of(getattr(pipeline, "estimator_", pipeline.estimator))
    return steps_of(pipeline.estimator) if isinstance(pipeline, FrozenEstimator) else [pipeline]


def decider_of(pipeline: Any) -> Any:
    """The part of a pipeline whose `predict` is the pipeline's."""
    return decider_of(pipeline.steps[-1][1]) if hasattr(pipeline, "steps") else pipeline
