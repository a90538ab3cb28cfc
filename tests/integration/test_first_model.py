"""The demo's first model by the real `dvc`, in a clone of the project: made, compared, changed and brought back."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from functions.retraining.event import ReproduceRequest, RetrainRequest, TrainRequest
from functions.retraining.ports import Ports
from functions.retraining.reproduction import reproduce
from functions.retraining.service import retrain, train_first
from functions.shared.domain import layout
from functions.shared.domain.policy import GatePolicy, Policy, RowContract
from functions.shared.domain.release import ServedModel
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from infra.demo import flights
from tests.fakes.documents import make_manifest, make_release
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore
from tests.fakes.recording_bus import RecordingBus

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)

RESULTS = "infra/demo/first-model"
METRICS, MADE_BY, BUNDLE = f"{RESULTS}/metrics.json", f"{RESULTS}/made_by.json", "build/first-model/bundle"


class Clone:
    """The project as it stands, in a repository of its own with one commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        author = {f"GIT_{who}_{what}": "clone@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.environment = {**kept, **author, "PATH": programs}
        listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, folder / name)
        self.run("git", "init", "--quiet")
        self.run("git", "add", ".")
        self.run("git", "commit", "--quiet", "--message", "as it stands")

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def bundle(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (self.folder / BUNDLE).iterdir()}

    def metrics(self) -> dict[str, float]:
        return json.loads((self.folder / METRICS).read_text())

    def set_parameters(self, **changed: Any) -> None:
        file = self.folder / "params.yaml"
        parameters = yaml.safe_load(file.read_text())
        for section, values in changed.items():
            parameters[section] |= values
        file.write_text(yaml.safe_dump(parameters))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = Clone(tmp_path_factory.mktemp("clone"))
    assert made.run("dvc", "repro", "--dry", "--allow-missing").count("didn't change, skipping") == 3
    made.run("dvc", "repro", "--quiet")
    return made


def locked(folder: Path) -> dict[str, str]:
    """What `dvc.lock` says came out: a digest for each path."""
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"].values()
    return {found["path"]: found["md5"] for stage in stages for found in stage["outs"]}


def test_the_lock_names_what_the_code_makes(clone: Clone) -> None:
    kept, made = locked(ROOT), locked(clone.folder)
    if (clone.folder / MADE_BY).read_bytes() != (ROOT / MADE_BY).read_bytes():  # a bundle names its platform and libraries
        for lock in (kept, made):
            del lock[BUNDLE], lock[MADE_BY]
    assert made == kept, "the code makes another first model: run `dvc repro --force` and commit dvc.lock and infra/demo/first-model"


def test_the_figures_that_the_project_keeps_come_out_again(clone: Clone) -> None:
    kept = json.loads((ROOT / METRICS).read_text())
    assert clone.metrics() == pytest.approx(kept, abs=1e-3)
    assert kept["learnt_rows"] + kept["held_rows"] == first_months()["late"].notna().sum()


def first_months() -> Any:
    return flights.between(flights.departures(), date(2013, 1, 1), date(2013, 3, 31))


@pytest.fixture(scope="module")
def shop() -> Ports:
    """Retraining's ports, the demo's upload having become version 1, which serves."""
    inbox, store, body = MemoryStore("inbox"), MemoryStore(), BytesIO()
    first_months().to_parquet(body, index=False)
    key = inbox.write("training/flights/2013-q1.parquet", body.getvalue()).key
    policy = Policy(number=1, row_contract=RowContract(ranges={"wind_speed": flights.WIND_RANGE}), gate=GatePolicy(folds=0))
    Policies(store).write(flights.MODEL, policy)
    shop = Ports(
        inbox=inbox,
        store=store,
        registry=MemoryRegistry(),
        bundles=Bundles(store),
        events=RecordingBus(),
        new_holder=lambda: "holder",
        now=lambda: datetime(2013, 4, 1, tzinfo=UTC),
    )
    named = {"target": flights.TARGET, "id_column": flights.ID, "time_column": flights.TIME}
    decision = train_first(TrainRequest(model=flights.MODEL, key=key, **named), shop).decision
    assert decision is not None
    served = ServedModel(version="1", digest=decision.digest, prefix=layout.version_prefix(flights.MODEL, "1"))
    Releases(store).publish(make_release(model=flights.MODEL, champion=served), over=None)
    return shop


def test_the_bundle_is_the_one_that_the_retraining_function_makes_of_the_demos_upload(clone: Clone, shop: Ports) -> None:
    prefix = layout.version_prefix(flights.MODEL, "1")
    assert clone.bundle() == {info.key.removeprefix(prefix): shop.store.read(info.key) for info in shop.store.list(prefix)}


def test_two_versions_of_the_demos_model_are_rebuilt_and_one_whose_snapshot_was_tampered_with_is_not(shop: Ports) -> None:
    june = flights.between(flights.departures(), date(2013, 6, 1), date(2013, 6, 30)).dropna(subset=flights.TARGET)
    for day, rows in june.groupby(june[flights.TIME].dt.date):
        body = BytesIO()
        rows.rename(columns={flights.TARGET: "everscore_label"}).assign(
            everscore_label_arrived=datetime(2013, 7, 1, tzinfo=UTC)
        ).to_parquet(body, index=False)
        shop.store.write(layout.labelled_key(flights.MODEL, day, "june"), body.getvalue())
    last = make_manifest(day=date(2013, 7, 20), rows_in=9, rows_scored=9, event_days={date(2013, 7, 20): 9})
    Manifests(shop.store).commit(last.model_copy(update={"model": flights.MODEL}))
    decision = retrain(RetrainRequest(model=flights.MODEL, trigger="person"), shop).decision
    assert decision is not None
    for version in ("1", "2"):
        rebuilt = reproduce(ReproduceRequest(model=flights.MODEL, version=version), shop)
        assert (rebuilt.identical, rebuilt.largest_score_difference, rebuilt.libraries) == (True, 0.0, {}), rebuilt.difference
    months = json.loads(shop.store.read(layout.snapshot_key(decision.snapshot.md5)))
    [md5] = [month["md5"] for month in months if month["relpath"] == "2013-02.parquet"]
    body = shop.store.read(layout.snapshot_key(md5))
    shop.store.write(layout.snapshot_key(md5), body[:-9] + bytes([body[-9] ^ 1]) + body[-8:])
    rebuilt = reproduce(ReproduceRequest(model=flights.MODEL, version="2"), shop)
    assert not rebuilt.identical
    assert md5 in str(rebuilt.difference)


def test_a_changed_parameter_is_reported_with_what_it_does_and_the_first_model_is_brought_back(clone: Clone) -> None:
    first, figures = clone.bundle(), clone.metrics()
    clone.run("git", "add", ".")
    clone.run("git", "commit", "--quiet", "--allow-empty", "--message", "made here")
    clone.set_parameters(train={"parameters": {"max_iter": 5}})
    [changed] = json.loads(clone.run("dvc", "params", "diff", "--json")).values()
    assert changed["train.parameters.max_iter"]["new"] == 5
    reported = clone.run("dvc", "repro")
    assert "Stage 'prepare' didn't change, skipping" in reported
    assert "Running stage 'train'" in reported
    found = json.loads(clone.run("dvc", "metrics", "diff", "--json"))[METRICS]
    assert found["auc"]["old"] == figures["auc"]
    assert found["auc"]["new"] == clone.metrics()["auc"]
    assert found["auc"]["diff"] < 0, "five trees know less than a hundred"
    assert clone.bundle() != first
    clone.run("git", "checkout", "--quiet", ".")
    clone.run("dvc", "checkout", "--quiet")
    assert clone.bundle() == first
    assert clone.metrics() == figures
    assert clone.run("dvc", "status").strip() == "Data and pipelines are up to date."


def test_the_plots_are_declared_and_drawn(clone: Clone) -> None:
    clone.run("dvc", "plots", "show", "--out", "drawn")
    page = (clone.folder / "drawn/index.html").read_text()
    for name in ("roc", "calibration", "by_day"):
        assert f"first-model_{name}_csv" in page
