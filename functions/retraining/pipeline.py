"""Build a model's scikit-learn pipeline from its spec, and fit it."""

import importlib
import inspect
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from functions.shared.domain.errors import TrainingError
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.families.table import families, family_of, says_threads, threaded_jobs
from functions.shared.engines.native import REFUSALS
from functions.shared.engines.steps import steps_of

if TYPE_CHECKING:
    import pandas as pd


_CHECKED_ROWS = 64
_PARTS = ("fit", "get_params", "set_params", "predict")
"""What makes a class an estimator; those of other libraries need not descend from scikit-learn's."""


def default_estimator(task: Task) -> str:
    """Return the default estimator's dotted path: histogram gradient boosting.

    >>> default_estimator(Task.REGRESSION)
    'sklearn.ensemble.HistGradientBoostingRegressor'
    """
    return f"sklearn.ensemble.HistGradientBoosting{'Regressor' if task is Task.REGRESSION else 'Classifier'}"


def build_pipeline(spec: ModelSpec, empty: Collection[str] = ()) -> Pipeline:
    """Build an unfitted pipeline with the steps `columns` and `model`.

    `columns` is a ColumnTransformer over named features, `model` the estimator. The spec's seed is passed on, and early stopping is off
    by default. Fit it with `fit_pipeline`.

    Args:
        spec: the spec to build.
        empty: features without a value in any row. Histogram gradient boosting cannot bin them, and gets none of them.

    Raises:
        TrainingError: if `spec.estimator` cannot be imported, does not fit the task or lacks one of `spec.parameters`.
    """
    model = _estimator(spec)
    return Pipeline([("columns", family_of(model).columns(model, spec, empty)), ("model", model)])


def clone_pipeline(template: Any, spec: ModelSpec) -> Any:
    """Clone an adopted pipeline without its fit, and set the parameters of `spec`.

    Where it has no seed, it gets that of the spec. Frozen estimators in it are unfrozen, since they would never learn again.

    Raises:
        TrainingError: if it cannot be cloned, or lacks one of `spec.parameters`.
    """
    try:
        with _quiet():
            pipeline = clone(template.estimator if isinstance(template, FrozenEstimator) else template)
            frozen = {name: part for name, part in pipeline.get_params().items() if isinstance(part, FrozenEstimator)}
            pipeline.set_params(**{name: clone(part.estimator) for name, part in frozen.items()})
        pipeline.set_params(**spec.parameters)
    except REFUSALS as error:
        message = f"the adopted pipeline cannot be cloned, or cannot be given {dict(spec.parameters)}: {error}"
        raise TrainingError(message) from error
    seeds = {name: seed for name, seed in pipeline.get_params().items() if name.rpartition("__")[2] == "random_state"}
    # Set unchanged parameters too: LightGBM keeps every set one, and a clone of a clone must be equal.
    return pipeline.set_params(**{name: seed if isinstance(seed, Integral) else spec.seed for name, seed in seeds.items()})


def fit_pipeline(spec: ModelSpec, frame: "pd.DataFrame", target: NDArray[Any], template: Any = None, threads: int = 1) -> Any:
    """Fit the pipeline of `spec`, or a clone of `template`, on rows and targets.

    The same arguments give the same model to the last bit. With several threads, sums of gradients may be added in another order, and
    then trees split differently. So scikit-learn gets one thread, and families that otherwise use all processors get `threads`.

    Args:
        spec: the spec to fit; a classifier's has its classes, in score order.
        frame: the rows, as from `to_frame`.
        target: the rows' targets.
        template: the pipeline to clone.
        threads: the threads of estimators that by default use all processors.

    Raises:
        TrainingError: as `build_pipeline` and `clone_pipeline`, if the estimator refuses the rows or a parameter's value, or if the
            fitted pipeline gives no scores.
    """
    empty = [str(name) for name in frame.columns[frame.isna().all()]]
    pipeline = build_pipeline(spec, empty) if template is None else clone_pipeline(template, spec)
    if not any(map(says_threads, spec.parameters)):
        pipeline.set_params(**dict.fromkeys(threaded_jobs(pipeline), threads))
    family = family_of(steps_of(pipeline)[-1])
    if family.numbered_classes and spec.task is not Task.REGRESSION:
        target = np.array([spec.classes.index(str(label)) for label in target.tolist()])
    try:
        with threadpool_limits(1), family.fitting():
            pipeline.fit(frame, target)
            family.fitted(steps_of(pipeline)[-1])
            _check_scores(pipeline, frame.head(_CHECKED_ROWS), spec)
    except REFUSALS as error:
        valueless = f" (columns without any value: {', '.join(empty)})" if empty else ""
        message = f"{spec.estimator} cannot be trained on these rows: {error}{valueless}"
        raise TrainingError(message) from error
    return pipeline


def _check_scores(pipeline: Any, rows: "pd.DataFrame", spec: ModelSpec) -> None:
    """Check a fitted pipeline's output: boosters accept any objective, for any task.

    Raises:
        ValueError: if it does not.
    """
    if spec.task is Task.REGRESSION:
        sound = np.size(pipeline.predict(rows)) == len(rows)
        wanted = "one prediction per row"
    else:
        shares = np.asarray(pipeline.predict_proba(rows))
        sound = bool(np.all((shares >= 0) & (shares <= 1)))
        wanted = "probabilities"
    if not sound:
        message = f"with {dict(spec.parameters)} it does not give {wanted}: choose another objective"
        raise ValueError(message)


def _estimator(spec: ModelSpec) -> Any:
    made = _estimator_class(spec.estimator)
    family = family_of(made)
    possible = family.parameters(made)
    if possible is not None and (unknown := sorted(set(spec.parameters) - set(possible))):
        message = f"{spec.estimator} has no parameter {', '.join(unknown)}"
        raise TrainingError(message, remedy=f"choose from: {', '.join(possible) or 'none'}")
    try:
        with _quiet():
            model = made(**family.arguments(made, spec))
        get_tags(model)
    except (AttributeError, TypeError) as error:
        message = f"{spec.estimator} cannot be made from {dict(spec.parameters)}: {error}"
        raise TrainingError(message) from error
    wanted = is_regressor if spec.task is Task.REGRESSION else is_classifier
    if not wanted(model):
        message = f"{spec.estimator} does not fit the task {spec.task}"
        raise TrainingError(message, remedy=f"choose a {'regressor' if wanted is is_regressor else 'classifier'}")
    if wanted is is_classifier and not hasattr(model, "predict_proba"):
        message = f"{spec.estimator} with these parameters gives no probabilities (no predict_proba)"
        raise TrainingError(message, remedy="choose a classifier that does")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings about deprecated estimators that are still installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _estimator_class(path: str) -> type[BaseEstimator]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        message = f"{path!r} cannot be imported: {error}"
        package = families().get(path.partition(".")[0])
        absent = package.how_to_have() if package and isinstance(error, ImportError) else ""
        raise TrainingError(message, remedy=absent or "estimators of your own must be installed in the functions' image") from error
    if not (isinstance(found, type) and all(hasattr(found, part) for part in _PARTS)) or inspect.isabstract(found):
        message = f"{path!r} is not an estimator"
        raise TrainingError(message, remedy="give a dotted path such as sklearn.linear_model.LogisticRegression")
    return found
