"""`everscore deploy` with SAM's real command, up to CloudFormation and IAM of an embedded AWS; Docker's engine alone is made up."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.shared.domain import layout
from infra.deployers import deployer_policies
from infra.local.embedded import embedded_aws
from infra.local.image import base_image
from infra.local.servers import ACCOUNT, REGION
from infra.local.stacks import Stack
from infra.local.transformation import read_template
from infra.places import ROOT
from tests.fakes.docker_engine import IMAGE_ID, Engine, docker_engine

pytestmark = pytest.mark.timeout(900)
NAME = "everscore-dev"
ODD = {"RetrainingSchedule": "cron(0 4 * * ? *)", "ScoringPastAlarm": 'it mends "what rings", é 中', "AlarmEmail": "o'neil+ops@example.com"}
DOCKER = f"""#!/bin/sh
case "$*" in
  *--format*) echo {IMAGE_ID} ;;
  "image inspect"*) echo '[{{"Config": {{"Labels": null}}}}]' ;;
esac
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An AWS whose IAM holds callers to their policies; what stands there already is not looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        with embedded_aws("other", parameters={"ScheduleState": "DISABLED"}, iam=True, await_mlflow=False) as running:
            yield running


@pytest.fixture(scope="module")
def owner(stack: Stack) -> Any:
    environment = stack.env()
    return boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )


@pytest.fixture(scope="module")
def deployer(stack: Stack, owner: Any) -> dict[str, str]:
    return deployer_of(NAME, stack, owner)


def deployer_of(name: str, stack: Stack, owner: Any) -> dict[str, str]:
    """Credentials of somebody with the policies that `everscore deploy --policies` prints, and no others."""
    iam, user = owner.client("iam", endpoint_url=stack.endpoint), f"deployer-of-{name}"
    iam.create_user(UserName=user)
    for policy, document in deployer_policies(name, partition="aws", region=REGION, account=ACCOUNT).items():
        made = iam.create_policy(PolicyName=policy, PolicyDocument=json.dumps(document))
        iam.attach_user_policy(UserName=user, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is deployed, in which SAM may write."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("functions", "requirements", "infra/state_machines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("template.yaml", "samconfig.toml", ".dockerignore"):
        shutil.copy(ROOT / name, folder / name)
    commands = folder / "commands"
    commands.mkdir()
    (commands / "docker").write_text(DOCKER)
    (commands / "docker").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def deployed(
    stack: Stack, owner: Any, deployer: dict[str, str], project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Engine, subprocess.CompletedProcess[str]]]:
    registry = owner.client("ecr", endpoint_url=stack.endpoint)
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"})

    def push(image: str) -> None:
        registry.put_image(repositoryName=NAME, imageManifest=manifest, imageTag=image.rpartition(":")[2])

    with docker_engine(tmp_path_factory.mktemp("docker")) as engine:
        engine.push = push
        environment = {
            **os.environ,
            **stack.env(),
            **deployer,
            "EVERSCORE_HOME": str(tmp_path_factory.mktemp("nobody")),
            "DOCKER_HOST": f"unix://{engine.socket}",
            "PATH": f"{project / 'commands'}:{os.environ['PATH']}",
        }
        environment.pop("EVERSCORE_STACK")
        options = [part for name, value in ODD.items() for part in ("--parameter", f"{name}={value}")]
        command = [ROOT / ".venv/bin/everscore", "deploy", "dev", "--yes", "--no-trial", "--architecture", "arm64", *options]
        yield engine, subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def test_a_deployer_with_the_printed_policies_deploys(deployed: tuple[Engine, subprocess.CompletedProcess[str]]) -> None:
    _, done = deployed
    assert done.returncode == 0, done.stdout + done.stderr


def test_sam_builds_one_image_of_the_code_and_the_locked_packages_for_the_architecture_asked_for(
    deployed: tuple[Engine, subprocess.CompletedProcess[str]], project: Path
) -> None:
    engine, _ = deployed
    build, *others = engine.builds
    assert all(other == build for other in others)
    assert (build.tag, build.platform, build.dockerfile) == ("scoring:everscore", "linux/arm64", "functions/Dockerfile")
    assert build.arguments.keys() == {"COMMIT", "WITH", "BASE"}
    assert build.arguments["BASE"] == base_image()
    assert {"functions/scoring/handler.py", "requirements/functions.txt", "functions/shared/kernels/fields.c"} <= build.files
    assert not [name for name in build.files if not name.startswith(("functions/", "requirements/", ".dockerignore"))]


def test_the_image_is_pushed_to_the_stacks_own_repository(
    deployed: tuple[Engine, subprocess.CompletedProcess[str]], stack: Stack, owner: Any
) -> None:
    engine, _ = deployed
    [made] = owner.client("ecr", endpoint_url=stack.endpoint).describe_repositories(repositoryNames=[NAME])["repositories"]
    assert {image.rpartition(":")[0] for image in engine.pushed} == {made["repositoryUri"]}


def test_every_parameter_arrives_whole_at_cloudformation(
    deployed: tuple[Engine, subprocess.CompletedProcess[str]], stack: Stack, owner: Any
) -> None:
    [found] = owner.client("cloudformation", endpoint_url=stack.endpoint).describe_stacks(StackName=NAME)["Stacks"]
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in found["Parameters"]}
    assert given.keys() == read_template((ROOT / "template.yaml").read_text())["Parameters"].keys()
    assert {name: given[name] for name in ODD} == ODD
    assert (given["Architecture"], given["ScheduleState"], given["LogRetentionDays"]) == ("arm64", "DISABLED", "7")
    assert found["StackStatus"] == "CREATE_COMPLETE"
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert (tags["application"], tags["environment"]) == ("everscore", "dev")


def test_a_deployer_with_the_printed_policies_tries_a_stack_and_leaves_nothing_of_the_trial(
    stack: Stack, owner: Any, tmp_path: Path
) -> None:
    environment = {**os.environ, **stack.env(), **deployer_of(stack.name, stack, owner), "EVERSCORE_HOME": str(tmp_path)}
    environment.pop("EVERSCORE_STACK")
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-c", TRIAL, stack.name], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows_scored"] == 10
    s3 = owner.client("s3", endpoint_url=stack.endpoint)
    versions = [found for bucket in (stack.inbox, stack.store) for found in s3.list_object_versions(Bucket=bucket).get("Versions", [])]
    assert [found["Key"] for found in versions if "/trial-" in found["Key"] or found["Key"].startswith(layout.SNAPSHOT_FILES)] == []


TRIAL = """
import json, sys
from infra.cli.operator import connect
from infra.trial.smoke import try_out
print(json.dumps(try_out(connect(sys.argv[1]))))
"""


def test_a_deployer_reaches_no_other_stack_of_the_account(stack: Stack, deployer: dict[str, str]) -> None:
    keys = {name.lower(): value for name, value in deployer.items()}
    clients = [boto3.client(service, endpoint_url=stack.endpoint, region_name=REGION, **keys) for service in ("s3", "cloudformation")]  # type: ignore[call-overload]
    with pytest.raises(ClientError, match="AccessDenied"):
        clients[0].list_objects_v2(Bucket=stack.store)
    with pytest.raises(ClientError, match="AccessDenied"):
        clients[1].delete_stack(StackName=stack.name)
