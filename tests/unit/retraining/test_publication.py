"""What publishing a version takes."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import skops.io

from functions.retraining.fitting import fit
from functions.retraining.publication import Candidate, Judgement, publish
from functions.retraining.training_set import DAY, TrainingSet
from functions.shared.domain.decision import Verdict
from functions.shared.domain.policy import Policy
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore


def test_a_pipeline_is_written_down_once_however_large_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    price = Feature(name="price", kind=FeatureKind.NUMBER)
    estimator = "sklearn.linear_model.Ridge"
    spec = ModelSpec(name="m", task=Task.REGRESSION, target="y", id_column="id", features=(price,), metric="rmse", estimator=estimator)
    drawn = np.random.default_rng(0).random(60)
    days = pa.array([datetime(2013, 4, 1, tzinfo=UTC).date()] * 60)
    rows = TrainingSet(spec, pa.table({"id": [str(place) for place in range(60)], "price": drawn, "y": 2 * drawn, DAY: days}))
    fitted = fit(spec, rows)
    dumps, written = skops.io.dumps, []

    def counted(pipeline: Any) -> bytes:
        written.append(pipeline)
        return dumps(pipeline)

    monkeypatch.setattr(skops.io, "dumps", counted)
    publish(
        Candidate(fitted, rows, rows, rows),
        Judgement(Verdict.PROMOTE, (), "person"),
        Policy(),
        store=MemoryStore(),
        registry=MemoryRegistry(),
        now=datetime(2013, 4, 2, tzinfo=UTC),
    )
    assert written == [fitted.pipeline]
