import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, OneHotEncoder, OrdinalEncoder, RobustScaler, StandardScaler

from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.engines.compiled import Compiled, build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import Engine, EngineKind
from functions.shared.engines.frame import to_frame
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.proof import prove
from tests.unit.shared.engines.rows import FEATURES, batch_of, batches, fit, make_spec, target, training_rows

ENSEMBLE, LINEAR = "sklearn.ensemble.", "sklearn.linear_model."

SPECS = {
    "logistic regression": make_spec(Task.BINARY, LINEAR + "LogisticRegression"),
    "multinomial logistic regression": make_spec(Task.MULTICLASS, LINEAR + "LogisticRegression"),
    "stochastic gradient": make_spec(Task.BINARY, LINEAR + "SGDClassifier", loss="log_loss"),
    "stochastic gradient, one class versus the rest": make_spec(Task.MULTICLASS, LINEAR + "SGDClassifier", loss="log_loss"),
    "linear regression": make_spec(Task.REGRESSION, LINEAR + "LinearRegression"),
    "elastic net": make_spec(Task.REGRESSION, LINEAR + "ElasticNet"),
    "poisson regression": make_spec(Task.REGRESSION, LINEAR + "PoissonRegressor", solver="newton-cholesky"),
    "tweedie regression with identity link": make_spec(Task.REGRESSION, LINEAR + "TweedieRegressor", power=0, solver="newton-cholesky"),
    "histogram boosting": make_spec(Task.BINARY, ENSEMBLE + "HistGradientBoostingClassifier", max_iter=12, min_samples_leaf=3),
    "histogram boosting of three classes": make_spec(
        Task.MULTICLASS, ENSEMBLE + "HistGradientBoostingClassifier", max_iter=3, min_samples_leaf=3
    ),
    "histogram boosting of counts with 60 leaves": make_spec(
        Task.REGRESSION,
        ENSEMBLE + "HistGradientBoostingRegressor",
        max_iter=5,
        max_leaf_nodes=60,
        min_samples_leaf=1,
        loss="poisson",
    ),
    "histogram boosting that never splits": make_spec(
        Task.BINARY, ENSEMBLE + "HistGradientBoostingClassifier", max_iter=3, min_samples_leaf=500
    ),
    "gradient boosting": make_spec(Task.BINARY, ENSEMBLE + "GradientBoostingClassifier", n_estimators=10),
    "gradient boosting with exponential loss": make_spec(
        Task.BINARY, ENSEMBLE + "GradientBoostingClassifier", n_estimators=5, loss="exponential"
    ),
    "gradient boosting of three classes": make_spec(Task.MULTICLASS, ENSEMBLE + "GradientBoostingClassifier", n_estimators=4),
    "gradient boosting with huber loss": make_spec(Task.REGRESSION, ENSEMBLE + "GradientBoostingRegressor", n_estimators=5, loss="huber"),
    "random forest": make_spec(Task.BINARY, ENSEMBLE + "RandomForestClassifier", n_estimators=7, max_leaf_nodes=40),
    "extra trees of three classes": make_spec(
        Task.MULTICLASS, ENSEMBLE + "ExtraTreesClassifier", n_estimators=4, max_leaf_nodes=64, n_jobs=2
    ),
    "deep extra trees": make_spec(Task.BINARY, ENSEMBLE + "ExtraTreesClassifier", n_estimators=3),
    "deep random forest of counts": make_spec(Task.REGRESSION, ENSEMBLE + "RandomForestRegressor", n_estimators=4),
    "deep extra trees of three classes": make_spec(Task.MULTICLASS, ENSEMBLE + "ExtraTreesClassifier", n_estimators=3),
    "deep gradient boosting": make_spec(Task.REGRESSION, ENSEMBLE + "GradientBoostingRegressor", n_estimators=3, max_depth=12),
    "deep histogram boosting": make_spec(
        Task.REGRESSION,
        ENSEMBLE + "HistGradientBoostingRegressor",
        max_iter=3,
        max_leaf_nodes=None,
        min_samples_leaf=1,
        categorical_features=None,
    ),
    "decision tree": make_spec(Task.REGRESSION, "sklearn.tree.DecisionTreeRegressor", max_depth=4),
}


@cache
def fitted(name: str) -> tuple[ModelSpec, Any, Compiled]:
    spec = SPECS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = fit(spec)
    return spec, pipeline, compile_pipeline(pipeline, spec)


def scores_agree(engine: Engine, native: Engine, batch: pa.RecordBatch) -> None:
    expected = native.score(batch)
    scores = engine.score(batch)
    assert scores.shape == expected.shape
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.filterwarnings("ignore:overflow encountered in exp:RuntimeWarning")
def test_a_compiled_engine_scores_as_scikit_learn_does(name: str) -> None:
    spec, pipeline, compiled = fitted(name)
    assert compiled.kind is not EngineKind.NATIVE, compiled.reason
    engine, native = build_engine(compiled, spec), NativeEngine(pipeline, spec.task, spec.features)
    scores_agree(engine, native, training_rows())

    @settings(max_examples=4)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        scores_agree(engine, native, batch)

    on_any_batch()


@pytest.mark.parametrize("name", [name for name in SPECS if "random forest" in name or "extra trees" in name or name == "decision tree"])
def test_averages_are_those_of_scikit_learn_to_the_last_bit(name: str) -> None:
    spec, pipeline, compiled = fitted(name)
    engine, native = build_engine(compiled, spec), NativeEngine(pipeline, spec.task, spec.features)
    assert np.array_equal(engine.score(training_rows()), native.score(training_rows()))


@pytest.mark.parametrize("name", ["histogram boosting", "gradient boosting", "random forest"])
def test_values_on_and_next_to_every_threshold_take_the_same_side(name: str) -> None:
    spec, pipeline, compiled = fitted(name)
    engine, native = build_engine(compiled, spec), NativeEngine(pipeline, spec.task, spec.features)
    for position, feature in enumerate(spec.features):
        edges = compiled.arrays.get(f"edges_{position}")
        if edges is None:
            continue
        values = np.concatenate([np.nextafter(edges, -np.inf), edges, np.nextafter(edges, np.inf)])
        usual = training_rows().take(pa.array(np.arange(len(values)) % training_rows().num_rows))
        scores_agree(engine, native, usual.set_column(usual.schema.get_field_index(feature.name), feature.name, pa.array(values)))


def test_histogram_boosting_scores_infinite_numbers_as_scikit_learn_does() -> None:
    spec, pipeline, compiled = fitted("histogram boosting")
    rows = {"shop": ["north"] * 2, "price": [np.inf, -np.inf], "age": [1.0, np.inf], "member": [True, None], "colour": ["red"] * 2}
    scores_agree(build_engine(compiled, spec), NativeEngine(pipeline, spec.task, spec.features), batch_of(rows))


@pytest.mark.parametrize("name", ["logistic regression", "histogram boosting of three classes"])
def test_an_empty_batch_has_no_scores(name: str) -> None:
    spec, pipeline, compiled = fitted(name)
    for engine in (build_engine(compiled, spec), NativeEngine(pipeline, spec.task, spec.features)):
        assert engine.score(training_rows().slice(0, 0)).shape == (0, len(spec.score_columns))


@pytest.mark.parametrize("name", ["logistic regression", "random forest"])
def test_a_batch_without_a_feature_names_it(name: str) -> None:
    spec, pipeline, compiled = fitted(name)
    for engine in (build_engine(compiled, spec), NativeEngine(pipeline, spec.task, spec.features)):
        with pytest.raises(KeyError, match="price"):
            engine.score(training_rows().drop_columns(["price"]))


@pytest.mark.parametrize("name", ["logistic regression", "histogram boosting of three classes"])
def test_scores_do_not_depend_on_how_rows_are_cut_into_batches(name: str) -> None:
    spec, _, compiled = fitted(name)
    engine = build_engine(compiled, spec)
    rows = pa.Table.from_batches([training_rows()] * 80).combine_chunks().to_batches()[0]
    whole = engine.score(rows)
    singly = [engine.score(training_rows().slice(k, 1)) for k in range(training_rows().num_rows)]
    assert np.array_equal(whole, np.tile(np.concatenate(singly), (80, 1)))


@pytest.mark.parametrize("name", ["elastic net", "gradient boosting of three classes"])
def test_threads_may_score_at_the_same_time(name: str) -> None:
    spec, _, compiled = fitted(name)
    engine = build_engine(compiled, spec)
    rows = pa.Table.from_batches([training_rows()] * 40).combine_chunks().to_batches()[0]
    pieces = [rows.slice(k) for k in range(16)]
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(engine.score, pieces))
    assert all(np.array_equal(scores, engine.score(piece)) for scores, piece in zip(at_once, pieces, strict=True))


def test_categories_may_come_as_text_or_with_another_dictionary_or_a_null_in_it() -> None:
    spec, _, compiled = fitted("histogram boosting")
    engine = build_engine(compiled, spec)
    rows = training_rows()
    place = rows.schema.get_field_index("shop")
    as_text = rows.set_column(place, "shop", rows["shop"].cast(pa.string()))
    assert np.array_equal(engine.score(as_text), engine.score(rows))
    codes = {"north": 2, "süd": 1, "": 3, "東": 0, None: 4}
    indices = pa.array([codes[value] for value in rows["shop"].to_pylist()], pa.int8())
    shuffled = pa.DictionaryArray.from_arrays(indices, pa.array(["東", "süd", "north", "", None]))
    assert np.array_equal(engine.score(rows.set_column(place, "shop", shuffled)), engine.score(rows))


def categories(encoder: Any) -> tuple[Any, list[str]]:
    return encoder, ["shop", "colour"]


HAND_MADE = {
    "scalers in a row": (
        Task.BINARY,
        make_pipeline(
            make_column_transformer(
                categories(OneHotEncoder(handle_unknown="ignore", drop="first")),
                (make_pipeline(SimpleImputer(strategy="mean"), MinMaxScaler((-1, 3)), RobustScaler(), MaxAbsScaler()), ["price", "age"]),
                ("drop", ["member"]),
            ),
            LogisticRegression(),
        ),
        EngineKind.LINEAR,
    ),
    "numbers encoded as categories": (
        Task.REGRESSION,
        make_pipeline(
            make_column_transformer(
                (
                    make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="infrequent_if_exist")),
                    ["age", "shop"],
                ),
                (SimpleImputer(strategy="constant", fill_value=-1, add_indicator=True), ["price", "member"]),
            ),
            StandardScaler(with_mean=False),
            LinearRegression(),
        ),
        EngineKind.LINEAR,
    ),
    "selection of columns, and two branches over one feature": (
        Task.REGRESSION,
        make_pipeline(
            make_column_transformer(
                (make_union(make_pipeline(SimpleImputer(), StandardScaler()), MissingIndicator(features="all")), ["price", "age"]),
                ("passthrough", []),
            ),
            SelectKBest(k=3),
            PoissonRegressor(solver="newton-cholesky"),
        ),
        EngineKind.LINEAR,
    ),
    "trees behind scalers and one-hot": (
        Task.BINARY,
        make_pipeline(
            make_column_transformer(
                categories(OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
                (make_pipeline(StandardScaler(), SimpleImputer(add_indicator=True)), ["price", "age", "member"]),
            ),
            GradientBoostingClassifier(n_estimators=8, random_state=0),
        ),
        EngineKind.BITVECTOR,
    ),
    "numbers that are categories to the trees": (
        Task.BINARY,
        make_pipeline(
            make_column_transformer(
                categories(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
                ("passthrough", ["price", "age"]),
            ),
            HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 3], min_samples_leaf=2),
        ),
        EngineKind.BITVECTOR,
    ),
    "a forest behind robust scaling": (
        Task.REGRESSION,
        make_pipeline(
            make_column_transformer(
                (RobustScaler(), ["age", "price"]), categories(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan))
            ),
            RandomForestRegressor(n_estimators=5, max_leaf_nodes=50, random_state=0),
        ),
        EngineKind.BITVECTOR,
    ),
}


@pytest.mark.parametrize("name", HAND_MADE)
@pytest.mark.filterwarnings("ignore:Found unknown categories", "ignore:overflow encountered in exp:RuntimeWarning")
def test_preprocessing_is_folded_in_exactly(name: str) -> None:
    task, pipeline, kind = HAND_MADE[name]
    spec = make_spec(task, "sklearn.pipeline.Pipeline")
    pipeline.fit(to_frame(training_rows(), FEATURES), target(task))
    compiled = compile_pipeline(pipeline, spec)
    assert compiled.kind is kind, compiled.reason
    assert prove(compiled, pipeline, spec, pa.Table.from_batches([training_rows()])).compiled is compiled
    engine, native = build_engine(compiled, spec), NativeEngine(pipeline, task, FEATURES)

    @settings(max_examples=4)
    @given(batches)
    def on_any_batch(batch: pa.RecordBatch) -> None:
        scores_agree(engine, native, batch)

    on_any_batch()
