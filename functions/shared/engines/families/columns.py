"""Parts of the preprocessors that families use."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OrdinalEncoder

from functions.shared.domain.errors import TrainingError
from functions.shared.domain.spec import FeatureKind, ModelSpec

# HistGradientBoosting bins categories in one byte and reserves one value for missing ones.
MAX_ORDINAL_CATEGORIES = 255


def of_kind(spec: ModelSpec, kind: FeatureKind) -> list[str]:
    """Return the spec's features of one kind, in its order."""
    return [feature.name for feature in spec.features if feature.kind is kind]


def native_columns(spec: ModelSpec) -> ColumnTransformer:
    """Return a preprocessor: category codes first, then numbers and booleans.

    Missing values and categories unseen in training become NaN.
    """
    categories = of_kind(spec, FeatureKind.CATEGORY)
    numbers = native_names(spec)[len(categories) :]
    parts = [("categories", ordinal(float("nan")), categories), ("numbers", "passthrough", numbers)]
    return transformer(parts, sparse_threshold=0.0)


def whole_codes(spec: ModelSpec, *, missing: int, unseen: int) -> ColumnTransformer:
    """Return columns as `native_columns` does, with whole numbers as codes.

    `missing` and `unseen` are two of them, however many there are.
    """
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unseen, encoded_missing_value=missing, dtype=np.int64)
    categories = of_kind(spec, FeatureKind.CATEGORY)
    numbers = native_names(spec)[len(categories) :]
    columns = transformer([("categories", encoder, categories), ("numbers", "passthrough", numbers)], sparse_threshold=0.0)
    columns.verbose_feature_names_out = False
    return columns.set_output(transform="pandas")


def native_names(spec: ModelSpec) -> list[str]:
    """Return the features in the order of `native_columns`."""
    return [name for kind in (FeatureKind.CATEGORY, FeatureKind.NUMBER, FeatureKind.BOOLEAN) for name in of_kind(spec, kind)]


def by_position(spec: ModelSpec) -> dict[str, list[Any]]:
    """Convert the spec's constraints from names to positions of native columns.

    Raises:
        TrainingError: if a constraint names an unknown feature, or uses no name.
    """
    positions = {name: place for place, name in enumerate(native_names(spec))}
    given: dict[str, Any] = {
        name: spec.parameters[name] for name in ("monotone_constraints", "interaction_constraints") if name in spec.parameters
    }
    try:
        lists: dict[str, list[Any]] = {}
        if "monotone_constraints" in given:
            signs = {positions[name]: int(sign) for name, sign in given["monotone_constraints"].items()}
            lists["monotone_constraints"] = [signs.get(place, 0) for place in range(len(positions))]
        if "interaction_constraints" in given:
            lists["interaction_constraints"] = [[positions[name] for name in group] for group in given["interaction_constraints"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = (
            'columns are constrained by name, as in monotone_constraints={"age": 1, "fee": -1} or '
            f'interaction_constraints=[["age", "fee"]], and not as in {json.dumps(given)}'
        )
        raise TrainingError(message) from error
    return lists


def transformer(parts: Sequence[tuple[str, object, list[str]]], *, sparse_threshold: float) -> ColumnTransformer:
    """Return a transformer of those parts that have columns."""
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=sparse_threshold)


def ordinal(missing: float) -> OrdinalEncoder:
    """Return an encoder of categories that pools the rarest of very many.

    Missing values get the code `missing`.
    """
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=float("nan") if missing != missing else -1,  # noqa: PLR0124 - NaN is the one value unlike itself
        encoded_missing_value=missing,
        max_categories=MAX_ORDINAL_CATEGORIES,
    )


def imputer(strategy: str) -> SimpleImputer:
    """Return an imputer that also marks where values were missing."""
    # Keep a column without any value: a feature that is empty in one training set must not shift the others.
    return SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True)
