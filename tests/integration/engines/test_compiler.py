from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

from functions.shared.domain.spec import Feature, FeatureKind, Task
from functions.shared.engines import compiler, forest_compiler
from functions.shared.engines.compiled import build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.frame import to_frame
from functions.shared.engines.native import NativeEngine
from tests.unit.shared.engines.rows import FEATURES, fit, make_spec, target, training_rows


def numbers(*steps: Any) -> Any:
    return make_column_transformer((make_pipeline(*steps), ["price", "age"]))


def square(values: Any) -> Any:
    return values**2


BINARY, REGRESSION = Task.BINARY, Task.REGRESSION
REFUSED = [
    (BINARY, make_pipeline(numbers(SimpleImputer()), KNeighborsClassifier()), "KNeighborsClassifier is not an estimator"),
    (BINARY, make_pipeline(numbers(KNNImputer()), LogisticRegression()), "KNNImputer is not a transformer"),
    (BINARY, make_pipeline(numbers(SimpleImputer(), MinMaxScaler(clip=True)), LogisticRegression()), "MinMaxScaler with clip"),
    (REGRESSION, make_pipeline(numbers(SimpleImputer(), FunctionTransformer(square)), LinearRegression()), "FunctionTransformer"),
    (BINARY, make_pipeline(numbers(SimpleImputer()), SGDClassifier(loss="modified_huber")), "modified_huber"),
    (
        REGRESSION,
        make_pipeline(numbers(SimpleImputer()), GradientBoostingRegressor(n_estimators=2, init=LinearRegression())),
        "with init=LinearRegression",
    ),
    (
        REGRESSION,
        make_pipeline(numbers(SimpleImputer(), StandardScaler(), OneHotEncoder(handle_unknown="ignore")), LinearRegression()),
        "encoding price after scaling",
    ),
]


@pytest.mark.parametrize(("task", "pipeline", "reason"), REFUSED, ids=[reason for _, _, reason in REFUSED])
def test_what_has_no_exact_form_stays_native_and_says_why(task: Task, pipeline: Any, reason: str) -> None:
    pipeline.fit(to_frame(training_rows(), FEATURES), target(task))
    compiled = compile_pipeline(pipeline, make_spec(task, "sklearn.pipeline.Pipeline"))
    assert compiled.kind is EngineKind.NATIVE
    assert reason in compiled.reason
    assert not compiled.arrays


def test_an_encoder_that_refuses_unseen_categories_stays_native() -> None:
    encoder = make_column_transformer((OneHotEncoder(), ["shop"]))
    pipeline = make_pipeline(encoder, LogisticRegression()).fit(to_frame(training_rows(), FEATURES), target(BINARY))
    compiled = compile_pipeline(pipeline, make_spec(BINARY, "sklearn.pipeline.Pipeline"))
    assert compiled.kind is EngineKind.NATIVE
    assert "unknown categories" in compiled.reason


def test_an_unfitted_pipeline_stays_native_rather_than_failing() -> None:
    pipeline = make_pipeline(numbers(SimpleImputer()), LogisticRegression())
    assert compile_pipeline(pipeline, make_spec(BINARY, "sklearn.pipeline.Pipeline")).kind is EngineKind.NATIVE


def test_a_pipeline_whose_outputs_are_not_the_spec_s_stays_native() -> None:
    spec = make_spec(Task.MULTICLASS, "sklearn.linear_model.LogisticRegression")
    pipeline = fit(spec)
    assert "outputs" in compile_pipeline(pipeline, make_spec(BINARY, spec.estimator)).reason
    assert "task" in compile_pipeline(pipeline, make_spec(REGRESSION, spec.estimator)).reason


@pytest.mark.parametrize("estimator", ["GradientBoostingClassifier", "HistGradientBoostingClassifier"])
def test_trees_whose_tables_are_beyond_the_limit_are_walked(monkeypatch: pytest.MonkeyPatch, estimator: str) -> None:
    monkeypatch.setattr(compiler, "MAX_TABLE_BYTES", 100)
    spec = make_spec(BINARY, f"sklearn.ensemble.{estimator}")
    pipeline = fit(spec)
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is EngineKind.FOREST
    # Only the second of them splits on sets of categories.
    assert any(name.startswith("sets_") for name in compiled.arrays) == estimator.startswith("Hist")
    expected = NativeEngine(pipeline, spec.task, spec.features).score(training_rows())
    np.testing.assert_allclose(build_engine(compiled, spec).score(training_rows()), expected, rtol=1e-12)


def test_category_splits_that_one_code_has_no_numbers_for_take_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "MAX_TABLE_BYTES", 100)
    spec = make_spec(REGRESSION, "sklearn.ensemble.HistGradientBoostingRegressor", min_samples_leaf=1)
    pipeline = fit(spec)
    monkeypatch.setattr(forest_compiler, "SETS_OF_A_CODE", 2)
    compiled = compile_pipeline(pipeline, spec)
    sets = [array for name, array in compiled.arrays.items() if name.startswith("sets_")]
    assert len(sets) > 2
    assert max(map(len, sets)) == 2
    expected = NativeEngine(pipeline, spec.task, spec.features).score(training_rows())
    np.testing.assert_allclose(build_engine(compiled, spec).score(training_rows()), expected, rtol=1e-12)


@pytest.mark.parametrize("stretch", [1, 7, 239])
def test_a_column_of_more_values_than_a_code_distinguishes_takes_several(monkeypatch: pytest.MonkeyPatch, stretch: int) -> None:
    spec = make_spec(REGRESSION, "sklearn.ensemble.RandomForestRegressor", n_estimators=3)
    pipeline = fit(spec)
    with_one = compile_pipeline(pipeline, spec)
    monkeypatch.setattr(forest_compiler, "STRETCH", stretch)
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is EngineKind.FOREST, compiled.reason
    assert len(compiled.arrays["code_features"]) >= len(with_one.arrays["code_features"]) + (stretch < 100)
    expected = NativeEngine(pipeline, spec.task, spec.features).score(training_rows())
    assert np.array_equal(build_engine(compiled, spec).score(training_rows()), expected)


@pytest.mark.parametrize("offset", [0.0, -3.0, 1e9, 1e14])
def test_thresholds_separate_the_same_numbers_however_far_scaling_moves_them(offset: float) -> None:
    features = (Feature(name="x", kind=FeatureKind.NUMBER),)
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"x": offset + rng.normal(size=300)})
    model = RandomForestRegressor(n_estimators=2, random_state=0)
    pipeline = make_pipeline(StandardScaler(), MinMaxScaler(), model).fit(frame, rng.normal(size=300))
    spec = make_spec(REGRESSION, "sklearn.pipeline.Pipeline").model_copy(update={"features": features})
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is EngineKind.FOREST, compiled.reason
    edges = compiled.arrays["edges_0"]
    assert len(edges) > 60
    values = np.concatenate([np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)])
    expected = pipeline.predict(pd.DataFrame({"x": values}))
    assert np.array_equal(build_engine(compiled, spec).score(pa.record_batch({"x": values}))[:, 0], expected)


@pytest.mark.parametrize(("limit", "reason"), [("MAX_BYTES", "MiB, more than 0"), ("MAX_THRESHOLDS", "distinct thresholds, more than 50")])
def test_deep_trees_beyond_a_limit_stay_native(monkeypatch: pytest.MonkeyPatch, limit: str, reason: str) -> None:
    monkeypatch.setattr(forest_compiler, limit, 50)
    spec = make_spec(REGRESSION, "sklearn.ensemble.RandomForestRegressor", n_estimators=2)
    compiled = compile_pipeline(fit(spec), spec)
    assert compiled.kind is EngineKind.NATIVE
    assert reason in compiled.reason


def test_an_estimator_without_a_pipeline_compiles() -> None:
    frame = to_frame(training_rows(), FEATURES[1:3])
    model = HistGradientBoostingClassifier(max_iter=2).fit(frame, target(BINARY))
    spec = make_spec(BINARY, "sklearn.ensemble.HistGradientBoostingClassifier").model_copy(update={"features": FEATURES[1:3]})
    assert compile_pipeline(model, spec).kind is EngineKind.BITVECTOR


def test_rare_categories_that_the_encoder_pools_share_one_bin() -> None:
    encoder = OneHotEncoder(max_categories=2, handle_unknown="infrequent_if_exist")
    pipeline = make_pipeline(make_column_transformer((encoder, ["shop"])), LinearRegression())
    spec = make_spec(REGRESSION, "sklearn.pipeline.Pipeline")
    pipeline.fit(to_frame(training_rows(), FEATURES), target(REGRESSION))
    compiled = compile_pipeline(pipeline, spec)
    assert len(compiled.arrays["rows_0"]) == len(["", "north", "süd", "東", "unseen", "missing"])
    assert compiled.arrays["table_0"].shape == (2, 1)


def test_only_features_that_the_trees_look_at_are_read() -> None:
    pipeline = make_pipeline(
        make_column_transformer(("passthrough", ["price"]), ("drop", ["age"])), HistGradientBoostingClassifier(max_iter=3)
    ).fit(to_frame(training_rows(), FEATURES), target(BINARY))
    compiled = compile_pipeline(pipeline, make_spec(BINARY, "sklearn.pipeline.Pipeline"))
    assert np.array_equal(compiled.arrays["features"], [1])
