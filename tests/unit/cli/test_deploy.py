"""`everscore deploy`: what is missing is refused before anything is made, and what SAM is asked for."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from infra import repository
from infra.cli import deploy_checks
from infra.local.image import base_image
from tests.unit.cli.terminal import ended

ACCOUNT = {"account": "123456789012", "identity": "arn:aws:iam::123456789012:user/ann", "region": "eu-central-1"}
PULLED = """case "$*" in *--format*) echo sha256:1 ;; "image inspect"*) echo '[{"Config": {"Labels": null}}]' ;; esac"""
"""What Docker's command prints of an image that was pulled: it has no labels."""
STAND_IN = """case "$1" in image) echo '[{"Config": {"Labels": {"everscore.stand-in": "true"}}}]' ;; esac"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that answer as Docker and SAM do where all is well, and a project to deploy."""
    folder, project = tmp_path / "bin", tmp_path / "project"
    folder.mkdir()
    (project / "functions" / "scoring").mkdir(parents=True)
    (project / "functions" / "scoring" / "handler.py").touch()
    (project / "template.yaml").write_text(
        "Parameters: {Architecture: {Default: x86_64}, LogLevel: {Default: INFO}, Revision: {Default: ''}}"
    )
    (project / "samconfig.toml").write_text('[dev.deploy.parameters]\nstack_name = "mine"\n')
    command(folder, "docker", PULLED)
    command(folder, "sam", f'echo "$@" >> {tmp_path}/asked')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(deploy_checks, "SAM", tmp_path / "no-sam")
    monkeypatch.setattr(deploy_checks, "account_and_region", lambda: ACCOUNT)
    monkeypatch.setattr(repository, "image_repository", lambda stack: f"registry/{stack}")
    monkeypatch.chdir(project)
    return folder


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def refused(arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert ended(f"{arguments} --json", monkeypatch) == 2
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert answer["remedy"]
    return answer


def test_where_all_is_there_it_says_where_the_stack_would_go(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("deploy --check --architecture arm64 --json", monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == {"stack": "mine", **ACCOUNT, "architecture": "arm64", "ready": True}
    assert not (tools.parent / "asked").exists(), "nothing was built"


@pytest.mark.parametrize(
    ("missing", "script", "code"),
    [
        ("docker", "exit 1", "no_docker"),
        ("docker", STAND_IN, "stand_in"),
        ("docker", 'case "$1" in image | pull) echo "toomanyrequests: Rate exceeded" >&2; exit 1 ;; esac', "no_base_image"),
        ("sam", None, "no_sam"),
    ],
)
def test_what_is_missing_is_refused_with_what_to_do(
    missing: str, script: str | None, code: str, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if script is None:
        (tools / missing).unlink()
    else:
        command(tools, missing, script)
    answer = refused("deploy --yes", monkeypatch, capsys)
    assert answer["code"] == code
    if code == "no_base_image":
        assert answer["error"].endswith("Rate exceeded")
        assert base_image() in answer["error"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("deploy nowhere --yes", "samconfig"),
        ("deploy --yes --parameter LogLevl=DEBUG", "unknown_parameter"),
        ("deploy", "no_terminal"),
        ("undeploy nowhere", "samconfig"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    arguments: str, code: str, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(arguments, monkeypatch, capsys)["code"] == code


def test_without_credentials_it_says_how_to_sign_in(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody() -> dict[str, str]:
        raise NoCredentialsError

    monkeypatch.setattr(deploy_checks, "account_and_region", nobody)
    answer = refused("deploy --yes", monkeypatch, capsys)
    assert answer["code"] == "no_credentials"
    assert "aws configure" in answer["remedy"]


def test_sam_builds_and_deploys_with_each_parameter(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("deploy --yes --no-trial --architecture x86_64 --parameter LogLevel=DEBUG --json", monkeypatch) == 0
    build, deploy = (tools.parent / "asked").read_text().splitlines()
    assert build.startswith("build --parameter-overrides Architecture=x86_64 Commit=")
    assert deploy.startswith(
        "deploy --config-env dev --no-confirm-changeset --image-repository registry/mine --parameter-overrides file://"
    )
    written = json.loads(Path(deploy.partition("file://")[2]).read_text())
    assert written.keys() == {"Architecture", "LogLevel", "Revision"}
    assert (written["LogLevel"], len(written["Revision"])) == ("DEBUG", 64)
    assert json.loads(capsys.readouterr().out)["stack"] == "mine"


@pytest.mark.parametrize("named", ['image_repository = "mine"', "resolve_image_repos = true"])
def test_where_samconfig_says_where_the_image_goes_no_repository_is_made(named: str, tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tools.parent / "project" / "samconfig.toml").open("a") as config:
        config.write(f"{named}\n")
    assert ended("deploy --yes --no-trial --json", monkeypatch) == 0
    assert "--image-repository" not in (tools.parent / "asked").read_text()


def test_a_deployment_that_sam_ends_with_an_error_ends_with_one(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(tools, "sam", 'echo "CREATE_FAILED" ; [ "$1" = build ]')
    answer = refused("deploy --yes", monkeypatch, capsys)
    assert (answer["error"], answer["code"]) == ("`sam deploy` ended with 1", "sam_failed")
