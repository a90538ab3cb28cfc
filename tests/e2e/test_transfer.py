"""A version goes from one stack to another: as the first, as a challenger, and never changed on its way."""

import csv
import json
import random
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from infra.local.embedded import embedded_aws
from infra.local.stacks import Stack
from infra.places import ROOT

pytestmark = pytest.mark.timeout(600)  # two stacks that start

EVERSCORE = ROOT / ".venv/bin/everscore"
DESCRIBED = ("--target", "left", "--id", "id")


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Stack]]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(home))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        quiet = {"ScheduleState": "DISABLED"}
        with embedded_aws("dev", parameters=quiet) as dev, embedded_aws("prod", parameters=quiet) as prod:
            yield dev, prod


@pytest.fixture
def everscore(stacks: tuple[Stack, Stack], tmp_path: Path) -> Any:
    return partial(asked, tmp_path)


def asked(folder: Path, *command: str, code: int = 0) -> Any:
    """What a command answers as JSON."""
    done = subprocess.run([EVERSCORE, *command, "--json"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def rows(path: Path, seed: int, noise: float) -> Path:
    """Three hundred rows whose label follows from the amount, mostly."""
    drawn = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "amount", "shop", "left"])
        for number in range(300):
            amount = drawn.gauss(0, 1)
            label = "yes" if amount + drawn.gauss(0, noise) > 0 else "no"
            writer.writerow([f"{seed}-{number}", f"{amount:.4f}", drawn.choice(["north", "south"]), label])
    return path


def scores(everscore: Any, model: str, stack: str, file: Path) -> list[dict[str, str]]:
    out = file.with_name(f"{model}-{stack}.csv")
    everscore("score", model, str(file), "--wait", "-o", str(out), "--stack", stack)
    with out.open(newline="") as body:
        return [{name: row[name] for name in ("id", "score", "prediction")} for row in csv.DictReader(body)]


def test_a_version_of_dev_scores_in_prod_to_the_last_digit_and_meets_the_champion_there(
    everscore: Any, stacks: tuple[Stack, Stack], tmp_path: Path
) -> None:
    good, poor = rows(tmp_path / "good.csv", 1, 0.3), rows(tmp_path / "poor.csv", 2, 3)
    trained = everscore("train", "churn", str(good), *DESCRIBED, "--stack", "dev")
    file = tmp_path / "churn-1.everscore"
    sealed = everscore("export", "churn", "1", "--stack", "dev")
    assert (sealed["file"], sealed["model"], sealed["version"]) == (file.name, "churn", "1")

    first = everscore("import", str(file), "--stack", "prod")
    assert first["digest"] == trained["digest"]
    assert scores(everscore, "churn", "prod", poor) == scores(everscore, "churn", "dev", poor)

    everscore("train", "other", str(poor), *DESCRIBED, "--stack", "prod")
    challenger = everscore("import", str(file), "--model", "other", "--stack", "prod")
    assert (challenger["champion_version"], challenger["challenger_version"]) == ("1", "2")
    for _ in range(50):
        if on_its_way := everscore("status", "other", "--stack", "prod")["challenger"]:
            break
    assert on_its_way["version"] == "2"

    runs = MlflowClient(stacks[1].mlflow_uri).get_run(first["run_id"]).data.tags
    assert (runs["everscore.origin.stack"], runs["everscore.origin.version"]) == ("dev", "1")


def test_a_copy_with_its_data_is_reproduced_byte_by_byte(everscore: Any, tmp_path: Path) -> None:
    everscore("train", "sales", str(rows(tmp_path / "sales.csv", 3, 1)), *DESCRIBED, "--stack", "dev")
    everscore("copy", "sales", "1", "--from", "dev", "--to", "prod", "--model", "sales-eu", "--data")
    assert everscore("reproduce", "sales-eu", "1", "--stack", "prod")["identical"]
    refused = everscore("copy", "sales", "1", "--from", "dev", "--to", "prod", "--model", "sales-eu", "--data", code=2)
    assert refused["code"] == "import_refused"
    assert "here already" in refused["error"]


def test_a_file_that_was_changed_or_is_none_leaves_no_trace(everscore: Any, tmp_path: Path) -> None:
    everscore("train", "loans", str(rows(tmp_path / "loans.csv", 4, 1)), *DESCRIBED, "--stack", "dev")
    everscore("export", "loans", "1", "--stack", "dev")
    body = bytearray((tmp_path / "loans-1.everscore").read_bytes())
    body[len(body) // 3] ^= 1
    for name, content in (("changed", bytes(body)), ("half", bytes(body[: len(body) // 2])), ("none", b"id,amount\n1,2\n")):
        broken = tmp_path / f"{name}.everscore"
        broken.write_bytes(content)
        assert everscore("import", str(broken), "--stack", "prod", code=2)["code"] == "import_refused"
    assert everscore("status", "loans", "--stack", "prod", code=2)["code"] == "unknown_model"
