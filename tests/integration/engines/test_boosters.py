"""XGBoost and LightGBM, compiled, against the libraries themselves."""

import json
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor

from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines import compiler
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.families.lightgbm import ZERO
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.proof import prove
from functions.shared.engines.skops_file import dump_pipeline, load_pipeline
from tests.integration.engines.test_kernel_bits import in_numpy
from tests.unit.shared.engines.rows import batches, fit, make_spec, training_rows

BINARY, MULTICLASS, REGRESSION = Task.BINARY, Task.MULTICLASS, Task.REGRESSION
XGB, LGBM = "xgboost.XGB", "lightgbm.LGBM"
LINEAR_BOOSTER = "ignore:.*gblinear. is deprecated:UserWarning"

PIPELINES = {
    "xgboost": make_spec(BINARY, XGB + "Classifier", n_estimators=30),
    "xgboost of three classes": make_spec(MULTICLASS, XGB + "Classifier", n_estimators=8),
    "xgboost regression": make_spec(REGRESSION, XGB + "Regressor", n_estimators=30),
    "xgboost of counts": make_spec(REGRESSION, XGB + "Regressor", n_estimators=20, objective="count:poisson"),
    "xgboost tweedie": make_spec(REGRESSION, XGB + "Regressor", n_estimators=20, objective="reg:tweedie"),
    "xgboost random forest": make_spec(BINARY, XGB + "RFClassifier", n_estimators=20),
    "xgboost random forest regression": make_spec(REGRESSION, XGB + "RFRegressor", n_estimators=20),
    "xgboost dart of three classes": make_spec(MULTICLASS, XGB + "Classifier", n_estimators=8, rate_drop=0.3),
    "xgboost with categories one by one": make_spec(BINARY, XGB + "Classifier", n_estimators=20, max_cat_to_onehot=100),
    "xgboost with sets of categories": make_spec(BINARY, XGB + "Classifier", n_estimators=20, max_cat_to_onehot=1),
    "xgboost where a number is missing too": make_spec(BINARY, XGB + "Classifier", n_estimators=20, missing=26.0),
    "xgboost with unequal classes": make_spec(BINARY, XGB + "Classifier", n_estimators=20, scale_pos_weight=7.5, base_score=0.1),
    "deep xgboost": make_spec(REGRESSION, XGB + "Regressor", n_estimators=10, max_depth=14, min_child_weight=0, max_cat_to_onehot=1),
    "lightgbm": make_spec(BINARY, LGBM + "Classifier", n_estimators=30),
    "lightgbm of three classes": make_spec(MULTICLASS, LGBM + "Classifier", n_estimators=8),
    "lightgbm one class versus the rest": make_spec(
        MULTICLASS, LGBM + "Classifier", n_estimators=8, objective="multiclassova", sigmoid=0.6
    ),
    "lightgbm regression": make_spec(REGRESSION, LGBM + "Regressor", n_estimators=30),
    "lightgbm of square roots": make_spec(REGRESSION, LGBM + "Regressor", n_estimators=20, reg_sqrt=True),
    "lightgbm of counts": make_spec(REGRESSION, LGBM + "Regressor", n_estimators=20, objective="poisson"),
    "lightgbm dart": make_spec(BINARY, LGBM + "Classifier", n_estimators=20, boosting_type="dart", drop_rate=0.4),
    "lightgbm random forest": make_spec(BINARY, LGBM + "Classifier", n_estimators=20, boosting_type="rf"),
    "lightgbm random forest of three classes": make_spec(MULTICLASS, LGBM + "Classifier", n_estimators=9, boosting_type="rf"),
    "lightgbm goss": make_spec(BINARY, LGBM + "Classifier", n_estimators=20, data_sample_strategy="goss"),
    "lightgbm where zero is missing": make_spec(BINARY, LGBM + "Classifier", n_estimators=20, zero_as_missing=True),
    "lightgbm where nothing is missing": make_spec(BINARY, LGBM + "Classifier", n_estimators=20, use_missing=False),
    "lightgbm with unequal classes": make_spec(BINARY, LGBM + "Classifier", n_estimators=20, class_weight="balanced", sigmoid=1.7),
    "lightgbm that never splits": make_spec(BINARY, LGBM + "Classifier", n_estimators=3, min_child_samples=500),
    "deep lightgbm": make_spec(
        REGRESSION, LGBM + "Regressor", n_estimators=10, num_leaves=120, min_child_samples=1, min_data_per_group=1, cat_smooth=0
    ),
    "deep lightgbm where zero is missing": make_spec(
        REGRESSION, LGBM + "Regressor", n_estimators=10, num_leaves=120, min_child_samples=1, min_data_per_group=1, zero_as_missing=True
    ),
}


def agree(compiled: Compiled, model: Any, spec: ModelSpec, rows: pa.RecordBatch) -> None:
    """XGBoost's scores to the last bit, LightGBM's as nearly as two exponential functions are equal; decisions without exception."""
    engine, numpy = build_engine(compiled, spec), in_numpy(compiled, spec)
    scores = engine.score(rows)
    assert scores.tobytes() == numpy.score(rows).tobytes()
    expected = NativeEngine(model, spec.task, spec.features).score(rows)
    if "xgboost" in spec.estimator:
        assert np.array_equal(scores, expected)
    else:
        np.testing.assert_allclose(scores, expected, rtol=1e-14, atol=1e-300)
    if spec.task is BINARY:
        assert np.array_equal(scores > 0.5, expected > 0.5)
    if spec.task is MULTICLASS:
        assert np.array_equal(scores.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.parametrize("name", PIPELINES)
def test_a_compiled_booster_scores_as_its_library_does(name: str) -> None:
    spec = PIPELINES[name]
    pipeline = fit(spec)
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is (EngineKind.FOREST if "deep" in name else EngineKind.BITVECTOR), compiled.reason
    agree(compiled, pipeline, spec, training_rows())

    @settings(max_examples=5)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        agree(compiled, pipeline, spec, batch)

    on_any_batch()
    assert prove(compiled, pipeline, spec, pa.Table.from_batches([training_rows()])).compiled is compiled


@pytest.mark.parametrize("name", ["xgboost of three classes", "lightgbm", "deep xgboost"])
def test_a_booster_comes_back_from_its_file_as_it_went_in(name: str) -> None:
    spec = PIPELINES[name]
    pipeline = fit(spec)
    again = load_pipeline(dump_pipeline(pipeline))
    # Which parts of a first file are one object, Python's own cache of numbers decides.
    assert dump_pipeline(load_pipeline(dump_pipeline(again))) == dump_pipeline(again)
    before, after = (NativeEngine(model, spec.task, spec.features).score(training_rows()) for model in (pipeline, again))
    assert np.array_equal(before, after)


NATIVE = [
    (make_spec(REGRESSION, XGB + "Regressor", booster="gblinear"), "gblinear"),
    (make_spec(MULTICLASS, XGB + "Classifier", multi_strategy="multi_output_tree", n_estimators=3), "a value for each class"),
    (make_spec(MULTICLASS, XGB + "Classifier", objective="multi:softmax", n_estimators=3), "multi:softmax"),
    (make_spec(BINARY, XGB + "Classifier", objective="binary:hinge", n_estimators=3), "binary:hinge"),
    (make_spec(REGRESSION, LGBM + "Regressor", linear_tree=True, n_estimators=3), "linear models in leaves"),
    (make_spec(BINARY, LGBM + "Classifier", objective="cross_entropy_lambda", n_estimators=3), "cross_entropy_lambda"),
]


@pytest.mark.parametrize(("spec", "reason"), NATIVE, ids=[reason for _, reason in NATIVE])
@pytest.mark.filterwarnings(LINEAR_BOOSTER)
def test_what_no_tree_says_stays_native_and_says_why(spec: ModelSpec, reason: str) -> None:
    pipeline = fit(spec)
    compiled = compile_pipeline(pipeline, spec)
    assert (compiled.kind, reason in compiled.reason) == (EngineKind.NATIVE, True), compiled.reason
    engine = NativeEngine(pipeline, spec.task, spec.features)
    assert engine.backend == spec.estimator.partition(".")[0]
    assert engine.score(training_rows()).shape == (240, len(spec.score_columns))


@pytest.mark.parametrize("spec", [NATIVE[0][0], NATIVE[2][0], NATIVE[4][0]], ids=["gblinear", "softmax", "linear_tree"])
@pytest.mark.filterwarnings(LINEAR_BOOSTER)
def test_a_native_booster_works_in_one_thread_for_each_of_several_callers(spec: ModelSpec) -> None:
    pipeline = load_pipeline(dump_pipeline(fit(spec)))
    engine = NativeEngine(pipeline, spec.task, spec.features)
    assert engine.pipeline[-1].n_jobs == 1
    if "xgboost" in spec.estimator:
        config = json.loads(engine.pipeline[-1].get_booster().save_config())
        assert config["learner"]["generic_param"]["nthread"] == "1"
    parts = [training_rows().slice(start, 30) for start in range(0, 240, 30)]
    alone = [engine.score(part) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(engine.score, parts * 3))
    assert all(np.array_equal(scores, alone[place % len(parts)]) for place, scores in enumerate(together))


# Models of any kind on bare numbers, some of which are codes of categories


NAMES = ("x", "y", "code")
CODES = 40
ROWS = 240


def any_rows(seed: int) -> tuple[pd.DataFrame, NDArray[Any]]:
    """Numbers with many zeros and ties, some missing, and codes; and what they say of a target from 0 to 1."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": np.round(rng.normal(size=ROWS), 1) * rng.choice([1.0, 1.0, 0.0], ROWS),
            "y": rng.lognormal(4, 3, ROWS) * rng.choice([1.0, -1.0, 1e-36, 2e8], ROWS),
            "code": np.floor(CODES * rng.random(ROWS) ** 3),
        }
    )
    signal = np.sin(3 * frame["x"]) + (frame["code"] % 3) / 2 + np.sign(frame["y"]) * np.log1p(np.abs(frame["y"])) / 10
    frame = frame.mask(rng.random(frame.shape) < rng.choice([0.0, 0.15]))
    noisy = signal.to_numpy() + rng.normal(0, 0.3, ROWS)
    return frame, (noisy - noisy.min()) / np.ptp(noisy)


def any_target(share: NDArray[Any], task: Task) -> NDArray[Any]:
    if task is REGRESSION:
        return np.round(share * 20) + 1
    return np.digitize(share, [0.5] if task is BINARY else [0.4, 0.7])


@st.composite
def xgboost_models(draw: st.DrawFn) -> tuple[Task, Mapping[str, Any]]:
    task = draw(st.sampled_from(list(Task)))
    objectives = {
        BINARY: ["binary:logistic"],
        MULTICLASS: ["multi:softprob"],
        REGRESSION: ["reg:squarederror", "count:poisson", "reg:gamma", "reg:tweedie", "reg:absoluteerror", "reg:pseudohubererror"],
    }
    parameters: dict[str, Any] = {
        "objective": draw(st.sampled_from(objectives[task])),
        "n_estimators": draw(st.integers(1, 6)),
        "max_depth": draw(st.sampled_from([1, 3, 6, 12])),
        "min_child_weight": draw(st.sampled_from([0, 1])),
        "max_cat_to_onehot": draw(st.sampled_from([1, 4, 100])),
        "num_parallel_tree": draw(st.sampled_from([1, 1, 3])),
        "learning_rate": draw(st.sampled_from([0.3, 1.0])),
        "subsample": draw(st.sampled_from([1.0, 0.6])),
        "missing": draw(st.sampled_from([np.nan, np.nan, 0.0, 0.1])),
        "feature_types": ["q", "q", draw(st.sampled_from("qc"))],
        "early_stopping_rounds": draw(st.sampled_from([None, 1])),
    }
    if draw(st.booleans()):
        parameters["rate_drop"] = 0.5
    if draw(st.booleans()):
        parameters["tree_method"] = "approx"
    if task is not MULTICLASS and draw(st.booleans()):
        parameters["base_score"] = 0.3
    return task, parameters


@st.composite
def lightgbm_models(draw: st.DrawFn) -> tuple[Task, Mapping[str, Any]]:
    task = draw(st.sampled_from(list(Task)))
    objectives = {
        BINARY: ["binary", "cross_entropy"],
        MULTICLASS: ["multiclass", "multiclassova"],
        REGRESSION: ["regression", "poisson", "gamma", "tweedie", "l1", "huber", "fair", "quantile", "mape"],
    }
    boosting = draw(st.sampled_from(["gbdt", "gbdt", "dart", "rf"]))
    parameters: dict[str, Any] = {
        "objective": draw(st.sampled_from(objectives[task])),
        "boosting_type": boosting,
        "n_estimators": draw(st.integers(1, 6)),
        "num_leaves": draw(st.sampled_from([2, 7, 31, 90])),
        "min_child_samples": draw(st.sampled_from([1, 10])),
        "learning_rate": draw(st.sampled_from([0.1, 1.0])),
        "use_missing": draw(st.booleans()),
        "zero_as_missing": draw(st.booleans()),
        "max_cat_to_onehot": draw(st.sampled_from([1, 4, 100])),
        "min_data_per_group": draw(st.sampled_from([1, 20])),
        "cat_smooth": draw(st.sampled_from([0.0, 10.0])),
        "sigmoid": draw(st.sampled_from([1.0, 0.7])),
        "reg_sqrt": draw(st.booleans()),
        "extra_trees": draw(st.booleans()),
        "categorical_column": draw(st.sampled_from([[], [2]])),
        "deterministic": True,
        "verbosity": -1,
    }
    if boosting == "rf":
        parameters |= {"subsample": 0.6, "subsample_freq": 1}
    elif draw(st.booleans()):
        parameters["data_sample_strategy"] = "goss"
    if boosting == "gbdt" and draw(st.booleans()):
        parameters["early_stopping_round"] = 1
    return task, parameters


def spec_of(task: Task, package: str) -> ModelSpec:
    features = tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in NAMES)
    return make_spec(task, f"{package}.Any").model_copy(update={"features": features})


def odd_rows(compiled: Compiled, frame: pd.DataFrame, *, infinite: bool) -> pa.RecordBatch:
    """Every threshold and its neighbours in double and single precision, codes that are none, and specials, among rows as usual."""
    rng = np.random.default_rng(0)
    specials = [np.nan, 0.0, -0.0, 1e-36, -1e-36, ZERO, -ZERO, np.nextafter(ZERO, 1), np.nextafter(-ZERO, -1), 16777215.0, 16777216.0]
    specials += [16777217.0, 2.0**31, 1e30, -1e30, -1.0, -0.5, np.nextafter(-1.0, 0), 0.5, CODES, CODES + 1.5, 255.0, 256.0, 0.1]
    specials += [np.inf, -np.inf] if infinite else []
    columns = {}
    for place, name in enumerate(NAMES):
        edges = compiled.arrays.get(f"edges_{place}", np.empty(0))
        single = edges.astype(np.float32)
        around = [np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)]
        with np.errstate(over="ignore"):
            around += [np.nextafter(single, np.float32(sign)).astype(np.float64) for sign in (-np.inf, np.inf)]
        pool = np.concatenate([edges, *around, specials, frame[name].to_numpy(), np.arange(-2.0, CODES + 3)])
        columns[name] = pa.array(rng.choice(pool, 600), from_pandas=True)
    return pa.record_batch(columns)


def compiled_somehow(model: Any, spec: ModelSpec, table_bytes: int) -> Compiled:
    """As tables of masks or, if those may be no larger, as trees to walk; one that never splits has nothing to walk."""
    never_splits = "up to 1 leaves" in compile_pipeline(model, spec).reason
    assume(table_bytes or not never_splits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "MAX_TABLE_BYTES", table_bytes)
        return compile_pipeline(model, spec)


as_tables_or_walked = st.sampled_from([2**20, 0])


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(xgboost_models(), st.integers(0, 2**16), as_tables_or_walked)
def test_any_model_of_xgboost_is_compiled_to_the_last_bit(drawn: tuple[Task, Mapping[str, Any]], seed: int, table_bytes: int) -> None:
    task, parameters = drawn
    frame, share = any_rows(seed)
    truth = any_target(share, task)
    made = XGBRegressor if task is REGRESSION else XGBClassifier
    model = made(random_state=seed, n_jobs=1, enable_categorical=True, **parameters)
    half = slice(ROWS // 2, None)
    stopping = {"eval_set": [(frame[half], truth[half])]} if parameters["early_stopping_rounds"] else {}
    model.fit(frame, truth, verbose=False, **stopping)
    spec = spec_of(task, "xgboost")
    compiled = compiled_somehow(model, spec, table_bytes)
    event(str(compiled.kind))
    assert compiled.kind is not EngineKind.NATIVE, compiled.reason
    agree(compiled, model, spec, odd_rows(compiled, frame, infinite=False))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(lightgbm_models(), st.integers(0, 2**16), as_tables_or_walked)
def test_any_model_of_lightgbm_is_compiled_exactly(drawn: tuple[Task, Mapping[str, Any]], seed: int, table_bytes: int) -> None:
    task, parameters = drawn
    frame, share = any_rows(seed)
    truth = any_target(share, task)
    made = lightgbm.LGBMRegressor if task is REGRESSION else lightgbm.LGBMClassifier
    model = made(random_state=seed, n_jobs=1, **parameters)
    half = slice(ROWS // 2, None)
    stopping = {"eval_set": [(frame[half], truth[half])]} if "early_stopping_round" in parameters else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, truth, **stopping)
    spec = spec_of(task, "lightgbm")
    compiled = compiled_somehow(model, spec, table_bytes)
    event(str(compiled.kind))
    assert compiled.kind is not EngineKind.NATIVE, compiled.reason
    agree(compiled, model, spec, odd_rows(compiled, frame, infinite=True))


def test_sums_in_single_precision_are_those_of_xgboost_before_any_link() -> None:
    frame, share = any_rows(3)
    model = XGBRegressor(n_estimators=300, max_depth=3, learning_rate=0.05).fit(frame, share * 1e6)
    spec = spec_of(REGRESSION, "xgboost")
    rows = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    margins = model.get_booster().predict(xgboost.DMatrix(frame), output_margin=True)
    assert margins.dtype == np.float32
    assert np.array_equal(build_engine(compile_pipeline(model, spec), spec).score(rows)[:, 0], margins)
