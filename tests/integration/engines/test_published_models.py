"""Models as other projects publish them or test with, from their files to compiled scores, against their own libraries.

Small ones lie in `tests/data/models`; of larger ones the shape is made again: the same library, objective, boosting and kind of columns.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import xgboost
from numpy.typing import NDArray

from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.compiled import build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.families.table import families
from tests.unit.shared.engines.rows import make_spec

FILES = Path(__file__).parents[2] / "data" / "models"
ROWS, COLUMNS = 400, 6

type Numbers = NDArray[np.float64]


def numbers(columns: int) -> Numbers:
    """Numbers of any kind: codes up to 130, measures, zeros, missing values, and truths."""
    rng = np.random.default_rng(7)
    pool = np.concatenate(
        [np.arange(-2.0, 131), rng.normal(0, 300, 200), np.zeros(60), np.full(60, np.nan), np.ones(60), [1e-36, -0.0, 756]]
    )
    return rng.choice(pool, (ROWS, columns))


def truth(rows: Numbers, classes: int = 0) -> Numbers:
    signal = np.nan_to_num(rows[:, 0]) % 7 + (np.nan_to_num(rows[:, 1]) > 5) * 4 + np.isnan(rows[:, 2])
    return np.digitize(signal, np.quantile(signal, np.arange(1, classes) / classes)).astype(float) if classes else signal + 1


def xgboost_like(parameters: Mapping[str, Any], *, classes: int = 0, rounds: int = 6, categories: int = 0) -> bytes:
    rows = np.abs(numbers(COLUMNS)) if categories else numbers(COLUMNS)
    kinds = ["c"] * categories + ["q"] * (COLUMNS - categories)
    rows[:, :categories] = np.floor(rows[:, :categories])
    data = xgboost.DMatrix(rows, label=truth(rows, classes), feature_types=kinds, enable_categorical=True)
    booster = xgboost.train({"max_depth": 4, "num_class": classes if classes > 2 else None, **parameters}, data, rounds)
    return bytes(booster.save_raw("json"))


def lightgbm_like(parameters: Mapping[str, Any], *, classes: int = 0, rounds: int = 6, categories: int = 0) -> bytes:
    rows = numbers(COLUMNS)
    data = lightgbm.Dataset(rows, truth(rows, classes), categorical_feature=list(range(categories)), params={"verbosity": -1})
    counted = {"num_class": classes} if classes > 2 else {}
    booster = lightgbm.train({"verbosity": -1, "min_data_in_leaf": 5, **counted, **parameters}, data, rounds)
    return booster.model_to_string().encode()


def of_r(body: bytes, *, rounds: int = 6, best: int | None = None) -> bytes:
    """A file as R's packages mark it: XGBoost's counts rounds from 0, and with early stopping says which was best; LightGBM's has no pandas."""
    if not body.lstrip().startswith(b"{"):
        return body.partition(b"\npandas_categorical:")[0] + b"\n"
    booster = xgboost.Booster(model_file=bytearray(body))
    booster.set_attr(niter=str(rounds - 1))
    if best is not None:
        said = {"best_iteration": best, "best_ntreelimit": best + 1, "best_score": 0.25, "best_msg": f"[{best + 1}]\teval-logloss:0.25"}
        booster.set_attr(**{name: str(value) for name, value in said.items()})
    booster.feature_names = [f"Sepal.{place}" for place in range(COLUMNS)]
    return bytes(booster.save_raw("json"))


def of_xgboost_1_6(body: bytes) -> bytes:
    """A file in the form that it had before categories, several base scores and the ends of rounds were in it."""
    document = json.loads(body)
    learner = document["learner"]
    learner["learner_model_param"] = {**learner["learner_model_param"], "base_score": "5E-1"}
    learner["learner_model_param"].pop("boost_from_average")
    model = learner["gradient_booster"]["model"]
    model.pop("cats")
    model.pop("iteration_indptr")
    return json.dumps({**document, "version": [1, 6, 2]}).encode()


def of_a_dart(body: bytes) -> bytes:
    """A file in which DART is a booster of its own around one of trees, as XGBoost used to write it."""
    document = json.loads(body)
    trees = document["learner"]["gradient_booster"]
    weights = trees["model"].pop("weight_drop")
    assert len(set(weights)) > 1
    document["learner"]["gradient_booster"] = {"name": "dart", "gbtree": trees, "weight_drop": weights}
    return json.dumps({**document, "version": [3, 1, 0]}).encode()


MODELS: dict[str, Callable[[], bytes]] = {
    **{name.name: name.read_bytes for name in sorted(FILES.iterdir()) if name.suffix in {".json", ".txt"}},
    "leaves, lgmulticlass.model": lambda: lightgbm_like({"objective": "multiclass"}, classes=5),
    "leaves, lg_rf_iris.model": lambda: lightgbm_like(
        {"objective": "multiclass", "boosting": "rf", "bagging_fraction": 0.8, "bagging_freq": 1}, classes=3
    ),
    "leaves, lg_dart_breast_cancer.model": lambda: lightgbm_like({"objective": "binary", "boosting": "dart", "drop_rate": 0.5}, classes=2),
    "leaves, lg_kddcup99.model": lambda: lightgbm_like({"objective": "multiclass", "min_data_per_group": 5}, classes=4, categories=3),
    "leaves, genlin_fmtp_poisson_Frequency.model": lambda: xgboost_like({"objective": "count:poisson"}),
    "leaves, genlin_fmtp_tweedie_PurePremium.model": lambda: xgboost_like({"objective": "reg:tweedie"}),
    "leaves, xg_dart_agaricus.model": lambda: xgboost_like(
        {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.5}, classes=2
    ),
    "a multiclass DART": lambda: xgboost_like({"objective": "multi:softprob", "rate_drop": 0.5}, classes=3),
    "treelite, dermatology.model": lambda: xgboost_like({"objective": "multi:softprob"}, classes=6),
    "treelite, sparse_categorical_model.txt": lambda: lightgbm_like(
        {"objective": "regression", "min_data_per_group": 1, "cat_smooth": 0}, categories=4
    ),
    "treelite, deep_lightgbm/model.txt": lambda: lightgbm_like({"objective": "regression", "num_leaves": 200, "min_data_in_leaf": 1}),
    "LightGBM's tests, zero_as_missing": lambda: lightgbm_like({"objective": "binary", "zero_as_missing": True}, classes=2),
    "XGBoost's tests, enable_categorical": lambda: xgboost_like(
        {"objective": "binary:logistic", "max_cat_to_onehot": 1}, classes=2, categories=3
    ),
    "R, xgb.save": lambda: of_r(xgboost_like({"objective": "binary:logistic"}, classes=2)),
    "R, xgb.save after early stopping": lambda: of_r(xgboost_like({"objective": "multi:softprob"}, classes=3), best=3),
    "R, lgb.save": lambda: of_r(lightgbm_like({"objective": "binary"}, classes=2)),
    "R, lgb.save of categories": lambda: of_r(lightgbm_like({"objective": "regression", "min_data_per_group": 5}, categories=3)),
    "XGBoost 1.6": lambda: of_xgboost_1_6(xgboost_like({"objective": "reg:squarederror", "base_score": 0.5})),
}


def own_scores(body: bytes, rows: Numbers) -> Numbers:
    """What the library says of a file, by its own interface."""
    if body.lstrip().startswith(b"{"):
        booster = xgboost.Booster(model_file=bytearray(body))
        best = booster.attr("best_iteration")
        return np.asarray(booster.inplace_predict(rows, iteration_range=(0, 0 if best is None else int(best) + 1)), dtype=np.float64)
    return np.asarray(lightgbm.Booster(model_str=body.decode()).predict(rows))


def spec_of(model: Any, columns: int) -> ModelSpec:
    classes = getattr(model, "n_classes_", 0)
    task = Task.REGRESSION if not classes else Task.BINARY if classes == 2 else Task.MULTICLASS
    features = tuple(Feature(name=f"x{place}", kind=FeatureKind.NUMBER) for place in range(columns))
    named = {"features": features, "classes": tuple(map(str, range(classes)))}
    return make_spec(task, f"{type(model).__module__}.{type(model).__name__}").model_copy(update=named)


@pytest.mark.filterwarnings("ignore:.*booster=dart. is deprecated:UserWarning", "ignore:.*saved before XGBoost 1.6:UserWarning")
@pytest.mark.parametrize("name", MODELS)
def test_a_published_model_is_compiled_and_scores_as_its_library_does(name: str) -> None:
    body = MODELS[name]()
    model = next(found for family in families().values() if (found := family.estimator_in(body)) is not None)
    rows = numbers(model.n_features_in_)
    spec = spec_of(model, model.n_features_in_)
    compiled = compile_pipeline(model, spec)
    assert compiled.kind in {EngineKind.BITVECTOR, EngineKind.FOREST}, compiled.reason
    batch = pa.record_batch({f"x{place}": pa.array(column, from_pandas=True) for place, column in enumerate(rows.T)})
    ours = build_engine(compiled, spec).score(batch)
    assert len(np.unique(ours)) > 1
    np.testing.assert_allclose(ours, own_scores(body, rows).reshape(ours.shape), rtol=1e-14)
