"""`everscore init` writes a project that can be built and deployed, and never over anything."""

import json

import pytest
from typer.testing import CliRunner

from functions.shared.domain.errors import InputError
from infra.cli.app import app
from infra.cli.init import lay_down
from infra.local.transformation import read_template, with_definitions
from infra.places import CODE, ROOT, own_project


def test_a_new_project_has_all_that_its_template_names(tmp_path):
    lay_down(tmp_path)

    template = read_template((tmp_path / "template.yaml").read_text())
    images = [function["Metadata"] for function in template["Resources"].values() if "DockerContext" in function.get("Metadata", {})]
    assert {(tmp_path / image["DockerContext"] / image["Dockerfile"]).is_file() for image in images} == {True}
    assert with_definitions(template, tmp_path)["Resources"].keys() == template["Resources"].keys()
    copied = {
        line.split()[1] for line in (tmp_path / "functions/Dockerfile").read_text().splitlines() if line.startswith("COPY functions ")
    }
    assert copied == {"functions"}
    ours = {path.relative_to(CODE) for path in (CODE / "functions").rglob("*") if path.suffix in {".py", ".c", ".h"}}
    assert {path.relative_to(tmp_path) for path in (tmp_path / "functions").rglob("*") if path.suffix} == ours
    assert (tmp_path / "requirements/functions.txt").read_bytes() == (ROOT / "requirements/functions.txt").read_bytes()


def test_nothing_is_written_where_something_is_already(tmp_path):
    (tmp_path / "samconfig.toml").write_text("mine")

    with pytest.raises(InputError, match=r"samconfig.toml exists already\nremedy: name an empty folder"):
        lay_down(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["samconfig.toml"]


def test_local_stacks_are_made_of_the_project_in_the_current_folder(tmp_path, monkeypatch):
    lay_down(tmp_path)

    monkeypatch.chdir(tmp_path)

    assert own_project() == tmp_path


def test_a_template_of_something_else_is_not_taken_for_a_project(tmp_path, monkeypatch):
    (tmp_path / "template.yaml").write_text("Resources: {}")

    monkeypatch.chdir(tmp_path)

    assert own_project() == ROOT


def test_the_answer_says_how_many_files_were_written(tmp_path):
    answer = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--json"])

    written = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert json.loads(answer.stdout) == {"folder": str(tmp_path / "new"), "files": len(written)}
