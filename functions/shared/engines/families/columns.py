"""The parts of which families make their columns."""

from collections.abc import Sequence

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OrdinalEncoder

from functions.shared.domain.spec import FeatureKind, ModelSpec

# HistGradientBoosting bins categories in one byte and keeps one value for the missing.
MAX_ORDINAL_CATEGORIES = 255


def of_kind(spec: ModelSpec, kind: FeatureKind) -> list[str]:
    """The spec's features of one kind, in its order."""
    return [feature.name for feature in spec.features if feature.kind is kind]


def native_columns(spec: ModelSpec) -> ColumnTransformer:
    """Category codes first, then numbers and booleans; missing values, and categories that training has not seen, are NaN."""
    categories = of_kind(spec, FeatureKind.CATEGORY)
    numbers = of_kind(spec, FeatureKind.NUMBER) + of_kind(spec, FeatureKind.BOOLEAN)
    parts = [("categories", ordinal(float("nan")), categories), ("numbers", "passthrough", numbers)]
    return transformer(parts, sparse_threshold=0.0)


def transformer(parts: Sequence[tuple[str, object, list[str]]], *, sparse_threshold: float) -> ColumnTransformer:
    """The parts that have columns."""
    return ColumnTransformer([part for part in parts if part[2]], sparse_threshold=sparse_threshold)


def ordinal(missing: float) -> OrdinalEncoder:
    """Codes of categories, the rarest of very many pooled; what is missing has the code `missing`."""
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=float("nan") if missing != missing else -1,  # noqa: PLR0124 - NaN is the one value unlike itself
        encoded_missing_value=missing,
        max_categories=MAX_ORDINAL_CATEGORIES,
    )


def imputer(strategy: str) -> SimpleImputer:
    """What fills missing values and says where they were."""
    # A column without any value is kept, so that a feature that was empty in one training set does not move the others.
    return SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True)
