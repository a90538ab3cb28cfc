"""The suite for a real account, run on an embedded AWS that it reaches as it would reach the real one."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local.embedded import embedded_aws
from infra.local.stacks import Stack
from infra.places import ROOT
from tests.contract.audited_story import requests_of
from tests.contract.template import as_list, resources_of

pytestmark = pytest.mark.timeout(1800)  # of which the whole suite takes most on a busy machine
REPORT = ROOT / "build" / "aws-report.md"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        with embedded_aws("tried", parameters={"ScheduleState": "DISABLED"}, iam=True) as running:
            yield running


def client(stack: Stack, service: str, key: str = "", secret: str = "") -> Any:
    """AWS as its owner reaches it, or whoever has a key."""
    environment = stack.env()
    return boto3.client(
        service,
        endpoint_url=stack.endpoint,
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=key or environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or environment["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="module")
def operator(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of somebody who may do what the template's policy for operators allows, and nothing else."""
    iam = client(stack, "iam")
    iam.create_user(UserName="operator")
    iam.attach_user_policy(UserName="operator", PolicyArn=stack.outputs["OperatorsPolicyArn"])
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    file = tmp_path_factory.mktemp("aws") / "credentials"
    file.write_text(f"[operator]\naws_access_key_id = {key['AccessKeyId']}\naws_secret_access_key = {key['SecretAccessKey']}\n")
    return file


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which each request of the operator's commands is a line."""
    return tmp_path_factory.mktemp("asked") / "requests.jsonl"


def as_operator(file: Path, asked: Path) -> dict[str, str]:
    noting = {"PYTHONPATH": str(ROOT / "tests" / "e2e" / "asked"), "ASKED": str(asked)}
    return {"AWS_SHARED_CREDENTIALS_FILE": str(file), "EVERSCORE_OPERATOR_PROFILE": "operator", **noting}


def run(
    stack: Stack, home: Path, *command: str, folder: Path = ROOT, more: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run a command that knows of the stack what a person with an account knows: region, credentials and a name."""
    environment = {**os.environ, **stack.env(), "EVERSCORE_HOME": str(home), **more}
    environment.pop("EVERSCORE_STACK")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_promise_is_kept_where_iam_holds_functions_and_operators_to_their_policies(
    stack: Stack, operator: Path, asked: Path, tmp_path: Path
) -> None:
    done = run(stack, tmp_path, "make", "test-aws", f"STACK={stack.name}", more=as_operator(operator, asked))
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    report = REPORT.read_text()
    [(kept, promises)] = re.findall(r"^# Everscore on an embedded AWS: (\d+) of (\d+) promises kept$", report, re.MULTILINE)
    assert kept == promises
    assert float(re.findall(r"Cost: at most \$([\d.]+)", report)[0]) < 1
    assert left_of_models(stack) == []
    assert client(stack, "glue").get_tables(DatabaseName=stack.name)["TableList"] == []


def test_a_run_that_is_broken_off_removes_what_it_made_and_says_so(stack: Stack, tmp_path: Path) -> None:
    environment = {**os.environ, **stack.env(), "EVERSCORE_HOME": str(tmp_path)}
    environment.pop("EVERSCORE_STACK")
    # A shell that starts the tests in the background has them ignore Ctrl-C, and what they start inherits that.
    typed = ["env", "--default-signal=INT", "make", "test-aws", f"STACK={stack.name}"]
    suite = subprocess.Popen(typed, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        while not left_of_models(stack):
            assert suite.poll() is None, suite.communicate()[0]
            time.sleep(0.2)
        os.killpg(suite.pid, signal.SIGINT)  # as a terminal sends it to all that it runs
        said, _ = suite.communicate(timeout=300)
    finally:
        suite.kill()
    assert suite.returncode != 0
    assert "interrupted: removing what was made" in said
    assert left_of_models(stack) == []
    assert "**Broken off**" in REPORT.read_text()


def left_of_models(stack: Stack) -> list[str]:
    s3 = client(stack, "s3")
    versions = [found for bucket in (stack.inbox, stack.store) for found in s3.list_object_versions(Bucket=bucket).get("Versions", [])]
    return [found["Key"] for found in versions if not found["Key"].startswith("totals/")]


def operators_rights() -> Iterator[tuple[str, str]]:
    """Each action that the template lets operators do, with what it is about: a bucket's keys, a function, a queue or nothing."""
    for statement in resources_of("AWS::IAM::ManagedPolicy")["Operators"]["PolicyDocument"]["Statement"]:
        for action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                match resource:
                    case {"Fn::Sub": str(keys)} if action.startswith("s3:"):
                        yield action, keys.removeprefix("${").replace(".Arn}", "")
                    case {"Fn::GetAtt": [name, "Arn"]} | {"Ref": name} if action.startswith(("lambda:", "sqs:")):
                        yield action, name.removesuffix(".Alias")
                    case _:
                        yield action, ""


def operators_requests(stack: Stack, asked: Path) -> Iterator[tuple[str, str]]:
    """The same of what commands asked for."""
    buckets = {stack.inbox: "Inbox", stack.store: "Store"}
    names = {value: name.removesuffix("Function").removesuffix("Url") for name, value in stack.outputs.items()}
    for line in asked.read_text().splitlines():
        service, operation, parameters = json.loads(line)
        if service == "s3":
            for request in requests_of(operation, parameters):
                yield request.action, f"{buckets[request.bucket]}/{request.key}"
        else:
            about = parameters.get("FunctionName", parameters.get("QueueUrl"))
            yield f"{service}:{'InvokeFunction' if operation == 'Invoke' else operation}", names.get(about, "")


QUEUES = ("ScoringQueue", "ScoringDeadLetters")
REMOVING = ("s3:DeleteObject", "s3:DeleteObjectVersion")
UPLOADS = ("Inbox/batches/*", "Inbox/labels/*", "Inbox/training/*")
UNASKED = {
    **{("s3:AbortMultipartUpload", uploads): "only a large upload that fails is dropped" for uploads in UPLOADS},
    ("s3:GetObject", "Inbox/batches/*"): "`replay` looks whether the same rows came before",
    ("lambda:InvokeFunction", "Scoring"): "`rescore` has a batch scored again, with --verify too",
    **{("sqs:GetQueueAttributes", queue): "who waits in vain for a manifest reads how many files wait" for queue in QUEUES},
    **{(action, "Store/tables/*"): "a commit that merges small files, or loses to another, removes files" for action in REMOVING},
    ("kms:Decrypt", ""): "for stacks with a key of their own, which seals all that is read",
    ("kms:GenerateDataKey", ""): "and all that is written",
}
"""Rights that no command of the suite asks for, and why operators have them."""


def test_an_operator_may_do_nothing_that_no_command_asks_for(stack: Stack, asked: Path) -> None:
    requests = set(operators_requests(stack, asked))
    assert len(requests) > 50
    unasked = {
        (action, about)
        for action, about in operators_rights()
        if not any(action == done and fnmatchcase(to, about or "*") for done, to in requests)
    }
    assert unasked <= set(UNASKED)
    assert set(UNASKED) <= set(operators_rights()), "an excuse for what no operator may do any more"


def test_iam_refuses_an_operator_and_a_function_what_their_policies_do_not_allow(stack: Stack, operator: Path) -> None:
    key, secret = re.findall(r"= (\S+)", operator.read_text())
    with pytest.raises(ClientError, match="AccessDenied"):
        client(stack, "s3", key, secret).put_object(Bucket=stack.store, Key="manifests/sales/any.json", Body=b"")
    role = client(stack, "lambda").get_function_configuration(FunctionName=stack.functions["release"])["Role"].rsplit("/", 1)[-1]
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    client(stack, "iam").put_role_policy(RoleName=role, PolicyName="nothing", PolicyDocument=json.dumps(nothing))
    try:
        refused = client(stack, "lambda").invoke(FunctionName=stack.functions["release"], Payload=b'{"action": "tick"}')
    finally:
        client(stack, "iam").delete_role_policy(RoleName=role, PolicyName="nothing")
    assert refused["FunctionError"]
    assert "AccessDenied" in (said := refused["Payload"].read().decode()) or "Forbidden" in said


def test_a_promise_that_is_broken_is_named_in_the_report(stack: Stack, tmp_path: Path) -> None:
    done = run(stack, tmp_path, ".venv/bin/python", "-c", SUSPEND, stack.store)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "report.md"
    suite = (".venv/bin/python", "-m", "pytest", "tests/aws", "--stack", stack.name, "--report", str(report), "-k", "versioned")
    assert run(stack, tmp_path, *suite).returncode == 1
    assert "1 of 2 promises kept" in report.read_text()
    assert "buckets are versioned private encrypted and refuse plain http[StoreBucket] | **no**" in report.read_text()
    assert stack.store not in report.read_text(), "a report can be shown to everybody"


SUSPEND = "import boto3, sys; boto3.client('s3').put_bucket_versioning(Bucket=sys.argv[1], VersioningConfiguration={'Status': 'Suspended'})"


def test_without_a_stack_the_suite_says_what_to_type(stack: Stack, tmp_path: Path) -> None:
    done = run(stack, tmp_path, ".venv/bin/python", "-m", "pytest", "tests/aws")
    assert done.returncode == 2
    assert "make test-aws STACK=" in done.stdout + done.stderr
    unknown = run(stack, tmp_path, ".venv/bin/python", "-m", "pytest", "tests/aws", "--stack", "nobody")
    assert unknown.returncode == 2
    assert "no stack 'nobody'" in unknown.stdout + unknown.stderr


def test_the_trial_of_a_deployment_scores_and_measures_ten_rows_and_leaves_nothing(stack: Stack, tmp_path: Path) -> None:
    done = run(stack, tmp_path, ".venv/bin/python", "-c", TRIAL, stack.name)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["rows_scored"], seen["days_measured"]) == (10, 1)
    assert seen["objects_removed"] > 10


TRIAL = """
import json, sys
from infra.cli.operator import connect
from infra.trial.smoke import try_out
print(json.dumps(try_out(connect(sys.argv[1]))))
"""


def test_undeploy_deletes_the_stack_and_says_what_is_kept_and_what_it_costs(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "functions" / "scoring").mkdir(parents=True)
    (tmp_path / "functions" / "scoring" / "handler.py").touch()
    (tmp_path / "template.yaml").touch()
    (tmp_path / "samconfig.toml").write_text(f'[dev.deploy.parameters]\nstack_name = "{stack.name}"\n')
    undeploy = (str(ROOT / ".venv/bin/everscore"), "undeploy", "--json")
    refused = run(stack, tmp_path, *undeploy, folder=tmp_path)
    assert (refused.returncode, json.loads(refused.stdout)["code"]) == (2, "no_terminal")
    deleted = run(stack, tmp_path, *undeploy, "--yes", folder=tmp_path)
    assert deleted.returncode == 0, deleted.stderr
    assert [kept["bucket"] for kept in json.loads(deleted.stdout)["kept"]] == [stack.inbox, stack.store]
    gone = run(stack, tmp_path, *undeploy, "--yes", folder=tmp_path)
    assert (gone.returncode, "no stack" in gone.stderr) == (2, True), gone.stderr
