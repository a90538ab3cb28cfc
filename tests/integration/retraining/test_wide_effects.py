"""What is asked of a model with many features, so that its baseline is told what each does to the scores."""

import numpy as np
import pyarrow as pa

from functions.retraining.effects import FEWEST_ROWS, SCORED_ROWS, with_effects
from functions.shared.domain.baseline import build_baseline
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task


class Counting:
    """Answers nothing, and counts what it is asked."""

    asked = 0

    def score(self, batch: pa.RecordBatch) -> np.ndarray:
        self.asked += batch.num_rows
        return np.zeros((batch.num_rows, 1))


def test_wide_models_are_asked_about_fewer_rows_a_bin_but_never_about_too_few() -> None:
    assert SCORED_ROWS * 0.9 < asked(120) <= SCORED_ROWS
    assert asked(600) == 600 * 11 * FEWEST_ROWS


def asked(features: int) -> int:
    """Rows that a model of so many numbers scores; each has ten bins and one of missing values."""
    drawn = np.random.default_rng(0)
    names = [f"x{number}" for number in range(features)]
    table = pa.table({name: drawn.normal(size=300) for name in names})
    spec = ModelSpec(
        name="wide",
        task=Task.REGRESSION,
        target="y",
        id_column="id",
        features=tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in names),
        metric="rmse",
        estimator="sklearn.linear_model.Ridge",
    )
    engine = Counting()
    baseline = build_baseline("wide", "1", table, spec, np.zeros((300, 1)))
    assert {len(column.counts) for column in baseline.features} == {11}
    with_effects(baseline, engine, table, table, seed=0)
    return engine.asked
