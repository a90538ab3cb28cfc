"""Rows, specs and fitted pipelines that the engines' tests share."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from functions.retraining.pipeline import fit_pipeline
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.frame import to_frame

FEATURES = (
    Feature(name="shop", kind=FeatureKind.CATEGORY),
    Feature(name="price", kind=FeatureKind.NUMBER),
    Feature(name="age", kind=FeatureKind.NUMBER),
    Feature(name="member", kind=FeatureKind.BOOLEAN),
    Feature(name="colour", kind=FeatureKind.CATEGORY),
)
SCHEMA = pa.schema(
    {
        "shop": pa.dictionary(pa.int32(), pa.string()),
        "price": pa.float64(),
        "age": pa.float64(),
        "member": pa.bool_(),
        "colour": pa.string(),
    }
)
SHOPS, COLOURS = ("north", "süd", "", "東"), ("red", "blue")
CLASSES: Mapping[Task, tuple[str, ...]] = {Task.BINARY: ("0", "1"), Task.MULTICLASS: ("0", "1", "2"), Task.REGRESSION: ()}


def make_spec(task: Task, estimator: str, **parameters: object) -> ModelSpec:
    return ModelSpec(
        name="sales",
        task=task,
        target="y",
        id_column="id",
        features=FEATURES,
        classes=CLASSES[task],
        metric="log_loss",
        estimator=estimator,
        parameters=parameters,
        seed=7,
    )


def batch_of(columns: Mapping[str, Any]) -> pa.RecordBatch:
    """A typed batch, with a column that no model knows in front."""
    rows = len(next(iter(columns.values())))
    arrays = {name: pa.array(values, pa.string() if name == "shop" else SCHEMA.field(name).type) for name, values in columns.items()}
    arrays["shop"] = arrays["shop"].dictionary_encode()
    return pa.record_batch({"id": pa.array([f"r{k}" for k in range(rows)]), **arrays})


@cache
def training_rows(rows: int = 240, seed: int = 1) -> pa.RecordBatch:
    """Rows with missing values in every column, prices with few digits so that thresholds fall between ties."""
    rng = np.random.default_rng(seed)

    def some_missing(values: Any) -> list[Any]:
        return [None if gone else value for value, gone in zip(values.tolist(), rng.random(rows) < 0.15, strict=True)]

    return batch_of(
        {
            "shop": some_missing(rng.choice(SHOPS, rows, p=[0.5, 0.3, 0.15, 0.05])),
            "price": some_missing(np.round(rng.lognormal(3, 1, rows), 1)),
            "age": some_missing(rng.integers(0, 90, rows).astype(float)),
            "member": some_missing(rng.random(rows) < 0.4),
            "colour": some_missing(rng.choice(COLOURS, rows)),
        }
    )


@cache
def target(task: Task) -> np.ndarray[Any, Any]:
    """Something to learn: labels as the row's features suggest, counts for a regression."""
    frame = to_frame(training_rows(), FEATURES)
    signal = frame["price"].fillna(10).to_numpy() / 20 + 2 * (frame["shop"] == "north").to_numpy() + frame["member"].fillna(0.5).to_numpy()
    noisy = signal + np.random.default_rng(2).normal(0, 0.5, len(signal))
    if task is Task.REGRESSION:
        return np.maximum(1.0, np.round(noisy * 3))
    return np.digitize(noisy, np.quantile(noisy, [0.5] if task is Task.BINARY else [0.4, 0.7]))


def fit(spec: ModelSpec) -> Any:
    return fit_pipeline(spec, to_frame(training_rows(), spec.features), target(spec.task))


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


_NUMBERS = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-5, 100).map(float),
    st.sampled_from([value for value in training_rows()["price"].to_pylist() if value is not None]),
    st.sampled_from([0.0, -0.0, 1e30, -1e30, 5e-324, 16777217.0]),
)
_TEXTS = st.one_of(st.sampled_from([*SHOPS, *COLOURS]), st.text(max_size=3))

batches = st.lists(
    st.fixed_dictionaries(
        {
            "shop": _maybe(_TEXTS),
            "price": _maybe(_NUMBERS),
            "age": _maybe(_NUMBERS),
            "member": _maybe(st.booleans()),
            "colour": _maybe(_TEXTS),
        }
    ),
    min_size=1,
    max_size=20,
).map(lambda rows: batch_of({name: [row[name] for row in rows] for name in SCHEMA.names}))
"""Batches of one row and more: nulls, unseen categories, extremes, and values that training saw."""
