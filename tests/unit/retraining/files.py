"""Training sets made of columns, for what looks at them."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task

_TYPES = {FeatureKind.NUMBER: pa.float64(), FeatureKind.CATEGORY: pa.string(), FeatureKind.BOOLEAN: pa.bool_()}


def kind_of(values: Sequence[Any]) -> FeatureKind:
    some = next((value for value in values if value is not None), 0.0)
    return {bool: FeatureKind.BOOLEAN, str: FeatureKind.CATEGORY}.get(type(some), FeatureKind.NUMBER)


def rows_of(target: Sequence[Any], *, days: int = 1, adopted: str | None = None, **columns: Sequence[Any]) -> TrainingSet:
    """Rows of the columns given, whose kinds are those of their values, spread over some days."""
    features = tuple(Feature(name=name, kind=kind_of(values)) for name, values in columns.items())
    task = Task.REGRESSION if kind_of(target) is FeatureKind.NUMBER else Task.BINARY if len(set(target)) == 2 else Task.MULTICLASS
    spec = ModelSpec(name="m", task=task, target="y", id_column="id", features=features, metric="auc", estimator="e", adopted=adopted)
    count = len(target)
    table = {
        "id": pa.array([f"r{number}" for number in range(count)]),
        **{feature.name: pa.array(columns[feature.name], _TYPES[feature.kind]) for feature in features},
        "y": pa.array(target, pa.float64() if task is Task.REGRESSION else pa.string()),
        DAY: pa.array([date(2024, 5, 1) + timedelta(days=number * days // count) for number in range(count)]),
    }
    return TrainingSet(spec, pa.table(table))
