"""A version is rebuilt from its snapshot, bit for bit, or the first difference is named."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
import pytest

from functions.retraining import reproduction
from functions.retraining.event import ReproduceRequest, TrainRequest
from functions.retraining.fitting import THREADS, library_versions
from functions.retraining.ports import Ports
from functions.retraining.recipe import Recipe
from functions.retraining.reproduction import reproduce
from functions.retraining.service import train_first
from functions.shared.domain import layout
from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import TrainingError
from functions.shared.domain.release import ServedModel
from functions.shared.domain.spec import ModelSpec
from functions.shared.repositories.bundles import Bundles
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus

LINEAR = "sklearn.linear_model.LogisticRegression"
REQUEST = ReproduceRequest(model="loans", version="1")


def history(rows: int = 300) -> bytes:
    rng = np.random.default_rng(5)
    income, debt = rng.lognormal(10, 0.5, rows), rng.lognormal(9, 0.8, rows)
    answers = np.where(debt / income + rng.normal(0, 0.3, rows) > 0.5, "yes", "no")
    lines = [f"A{row},2013-01-{1 + row // 15:02d},{income[row]:.2f},{debt[row]:.2f},{answers[row]}" for row in range(rows)]
    return "\n".join(["application,received,income,debt,defaulted", *lines]).encode()


@pytest.fixture
def shop() -> Ports:
    store = MemoryStore("store")
    return Ports(
        inbox=MemoryStore("inbox"),
        store=store,
        registry=MemoryRegistry(),
        bundles=Bundles(store),
        events=RecordingBus(),
        new_holder=lambda: "holder",
        now=lambda: datetime(2013, 2, 1, tzinfo=UTC),
    )


@pytest.fixture
def decision(shop: Ports) -> Decision:
    shop.inbox.write("training/loans/history.csv", history())
    request = TrainRequest(
        model="loans",
        key="training/loans/history.csv",
        target="defaulted",
        id_column="application",
        time_column="received",
        estimator=LINEAR,
    )
    decision = train_first(request, shop).decision
    assert decision is not None
    return decision


def test_a_version_comes_out_again_byte_by_byte(shop: Ports, decision: Decision) -> None:
    rebuilt = reproduce(REQUEST, shop)
    assert rebuilt.identical, rebuilt.difference
    assert (rebuilt.largest_score_difference, rebuilt.rows, rebuilt.libraries) == (0.0, 300, {})


@pytest.mark.parametrize("estimator", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_a_boosters_version_comes_out_again_on_a_machine_of_more_processors(
    shop: Ports, monkeypatch: pytest.MonkeyPatch, estimator: str
) -> None:
    shop.inbox.write("training/loans/history.csv", history())
    request = TrainRequest(
        model="loans",
        key="training/loans/history.csv",
        target="defaulted",
        id_column="application",
        time_column="received",
        estimator=estimator,
        parameters={"n_estimators": 20, "subsample": 0.8},
    )
    monkeypatch.setattr("os.process_cpu_count", lambda: 2)
    decision = train_first(request, shop).decision
    assert decision.engine == "bitvector"
    released = shop.bundles.load(ServedModel(version="1", digest=decision.digest, prefix=layout.version_prefix("loans", "1")))
    assert (released.spec.classes, released.spec.platform[THREADS]) == (("no", "yes"), "2")
    monkeypatch.setattr("os.process_cpu_count", lambda: 3)
    rebuilt = reproduce(REQUEST, shop)
    assert rebuilt.identical, rebuilt.difference
    assert (rebuilt.largest_score_difference, rebuilt.libraries) == (0.0, {})


def test_a_snapshot_that_was_tampered_with_is_named(shop: Ports, decision: Decision) -> None:
    listing = shop.store.read(layout.snapshot_key(decision.snapshot.md5))
    md5 = listing.decode().split('"md5": "')[1][:32]
    key = layout.snapshot_key(md5)
    shop.store.write(key, shop.store.read(key) + b"one more byte")
    rebuilt = reproduce(REQUEST, shop)
    assert not rebuilt.identical
    assert md5 in str(rebuilt.difference)


def test_a_model_that_comes_out_otherwise_is_reported_with_its_first_array(
    shop: Ports, decision: Decision, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_recipe = reproduction.recipe_of

    def other_recipe(served: ServedModel, bundles: Bundles) -> Recipe:
        return Recipe(true_recipe(served, bundles).spec.model_copy(update={"parameters": {"C": 0.5}}))

    monkeypatch.setattr(reproduction, "recipe_of", other_recipe)
    rebuilt = reproduce(REQUEST, shop)
    assert not rebuilt.identical
    assert rebuilt.difference is not None
    assert rebuilt.largest_score_difference is not None
    assert rebuilt.largest_score_difference > 0


def test_another_library_is_named(shop: Ports, decision: Decision, monkeypatch: pytest.MonkeyPatch) -> None:
    present = reproduction.library_versions(LINEAR)
    monkeypatch.setattr(reproduction, "library_versions", lambda _: {**present, "numpy": "1.0"})
    assert reproduce(REQUEST, shop).libraries == {"numpy": (present["numpy"], "1.0")}


def test_another_processor_or_python_is_named(shop: Ports, decision: Decision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    monkeypatch.setattr(platform, "python_version", lambda: "4.0.0")
    spec = ModelSpec.from_json(shop.store.read(layout.version_prefix("loans", "1") + "spec.json"))
    rebuilt = reproduce(REQUEST, shop)
    assert rebuilt.libraries == {
        "python": (spec.platform["python"], "4.0.0"),
        "architecture": (spec.platform["architecture"], "abacus"),
    }
    assert str(rebuilt.difference).startswith("spec.json differs")


def test_the_package_of_an_estimator_from_elsewhere_is_recorded_too() -> None:
    usual = library_versions(LINEAR)
    assert dict(library_versions("pydantic.Estimator")) == {**usual, "pydantic": version("pydantic")}
    assert library_versions("nobody.Knows") == usual


def test_a_version_that_never_was_is_refused(shop: Ports) -> None:
    with pytest.raises(TrainingError, match="no decision"):
        reproduce(REQUEST, shop)
