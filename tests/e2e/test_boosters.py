"""XGBoost and LightGBM by the commands: trained, retrained to each other, canaried, rolled back, rebuilt, and adopted."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xgboost

from tests.e2e.test_own_model import Command, applications

COLUMNS = ("--target", "defaulted", "--id", "application", "--time", "received")
FEATURES = ["income", "debt", "region"]
LIBRARIES = {
    "xgboost.XGBClassifier": f"XGBoost {xgboost.__version__}",
    "lightgbm.LGBMClassifier": f"LightGBM {lightgbm.__version__}",
}


@pytest.fixture(scope="module")
def everscore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    command = Command(tmp_path_factory.mktemp("home"))
    command.run("local", "up", "--detach")
    yield command
    command.run("local", "down")


def scored(everscore: Command, model: str, file: Path) -> dict[str, Any]:
    return everscore.json("score", model, file, "--wait")["release"]


@pytest.mark.parametrize(("first", "second"), [tuple(LIBRARIES), tuple(reversed(LIBRARIES))])
def test_one_librarys_champion_is_challenged_by_the_other_and_comes_back(
    everscore: Command, first: str, second: str, tmp_path: Path
) -> None:
    model = first.partition(".")[0]
    few = ("--param", "n_estimators=20")
    history = applications(tmp_path / "history.csv", range(2000), label=True)
    trained = everscore.json("train", model, history, *COLUMNS, "--estimator", first, *few, "--drop", "clerk")
    assert (trained["library"], trained["engine"]) == (LIBRARIES[first], "bitvector")
    assert scored(everscore, model, applications(tmp_path / "april.csv", range(4000, 6000), label=False, first_day=60))["champion"] == "1"
    everscore.run("labels", model, applications(tmp_path / "labels.csv", range(4000, 6000), label=True, first_day=60))
    deadline = time.monotonic() + 60
    while not everscore.json("status", model)["performance"] and time.monotonic() < deadline:
        time.sleep(0.5)
    decision = everscore.json("retrain", model, "--estimator", second, *few, "--wait")
    assert (decision["champion_version"], decision["challenger_version"], decision["library"]) == ("1", "2", LIBRARIES[second])
    assert decision["engine"] == "bitvector"
    everscore.json("promote", model, "2", "--canary", "--force", "--reason", "a trial")
    release = scored(everscore, model, applications(tmp_path / "may.csv", range(6000, 6200), label=False, first_day=90))
    assert (release["champion"], release["challenger"]["version"]) == ("1", "2")
    everscore.json("promote", model, "2", "--force", "--reason", "the trial went well")
    assert scored(everscore, model, applications(tmp_path / "june.csv", range(6200, 6400), label=False, first_day=120))["champion"] == "2"
    assert everscore.json("rollback", model)["champion"]["version"] == "1"
    assert scored(everscore, model, applications(tmp_path / "july.csv", range(6400, 6600), label=False, first_day=150))["champion"] == "1"
    libraries = {version["version"]: version["library"] for version in everscore.json("status", model)["versions"]}
    assert libraries == {"1": LIBRARIES[first], "2": LIBRARIES[second]}
    for version in ("1", "2"):
        rebuilt = everscore.json("reproduce", model, version)
        assert rebuilt["identical"], rebuilt["difference"]


def read(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, sep=";").astype({"region": pd.CategoricalDtype(list("ENSW"))})


def adopted_scores(everscore: Command, model: str, source: str | Path, folder: Path) -> tuple[pd.DataFrame, Any]:
    """A model is adopted and scores a batch: the batch's features, and the scores."""
    reference = applications(folder / "reference.csv", range(11_000, 11_500), label=True)
    decision = everscore.json("adopt", model, source, reference, *COLUMNS)
    assert (decision["engine"], decision["trained_rows"], decision["reasons"][0]["code"]) == ("bitvector", 500, "adopted")
    batch, out = applications(folder / "batch.csv", range(12_000, 12_100), label=False), folder / "batch.parquet"
    assert everscore.json("score", model, batch, "-o", out)["rows_scored"] == 100
    assert everscore.json("reproduce", model, "1")["identical"]
    return read(batch)[FEATURES], pq.read_table(out)["score"].to_numpy()


def test_a_model_file_is_adopted_and_scores_as_its_library_does(everscore: Command, tmp_path: Path) -> None:
    table = read(applications(tmp_path / "theirs.csv", range(10_000, 11_000), label=True))
    theirs = xgboost.XGBClassifier(n_estimators=20, enable_categorical=True).fit(table[FEATURES], table["defaulted"] == "yes")
    theirs.save_model(tmp_path / "model.ubj")
    rows, scores = adopted_scores(everscore, "from-file", tmp_path / "model.ubj", tmp_path)
    assert np.array_equal(scores, theirs.predict_proba(rows)[:, 1])
    refused = everscore.run("adopt", "nobody", tmp_path / "absent.json", tmp_path / "reference.csv", *COLUMNS, code=2).stderr
    assert "models:/NAME/VERSION" in " ".join(refused.split())


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # of MLflow's own types, when it is imported
def test_a_booster_that_is_in_mlflow_is_adopted_and_scores_as_its_library_does(everscore: Command, tmp_path: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(json.loads(everscore.run("local", "env", "--json").stdout)["MLFLOW_TRACKING_URI"])
    mlflow.set_experiment("theirs")
    table = read(applications(tmp_path / "theirs.csv", range(10_000, 11_000), label=True))
    theirs = lightgbm.LGBMClassifier(n_estimators=20, verbosity=-1).fit(table[FEATURES], table["defaulted"] == "yes")
    mlflow.lightgbm.log_model(theirs.booster_, name="model", registered_model_name="theirs", pip_requirements=[])
    rows, scores = adopted_scores(everscore, "from-mlflow", "models:/theirs/1", tmp_path)
    np.testing.assert_allclose(scores, theirs.predict_proba(rows)[:, 1], rtol=1e-12)
