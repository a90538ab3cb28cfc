"""Mean scores by bin are scikit-learn's partial dependence, where each bin holds one value."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.inspection import partial_dependence

from functions.retraining.effects import with_effects
from functions.retraining.fitting import fit
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.frame import to_frame

ROWS = 240
FEATURES = (Feature(name="rooms", kind=FeatureKind.NUMBER), Feature(name="size", kind=FeatureKind.NUMBER))


def training_set(task: Task, estimator: str, parameters: dict[str, Any]) -> TrainingSet:
    rng = np.random.default_rng(3)
    rooms, size = rng.integers(1, 6, ROWS).astype(float), rng.normal(80, 20, ROWS)
    price = 40 * rooms + size + rng.normal(0, 10, ROWS)
    target = price if task is Task.REGRESSION else np.array(["cheap", "fair", "dear"])[np.digitize(price, np.quantile(price, [0.3, 0.7]))]
    spec = ModelSpec(
        name="flats", task=task, target="price", id_column="id", features=FEATURES, metric="r2", estimator=estimator, parameters=parameters
    )
    return TrainingSet(spec, pa.table({"rooms": rooms, "size": size, "price": pa.array(target)}))


@pytest.mark.parametrize(
    ("task", "estimator", "parameters"),
    [
        (Task.MULTICLASS, "sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 5}),
        (Task.REGRESSION, "sklearn.ensemble.RandomForestRegressor", {"n_estimators": 5}),
        (Task.REGRESSION, "sklearn.neighbors.KNeighborsRegressor", {}),
    ],
)
def test_bin_means_are_scikit_learns_partial_dependence(task: Task, estimator: str, parameters: dict[str, Any]) -> None:
    rows = training_set(task, estimator, parameters)
    fitted = fit(rows.spec, rows)
    baseline = build_baseline("flats", "1", rows.table, fitted.spec, fitted.score(rows))
    [rooms, _] = with_effects(baseline, fitted.engine, rows.table, rows.table, seed=0).features
    oracle = partial_dependence(fitted.pipeline, to_frame(rows.table, FEATURES), ["rooms"], method="brute", kind="average")
    assert rooms.bins.edges == tuple(oracle["grid_values"][0])
    # The first bin is of missing values and the last one above the largest: training had none of either.
    found = np.array(rooms.means)[:, 1:-1]
    assert found == pytest.approx(oracle["average"], rel=1e-5)
