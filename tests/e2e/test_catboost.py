"""CatBoost by the commands: trained, labelled, retrained, canaried, rolled back, rebuilt, and adopted from its file and from MLflow."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.e2e.test_own_model import Command, applications

COLUMNS = ("--target", "defaulted", "--id", "application", "--time", "received")
FEATURES = ["income", "debt", "region"]
CATBOOST = f"CatBoost {catboost.__version__}"
COMPILED = ("--param", "iterations=20", "--param", "one_hot_max_size=255")


@pytest.fixture(scope="module")
def everscore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    command = Command(tmp_path_factory.mktemp("home"))
    command.run("local", "up", "--detach")
    yield command
    command.run("local", "down")


def served(everscore: Command, model: str, file: Path) -> dict[str, Any]:
    return everscore.json("score", model, file, "--wait")["release"]


def test_its_champion_is_challenged_canaried_rolled_back_and_rebuilt(everscore: Command, tmp_path: Path) -> None:
    history = applications(tmp_path / "history.csv", range(2000), label=True)
    trained = everscore.json(
        "train", "credit", history, *COLUMNS, "--estimator", "catboost.CatBoostClassifier", *COMPILED, "--drop", "clerk"
    )
    assert (trained["library"], trained["engine"]) == (CATBOOST, "bitvector")
    april = applications(tmp_path / "april.csv", range(4000, 6000), label=False, first_day=60)
    assert served(everscore, "credit", april)["champion"] == "1"
    everscore.run("labels", "credit", applications(tmp_path / "labels.csv", range(4000, 6000), label=True, first_day=60))
    deadline = time.monotonic() + 60
    while not everscore.json("status", "credit")["performance"] and time.monotonic() < deadline:
        time.sleep(0.5)
    # Categories by statistics of the target cannot be compiled, so this one is served by the library itself.
    decision = everscore.json("retrain", "credit", "--param", "one_hot_max_size=2", "--wait")
    assert (decision["champion_version"], decision["challenger_version"]) == ("1", "2")
    assert (decision["library"], decision["engine"]) == (CATBOOST, "native")
    everscore.json("promote", "credit", "2", "--canary", "--force", "--reason", "a trial")
    may = served(everscore, "credit", applications(tmp_path / "may.csv", range(6000, 6200), label=False, first_day=90))
    assert (may["champion"], may["challenger"]["version"]) == ("1", "2")
    everscore.json("promote", "credit", "2", "--force", "--reason", "the trial went well")
    assert everscore.json("rollback", "credit")["champion"]["version"] == "1"
    july = applications(tmp_path / "july.csv", range(6400, 6600), label=False, first_day=150)
    assert served(everscore, "credit", july)["champion"] == "1"
    for version in ("1", "2"):
        rebuilt = everscore.json("reproduce", "credit", version)
        assert rebuilt["identical"], rebuilt["difference"]


def read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, sep=";")


def theirs(folder: Path) -> catboost.CatBoostClassifier:
    """A model that others made, with a category by its texts."""
    table = read(applications(folder / "theirs.csv", range(10_000, 11_000), label=True))
    made = catboost.CatBoostClassifier(iterations=20, cat_features=["region"], verbose=False, allow_writing_files=False)
    return made.fit(table[FEATURES], (table["defaulted"] == "yes").astype(int))


def adopted_scores(everscore: Command, model: str, source: str | Path, folder: Path) -> tuple[pd.DataFrame, Any]:
    """A model is adopted and scores a batch: the batch's features, and the scores."""
    reference = applications(folder / "reference.csv", range(11_000, 11_500), label=True)
    decision = everscore.json("adopt", model, source, reference, *COLUMNS)
    assert (decision["library"], decision["trained_rows"], decision["reasons"][0]["code"]) == (CATBOOST, 500, "adopted")
    batch, out = applications(folder / "batch.csv", range(12_000, 12_100), label=False), folder / "batch.parquet"
    assert everscore.json("score", model, batch, "-o", out)["rows_scored"] == 100
    assert everscore.json("reproduce", model, "1")["identical"]
    return read(batch)[FEATURES], pq.read_table(out)["score"].to_numpy()


@pytest.mark.parametrize("form", ["cbm", "json"])
def test_a_model_file_is_adopted_and_scores_as_its_library_does(everscore: Command, form: str, tmp_path: Path) -> None:
    model = theirs(tmp_path)
    model.save_model(tmp_path / f"model.{form}", format=form)
    rows, scores = adopted_scores(everscore, f"from-{form}", tmp_path / f"model.{form}", tmp_path)
    np.testing.assert_allclose(scores, model.predict_proba(rows)[:, 1], rtol=1e-12)


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # of MLflow's own types, when it is imported
def test_a_model_that_is_in_mlflow_is_adopted_and_scores_as_its_library_does(everscore: Command, tmp_path: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(json.loads(everscore.run("local", "env", "--json").stdout)["MLFLOW_TRACKING_URI"])
    mlflow.set_experiment("theirs")
    model = theirs(tmp_path)
    mlflow.catboost.log_model(model, name="model", registered_model_name="theirs", pip_requirements=[])
    rows, scores = adopted_scores(everscore, "from-mlflow", "models:/theirs/1", tmp_path)
    np.testing.assert_allclose(scores, model.predict_proba(rows)[:, 1], rtol=1e-12)
