"""Boosters that others trained, adopted from their libraries' own files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
import xgboost

from functions.retraining.event import ReproduceRequest, UploadedModel
from functions.retraining.reproduction import reproduce
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import AdoptionRefusedError
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import Feature, FeatureKind, Task
from functions.shared.engines.bundle import LoadedModel
from functions.shared.ports import ForeignModel
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.releases import Releases
from tests.fakes.versions import MODEL
from tests.integration.retraining.world import Row, World, sold

BOTH = ["price", "shop"]
SHOPS = ["north", "south"]
XGB: dict[str, Any] = {"n_estimators": 5, "enable_categorical": True}
LGBM: dict[str, Any] = {"n_estimators": 5, "min_child_samples": 5, "min_data_per_group": 1, "verbosity": -1}


def frame(rows: Sequence[Row], *, ordered: bool = False) -> pd.DataFrame:
    """The features as people train boosters on them."""
    table = pd.DataFrame(rows)[BOTH]
    return table.assign(shop=pd.Categorical(table["shop"], categories=SHOPS, ordered=ordered))


def truth(rows: Sequence[Row]) -> list[int]:
    return [int(row["bought"] == "yes") for row in rows]


def xgboost_file(rows: Sequence[Row], **parameters: Any) -> tuple[bytes, Any]:
    model = xgboost.XGBClassifier(**XGB | parameters).fit(frame(rows), truth(rows))
    return bytes(model.get_booster().save_raw("json")), model


def lightgbm_file(rows: Sequence[Row], **parameters: Any) -> tuple[bytes, Any]:
    model = lightgbm.LGBMClassifier(**LGBM | parameters).fit(frame(rows), truth(rows))
    return model.booster_.model_to_string().encode(), model


def adopt(body: bytes, rows: Sequence[Row], name: str = "model.json", **request: Any) -> tuple[World, Decision]:
    world = World()
    world.set_policy()
    key = world.inbox.write(f"training/{MODEL}/model/{name}", body).key
    decision = world.adopt(rows, file=UploadedModel(name=name, key=key), **request)
    world.serve()
    return world, decision


def loaded(world: World) -> LoadedModel:
    return Bundles(world.store).load(served(world))


def served(world: World) -> ServedModel:
    release = Releases(world.store).current(MODEL)
    assert release is not None
    return release.champion


def scores(world: World, rows: Sequence[Row], features: Sequence[str] = BOTH) -> Any:
    return loaded(world).engine.score(pa.RecordBatch.from_pylist([{name: row[name] for name in features} for row in rows]))


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


@pytest.mark.parametrize("made", [xgboost_file, lightgbm_file])
def test_a_model_file_serves_compiled_as_its_library_scores_and_comes_out_again(made: Any) -> None:
    rows = sold(0, 30)
    body, model = made(rows)
    world, decision = adopt(body, rows)
    spec = loaded(world).spec
    assert (decision.engine, spec.task, spec.classes) == ("bitvector", Task.BINARY, ("no", "yes"))
    assert (spec.adopted or "").startswith("file:model.json#sha256=")
    assert [(feature.name, feature.kind) for feature in spec.features] == [("price", FeatureKind.NUMBER), ("shop", FeatureKind.CATEGORY)]
    np.testing.assert_allclose(scores(world, rows)[:, 0], model.predict_proba(frame(rows))[:, 1], rtol=1e-14)
    assert "the model counts its classes, and was taken to mean 0 for 'no', 1 for 'yes'" in [r.message for r in decision.reasons]
    again = reproduce(ReproduceRequest(model=MODEL, version="1"), world.ports())
    assert again.identical, again.difference


@pytest.mark.parametrize("made", [xgboost_file, lightgbm_file])
def test_missing_values_and_categories_that_the_model_never_saw_score_as_missing(made: Any) -> None:
    rows = sold(0, 30)
    body, model = made(rows)
    world, _ = adopt(body, rows)
    odd = [{"price": 0.5, "shop": "east"}, {"price": None, "shop": "north"}, {"price": 0.5, "shop": None}]
    expected = pd.DataFrame({"price": [0.5, np.nan, 0.5], "shop": pd.Categorical([None, "north", None], categories=SHOPS)})
    np.testing.assert_allclose(scores(world, odd)[:, 0], model.predict_proba(expected)[:, 1], rtol=1e-14)


@pytest.mark.parametrize("made", [xgboost_file, lightgbm_file])
def test_a_file_that_lists_its_columns_in_another_order_is_matched_by_name(made: Any) -> None:
    rows = sold(0, 30)
    body, model = made(rows)
    world, _ = adopt(body, [{name: row[name] for name in ("shop", "bought", "id", "price", "at")} for row in rows])
    np.testing.assert_allclose(scores(world, rows)[:, 0], model.predict_proba(frame(rows))[:, 1], rtol=1e-14)


def test_a_model_without_names_takes_the_files_order_and_the_decision_names_it() -> None:
    rows = [{**row, "age": float(k % 50)} for k, row in enumerate(sold(0, 30))]
    numbers = pd.DataFrame(rows)[["price", "age"]].to_numpy()
    model = xgboost.XGBClassifier(n_estimators=3).fit(numbers, truth(rows))
    listed = [{name: row[name] for name in ("id", "price", "age", "at", "bought")} for row in rows]
    world, decision = adopt(bytes(model.get_booster().save_raw("ubj")), listed, "model.ubj")
    assert "the file's were taken in this order: price, age" in next(r.message for r in decision.reasons if r.code == "matched_by_order")
    assert np.array_equal(scores(world, rows, ["price", "age"])[:, 0], model.predict_proba(numbers)[:, 1])
    with pytest.raises(
        AdoptionRefusedError, match="no names for its 2 columns, and the file has 3 besides id, time and target: price, shop"
    ):
        adopt(bytes(model.get_booster().save_raw("ubj")), [{**row, "age": 1.0} for row in sold(0, 30)])


def test_lightgbm_writes_spaces_in_names_as_underscores_and_ordered_categories_as_numbers() -> None:
    rows = [{**row, "unit price": row["price"]} for row in sold(0, 30)]
    table = frame(rows, ordered=True).assign(**{"unit price": [row["unit price"] for row in rows]})
    model = lightgbm.LGBMClassifier(**LGBM).fit(table, truth(rows))
    world, _ = adopt(model.booster_.model_to_string().encode(), rows, "model.txt")
    ours = scores(world, rows, ["price", "shop", "unit price"])
    np.testing.assert_allclose(ours[:, 0], model.predict_proba(table)[:, 1], rtol=1e-14)
    assert [feature.name for feature in loaded(world).spec.features] == ["price", "shop", "unit price"]


def test_categories_of_numbers_are_read_as_numbers() -> None:
    rows = [{**row, "shop": {"north": 30, "south": 7}[row["shop"]]} for row in sold(0, 30)]
    table = pd.DataFrame(rows)[BOTH].astype({"shop": "category"})
    for model in (xgboost.XGBClassifier(**XGB), lightgbm.LGBMClassifier(**LGBM)):
        model.fit(table, truth(rows))
        body = model.get_booster().save_raw("ubj") if hasattr(model, "get_booster") else model.booster_.model_to_string().encode()
        world, _ = adopt(bytes(body), rows)
        assert loaded(world).spec.features[1] == Feature(name="shop", kind=FeatureKind.NUMBER)
        np.testing.assert_allclose(scores(world, rows)[:, 0], model.predict_proba(table)[:, 1], rtol=1e-14)


def test_raw_classes_of_softmax_become_probabilities() -> None:
    rows = [{**row, "bought": ["no", "yes", "later"][k % 3]} for k, row in enumerate(sold(0, 30))]
    numbers = pd.DataFrame(rows)[["price"]]
    parameters = {"objective": "multi:softmax", "num_class": 3}
    target = [["later", "no", "yes"].index(row["bought"]) for row in rows]
    booster = xgboost.train(parameters, xgboost.DMatrix(numbers, label=target), 4)
    body = bytes(booster.save_raw("json"))
    booster.set_param({"objective": "multi:softprob"})
    world, _ = adopt(body, [{name: value for name, value in row.items() if name != "shop"} for row in rows])
    assert loaded(world).spec.classes == ("later", "no", "yes")
    assert np.array_equal(scores(world, rows, ["price"]), booster.predict(xgboost.DMatrix(numbers)))


@pytest.mark.parametrize("objective", ["reg:squarederror", "reg:tweedie", "count:poisson"])
def test_a_regression_is_adopted_and_retrained_with_what_its_objective_is_set_to(objective: str) -> None:
    rows = [{**row, "bought": 3.0 + round(abs(row["price"]), 1)} for row in sold(0, 30)]
    settings = {"tweedie_variance_power": 1.25} if "tweedie" in objective else {}
    data = xgboost.DMatrix(pd.DataFrame(rows)[["price"]], label=[row["bought"] for row in rows])
    booster = xgboost.train({"objective": objective, "max_depth": 3, **settings}, data, 4)
    world, decision = adopt(bytes(booster.save_raw("ubj")), [{n: v for n, v in row.items() if n != "shop"} for row in rows])
    assert np.array_equal(scores(world, rows, ["price"])[:, 0], booster.predict(data))
    assert decision.engine == "bitvector"
    model = Bundles(world.store).pipeline(served(world))[-1]
    assert {"objective": objective, "n_estimators": 4, "max_depth": 3, **settings}.items() <= model.get_params().items()
    assert "recipe_unknown" in codes(decision)


@pytest.mark.parametrize("made", [xgboost_file, lightgbm_file])
def test_a_retraining_makes_the_adopted_booster_again_from_newer_rows(made: Any) -> None:
    rows = sold(0, 30)
    world, _ = adopt(made(rows, learning_rate=0.2)[0], rows)
    world.label(sold(30, 15))
    world.batch(60)
    decision = world.challenger()
    made_again = Bundles(world.store).pipeline(ServedModel(version="2", digest=decision.digest, prefix=layout.version_prefix(MODEL, "2")))[
        -1
    ]
    if made is lightgbm_file:
        assert {"n_estimators": 5, "learning_rate": 0.2, "min_child_samples": 5}.items() <= made_again.get_params().items()
    assert decision.engine == "bitvector"
    again = reproduce(ReproduceRequest(model=MODEL, version="2"), world.ports())
    assert again.identical, again.difference


def test_an_estimator_that_mlflow_holds_as_skops_is_matched_like_a_file_and_keeps_its_classes() -> None:
    rows = sold(0, 30)
    model = lightgbm.LGBMClassifier(**LGBM).fit(frame(rows), [row["bought"] for row in rows])
    world = World()
    world.set_policy()
    world.registry.logged["models:/m/1"] = ForeignModel("models:/m/1", skops.io.dumps(model), "lightgbm", lightgbm.__version__)
    decision = world.adopt(rows, uri="models:/m/1")
    world.serve()
    assert (codes(decision), loaded(world).spec.classes) == (["adopted"], ("no", "yes"))
    np.testing.assert_allclose(scores(world, rows)[:, 0], model.predict_proba(frame(rows))[:, 1], rtol=1e-14)


def test_early_stopping_that_was_done_is_kept_and_not_asked_of_retrainings() -> None:
    rows = sold(0, 30)
    model = xgboost.XGBClassifier(**XGB | {"n_estimators": 200}, early_stopping_rounds=2)
    model.fit(frame(rows[:200]), truth(rows[:200]), eval_set=[(frame(rows[200:]), truth(rows[200:]))], verbose=False)
    assert model.best_iteration < 197
    world = World()
    world.set_policy()
    world.registry.logged["models:/m/1"] = ForeignModel("models:/m/1", skops.io.dumps(model), "xgboost", xgboost.__version__)
    world.adopt(rows, uri="models:/m/1")
    world.serve()
    assert np.array_equal(scores(world, rows)[:, 0], model.predict_proba(frame(rows))[:, 1])
    world.label(sold(30, 15))
    world.batch(60)
    assert world.challenger().trained_rows > 0


def test_another_version_of_the_library_is_named() -> None:
    rows = sold(0, 30)
    world = World()
    world.set_policy()
    world.registry.logged["models:/m/1"] = ForeignModel("models:/m/1", xgboost_file(rows)[0], "xgboost", "2.1.4")
    messages = [reason.message for reason in world.adopt(rows, uri="models:/m/1").reasons]
    assert f"the model was written by XGBoost 2.1.4 and is served by {xgboost.__version__}" in messages


def refusals() -> dict[str, tuple[bytes, list[Row], str]]:
    rows = sold(0, 30)
    strangers = [{**row, "shop": f"city {row['shop']}"} for row in rows]
    without = [{name: value for name, value in row.items() if name != "shop"} for row in rows]
    coded = frame(rows).assign(shop=frame(rows)["shop"].cat.codes)
    unnamed = xgboost.XGBClassifier(n_estimators=2, feature_types=["q", "c"], enable_categorical=True)
    unnamed.fit(coded.to_numpy(), truth(rows))
    unnamed.get_booster().feature_names = BOTH
    plain = lightgbm.LGBMClassifier(**LGBM).fit(coded, truth(rows)).booster_.model_to_string().encode()
    body, _ = xgboost_file(rows)
    ranking = json.loads(body)
    ranking["learner"]["objective"] = {"name": "rank:pairwise", "lambdarank_param": {}}
    three = [{**row, "bought": ["a", "b", "c"][k % 3]} for k, row in enumerate(rows)]
    return {
        "a missing column": (body, without, "no column shop, from which the model learnt; it has price"),
        "other categories": (body, strangers, "knows none of the categories in 'shop', such as 'city north': it learnt north, south"),
        "codes without names": (bytes(unnamed.get_booster().save_raw()), rows, "splits shop by codes, and does not say which category"),
        "texts for numbers": (plain, rows, "takes shop for numbers, and the file has texts there"),
        "a damaged file": (body[: len(body) // 2], rows, "XGBoost cannot load the file"),
        "a text that was cut": (plain[: len(plain) // 3], rows, "not sound: its text ends before its trees do"),
        "a text with damage": (plain.replace(b"leaf_value=", b"leaf_value=x"), rows, "not sound: could not convert string to float"),
        "a pickle": (b"\x80\x04\x95model", rows, "pickles run any code in them, and are not loaded"),
        "an objective of one's own": (plain.replace(b"objective=binary", b"objective=custom"), rows, "gives neither probabilities"),
        "a ranking": (json.dumps(ranking).encode(), rows, "rank:pairwise gives neither probabilities nor numbers"),
        "other classes": (body, three, "distinguishes 2 classes and only counts them, but 'bought' is one of 3: a, b, c"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_cannot_serve_is_refused_with_what_to_change(name: str, tmp_path: Path) -> None:
    body, rows, reason = refusals()[name]
    with pytest.raises(Exception, match=reason) as refused:
        adopt(body, rows)
    assert type(refused.value).__name__ in {"AdoptionRefusedError", "TrainingError"}
