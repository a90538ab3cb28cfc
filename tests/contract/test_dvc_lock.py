"""`dvc.lock` against what it was made from, so that a fresh clone has nothing to make otherwise."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STALE = "dvc.lock is stale: run `dvc repro` and commit it with infra/demo/first-model"

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
LOCKED: dict[str, Any] = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]


def name_of(listed: str | dict[str, Any]) -> str:
    return listed if isinstance(listed, str) else next(iter(listed))


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_is_locked_with_its_command_its_parameters_and_its_files(stage: str) -> None:
    written, locked = STAGES[stage], LOCKED[stage]
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert locked["cmd"] == written["cmd"], STALE
    assert locked["params"]["params.yaml"] == {name: parameters[name] for name in written["params"]}, STALE
    assert {found["path"] for found in locked["deps"]} == set(written["deps"]), STALE
    outs = [name_of(listed) for kind in ("outs", "metrics", "plots") for listed in written.get(kind, [])]
    assert {found["path"] for found in locked["outs"]} == set(outs), STALE


def test_every_committed_file_that_the_lock_names_is_as_locked() -> None:
    locked = {found["path"]: found["md5"] for stage in LOCKED.values() for found in (*stage["deps"], *stage["outs"])}
    present = {path: ROOT / path for path in locked if not path.startswith("build/")}
    assert present
    found = {path: hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() for path, file in present.items()}
    assert found == {path: locked[path] for path in present}, STALE
