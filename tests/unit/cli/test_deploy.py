"""`everscore deploy`: what is missing is refused before anything is made, and what SAM is asked for."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError, NoCredentialsError, WaiterError

from infra import deploy as settings
from infra import repository
from infra.cli import deploy_checks
from infra.cli.operator import Operator
from infra.deployers import deployer_policies
from infra.local.stacks import Keeper
from tests.contract.template import as_list
from tests.unit.cli.terminal import ended
from tests.unit.local.test_stacks import put_stack

BASE = f"registry/lambda/python:3.13@sha256:{'a' * 64}"
ACCOUNT = {"account": "123456789012", "identity": "arn:aws:iam::123456789012:user/ann", "region": "eu-central-1"}
PULLED = """case "$*" in *--format*) echo sha256:1 ;; "image inspect"*) echo '[{"Config": {"Labels": null}}]' ;; esac"""
"""What Docker's command prints of an image that was pulled: it has no labels."""
STAND_IN = """case "$1" in image) echo '[{"Config": {"Labels": {"everscore.stand-in": "true"}}}]' ;; esac"""


@dataclass
class CloudFormation:
    """The stacks that there are, by their status; what is deleted is gone."""

    stacks: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)
    """Images that are kept since they run."""
    gone: list[str] = field(default_factory=list)
    """Images that are in no repository."""
    outputs: dict[str, str] = field(default_factory=dict)
    """What whole stacks say of themselves."""
    events: list[dict[str, str]] | None = None
    """What CloudFormation says of a deletion that fails, the newest first."""

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        if StackName not in self.stacks:
            unknown = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": unknown}, "DescribeStacks")
        found: dict[str, Any] = {"StackName": StackName, "StackStatus": self.stacks[StackName]}
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in self.outputs.items()]
        return {"Stacks": [found | ({"Outputs": outputs} if outputs else {})]}

    def get_function(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        return {"Code": {"ImageUri": f"registry/mine:of-{FunctionName}"}}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803 - AWS's names
        if self.events is None:
            del self.stacks[StackName]
        self.deleted.append(StackName)

    def keep(self, stack: str, uri: str) -> bool:
        self.kept.append((stack, uri))
        return uri not in self.gone

    def get_waiter(self, _: str) -> Self:
        return self

    def wait(self, StackName: str) -> None:  # noqa: N803 - AWS's names
        if StackName in self.stacks:
            raise WaiterError("StackDeleteComplete", 'Waiter encountered a terminal failure state: "DELETE_FAILED"', {})

    def get_paginator(self, _: str) -> Self:
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """Versions of objects, of which there are none; and what happened to the stack."""
        return [{"StackEvents": self.events or []}]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    made = CloudFormation()
    monkeypatch.setattr(boto3, "client", lambda _: made)
    return made


@pytest.fixture
def tools(cloud: CloudFormation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that answer as Docker and SAM do where all is well, and a project to deploy."""
    folder, project = tmp_path / "bin", tmp_path / "project"
    folder.mkdir()
    (project / "functions" / "scoring").mkdir(parents=True)
    (project / "functions" / "scoring" / "handler.py").touch()
    (project / "template.yaml").write_text(
        f"Parameters: {{Architecture: {{Default: x86_64}}, LogLevel: {{Default: INFO}}, Base: {{Default: '{BASE}'}}, Revision: {{Default: ''}}}}"
    )
    (project / "samconfig.toml").write_text('[dev.deploy.parameters]\nstack_name = "mine"\n')
    command(folder, "docker", PULLED)
    command(folder, "sam", f'echo "$@" >> {tmp_path}/asked')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(deploy_checks, "SAM", tmp_path / "no-sam")
    monkeypatch.setattr(deploy_checks, "account_and_region", lambda: ACCOUNT)
    monkeypatch.setattr(repository, "image_repository", lambda stack: f"registry/{stack}")
    monkeypatch.setattr(settings, "running_image", lambda stack: f"registry/{stack}:new")
    monkeypatch.setattr(repository, "keep_running_image", cloud.keep)
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
        assert BASE in answer["error"]
        assert "`docker logout registry`" in answer["remedy"], "a sign-in that has expired is refused what nobody need sign in for"


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


def named(tools: Path, stack: str) -> None:
    (tools.parent / "project" / "samconfig.toml").write_text(f'[dev.deploy.parameters]\nstack_name = "{stack}"\n')


LONG, CAPITALS = "n" * 26, "Everscore-Dev"
"""CloudFormation would cut the one, and rights to the tables of the other would name another database."""


@pytest.mark.parametrize("status", ["", "ROLLBACK_COMPLETE"])
@pytest.mark.parametrize("arguments", ["deploy --yes", "deploy --check", "deploy --policies"])
@pytest.mark.parametrize(
    ("name", "why", "remedy"), [(LONG, "has 26 characters", "shorten"), (CAPITALS, "has capitals", "in small letters")]
)
def test_a_new_stack_is_refused_a_name_that_is_too_long_or_has_capitals(
    name: str,
    why: str,
    remedy: str,
    arguments: str,
    status: str,
    cloud: CloudFormation,
    tools: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cloud.stacks = {name: status} if status else {}
    named(tools, name)
    answer = refused(arguments, monkeypatch, capsys)
    assert (why in answer["error"], remedy in answer["remedy"], answer["code"]) == (True, True, "samconfig")
    assert not (tools.parent / "asked").exists(), "nothing was built"


@pytest.mark.parametrize("name", [LONG, CAPITALS])
def test_a_stack_that_stands_is_deployed_and_undeployed_by_the_name_that_it_has(
    name: str, cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.stacks = {name: "UPDATE_COMPLETE"}
    named(tools, name)
    assert ended("deploy --yes --no-trial --json", monkeypatch) == 0
    assert cloud.deleted == []
    cloud.stacks = {name: "ROLLBACK_COMPLETE"}
    assert ended("undeploy --yes --json", monkeypatch) == 0
    assert cloud.deleted == [name]


def test_a_new_stack_may_have_a_name_of_25_characters(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named(tools, "n" * 25)
    assert ended("deploy --check --json", monkeypatch) == 0


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
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("deploy --yes --no-trial --architecture x86_64 --parameter LogLevel=DEBUG --json", monkeypatch) == 0
    build, deploy = (tools.parent / "asked").read_text().splitlines()
    assert build.startswith("build --parameter-overrides Architecture=x86_64 Commit=")
    assert build.endswith(f" Base={BASE}")
    assert deploy.startswith(
        "deploy --config-env dev --no-confirm-changeset --image-repository registry/mine --parameter-overrides file://"
    )
    written = json.loads(Path(deploy.partition("file://")[2]).read_text())
    assert written.keys() == {"Architecture", "LogLevel", "Base", "Revision"}
    assert (written["LogLevel"], len(written["Revision"])) == ("DEBUG", 64)
    assert json.loads(capsys.readouterr().out)["stack"] == "mine"
    assert cloud.kept == [("mine", "registry/mine:new")]


def test_what_a_first_deployment_left_that_failed_is_deleted_before_the_next_and_a_check_leaves_it(
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.stacks = {"mine": "ROLLBACK_COMPLETE"}
    assert ended("deploy --check --json", monkeypatch) == 0
    assert cloud.deleted == []
    assert ended("deploy --yes --no-trial --json", monkeypatch) == 0
    assert cloud.deleted == ["mine"]


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "REVIEW_IN_PROGRESS"]
)
def test_a_stack_that_stands_is_deployed_and_never_deleted(
    status: str, cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.stacks = {"mine": status}
    assert ended("deploy --yes --no-trial --json", monkeypatch) == 0
    assert cloud.deleted == []


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        ("UPDATE_IN_PROGRESS", "stack_busy", "wait"),
        ("ROLLBACK_IN_PROGRESS", "stack_busy", "wait"),
        ("ROLLBACK_FAILED", "stack_stuck", "aws cloudformation delete-stack --stack-name mine"),
        ("UPDATE_ROLLBACK_FAILED", "stack_stuck", "aws cloudformation continue-update-rollback --stack-name mine"),
    ],
)
def test_a_stack_that_takes_no_update_is_refused_with_what_leads_out(
    status: str,
    code: str,
    remedy: str,
    cloud: CloudFormation,
    tools: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cloud.stacks = {"mine": status}
    answer = refused("deploy --yes", monkeypatch, capsys)
    assert answer["code"] == code
    assert status in answer["error"]
    assert remedy in answer["remedy"]
    assert not (tools.parent / "asked").exists(), "nothing was built"


def test_what_a_failed_first_deployment_left_is_undeployed_without_a_word_of_buckets(
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.stacks = {"mine": "ROLLBACK_COMPLETE"}
    assert ended("undeploy", monkeypatch, types="y") == 0
    said = capsys.readouterr()
    assert cloud.deleted == ["mine"]
    assert "Delete what the failed deployment of mine left in account 123456789012, eu-central-1?" in said.out + said.err
    assert "buckets are kept" not in said.out + said.err
    assert "left no bucket" in said.out
    assert "Kept: the repository" in said.out


@pytest.mark.parametrize("arguments", ["deploy --yes", "undeploy --yes"])
@pytest.mark.parametrize("status", ["CREATE_FAILED", "ROLLBACK_FAILED"])
def test_a_stack_that_was_never_whole_leads_to_one_way_out(
    status: str, arguments: str, cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.stacks = {"mine": status}
    answer = refused(arguments, monkeypatch, capsys)
    assert answer["code"] == "stack_stuck"
    assert "aws cloudformation delete-stack --stack-name mine" in answer["remedy"]
    assert ("could not be deleted" in answer["remedy"]) == (status == "ROLLBACK_FAILED"), "nothing was to be deleted"
    assert cloud.deleted == []


RUNNING_IMAGE = settings.running_image


def test_a_stack_that_began_with_imported_buckets_has_no_image_to_keep(
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CloudFormation names no outputs of it until its first update has succeeded."""
    monkeypatch.setattr(settings, "running_image", RUNNING_IMAGE)
    cloud.stacks = {"mine": "IMPORT_COMPLETE"}
    command(tools, "sam", '[ "$1" = build ]')
    assert refused("deploy --yes", monkeypatch, capsys)["code"] == "sam_failed"
    assert cloud.kept == []
    cloud.stacks, cloud.outputs = {"mine": "UPDATE_COMPLETE"}, {"ScoringFunction": "mine-Scoring-1"}
    assert refused("deploy --yes", monkeypatch, capsys)["code"] == "sam_failed"
    assert cloud.kept == [("mine", "registry/mine:of-mine-Scoring-1")]


@pytest.fixture
def here(cloud: CloudFormation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack on AWS, and another of the same name that runs on this machine."""
    for name in ("EVERSCORE_STACK", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "stacks").mkdir()
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path / "stacks"))
    monkeypatch.setattr(boto3, "Session", lambda: SimpleNamespace(region_name="eu-central-1", client=lambda *_, **__: cloud))
    cloud.stacks, cloud.outputs = {"mine": "UPDATE_COMPLETE"}, {"InboxBucket": "inbox-on-aws", "StoreBucket": "store-on-aws"}
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        put_stack(tmp_path / "stacks", "mine", Keeper(pid=process.pid, started=psutil.Process(process.pid).create_time()))
        yield
        process.kill()


@pytest.mark.usefixtures("here")
def test_what_was_deployed_is_tried_on_aws_though_a_stack_here_has_its_name(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def try_out(operator: Operator) -> dict[str, int]:
        tried.append(operator.store.bucket)
        return {"rows_scored": 10, "days_measured": 1, "objects_removed": 20}

    monkeypatch.setattr("infra.trial.smoke.try_out", try_out)
    assert ended("deploy --yes --json", monkeypatch) == 0
    assert tried == ["store-on-aws"]


@pytest.mark.usefixtures("here")
def test_undeploy_names_what_aws_keeps_though_a_stack_here_has_its_name(
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("undeploy --yes --json", monkeypatch) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [kept["bucket"] for kept in answer["kept"]] == ["inbox-on-aws", "store-on-aws"]
    assert cloud.deleted == ["mine"]


STACK_ID = "arn:aws:cloudformation:eu-central-1:123456789012:stack/mine/1"


def happened(status: str, logical: str, why: str = "") -> dict[str, str]:
    physical = STACK_ID if logical == "mine" else f"arn:of:{logical}"
    return {
        "StackId": STACK_ID,
        "PhysicalResourceId": physical,
        "LogicalResourceId": logical,
        "ResourceStatus": status,
        "ResourceStatusReason": why,
    }


@pytest.mark.usefixtures("here")
def test_a_deletion_that_fails_says_what_stayed_and_why(
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attached = "Cannot delete a policy attached to entities."
    cloud.events = [
        happened("DELETE_FAILED", "mine", "The following resource(s) failed to delete: [Operators]."),
        happened("DELETE_FAILED", "Operators", attached),
        happened("DELETE_COMPLETE", "Analysts"),
        happened("DELETE_IN_PROGRESS", "mine", "User Initiated"),
        happened("DELETE_FAILED", "Store", "of an earlier attempt"),
    ]
    answer = refused("undeploy --yes", monkeypatch, capsys)
    assert answer["code"] == "delete_failed"
    assert answer["error"] == f"mine could not be deleted: Operators: {attached}"
    assert "detach" in answer["remedy"]


def test_a_deployer_may_do_what_leads_out_of_each_state() -> None:
    documents = deployer_policies("mine", partition="aws", region="eu-central-1", account="123456789012").values()
    allowed = {action for document in documents for statement in document["Statement"] for action in as_list(statement["Action"])}
    states = ["CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED", "UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED"]
    typed = {name for state in states for name in re.findall(r"aws cloudformation (\S+)", deploy_checks._way_out(state, "mine"))}
    assert len(typed) == 3
    assert {"cloudformation:" + "".join(word.capitalize() for word in name.split("-")) for name in typed} <= allowed


@pytest.mark.parametrize("gone", [[], ["registry/mine:new"]], ids=["there", "gone"])
def test_the_image_that_serves_is_kept_before_an_attempt_that_fails(
    gone: list[str], cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.stacks, cloud.gone = {"mine": "UPDATE_ROLLBACK_COMPLETE"}, gone
    command(tools, "sam", '[ "$1" = build ]')
    assert refused("deploy --yes", monkeypatch, capsys)["code"] == "sam_failed"
    assert cloud.kept == [("mine", "registry/mine:new")]


def test_a_stack_whose_image_is_in_no_repository_after_its_deployment_is_an_error(
    cloud: CloudFormation, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.gone = ["registry/mine:new"]
    answer = refused("deploy --yes", monkeypatch, capsys)
    assert (answer["code"], "registry/mine:new" in answer["error"]) == ("no_image", True)


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
