"""Inputs unlike training's are named before anything is estimated from them."""

import numpy as np
import pyarrow as pa
import pytest

from functions.shared.domain.drift.baseline import Baseline, build_baseline
from functions.shared.domain.drift.profile import profile_batch
from functions.shared.domain.performance.estimate import input_alerts
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task

SPEC = ModelSpec(
    name="m",
    task=Task.BINARY,
    target="y",
    id_column="id",
    features=(Feature(name="weight", kind=FeatureKind.NUMBER), Feature(name="colour", kind=FeatureKind.CATEGORY)),
    classes=("no", "yes"),
    metric="log_loss",
    estimator="e",
)


def rows(weights: list[float | None], colour: str = "red") -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"weight": pa.array(weights, pa.float64()), "colour": pa.array([colour] * len(weights))})


def scores(rows: int) -> np.ndarray:
    return np.full((rows, 1), 0.5)


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    learnt = pa.Table.from_batches([rows([float(number) for number in range(1, 1001)])])
    return build_baseline("m", "1", learnt, SPEC, scores(1000))


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        (rows([float(number) for number in range(1, 1001, 7)]), []),
        (rows([None] * 10 + [float(number) for number in range(1, 901, 10)]), ["weight is missing in 10.0% of the rows, 0.0% at training"]),
        (rows([float(number) for number in range(1, 1001, 7)], "violet"), ["colour has unseen categories in 100.0% of the rows"]),
        (rows([1000.0 * number for number in range(1, 101)]), ["weight lies in its outermost bin in 100.0% of the rows: another unit?"]),
    ],
)
def test_what_is_unlike_training_is_named(baseline: Baseline, batch: pa.RecordBatch, said: list[str]) -> None:
    assert input_alerts(baseline, profile_batch(baseline, batch, scores(batch.num_rows))) == said
