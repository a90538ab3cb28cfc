"""The functions' image: what is in it, and that it works as Lambda runs it. Built first, which takes seconds if little changed."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.release import Role
from infra.cli.offline import score_offline
from infra.cli.operator import Operator, embedded
from infra.demo.flights import MODEL
from infra.demo.once import batch_of_flights, each_function_once, idle_stack
from infra.local.containers import ContainerFunction, container_functions, emulated
from infra.local.image import IMAGE, LARGEST_MB, base_image, size_mb
from infra.local.servers import ROOT

pytestmark = pytest.mark.timeout(1500)  # the first build installs Docker and may make a stand-in of AWS's base image

TRAINING_ONLY = {"sklearn", "pandas", "scipy", "mlflow", "joblib", "skops"}
COLD_START_S = 2.5
GLIBC_OF_AMAZON_LINUX_2023 = 34
LIST = """
import json, os, stat
from importlib.metadata import distributions

task = os.environ["LAMBDA_TASK_ROOT"]
files = [os.path.join(folder, name) for folder, _, names in os.walk(task) for name in names]
print(json.dumps({
    "task": [os.path.relpath(path, task) for path in files],
    "unreadable": [path for path in files if not os.stat(path).st_mode & stat.S_IROTH],
    "compared": [path for path in files if path.endswith(".pyc") and open(path, "rb").read(8)[4] != 1],
    "left": [path for path in ("/requirements.txt", "/packages", "/code", "/root/.cache") if os.path.exists(path)],
    "packages": {found.metadata["Name"]: found.version for found in distributions(path=[task])},
    "tags": [line for found in distributions(path=[task]) for line in found.read_text("WHEEL").splitlines() if line.startswith("Tag:")],
}))
"""


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    built = subprocess.run(["make", "build"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr)[-4000:]


# What is in it


@pytest.fixture(scope="module")
def content(image: None) -> dict[str, Any]:
    run = ["docker", "run", "--rm", "--entrypoint", "python3", IMAGE, "-c", LIST]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


def test_the_image_holds_the_locked_packages_and_no_other(content: dict[str, Any]) -> None:
    locked = re.findall(r"^([\w.-]+)==([^ ]+)", (ROOT / "requirements/functions.txt").read_text(), re.MULTILINE)
    found = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in content["packages"].items()}
    assert found == set(locked)


def test_of_the_repository_it_holds_the_functions_alone(content: dict[str, Any]) -> None:
    ours = {path for path in content["task"] if path.endswith(".py") and path.split("/")[0] in {"functions", "infra", "tests"}}
    assert ours == {path.relative_to(ROOT).as_posix() for path in (ROOT / "functions").rglob("*.py")}


def test_it_holds_no_tests_no_caches_and_nothing_that_only_the_build_needs(content: dict[str, Any]) -> None:
    assert content["left"] == []
    assert [path for path in content["task"] if "/tests/" in f"/{path}"] == []
    assert not {"pip", "pytest", "moto", "dvc", "setuptools"} & {path.split("/")[0] for path in content["task"]}


def test_every_module_is_compiled_and_its_bytecode_never_compared_with_its_source(content: dict[str, Any]) -> None:
    compiled = {path for path in content["task"] if path.endswith(".pyc")}
    sources = [Path(path) for path in content["task"] if path.endswith(".py")]
    assert [str(path) for path in sources if str(path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc") not in compiled] == []
    assert content["compared"] == []


def test_any_user_may_read_all_of_it(content: dict[str, Any]) -> None:
    assert content["unreadable"] == []


def test_its_wheels_run_on_the_c_library_that_lambda_has(content: dict[str, Any]) -> None:
    needed = [int(minor) for tag in content["tags"] for minor in re.findall(r"manylinux_2_(\d+)_", tag)]
    assert max(needed) <= GLIBC_OF_AMAZON_LINUX_2023


def test_it_weighs_no_more_than_it_may() -> None:
    assert size_mb(IMAGE) - size_mb(base_image()) <= LARGEST_MB


def test_its_labels_say_version_and_commit() -> None:
    inspect = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", IMAGE]
    labels = json.loads(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    assert labels["org.opencontainers.image.version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == head


# That it works


@dataclass
class Played:
    """What came of one event for each function, each in a new container: unprivileged, with only /tmp to write to."""

    operator: Operator
    functions: Mapping[str, ContainerFunction]
    manifest: Manifest
    imported: Mapping[str, set[str]]
    processor_s: Mapping[str, float]


@pytest.fixture(scope="module")
def played(image: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    imported: dict[str, set[str]] = {}
    processor_s: dict[str, float] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        with idle_stack(print) as stack, container_functions(stack) as functions:

            def invoke(function: str, event: Mapping[str, Any]) -> Any:
                with emulated(functions[function], variables={"PYTHONVERBOSE": "1"}) as running:
                    answer = running.invoke(event)
                    imported[function] = {name.split(".")[0] for name in re.findall(r"^import '([\w.]+)'", running.logs(), re.MULTILINE)}
                    processor_s[function] = running.processor_s()
                return answer

            operator = embedded(stack)
            yield Played(operator, functions, each_function_once(operator, invoke), imported, processor_s)


def test_every_function_works_as_lambda_runs_it(played: Played) -> None:
    manifest = played.manifest
    assert manifest.status is Status.SCORED
    assert manifest.rows_in == manifest.rows_scored + manifest.rows_quarantined == len(batch_of_flights().splitlines()) - 1
    assert manifest.rows_quarantined > 0
    assert manifest.release is not None
    assert manifest.release.means == {Role.CHAMPION: "kernel"}
    assert json.loads(played.operator.store.read(layout.emitted_key(MODEL, manifest.batch_id)))["batch_id"] == manifest.batch_id


def test_the_image_scores_as_this_machine_does(played: Played, tmp_path: Path) -> None:
    file, here, there = tmp_path / "week.csv", tmp_path / "here.parquet", tmp_path / "there.parquet"
    file.write_bytes(batch_of_flights())
    score_offline(MODEL, file, here, releases=played.operator.store)
    played.operator.download_scored(played.manifest, there)
    assert pq.read_table(there).equals(pq.read_table(here))


def test_scoring_by_a_compiled_engine_imports_nothing_that_only_training_needs(played: Played) -> None:
    assert played.imported["scoring"] & TRAINING_ONLY == set()
    assert {"numpy", "pyarrow", "boto3"} <= played.imported["scoring"]
    assert {"sklearn", "mlflow"} <= played.imported["retraining"], "were these not seen here, nothing above would mean anything"


def test_scorings_first_answer_takes_no_longer_than_it_may(played: Played) -> None:
    # Processor seconds: with the one CPU that it has they are what passes, and a busy machine does not add to them.
    assert played.processor_s["scoring"] <= COLD_START_S


def test_sam_invokes_each_function_on_an_embedded_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "infra.demo.invoke"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert (manifest["status"], manifest["rows_in"]) == ("scored", len(batch_of_flights().splitlines()) - 1)
    assert re.findall("sam local invoke: (.*)", done.stderr) == ["retraining", "release", "scoring", "metric_emission"]
