"""CatBoost, compiled and native, against the library itself."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.shared.domain.errors import AdoptionRefusedError, TrainingError
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.families import catboost_files
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.proof import prove
from functions.shared.engines.skops_file import dump_pipeline, load_pipeline
from tests.integration.engines.test_boosters import any_rows, any_target, as_tables_or_walked, compiled_somehow, odd_rows, spec_of
from tests.integration.engines.test_kernel_bits import in_numpy
from tests.unit.shared.engines.rows import batches, fit, make_spec, training_rows

BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION
CB = "catboost.CatBoost"
SINGLE: Mapping[str, Any] = {"iterations": 20, "one_hot_max_size": 255}

COMPILED = {
    "binary": make_spec(BINARY, CB + "Classifier", **SINGLE),
    "three classes": make_spec(MULTICLASS, CB + "Classifier", iterations=8, one_hot_max_size=255),
    "one class versus the rest": make_spec(
        MULTICLASS, CB + "Classifier", iterations=8, one_hot_max_size=255, loss_function="MultiClassOneVsAll"
    ),
    "regression": make_spec(REGRESSION, CB + "Regressor", **SINGLE),
    "counts": make_spec(REGRESSION, CB + "Regressor", **SINGLE, loss_function="Poisson"),
    "missing as the largest": make_spec(BINARY, CB + "Classifier", **SINGLE, nan_mode="Max"),
    "deep": make_spec(REGRESSION, CB + "Regressor", **SINGLE, depth=8),
    "leaf by leaf": make_spec(BINARY, CB + "Classifier", **SINGLE, grow_policy="Lossguide", max_leaves=20),
    "constrained": make_spec(REGRESSION, CB + "Regressor", **SINGLE, monotone_constraints={"price": 1}),
}


def agree(compiled: Compiled, model: Any, spec: ModelSpec, rows: pa.RecordBatch) -> None:
    """Scores as near as sums in another order are; decisions where scores are clear."""
    engine = build_engine(compiled, spec)
    scores = engine.score(rows)
    assert scores.tobytes() == in_numpy(compiled, spec).score(rows).tobytes()
    native = NativeEngine(model, spec.task, spec.features)
    expected = native.score(rows)
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)
    if spec.task is BINARY:
        clear = np.abs(scores[:, 0] - 0.5) > 1e-12
        assert np.array_equal((scores[:, 0] > 0.5)[clear], (native.predict(rows) == 1)[clear])


@pytest.mark.parametrize("name", COMPILED)
def test_a_compiled_catboost_scores_as_the_library_does(name: str) -> None:
    spec = COMPILED[name]
    pipeline = fit(spec)
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is (EngineKind.FOREST if name == "deep" else EngineKind.BITVECTOR), compiled.reason
    agree(compiled, pipeline, spec, training_rows())

    @settings(max_examples=5)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        agree(compiled, pipeline, spec, batch)

    on_any_batch()
    assert prove(compiled, pipeline, spec, pa.Table.from_batches([training_rows()])).compiled is compiled


def test_equal_trainings_have_equal_files_that_come_back_as_they_went_in() -> None:
    spec = make_spec(BINARY, CB + "Classifier", iterations=10)
    first, second = dump_pipeline(fit(spec)), dump_pipeline(fit(spec))
    assert first == second
    rows = training_rows()
    before, after = (NativeEngine(model, spec.task, spec.features).score(rows) for model in (fit(spec), load_pipeline(first)))
    assert np.array_equal(before, after)


def test_statistics_of_categories_stay_native_and_say_what_compiles() -> None:
    spec = make_spec(BINARY, CB + "Classifier", iterations=10)
    pipeline = fit(spec)
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is EngineKind.NATIVE
    assert "one_hot_max_size" in compiled.reason
    engine = NativeEngine(pipeline, spec.task, spec.features)
    assert (engine.backend, engine.score(training_rows()).shape) == ("catboost", (240, 1))


@st.composite
def catboost_models(draw: st.DrawFn) -> tuple[Task, Mapping[str, Any]]:
    task = draw(st.sampled_from(list(Task)))
    objectives = {
        BINARY: ["Logloss", "CrossEntropy"],
        MULTICLASS: ["MultiClass", "MultiClassOneVsAll"],
        REGRESSION: ["RMSE", "MAE", "Quantile:alpha=0.3", "Poisson", "Tweedie:variance_power=1.5", "LogLinQuantile", "MAPE"],
    }
    return task, {
        "loss_function": draw(st.sampled_from(objectives[task])),
        "iterations": draw(st.integers(1, 6)),
        "depth": draw(st.sampled_from([1, 3, 6, 7])),
        "learning_rate": draw(st.sampled_from([0.1, 1.0])),
        "nan_mode": draw(st.sampled_from(["Min", "Max"])),
        "grow_policy": draw(st.sampled_from(["SymmetricTree", "SymmetricTree", "Depthwise", "Lossguide"])),
        "bootstrap_type": draw(st.sampled_from(["No", "Bernoulli", "MVS"])),
    }


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(catboost_models(), st.integers(0, 2**16), as_tables_or_walked)
def test_any_model_of_catboost_without_statistics_is_compiled(drawn: tuple[Task, Mapping[str, Any]], seed: int, table_bytes: int) -> None:
    task, parameters = drawn
    frame, share = any_rows(seed)
    truth = any_target(share, task)
    made = CatBoostRegressor if task is REGRESSION else CatBoostClassifier
    model = made(random_seed=seed, thread_count=1, verbose=False, allow_writing_files=False, **parameters).fit(frame, truth)
    spec = spec_of(task, "catboost")
    compiled = compiled_somehow(model, spec, table_bytes)
    assert compiled.kind is not EngineKind.NATIVE, compiled.reason
    agree(compiled, model, spec, odd_rows(compiled, frame, infinite=True))


@pytest.mark.parametrize("cut", [3, 8, 100, 1000])
def test_a_damaged_file_is_refused(cut: int) -> None:
    frame, share = any_rows(1)
    body = CatBoostRegressor(iterations=2, verbose=False, allow_writing_files=False).fit(frame, share)._serialize_model()
    assert np.allclose(catboost_files.estimator_in(body).predict(frame), catboost_files.estimator_in(body).predict(frame))
    with pytest.raises(AdoptionRefusedError, match="CatBoost cannot load the file"):
        catboost_files.estimator_in(b"CBM1" + body[4 : len(body) - cut])


def test_without_the_option_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(TrainingError, match=r"No module named 'catboost'|import of catboost halted") as trained:
        fit(make_spec(BINARY, CB + "Classifier"))
    with pytest.raises(AdoptionRefusedError, match="CatBoost's, which is not in the functions' image") as adopted:
        catboost_files.estimator_in(b"CBM1")
    for error in (trained, adopted):
        assert "everscore deploy --parameter With=catboost (in a checkout: make build WITH=catboost)" in error.value.remedy
