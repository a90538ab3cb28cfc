"""The functions' image: what is in it, and that it works as Lambda runs it. Built first, which takes seconds if little changed."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from functions.shared.domain import layout
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.engines.bundle import bundle_digest, load_bundle, make_bundle
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.native import NativeEngine
from functions.shared.engines.skops_file import dump_pipeline
from infra.cli.offline import score_offline
from infra.cli.operator import Operator, embedded
from infra.cli.options import console
from infra.cli.scored_rows import write_scored
from infra.demo.flights import MODEL
from infra.demo.once import ERASED, batch_of_flights, each_function_once, idle_stack
from infra.local.codedeploy import deployment_hook
from infra.local.containers import EMULATED_NAME, container_functions, emulated
from infra.local.image import IMAGE, LARGEST_MB, built_from, size_mb
from infra.places import ROOT
from tests.unit.shared.engines.rows import fit, make_spec, training_rows

pytestmark = pytest.mark.timeout(1500)  # the first build installs Docker and may make a stand-in of AWS's base image

TRAINING_ONLY = {"sklearn", "pandas", "scipy", "mlflow", "joblib", "skops", "xgboost", "lightgbm"}
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


# What is in it


@pytest.fixture(scope="module")
def content(image: str) -> dict[str, Any]:
    run = ["docker", "run", "--rm", "--entrypoint", "python3", IMAGE, "-c", LIST]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


def test_the_image_holds_the_locked_packages_and_no_other(content: dict[str, Any]) -> None:
    locked = re.findall(
        r"^([\w.-]+)==([^ ]+) (?!; sys_platform == 'darwin')", (ROOT / "requirements/functions.txt").read_text(), re.MULTILINE
    )
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


def test_it_weighs_no_more_than_it_may(image: str) -> None:
    assert size_mb(IMAGE) - size_mb(built_from(IMAGE)) <= LARGEST_MB


def test_lightgbm_finds_the_library_of_openmp_that_its_wheel_lacks(image: str) -> None:
    load = "import lightgbm, xgboost; print(lightgbm.__version__, xgboost.__version__)"
    run = ["docker", "run", "--rm", "--entrypoint", "python3", IMAGE, "-c", load]
    assert len(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()) == 2


def test_its_labels_say_version_and_commit(image: str) -> None:
    inspect = ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", IMAGE]
    labels = json.loads(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout)
    later = subprocess.run(["git", "rev-list", f"{image}..HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert labels["org.opencontainers.image.version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") in {image, *later.split()}


# That it works


@dataclass
class Played:
    """What came of one event for each function, each in a new container: unprivileged, with only /tmp to write to."""

    operator: Operator
    manifest: Manifest
    imported: Mapping[str, set[str]]
    processor_s: Mapping[str, float]
    logs: Mapping[str, str]


@pytest.fixture(scope="module")
def played(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    imported: dict[str, set[str]] = {}
    processor_s: dict[str, float] = {}
    logs: dict[str, str] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        with (
            idle_stack(print) as stack,
            container_functions(stack) as functions,
            emulated(functions["scoring"]) as new_code,
            deployment_hook(functions["scoring"], lambda_endpoint=new_code.endpoint, new_version=EMULATED_NAME) as hook,
        ):
            all_functions = {**functions, "code_check": hook.function}

            def invoke(function: str, event: Mapping[str, Any]) -> Any:
                with emulated(all_functions[function], variables={"PYTHONVERBOSE": "1"}) as running:
                    answer = running.invoke(event)
                    logs[function] = running.logs()
                    imported[function] = {name.split(".")[0] for name in re.findall(r"^import '([\w.]+)'", logs[function], re.MULTILINE)}
                    processor_s[function] = running.processor_s()
                return answer

            operator = embedded(stack)
            manifest = each_function_once(operator, invoke, hook.answers)
            yield Played(operator, manifest, imported, processor_s, logs)


def test_every_function_works_as_lambda_runs_it(played: Played) -> None:
    manifest = played.manifest
    assert manifest.status is Status.SCORED
    assert manifest.rows_in == manifest.rows_scored + manifest.rows_quarantined == len(batch_of_flights().splitlines()) - 1
    assert manifest.rows_quarantined > 0
    assert manifest.release is not None
    assert manifest.release.means == {Role.CHAMPION: "kernel"}
    assert json.loads(played.operator.store.read(layout.emitted_key(MODEL, manifest.batch_id)))["batch_id"] == manifest.batch_id


def test_the_image_scores_as_this_machine_does_and_erases_whom_it_was_asked_to(played: Played, tmp_path: Path) -> None:
    file, here, there = tmp_path / "week.csv", tmp_path / "here.parquet", tmp_path / "there.parquet"
    file.write_bytes(batch_of_flights())
    score_offline(MODEL, file, here, releases=played.operator.store)
    [stored] = played.operator.store.list(layout.manifest_prefix(MODEL))
    manifest = Manifest.from_json(played.operator.store.read(stored.key))
    [spec] = played.operator.served_specs(MODEL)
    write_scored([manifest], there, download=played.operator.download, console=console, spec=spec)
    scored = pq.read_table(here)
    erased = pc.is_in(scored["flight_id"], pa.array(ERASED))
    assert pc.sum(erased).as_py() == len(ERASED)
    assert pq.read_table(there).equals(scored.filter(pc.invert(erased)))


def test_new_code_was_checked_on_the_batch_that_stands(played: Played) -> None:
    [line] = [json.loads(line) for line in played.logs["code_check"].splitlines() if '"message":"compared"' in line]
    assert (line["batch_id"], line["different"]) == (played.manifest.batch_id, [])


def test_scoring_by_a_compiled_engine_imports_nothing_that_only_training_needs(played: Played) -> None:
    assert played.imported["scoring"] & TRAINING_ONLY == set()
    assert {"numpy", "pyarrow", "botocore"} <= played.imported["scoring"]
    assert {"sklearn", "mlflow"} <= played.imported["retraining"], "were these not seen here, nothing above would mean anything"


def test_scorings_first_answer_takes_no_longer_than_it_may(played: Played) -> None:
    # Processor seconds: with the one CPU that it has they are what passes, and a busy machine does not add to them.
    assert played.processor_s["scoring"] <= COLD_START_S


def test_sam_invokes_each_function_on_an_embedded_aws(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "infra.demo.invoke"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert (manifest["status"], manifest["rows_in"]) == ("scored", len(batch_of_flights().splitlines()) - 1)
    assert re.findall("sam local invoke: (.*)", done.stderr) == [
        *("retraining", "release", "scoring", "metric_emission"),
        *("cataloguing", "code_check", "erasure", "partitioning"),
    ]


# With CatBoost

SCORE = """
import sys
from pathlib import Path

import pyarrow.parquet as pq
from functions.shared.engines.bundle import load_bundle

folder = Path("/version")
model = load_bundle(lambda name: (folder / name).read_bytes(), sys.argv[1])
[rows] = pq.read_table(folder / "rows").combine_chunks().to_batches()
print(model.engine.backend, model.engine.score(rows).tobytes().hex())
"""


@pytest.fixture(scope="module")
def with_catboost(image: str) -> Iterator[str]:
    """The image with CatBoost, of which all but the packages was built already."""
    name = "everscore:with-catboost"
    options = ["--quiet", "--build-arg", f"BASE={built_from(IMAGE)}", "--build-arg", "WITH=catboost", "--tag", name]
    build = ["docker", "build", *options, "--file", "functions/Dockerfile", "."]
    subprocess.run(build, cwd=ROOT, env={**os.environ, "DOCKER_BUILDKIT": "0"}, check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "image", "rm", name], check=True, capture_output=True)


@pytest.mark.parametrize(("parameters", "backend"), [({"one_hot_max_size": 255}, "kernel"), ({}, "catboost")])
def test_the_image_with_catboost_scores_its_versions_as_this_machine_does(
    with_catboost: str, parameters: Mapping[str, int], backend: str, tmp_path: Path
) -> None:
    """Categories by statistics of the target, which CatBoost makes of more than two, are in no tree: the library itself scores them."""
    spec = make_spec(Task.BINARY, "catboost.CatBoostClassifier", iterations=20, **parameters)
    pipeline, rows = fit(spec), training_rows()
    compiled = compile_pipeline(pipeline, spec)
    scores = NativeEngine(pipeline, spec.task, spec.features).score(rows)
    table = pa.Table.from_batches([rows])
    files = make_bundle(spec, build_baseline(spec.name, "1", table, spec, scores), compiled, dump_pipeline(pipeline))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    pq.write_table(table, tmp_path / "rows")
    tmp_path.chmod(0o755)
    mounted = ["--volume", f"{tmp_path}:/version:ro", "--user", "993:990", "--read-only", "--tmpfs=/tmp"]
    run = ["docker", "run", "--rm", *mounted, "--entrypoint", "python3", with_catboost, "-c", SCORE, bundle_digest(files)]
    answered = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    here = load_bundle(files.__getitem__, bundle_digest(files)).engine
    assert answered == [backend, here.score(rows).tobytes().hex()]
    assert here.backend == backend
