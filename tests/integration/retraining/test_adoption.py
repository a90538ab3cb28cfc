"""A pipeline that somebody logged in MLflow serves here, and is cloned by retrainings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_classif, mutual_info_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import LinearSVC

from functions.retraining.event import ReproduceRequest
from functions.retraining.pipeline import clone_pipeline
from functions.retraining.recipe import recipe_of
from functions.retraining.reproduction import reproduce
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.decision import Verdict
from functions.shared.domain.errors import AdoptionRefusedError, TrainingError
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import FeatureKind, Task
from functions.shared.engines.skops_file import trusted_types
from functions.shared.ports import ForeignModel
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.releases import Releases
from tests.fakes.versions import MODEL
from tests.integration.retraining.world import Row, World, day, sold

URI = "models:/sales/3"
BOTH = ["price", "shop"]


def columns(*, unknown: str = "ignore") -> Any:
    return make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["price"]), (OneHotEncoder(handle_unknown=unknown), ["shop"])
    )


def frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def fitted(pipeline: Any, rows: list[Row] | None = None, target: str = "bought", features: list[str] = BOTH) -> Any:
    table = frame(rows or sold(100, 20))
    return pipeline.fit(table[features], table[target])


def logged(world: World, pipeline: Any, version: str | None = None) -> None:
    import sklearn

    world.registry.logged[URI] = ForeignModel(URI, skops.io.dumps(pipeline), "sklearn", version or sklearn.__version__)


def adopted(pipeline: Any, rows: list[Row] | None = None, **request: Any) -> World:
    world = World()
    world.set_policy()
    logged(world, pipeline)
    world.adopt(rows or sold(0, 30), uri=URI, **request)
    world.serve()
    return world


def served(world: World) -> ServedModel:
    release = Releases(world.store).current(MODEL)
    assert release is not None
    return release.champion


def later(world: World) -> World:
    """Days 30 to 44 were scored and labelled since."""
    world.label(sold(30, 15))
    world.batch(60)
    return world


def test_an_adopted_pipeline_serves_as_it_is_compiled_where_that_is_exact() -> None:
    pipeline = fitted(make_pipeline(columns(), LogisticRegression()))
    world = adopted(pipeline)
    loaded = Bundles(world.store).load(served(world))
    assert type(loaded.engine).__name__ == "LinearEngine"
    assert (loaded.spec.task, loaded.spec.classes, loaded.spec.adopted) == (Task.BINARY, ("no", "yes"), URI)
    assert loaded.spec.estimator == "sklearn.linear_model._logistic.LogisticRegression"
    rows = sold(0, 30)
    batch = pa.RecordBatch.from_pylist([{name: row[name] for name in BOTH} for row in rows])
    np.testing.assert_allclose(loaded.engine.score(batch)[:, 0], pipeline.predict_proba(frame(rows)[BOTH])[:, 1], atol=1e-9)


@pytest.mark.parametrize("north", ["north", "1.0"])
def test_categories_are_read_as_the_adopted_pipeline_knows_them(north: str) -> None:
    rows = [{**row, "shop": {"north": north}.get(row["shop"], row["shop"])} for row in sold(0, 30)]
    pipeline = fitted(make_pipeline(columns(), LogisticRegression()), rows)
    world = adopted(pipeline, rows)
    loaded = Bundles(world.store).load(served(world))
    assert {feature.name: feature.canonical for feature in loaded.spec.features} == {"price": False, "shop": north == "north"}
    [shop] = [column.bins for column in loaded.baseline.features if column.bins.name == "shop"]
    assert set(shop.categories) == set(pipeline[0].named_transformers_["onehotencoder"].categories_[0])


def test_all_rows_of_the_reference_file_count_as_learnt_and_the_figures_are_of_the_newest_fifth() -> None:
    [decision] = (world := adopted(fitted(make_pipeline(columns(), LogisticRegression())))).decisions()
    assert (decision.verdict, decision.trigger, decision.champion_version) == (Verdict.PROMOTE, "person", None)
    assert (decision.trained_rows, decision.trained_first_day, decision.trained_last_day) == (300, day(0), day(29))
    assert (decision.rows, decision.holdout_first_day, decision.holdout_last_day) == (60, day(24), day(29))
    assert [reason.code for reason in decision.reasons] == ["adopted"]
    assert URI in decision.reasons[0].message
    assert later(world).challenger().holdout_first_day == day(40)


def test_a_retraining_clones_it_with_every_step_and_parameter() -> None:
    model = LogisticRegression(C=0.37, class_weight="balanced")
    world = later(adopted(fitted(Pipeline([("prepare", columns()), ("regress", model)]))))
    decision = world.challenger()
    world.serve("2")
    again = recipe_of(served(world), Bundles(world.store))
    assert again.spec.adopted == URI
    assert list(again.template.named_steps) == ["prepare", "regress"]
    assert (again.template["regress"].C, again.template["regress"].class_weight) == (0.37, "balanced")
    learnt = [row for row in [*sold(0, 30), *sold(30, 15)] if row["at"].date() <= day(39)]
    assert decision.trained_rows == len(learnt)
    by_hand = fitted(make_pipeline(columns(), model), learnt)
    np.testing.assert_allclose(again.template["regress"].coef_, by_hand[-1].coef_, atol=1e-6)


@pytest.mark.parametrize("version", ["1", "2"])
def test_its_versions_are_rebuilt_byte_by_byte(version: str) -> None:
    world = later(adopted(fitted(make_pipeline(columns(), RandomForestClassifier(5)))))
    world.challenger()
    rebuilt = reproduce(ReproduceRequest(model=MODEL, version=version), world.ports())
    assert rebuilt.identical, rebuilt.difference


def test_parameters_are_set_on_the_clone_by_their_names_in_the_pipeline() -> None:
    world = later(adopted(fitted(make_pipeline(columns(), LogisticRegression()))))
    with pytest.raises(TrainingError, match="cannot be given"):
        world.retrain(parameters={"C": 0.01})
    world.challenger(parameters={"logisticregression__C": 0.01})
    world.serve("2")
    assert recipe_of(served(world), Bundles(world.store)).template[-1].C == 0.01


@pytest.mark.parametrize(("chosen", "cloned"), [(7, 7), (np.int64(7), 7), (None, 3)])
def test_a_clone_keeps_the_seed_that_the_pipeline_chose(chosen: int | np.int64 | None, cloned: int) -> None:
    template = fitted(make_pipeline(columns(), RandomForestClassifier(2, random_state=chosen)))
    world = adopted(fitted(make_pipeline(columns(), LogisticRegression())))
    spec = Bundles(world.store).load(served(world)).spec.model_copy(update={"seed": 3})
    assert clone_pipeline(template, spec)[-1].random_state == cloned


def test_a_pipeline_that_no_retraining_could_clone_is_not_adopted() -> None:
    pipeline = fitted(make_pipeline(columns(), LogisticRegression()))
    del pipeline[-1].class_weight  # as one of an earlier scikit-learn lacks what came since
    with pytest.raises(AdoptionRefusedError, match=r"cannot be cloned, so it could never be retrained: .*class_weight"):
        adopted(pipeline)


def test_another_estimator_takes_its_place_and_columns_are_dropped_with_one_only() -> None:
    world = later(adopted(fitted(make_pipeline(columns(), LogisticRegression()))))
    with pytest.raises(TrainingError, match="names its columns itself"):
        world.retrain(drop=("shop",))
    world.challenger(estimator="sklearn.naive_bayes.GaussianNB", drop=("shop",))
    world.serve("2")
    spec = recipe_of(served(world), Bundles(world.store)).spec
    assert (spec.adopted, spec.estimator, [feature.name for feature in spec.features]) == (
        None,
        "sklearn.naive_bayes.GaussianNB",
        ["price"],
    )


def test_a_calibrated_classifier_is_adopted_and_calibrated_again_at_each_retraining() -> None:
    model = CalibratedClassifierCV(RandomForestClassifier(5, random_state=1), cv=3)
    world = later(adopted(fitted(make_pipeline(columns(), model))))
    decision = world.challenger()
    assert decision.engine == "native"
    world.serve("2")
    assert len(recipe_of(served(world), Bundles(world.store)).template[-1].calibrated_classifiers_) == 3


def columns_by_type() -> Any:
    return make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude=np.number)),
    )


ORDINARY: dict[str, Any] = {
    "columns chosen by type": lambda: make_pipeline(columns_by_type(), LogisticRegression()),
    "columns chosen by a plain type": lambda: make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include=object))), LogisticRegression()
    ),
    "splines": lambda: make_pipeline(make_column_transformer((SplineTransformer(), ["price"])), LogisticRegression()),
    "selection": lambda: make_pipeline(columns(), SelectKBest(f_classif, k=2), LogisticRegression()),
    "information": lambda: make_pipeline(columns(), SelectKBest(mutual_info_classif, k=2), LogisticRegression()),
    "votes": lambda: make_pipeline(columns(), VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft")),
    "a stack": lambda: make_pipeline(columns(), StackingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], cv=2)),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_pipeline_is_adopted_and_made_again(name: str) -> None:
    table = frame(sold(100, 20)).astype({"shop": object})
    pipeline = ORDINARY[name]().fit(table[BOTH], table["bought"])
    world = later(adopted(pipeline))
    assert world.decisions()[0].challenger["auc"] > 0.4
    assert world.challenger().challenger_version == "2"


def test_texts_are_read_by_a_vectorizer_which_is_fitted_again_at_each_retraining() -> None:
    texts = make_column_transformer((StandardScaler(), ["price"]), (TfidfVectorizer(), "shop"))
    pipeline = fitted(make_pipeline(texts, LogisticRegression()))
    rows = [{**row, "shop": None} if number == 7 else row for number, row in enumerate(sold(0, 30))]
    world = later(adopted(pipeline, rows))
    loaded = Bundles(world.store).load(served(world))
    assert {feature.name: feature.nullable for feature in loaded.spec.features} == {"price": False, "shop": False}
    batch = pa.RecordBatch.from_pylist([{"price": 0.5, "shop": shop} for shop in ("north", "south south", "nowhere at all")])
    expected = pipeline.predict_proba(batch.to_pandas())[:, 1]
    np.testing.assert_allclose(loaded.engine.score(batch)[:, 0], expected, atol=1e-12)
    assert world.challenger().engine == "native"
    world.serve("2")
    assert recipe_of(served(world), Bundles(world.store)).template[0].named_transformers_["tfidfvectorizer"].vocabulary_ == {
        "north": 0,
        "south": 1,
    }


def test_a_vectorizer_alone_does_not_know_its_column_and_the_refusal_says_how_it_would() -> None:
    table = frame(sold(0, 30))
    with pytest.raises(AdoptionRefusedError, match=r"ColumnTransformer\(\[\(\"texts\", TfidfVectorizer"):
        adopted(make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(table["shop"], table["bought"]))


@pytest.mark.parametrize(
    "decides",
    [FixedThresholdClassifier(LogisticRegression(), threshold=0.2), TunedThresholdClassifierCV(LogisticRegression(), scoring="f1")],
)
def test_a_threshold_is_adopted_with_its_estimator_compiled_and_kept_by_retrainings(decides: Any) -> None:
    rows = [{**row, "bought": int(row["bought"] == "yes")} for row in sold(0, 30)]
    pipeline = fitted(make_pipeline(columns(), decides), rows)
    world = adopted(pipeline, rows)
    loaded = Bundles(world.store).load(served(world))
    batch = pa.RecordBatch.from_pylist([{name: row[name] for name in BOTH} for row in rows])
    assert type(loaded.engine).__name__ == "LinearEngine"
    assert loaded.predict(batch, loaded.engine.score(batch)).tolist() == pipeline.predict(frame(rows)[BOTH]).tolist()
    [decision] = world.decisions()
    newest = [row for row in rows if row["at"].date() >= decision.holdout_first_day]
    assert decision.challenger["accuracy"] == pipeline.score(frame(newest)[BOTH], [row["bought"] for row in newest])
    again = recipe_of(served(world), Bundles(world.store)).fit(TrainingSet(loaded.spec, labelled_table(rows)))
    assert type(again.pipeline[-1]) is type(decides)
    assert again.spec.rule.threshold == getattr(again.pipeline[-1], "best_threshold_", 0.2)


def labelled_table(rows: list[Row]) -> pa.Table:
    """Rows as a training set has them."""
    return pa.table({**{name: [row[name] for row in rows] for name in BOTH}, "bought": [str(row["bought"]) for row in rows]})


def test_a_regression_is_adopted() -> None:
    rows = [{**row, "bought": 2 * row["price"] + 1} for row in sold(0, 30)]
    world = adopted(fitted(make_pipeline(columns(), Ridge()), rows), rows)
    [decision] = world.decisions()
    assert Bundles(world.store).load(served(world)).spec.task is Task.REGRESSION
    assert decision.challenger["rmse"] == pytest.approx(0, abs=0.1)


def test_where_the_pipeline_takes_no_missing_value_rows_without_one_will_be_set_aside() -> None:
    rows = [{**row, "price": None} if number == 7 else row for number, row in enumerate(sold(0, 30))]
    world = adopted(fitted(LogisticRegression(), features=["price"]), rows)
    [feature] = Bundles(world.store).load(served(world)).spec.features
    assert (feature.name, feature.nullable) == ("price", False)
    [decision] = world.decisions()
    assert decision.reasons[-1].message == "left out 1 row without one of price, which the pipeline needs"


def test_a_category_of_digits_is_reported_by_kind() -> None:
    rows = [{**row, "shop": "7" if row["shop"] == "north" else "8"} for row in sold(0, 30)]
    pipeline = fitted(make_pipeline(columns(), LogisticRegression()), rows)
    world = adopted(pipeline, rows, kinds={"shop": FeatureKind.CATEGORY})
    assert {feature.name: feature.kind for feature in Bundles(world.store).load(served(world)).spec.features} == {
        "price": FeatureKind.NUMBER,
        "shop": FeatureKind.CATEGORY,
    }


def test_whole_numbers_and_truths_as_classes_are_the_labels_of_the_file() -> None:
    for values, classes in (((0, 1), ("0", "1")), ((False, True), ("false", "true"))):
        rows = [{**row, "bought": values[row["bought"] == "yes"]} for row in sold(0, 30)]
        world = adopted(fitted(make_pipeline(columns(), LogisticRegression()), rows), rows)
        assert Bundles(world.store).load(served(world)).spec.classes == classes
        assert world.decisions()[0].challenger["auc"] > 0.8


def numbered(classes: list[int]) -> list[Row]:
    return [{**row, "bought": classes[number % len(classes)]} for number, row in enumerate(sold(0, 30))]


REFUSED: list[tuple[Any, list[Row], str]] = [
    (LinearSVC(), sold(0, 30), "without predict_proba"),
    (make_pipeline(columns(), LogisticRegression()), numbered([9, 10]), "9, 10, but as text they sort differently"),
    (make_pipeline(columns(unknown="error"), LogisticRegression()), sold(0, 30), 'handle_unknown="ignore"'),
]


@pytest.mark.parametrize(("pipeline", "rows", "reported"), REFUSED, ids=[reported for _, _, reported in REFUSED])
def test_what_cannot_serve_is_refused_with_the_reason(pipeline: Any, rows: list[Row], reported: str) -> None:
    features = ["price"] if isinstance(pipeline, LinearSVC) else BOTH
    with pytest.raises(AdoptionRefusedError, match=reported):
        adopted(fitted(pipeline, rows, features=features), rows)


def test_a_pipeline_fitted_without_names_of_columns_is_refused() -> None:
    table = frame(sold(0, 30))
    with pytest.raises(AdoptionRefusedError, match="fit it on a DataFrame"):
        adopted(LogisticRegression().fit(table[["price"]].to_numpy(), table["bought"]))


def test_a_file_without_one_of_its_columns_is_refused() -> None:
    rows = [{name: value for name, value in row.items() if name != "shop"} for row in sold(0, 30)]
    with pytest.raises(TrainingError, match="has no feature shop"):
        adopted(fitted(make_pipeline(columns(), LogisticRegression())), rows)


def test_labels_that_the_pipeline_does_not_know_are_refused() -> None:
    rows = [{**row, "bought": "maybe"} for row in sold(0, 30)]
    with pytest.raises(AdoptionRefusedError, match="no row has a 'bought' that the pipeline knows: no, yes"):
        adopted(fitted(make_pipeline(columns(), LogisticRegression())), rows)


def test_numbers_where_it_learnt_categories_are_refused_with_the_remedy() -> None:
    rows = [{**row, "shop": 7 if row["shop"] == "north" else 8} for row in sold(0, 30)]
    texts = [{**row, "shop": str(row["shop"])} for row in rows]
    with pytest.raises(AdoptionRefusedError, match=r"cannot score the reference rows.*--kind COLUMN=KIND"):
        adopted(fitted(make_pipeline(columns(unknown="error"), LogisticRegression()), texts), rows)


def test_another_scikit_learn_is_reported() -> None:
    world = World()
    logged(world, fitted(make_pipeline(columns(), LogisticRegression())), "1.7.2")
    decision = world.adopt(sold(0, 30), uri=URI)
    assert "was written by scikit-learn 1.7.2" in decision.reasons[1].message


# Estimators of one's own


@pytest.fixture
def shop_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with an estimator that says by an entry point that its type may be loaded."""
    (tmp_path / "shop_models.py").write_text(
        "from sklearn.linear_model import LogisticRegression\n\n\nclass Careful(LogisticRegression):\n    pass\n"
    )
    installed = tmp_path / "shop_models-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-models\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[everscore.trusted_types]\ncareful = shop_models:Careful\n")
    monkeypatch.syspath_prepend(tmp_path)
    trusted_types.cache_clear()
    yield installed
    monkeypatch.undo()
    trusted_types.cache_clear()
    sys.modules.pop("shop_models", None)


def test_an_estimator_of_an_installed_package_is_trained_by_its_path_and_served(shop_models: Path) -> None:
    world = World()
    world.set_policy()
    assert world.train(sold(0, 30), estimator="shop_models.Careful").engine == "native"
    world.serve()
    assert later(world).challenger().engine == "native"


def test_an_installed_estimator_whose_type_nobody_vouches_for_is_refused_with_the_remedy(shop_models: Path) -> None:
    (shop_models / "entry_points.txt").unlink()
    from shop_models import Careful

    with pytest.raises(AdoptionRefusedError, match=r"shop_models.Careful.*entry points of the group everscore.trusted_types"):
        adopted(fitted(make_pipeline(columns(), Careful())))


def test_a_pipeline_of_a_package_that_is_not_installed_is_refused_with_the_remedy(shop_models: Path) -> None:
    written = shop_models.parent / "pipeline.skops"
    program = (
        "import sys, skops.io, pandas as pd; from shop_models import Careful; "
        "skops.io.dump(Careful().fit(pd.DataFrame({'price': [0.0, 1.0]}), ['no', 'yes']), sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", program, written], check=True, cwd=shop_models.parent, timeout=60)
    (shop_models.parent / "shop_models.py").unlink()
    world = World()
    world.registry.logged[URI] = ForeignModel(URI, written.read_bytes(), "sklearn", "1.9.1")
    with pytest.raises(AdoptionRefusedError, match="installed in the functions' image"):
        world.adopt(sold(0, 30), uri=URI)
