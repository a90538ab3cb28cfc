"""Trace each column of a fitted preprocessor to the one feature that decides it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_array

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.engine import Floats


@dataclass(frozen=True, slots=True)
class Line:
    """A number column that is `(value - center) * scale`, with `scale` above 0.

    This holds where its feature is not missing.
    """

    center: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class ColumnOrigin:
    """One column: its feature, the line it follows if any, and where it may step."""

    feature: str
    line: Line | None
    points: frozenset[object] = frozenset()


def trace(transformer: Any, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    """Return the origins of a fitted transformer's output columns from its inputs'.

    Raises:
        NotCompilableError: if it is, or contains, an unsupported transformer.
    """
    if transformer in ("passthrough", None):
        return list(inputs)
    if transformer == "drop":
        return []
    for kind, rule in _RULES.items():
        if isinstance(transformer, kind):
            return rule(transformer, inputs)
    message = f"{type(transformer).__name__} is not a transformer we compile"
    raise NotCompilableError(message)


def _pipeline(pipeline: Pipeline, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    origins = list(inputs)
    for _, step in pipeline.steps:
        origins = trace(step, origins)
    return origins


def _columns(columns: ColumnTransformer, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    by_part = {
        name: trace(part, [inputs[k] for k in columns._transformer_to_input_indices[name]])  # noqa: SLF001 - the only record
        for name, part, _ in columns.transformers_
    }
    places = sorted((place.start, place.stop, name) for name, place in columns.output_indices_.items() if name in by_part)
    if any(len(by_part[name]) != stop - start for start, stop, name in places):
        message = "ColumnTransformer's parts give other columns than expected"
        raise NotCompilableError(message)
    return [origin for _, _, name in places for origin in by_part[name]]


def _union(union: FeatureUnion, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    if union.transformer_weights:
        message = "FeatureUnion with weights is not compiled"
        raise NotCompilableError(message)
    return list(chain.from_iterable(trace(part, inputs) for _, part in union.transformer_list))


def _function(transformer: FunctionTransformer, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    function = transformer.func
    checks_only = isinstance(function, partial) and function.func is check_array
    if function is not None and not checks_only:
        message = "FunctionTransformer with a function is not compiled"
        raise NotCompilableError(message)
    return list(inputs)


def _selector(selector: SelectorMixin, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    return [inputs[k] for k in selector.get_support(indices=True)]


def _imputer(imputer: SimpleImputer, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    _nan_is_missing(imputer)
    # A column without values has no statistic, and is dropped by default.
    kept = [imputer.keep_empty_features or value == value for value in imputer.statistics_]  # noqa: PLR0124
    filled = [origin for origin, keep in zip(inputs, kept, strict=True) if keep]
    return filled + (_indicator(imputer.indicator_, inputs) if imputer.add_indicator else [])


def _indicator(indicator: MissingIndicator, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    _nan_is_missing(indicator)
    return [ColumnOrigin(inputs[k].feature, None) for k in indicator.features_]


def _nan_is_missing(transformer: Any) -> None:
    if not (isinstance(transformer.missing_values, float) and np.isnan(transformer.missing_values)):
        message = f"{type(transformer).__name__} with missing_values={transformer.missing_values!r} is not compiled"
        raise NotCompilableError(message)


def _one_hot(encoder: OneHotEncoder, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    stepped = _steps(encoder.categories_, inputs)
    return [origin for origin, width in zip(stepped, encoder._n_features_outs, strict=True) for _ in range(width)]  # noqa: SLF001


def _ordinal(encoder: OrdinalEncoder, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    return _steps(encoder.categories_, inputs)


def _steps(categories: Sequence[NDArray[Any]], inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    origins = []
    for known, origin in zip(categories, inputs, strict=True):
        points = origin.points
        if origin.line == Line():
            points |= {float(value) for value in known if value == value}  # noqa: PLR0124
        elif origin.line is None and not points:
            points |= {value for value in known if isinstance(value, str)}
        elif origin.line is not None:
            message = f"encoding {origin.feature} after scaling it is not compiled"
            raise NotCompilableError(message)
        origins.append(ColumnOrigin(origin.feature, None, points))
    return origins


def _standard(scaler: StandardScaler, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    count = len(inputs)
    return _scaled(inputs, scaler.mean_ if scaler.with_mean else np.zeros(count), scaler.scale_ if scaler.with_std else np.ones(count))


def _robust(scaler: RobustScaler, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    count = len(inputs)
    return _scaled(
        inputs,
        scaler.center_ if scaler.with_centering else np.zeros(count),
        scaler.scale_ if scaler.with_scaling else np.ones(count),
    )


def _max_abs(scaler: MaxAbsScaler, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    if getattr(scaler, "clip", False):
        message = "MaxAbsScaler with clip is not compiled"
        raise NotCompilableError(message)
    return _scaled(inputs, np.zeros(len(inputs)), scaler.scale_)


def _min_max(scaler: MinMaxScaler, inputs: Sequence[ColumnOrigin]) -> list[ColumnOrigin]:
    if scaler.clip:
        message = "MinMaxScaler with clip is not compiled"
        raise NotCompilableError(message)
    return _scaled(inputs, -scaler.min_ / scaler.scale_, 1 / scaler.scale_)


def _scaled(inputs: Sequence[ColumnOrigin], centers: Floats, divisors: Floats) -> list[ColumnOrigin]:
    origins = []
    for origin, center, divisor in zip(inputs, centers, divisors, strict=True):
        line = origin.line
        if line is not None:
            line = Line(line.center + float(center) / line.scale, line.scale / float(divisor))
        origins.append(replace(origin, line=line))
    return origins


_RULES: Mapping[type, Callable[[Any, Sequence[ColumnOrigin]], list[ColumnOrigin]]] = {
    Pipeline: _pipeline,
    ColumnTransformer: _columns,
    FeatureUnion: _union,
    FunctionTransformer: _function,
    SelectorMixin: _selector,
    SimpleImputer: _imputer,
    MissingIndicator: _indicator,
    OneHotEncoder: _one_hot,
    OrdinalEncoder: _ordinal,
    StandardScaler: _standard,
    RobustScaler: _robust,
    MinMaxScaler: _min_max,
    MaxAbsScaler: _max_abs,
}
