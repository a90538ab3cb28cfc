"""From a model's spec to the scikit-learn pipeline that trains it, and from that and rows to the fitted one."""

import importlib
import inspect
from collections.abc import Callable, Collection, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from functions.shared.domain.errors import TrainingError
from functions.shared.domain.spec import FeatureKind, ModelSpec, Task

if TYPE_CHECKING:
    import pandas as pd

# HistGradientBoosting bins categories in one byte and keeps one value for the missing.
MAX_ORDINAL_CATEGORIES = 255
MAX_ONE_HOT_CATEGORIES = 100

REFUSALS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What estimators, also those of others, raise about rows and parameters that they cannot work with."""

# Where scikit-learn's own default would not converge on tabular data, or would make two equal trainings differ.
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "HistGradientBoostingClassifier": {"early_stopping": False},
    "HistGradientBoostingRegressor": {"early_stopping": False},
    "LogisticRegression": {"max_iter": 1000},
    "PoissonRegressor": {"max_iter": 1000},
    "GammaRegressor": {"max_iter": 1000},
    "TweedieRegressor": {"max_iter": 1000},
}


def default_estimator(task: Task) -> str:
    """Dotted path of the estimator that is used when a person names none: histogram gradient boosting.

    >>> default_estimator(Task.REGRESSION)
    'sklearn.ensemble.HistGradientBoostingRegressor'
    """
    return f"sklearn.ensemble.HistGradientBoosting{'Regressor' if task is Task.REGRESSION else 'Classifier'}"


def build_pipeline(spec: ModelSpec, empty: Collection[str] = ()) -> Pipeline:
    """The unfitted pipeline of steps `columns` (a ColumnTransformer over named features) and `model` (the estimator).

    The seed is passed on, and early stopping is off unless asked for. Fit it by `fit_pipeline`.

    Args:
        spec: what to build.
        empty: features without a value in any row, which histogram gradient boosting cannot bin: it does without them.

    Raises:
        TrainingError: if `spec.estimator` cannot be imported, does not fit the task or lacks one of `spec.parameters`.
    """
    model = _estimator(spec)
    return Pipeline([("columns", _columns(model, spec, empty)), ("model", model)])


def clone_pipeline(template: Any, spec: ModelSpec) -> Any:
    """An adopted pipeline, unfitted, with the parameters of `spec` set; where it left a seed to chance, with the spec's.

    Raises:
        TrainingError: if it cannot be cloned, or lacks one of `spec.parameters`.
    """
    try:
        pipeline = clone(template)
        pipeline.set_params(**spec.parameters)
    except REFUSALS as error:
        message = f"the adopted pipeline cannot be cloned, or cannot be given {dict(spec.parameters)}: {error}"
        raise TrainingError(message) from error
    seeds = {name for name in pipeline.get_params() if name.rpartition("__")[2] == "random_state"}
    return pipeline.set_params(**{name: spec.seed for name in seeds if not isinstance(pipeline.get_params()[name], Integral)})


def fit_pipeline(spec: ModelSpec, frame: "pd.DataFrame", target: NDArray[Any], template: Any = None) -> Any:
    """The pipeline of `spec`, or a clone of `template`, fitted on `frame` (as `to_frame` makes it) and the target of its rows.

    The same arguments give the same model to the last bit, so it works in one thread: sums of gradients over several are
    added in another order, and then HistGradientBoosting splits elsewhere. (On a busy machine one is also the fastest.)

    Raises:
        TrainingError: as `build_pipeline` and `clone_pipeline` do, or if the estimator refuses the rows or a parameter's value.
    """
    empty = [str(name) for name in frame.columns[frame.isna().all()]]
    pipeline = build_pipeline(spec, empty) if template is None else clone_pipeline(template, spec)
    try:
        with threadpool_limits(1):
            return pipeline.fit(frame, target)
    except REFUSALS as error:
        valueless = f" (columns without any value: {', '.join(empty)})" if empty else ""
        message = f"{spec.estimator} cannot be trained on these rows: {error}{valueless}"
        raise TrainingError(message) from error


def _estimator(spec: ModelSpec) -> Any:
    made = _estimator_class(spec.estimator)
    possible = inspect.signature(made).parameters
    unknown = sorted(set(spec.parameters) - set(possible))
    if unknown:
        message = f"{spec.estimator} has no parameter {', '.join(unknown)}; it has {', '.join(possible) or 'none'}"
        raise TrainingError(message)
    seed = {"random_state": spec.seed} if "random_state" in possible else {}
    try:
        model = made(**{**_DEFAULTS.get(made.__name__, {}), **seed, **spec.parameters})
        get_tags(model)
    except (AttributeError, TypeError) as error:
        message = f"{spec.estimator} cannot be made from {dict(spec.parameters)}: {error}"
        raise TrainingError(message) from error
    wanted = is_regressor if spec.task is Task.REGRESSION else is_classifier
    if not wanted(model):
        message = f"{spec.estimator} does not fit the task {spec.task}: choose a {'regressor' if wanted is is_regressor else 'classifier'}"
        raise TrainingError(message)
    if wanted is is_classifier and not hasattr(model, "predict_proba"):
        message = f"{spec.estimator} with these parameters gives no probabilities (no predict_proba): choose a classifier that does"
        raise TrainingError(message)
    return model


def _estimator_class(path: str) -> Callable[..., BaseEstimator]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        message = f"{path!r} cannot be imported: {error}. Estimators of your own must be installed in the functions' image"
        raise TrainingError(message) from error
    if not (isinstance(found, type) and issubclass(found, BaseEstimator)) or inspect.isabstract(found):
        message = f"{path!r} is no estimator: give a dotted path such as sklearn.linear_model.LogisticRegression"
        raise TrainingError(message)
    return found


def _columns(model: Any, spec: ModelSpec, empty: Collection[str]) -> ColumnTransformer:
    numbers, categories, booleans = (
        [feature.name for feature in spec.features if feature.kind is kind]
        for kind in (FeatureKind.NUMBER, FeatureKind.CATEGORY, FeatureKind.BOOLEAN)
    )
    accepts = get_tags(model).input_tags
    if "categorical_features" in model.get_params():
        if "categorical_features" not in spec.parameters:
            # The encoder's columns come first.
            model.set_params(categorical_features=list(range(len(categories))))
        binned = [name for name in numbers + booleans if name not in empty]
        parts = [("categories", _ordinal(float("nan")), categories), ("numbers", "passthrough", binned)]
    elif type(model).__module__.startswith(("sklearn.ensemble.", "sklearn.tree.")):
        parts = [
            ("categories", _ordinal(float("nan") if accepts.allow_nan else -2), categories),
            ("numbers", "passthrough" if accepts.allow_nan else _imputer("median"), numbers + booleans),
        ]
    else:
        one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5, max_categories=MAX_ONE_HOT_CATEGORIES)
        parts = [
            ("categories", one_hot, categories),
            ("numbers", make_pipeline(_imputer("median"), StandardScaler()), numbers),
            ("booleans", _imputer("most_frequent"), booleans),
        ]
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0.3 if accepts.sparse else 0.0)


def _ordinal(missing: float) -> OrdinalEncoder:
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=float("nan") if missing != missing else -1,  # noqa: PLR0124 - NaN is the one value unlike itself
        encoded_missing_value=missing,
        max_categories=MAX_ORDINAL_CATEGORIES,
    )


def _imputer(strategy: str) -> SimpleImputer:
    # A column without any value is kept, so that a feature that was empty in one training set does not move the others.
    return SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True)
