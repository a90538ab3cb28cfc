"""Versions of a small model, really fitted and compiled, as retraining would leave them in the store."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from functions.retraining.fitting import as_fitted, fit, score_rows
from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain import layout
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.performance.error_curve import error_curve
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines import proof
from functions.shared.engines.bundle import bundle_digest, make_bundle
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.frame import to_frame
from functions.shared.engines.skops_file import dump_pipeline
from functions.shared.ports import ObjectStore
from tests.fakes.kept import kept

MODEL = "sales"
FEATURES = (
    Feature(name="price", kind=FeatureKind.NUMBER),
    Feature(name="shop", kind=FeatureKind.CATEGORY, canonical=True),
    Feature(name="member", kind=FeatureKind.BOOLEAN),
)
DISTANCE = Feature(name="distance", kind=FeatureKind.NUMBER)
"""A feature that only some versions use."""

ESTIMATORS: Mapping[EngineKind, tuple[str, Mapping[str, object]]] = {
    EngineKind.LINEAR: ("sklearn.linear_model.LogisticRegression", {}),
    EngineKind.BITVECTOR: ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 3}),
    EngineKind.NATIVE: ("sklearn.neighbors.KNeighborsClassifier", {}),
}
_TYPES = {FeatureKind.NUMBER: pa.float64(), FeatureKind.CATEGORY: pa.string(), FeatureKind.BOOLEAN: pa.bool_()}


@dataclass(frozen=True, slots=True)
class Version:
    """A version: its number, its spec, the fitted scikit-learn pipeline, and the files of its bundle."""

    number: str
    spec: ModelSpec
    pipeline: Any
    files: Mapping[str, bytes]

    @property
    def served(self) -> ServedModel:
        """What a release document says of it."""
        return ServedModel(version=self.number, digest=bundle_digest(self.files), prefix=layout.version_prefix(MODEL, self.number))

    def put(self, store: ObjectStore) -> ServedModel:
        """Lay the bundle where retraining would."""
        for name, body in self.files.items():
            store.write(self.served.prefix + name, body)
        return self.served


@kept
def make_version(
    number: str = "1",
    engine: EngineKind = EngineKind.LINEAR,
    task: Task = Task.BINARY,
    features: tuple[Feature, ...] = FEATURES,
    seed: int = 1,
    positive: str | None = None,
    threshold: float | None = None,
    **described: Any,
) -> Version:
    """A version fitted on 120 made-up rows; each seed gives other rows, so other scores. With a threshold its pipeline has that.

    Args:
        described: what the spec says otherwise: `time_column`, `timezone`, `day_zone`, `formats`.
    """
    estimator, parameters = ESTIMATORS[engine] if task is not Task.REGRESSION else ("sklearn.linear_model.Ridge", {})
    spec = ModelSpec(
        name=MODEL,
        task=task,
        target="bought",
        id_column="id",
        features=features,
        positive=positive,
        metric="log_loss",
        estimator=estimator,
        parameters=parameters,
        seed=seed,
        **{"time_column": "at", **described},
    )
    rows = TrainingSet(spec, _training_table(spec, seed))
    with patch.object(proof, "_cases", _training_rows):
        fitted = fit(spec, rows)
        if threshold is not None:
            decides = FixedThresholdClassifier(FrozenEstimator(fitted.pipeline), threshold=threshold)
            decides.fit(to_frame(rows.table, spec.features), rows.table[spec.target].to_pylist())
            fitted = as_fitted(decides, fitted.spec, rows)
    assert fitted.compiled.kind is engine or task is Task.REGRESSION
    scores = score_rows(fitted.engine, rows)
    curve = error_curve(rows.truth() == 1, scores[:, 0]) if task is Task.BINARY else None
    baseline = build_baseline(MODEL, number, rows.table, fitted.spec, scores, error_curve=curve)
    return Version(
        number, fitted.spec, fitted.pipeline, make_bundle(fitted.spec, baseline, fitted.compiled, dump_pipeline(fitted.pipeline))
    )


def _training_rows(rows: pa.Table, spec: ModelSpec, *_: object) -> Iterator[tuple[str, pa.RecordBatch]]:
    """What these versions are proved on. Awkward rows take most of a fit; tests/integration/engines has them."""
    yield "training rows", rows.select([feature.name for feature in spec.features]).combine_chunks().to_batches()[0]


def _training_table(spec: ModelSpec, seed: int, rows: int = 120) -> pa.Table:
    rng = np.random.default_rng(seed)
    start = datetime(2013, 3, 1, tzinfo=UTC)
    drawn: dict[str, Any] = {
        "price": np.round(rng.lognormal(3, 1, rows), 1),
        "shop": rng.choice(["north", "south", "east"], rows),
        "member": rng.random(rows) < 0.4,
        "distance": np.round(rng.random(rows) * 30, 1),
    }
    signal = drawn["price"] / 20 + 2 * (drawn["shop"] == "north") + drawn["member"] + rng.normal(0, 0.5, rows)
    return pa.table(
        {
            "id": pa.array([f"t{number}" for number in range(rows)]),
            "at": pa.array([start + timedelta(hours=6 * number) for number in range(rows)], pa.timestamp("us", "UTC")),
            **{feature.name: pa.array(drawn[feature.name], _TYPES[feature.kind]) for feature in spec.features},
            "bought": _target(spec.task, signal),
            DAY: pa.array([(start + timedelta(hours=6 * number)).date() for number in range(rows)], pa.date32()),
        }
    )


def _target(task: Task, signal: NDArray[np.float64]) -> pa.Array:
    if task is Task.REGRESSION:
        return pa.array(signal)
    names, cuts = {Task.BINARY: (("no", "yes"), [0.5]), Task.MULTICLASS: (("few", "many", "none"), [0.3, 0.7])}[task]
    return pa.array(np.array(names)[np.digitize(signal, np.quantile(signal, cuts))])
