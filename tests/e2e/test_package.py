"""The wheel, installed into an empty environment, is all that a person needs: no checkout is near."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.places import CODE

UV = CODE / ".tools" / "bin" / "uv"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that holds the wheel and what it needs, in the versions that are locked."""
    folder = tmp_path_factory.mktemp("package")
    run(UV, "build", "--quiet", "--out-dir", folder, CODE)
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    pins = re.findall(r"^[\w.-]+==[^ ;]+", (CODE / "requirements/development.txt").read_text(), re.MULTILINE)
    (folder / "pins.txt").write_text("\n".join(pins))
    (wheel,) = folder.glob("*.whl")
    run(UV, "pip", "install", "--quiet", "--python", folder / "venv", "--constraints", folder / "pins.txt", wheel)
    return folder / "venv" / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path, installed: Path) -> dict[str, str]:
    """A person's environment without anything of this checkout."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("EVERSCORE_", "PYTHON", "VIRTUAL_ENV"))}
    path = f"{installed}:{UV.parent}:{own['PATH']}"
    return own | {"PATH": path, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path / "state")}


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_compiled_loops_come_with_the_wheel(installed, tmp_path, elsewhere):
    script = "from functions.shared.kernels import library; print(library.__file__); print(library.kernel_library() is not None)"

    file, loaded = run(installed / "python", "-c", script, cwd=tmp_path, env=elsewhere).split()

    assert Path(file).is_relative_to(installed.parent)
    assert loaded == "True"


def test_a_first_result_comes_from_an_empty_folder(installed, tmp_path, elsewhere):
    totals = json.loads(run("everscore", "demo", "--quick", "--json", cwd=tmp_path, env=elsewhere))

    assert totals["batches"] == 2
    assert totals["rows_in"] == totals["rows_scored"] + totals["rows_quarantined"]
    assert (tmp_path / "everscore-demo.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "cache" / "everscore" / ".ministack").is_dir()


def test_a_project_of_ones_own_is_deployed_as_it_was_changed(installed, tmp_path, elsewhere):
    run("everscore", "init", "mine", cwd=tmp_path, env=elsewhere)
    project = tmp_path / "mine"
    template = (project / "template.yaml").read_text()
    (project / "template.yaml").write_text(template.replace("Outputs:\n", "Outputs:\n  Motto:\n    Value: mine\n"))

    run("everscore", "local", "up", "--detach", "--stack", "own", cwd=project, env=elsewhere)
    try:
        [stack] = (tmp_path / "state" / "everscore").glob("*/stack.json")
        assert json.loads(stack.read_text())["outputs"]["Motto"] == "mine"
    finally:
        run("everscore", "local", "down", "--stack", "own", cwd=project, env=elsewhere)
