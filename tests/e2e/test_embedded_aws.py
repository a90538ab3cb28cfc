"""The real template on the embedded AWS, with functions that only note what reaches them."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import EmbeddedAwsError, PortTakenError
from infra.local.embedded import embedded_aws
from infra.local.stacks import Stack, read_keeper, running_stacks, stopped_stacks
from infra.places import ROOT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

NOTING_HANDLER = """
import json, os, time, uuid
import boto3

def handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=os.environ["EVERSCORE_STORE"], Key=f"notes/{os.environ['POWERTOOLS_SERVICE_NAME']}/{uuid.uuid4()}", Body=json.dumps(event))
    time.sleep(event.get("sleep", 0))
    if event.get("fail"):
        raise RuntimeError("as asked")
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event.get("Records", []) if "poison" in r["body"]]}
"""
FUNCTIONS = ("scoring", "metric_emission", "cataloguing", "retraining", "release", "notification")
NOTIFIED = {"retraining", "notification"}
"""Who hears of an alert."""


def noting_project(root: Path) -> Path:
    """A folder with the project's template and functions that note each event in the store."""
    shutil.copy(ROOT / "template.yaml", root / "template.yaml")
    shutil.copytree(ROOT / "infra" / "state_machines", root / "infra" / "state_machines")
    for function in FUNCTIONS:
        package = root / "functions" / function
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "handler.py").write_text(NOTING_HANDLER)
    (root / "functions" / "__init__.py").touch()
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("EVERSCORE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noting_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def stack(home: Path, project: Path) -> Iterator[Stack]:
    with embedded_aws("noting", root=project, parameters={"ScheduleState": "DISABLED"}) as running:
        yield running


def client_of(stack: Stack, service: str) -> Any:
    env = stack.env()
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_DEFAULT_REGION"],
    )


@pytest.fixture(scope="module")
def s3(stack: Stack) -> "S3Client":
    client: S3Client = client_of(stack, "s3")
    return client


def soon(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true result of `condition`, or its last."""
    end = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return result


def noted(stack: Stack, s3: "S3Client", function: str, text: str) -> list[dict[str, Any]]:
    """Events that reached a function and contain `text`, those from a queue without their envelope."""
    found = s3.list_objects_v2(Bucket=stack.store, Prefix=f"notes/{function}/").get("Contents", [])
    events = [json.loads(s3.get_object(Bucket=stack.store, Key=note["Key"])["Body"].read()) for note in found]
    deliveries = [[json.loads(record["body"]) for record in event["Records"]] if "Records" in event else [event] for event in events]
    bodies = [body for delivery in deliveries for body in delivery]
    return [body for body in bodies if text in json.dumps(body, ensure_ascii=False)]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("bucket", "key", "functions"),
    [
        ("inbox", "batches/flights/2013/04/week 1 + ü.CSV", ["scoring"]),
        ("inbox", "labels/flights/2013/04/week 1.csv", ["metric_emission"]),
        ("store", "manifests/flights/dt=2013-04-01/b1.json", ["metric_emission", "cataloguing"]),
        ("store", "decisions/flights/2.json", ["release", "notification"]),
    ],
)
def test_an_object_reaches_its_functions_with_the_version_that_was_written(
    stack: Stack, s3: "S3Client", bucket: str, key: str, functions: list[str]
) -> None:
    name = getattr(stack, bucket)
    version = s3.put_object(Bucket=name, Key=key, Body=b"a,b\n1,2\n")["VersionId"]
    for function in functions:
        [event] = soon(lambda: noted(stack, s3, function, key))  # noqa: B023 - called at once
        assert event["detail"]["bucket"]["name"] == name
        assert event["detail"]["object"] | {"key": key, "size": 8, "version-id": version} == event["detail"]["object"]
    assert [other for other in FUNCTIONS if other not in functions and noted(stack, s3, other, key)] == []


def test_an_alert_reaches_retraining_and_notification(stack: Stack, s3: "S3Client") -> None:
    s3.put_object(Bucket=stack.store, Key="alerts/churn/2013-04-07-v1-performance.json", Body=b"{}")
    reaches = partial(noted, stack, s3, text="2013-04-07-v1")
    assert {name for name in FUNCTIONS if soon(partial(reaches, name), 20 if name in NOTIFIED else 0)} == NOTIFIED


def test_a_multipart_upload_is_announced_once_with_its_version(stack: Stack, s3: "S3Client") -> None:
    target = {"Bucket": stack.inbox, "Key": "batches/flights/large.csv"}
    upload = s3.create_multipart_upload(**target)["UploadId"]
    etag = s3.upload_part(**target, UploadId=upload, PartNumber=1, Body=b"1" * 100)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    version = s3.complete_multipart_upload(**target, UploadId=upload, MultipartUpload=parts)["VersionId"]  # type: ignore[arg-type]
    [event] = soon(lambda: noted(stack, s3, "scoring", "large.csv"))
    assert event["detail"]["object"]["version-id"] == version


def test_a_training_file_wakes_nobody(stack: Stack, s3: "S3Client") -> None:
    s3.put_object(Bucket=stack.inbox, Key="training/flights/first.csv", Body=b"1")
    s3.put_object(Bucket=stack.inbox, Key="batches/flights/after-training.csv", Body=b"1")
    assert soon(lambda: noted(stack, s3, "scoring", "after-training"))
    assert not any(noted(stack, s3, function, "training/flights") for function in FUNCTIONS)


def test_a_range_of_an_overwritten_version_is_read(stack: Stack, s3: "S3Client") -> None:
    target = {"Bucket": stack.store, "Key": "ranged"}
    first = s3.put_object(**target, Body=b"0123456789")["VersionId"]
    s3.put_object(**target, Body=b"other")
    answer = s3.get_object(**target, VersionId=first, Range="bytes=2-4")
    assert (answer["Body"].read(), answer["ContentRange"], answer["VersionId"]) == (b"234", "bytes 2-4/10", first)
    with pytest.raises(ClientError) as error:
        s3.get_object(**target, VersionId=first, Range="bytes=10-")
    assert code_of(error) == "InvalidRange"


def test_writes_are_conditional(stack: Stack, s3: "S3Client") -> None:
    target = {"Bucket": stack.store, "Key": "conditional"}
    etag = s3.put_object(**target, Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(**target, Body=b"2", IfNoneMatch="*")
    assert code_of(error) == "PreconditionFailed"
    s3.put_object(**target, Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as error:
        s3.put_object(**target, Body=b"4", IfMatch=etag)
    assert code_of(error) == "PreconditionFailed"


def test_a_request_for_retraining_reaches_only_its_own_stack(stack: Stack, s3: "S3Client") -> None:
    entries = [
        {"Source": "everscore", "DetailType": "Retraining Requested", "Detail": json.dumps({"stack": name, "model": f"of-{name}"})}
        for name in ("another", stack.name)
    ]
    client_of(stack, "events").put_events(Entries=entries)
    [event] = soon(lambda: noted(stack, s3, "retraining", f"of-{stack.name}"))
    assert event["detail"]["model"] == f"of-{stack.name}"
    assert not noted(stack, s3, "retraining", "of-another")


def test_a_message_that_failed_stays_in_its_queue(stack: Stack, s3: "S3Client") -> None:
    s3.put_object(Bucket=stack.inbox, Key="batches/flights/poison.csv", Body=b"1")
    assert soon(lambda: noted(stack, s3, "scoring", "poison"))
    sqs = client_of(stack, "sqs")

    def waiting() -> bool:
        wanted = ["ApproximateNumberOfMessagesNotVisible"]
        answer = sqs.get_queue_attributes(QueueUrl=stack.outputs["ScoringQueueUrl"], AttributeNames=wanted)
        return bool(answer["Attributes"][wanted[0]] == "1")

    assert soon(waiting)


def test_a_call_that_fails_three_times_is_kept_with_its_event(stack: Stack, s3: "S3Client") -> None:
    event = {"fail": True, "why": "kept"}
    client_of(stack, "lambda").invoke(FunctionName=stack.functions["release"], InvocationType="Event", Payload=json.dumps(event))
    sqs = client_of(stack, "sqs")
    messages = soon(lambda: sqs.receive_message(QueueUrl=stack.outputs["FailedEventsUrl"]).get("Messages"), 60)
    assert json.loads(messages[0]["Body"])["requestPayload"] == event
    assert len(noted(stack, s3, "release", "kept")) == 3


def test_schedules_carry_the_actions_that_functions_know(stack: Stack) -> None:
    scheduler = client_of(stack, "scheduler")
    targets = [scheduler.get_schedule(Name=schedule["Name"])["Target"] for schedule in scheduler.list_schedules()["Schedules"]]
    names = {f":function:{deployed}": function for function, deployed in stack.functions.items()}
    found = sorted((names[target["Arn"][target["Arn"].index(":function:") :]], target["Input"]) for target in targets)
    assert found == [
        ("cataloguing", '{"action": "compare"}'),
        ("cataloguing", '{"action": "sweep"}'),
        ("metric_emission", '{"action": "sweep"}'),
        ("metric_emission", '{"action": "tick"}'),
        ("release", '{"action": "tick"}'),
        ("retraining", '{"action": "retrain"}'),
    ]


def test_functions_are_configured_as_the_template_says(stack: Stack) -> None:
    configuration = client_of(stack, "lambda").get_function_configuration(FunctionName=stack.functions["retraining"])
    variables = configuration["Environment"]["Variables"]
    assert variables["EVERSCORE_STACK"] == stack.name
    assert (variables["EVERSCORE_INBOX"], variables["EVERSCORE_STORE"]) == (stack.inbox, stack.store)
    assert variables["MLFLOW_TRACKING_URI"] == stack.mlflow_uri
    assert variables["POWERTOOLS_SERVICE_NAME"] == "retraining"


def test_servers_listen_on_the_loopback_interface_only(stack: Stack) -> None:
    keeper = read_keeper(stack.folder)
    assert keeper is not None
    listening = {
        connection.laddr.ip
        for process in [psutil.Process(keeper.pid), *psutil.Process(keeper.pid).children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_port_in_use_is_refused_by_name(stack: Stack) -> None:
    port = int(stack.endpoint.rsplit(":", 1)[1])
    with pytest.raises(PortTakenError, match=str(port)), embedded_aws(port=port):
        pass


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("Resources: {Odd: {Type: AWS::No::Such, Properties: {}}}", "AWS::No::Such"),
        ("Resources: {Odd: {Type: AWS::S3::Bucket, Properties: {BucketName: odd}}}", "lacks the outputs InboxBucket"),
    ],
)
def test_a_template_that_cannot_be_deployed_says_why_and_leaves_nothing_running(
    home: Path, tmp_path: Path, template: str, reason: str
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "template.yaml").write_text(template)
    with pytest.raises(EmbeddedAwsError, match=rf"(?s){reason}.*ministack\.log"), embedded_aws("odd", root=tmp_path):
        pass
    keeper = read_keeper(home / "odd")
    assert keeper is not None
    assert not keeper.lives()


# Ends

HOLDING = """
import sys, time
from pathlib import Path
from infra.local.embedded import embedded_aws
with embedded_aws("held", root=Path(sys.argv[1])) as stack:
    print("up", flush=True)
    time.sleep(600)
"""
LOCAL = [sys.executable, "-c", "from infra.cli.local import app; app()"]


def group_of(stack: Stack) -> list[psutil.Process]:
    keeper = read_keeper(stack.folder)
    assert keeper is not None
    return [psutil.Process(keeper.pid), *psutil.Process(keeper.pid).children(recursive=True)]


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_the_process_that_started_it_not_even_a_function_at_work(home: Path, project: Path, end: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(project)], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"up\n"
        [held] = [stack for stack in running_stacks() if stack.name == "held"]
        at_rest = len(group_of(held))
        lambda_ = client_of(held, "lambda")
        lambda_.invoke(FunctionName=held.functions["release"], InvocationType="Event", Payload='{"sleep": 100}')
        assert soon(lambda: noted(held, client_of(held, "s3"), "release", "sleep"))
        group = group_of(held)
        assert len(group) > at_rest
        holder.send_signal(end)
        holder.wait()
    assert soon(lambda: all(map(has_ended, group)))
    assert held not in running_stacks()


def heed_interrupts() -> None:
    """As a terminal starts a command, even where the tests themselves run in the background, deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_stops_local_up_and_keeps_what_it_holds(home: Path) -> None:
    command = [*LOCAL, "up", "--stack", "shown"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts) as shown:  # noqa: PLW1509
        assert shown.stderr is not None
        reported = [line for line in iter(shown.stderr.readline, "Ctrl-C stops it and keeps its data.\n") if line]
        [stack] = [stack for stack in running_stacks() if stack.name == "shown"]
        group = group_of(stack)
        os.kill(shown.pid, signal.SIGINT)
        assert shown.wait(20) == 0
    assert any(f"s3://{stack.inbox}" in line for line in reported)
    assert all(map(has_ended, group))
    assert stack.folder in stopped_stacks()


def test_a_detached_stack_stays_until_it_is_taken_down(home: Path, stack: Stack) -> None:
    up = subprocess.run([*LOCAL, "up", "--detach", "--stack", "free"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "http://127.0.0.1:" in up.stderr
    env = subprocess.run([*LOCAL, "env", "--stack", "free", "--json"], cwd=ROOT, capture_output=True, text=True, check=True)
    [free] = [running for running in running_stacks() if running.name == "free"]
    assert json.loads(env.stdout) == free.env()
    assert free.endpoint != stack.endpoint
    group = group_of(free)
    subprocess.run([*LOCAL, "down", "--stack", "free"], cwd=ROOT, capture_output=True, check=True)
    assert all(map(has_ended, group))
    assert not free.folder.exists()
    assert stack in running_stacks()


# Crashes


@dataclass
class Client:
    """Writes and deletes objects until it is refused, and keeps what it was reported had been done."""

    s3: "S3Client"
    bucket: str
    written: dict[tuple[str, str], str] = field(default_factory=dict)
    deleted: set[tuple[str, str]] = field(default_factory=set)

    def work(self) -> None:
        """Overwrite and delete a few keys over and over, in a few sizes."""
        with suppress(BotoCoreError, ClientError):
            for number in count():
                key = f"batches/flights/{number % 7}/ü {number % 3}.csv"
                body = f"{number},".encode() * (1 + number % 5) ** 7
                version = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"]
                self.written[key, version] = hashlib.sha256(body).hexdigest()
                if number % 11 == 10:
                    self.deleted.add((key, self.s3.delete_object(Bucket=self.bucket, Key=key)["VersionId"]))


def versions_in(s3: "S3Client", bucket: str) -> tuple[dict[tuple[str, str], str], set[tuple[str, str]]]:
    """Digests of all versions of all objects, and all deletions."""
    written, deleted = {}, set()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for found in page.get("Versions", []):
            body = s3.get_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])["Body"].read()
            assert hashlib.md5(body).hexdigest() == found["ETag"].strip('"')
            written[found["Key"], found["VersionId"]] = hashlib.sha256(body).hexdigest()
        deleted |= {(found["Key"], found["VersionId"]) for found in page.get("DeleteMarkers", [])}
    return written, deleted


KEPT: Any = {"parameters": {"ScheduleState": "DISABLED"}, "await_mlflow": False, "kept": True}


def kill(stack: Stack) -> None:
    """End all processes of a stack at once."""
    keeper = read_keeper(stack.folder)
    assert keeper is not None
    os.killpg(keeper.pid, signal.SIGKILL)


def test_a_stack_that_was_killed_at_work_goes_on_with_everything_that_was_reported_as_done(home: Path, project: Path) -> None:
    known: dict[tuple[str, str], str] = {}
    for life in range(3):
        with embedded_aws("killed", root=project, **KEPT) as stack:
            client = Client(client_of(stack, "s3"), stack.inbox)
            with ThreadPoolExecutor(1) as aside:
                aside.submit(client.work)
                assert soon(partial(wrote, client, 25 + life), 60)
                kill(stack)
        assert stack.folder in stopped_stacks()
        known |= client.written
        with embedded_aws("killed", root=project, **KEPT) as again:
            s3 = client_of(again, "s3")
            assert again.outputs == stack.outputs
            written, deleted = versions_in(s3, again.inbox)
            assert {name: written.get(name) for name in known} == known
            assert client.deleted <= deleted
            assert len(written.keys() - known.keys()) <= life + 1, "of each life one write may have been done that nobody was reported of"
            assert soon(partial(all_reported, known.keys(), again, s3), 120), "each reached its function"


def wrote(client: Client, writes: int) -> bool:
    """Whether a client wrote so often."""
    return len(client.written) > writes


def all_reported(known: AbstractSet[tuple[str, str]], stack: Stack, s3: "S3Client") -> bool:
    """Whether scoring was reported of all these uploads."""
    return known <= reported_by(stack, s3)


def reported_by(stack: Stack, s3: "S3Client") -> set[tuple[str, str]]:
    """Keys and versions that scoring was reported of."""
    events = noted(stack, s3, "scoring", "batches/flights")
    return {(event["detail"]["object"]["key"], event["detail"]["object"]["version-id"]) for event in events}


def test_messages_wait_for_a_stack_that_was_killed_even_those_that_somebody_had_taken(home: Path, project: Path) -> None:
    with embedded_aws("waiting", root=project, **KEPT) as stack:
        sqs = client_of(stack, "sqs")
        mailbox = sqs.create_queue(QueueName="mailbox", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
        for text in ("taken", "left"):
            sqs.send_message(QueueUrl=mailbox, MessageBody=text)
        assert len(sqs.receive_message(QueueUrl=mailbox)["Messages"]) == 1
        time.sleep(3)  # queues are saved every second
        kill(stack)
    with embedded_aws("waiting", root=project, **KEPT) as again:
        messages = client_of(again, "sqs").receive_message(QueueUrl=mailbox, MaxNumberOfMessages=10)["Messages"]
        assert sorted(message["Body"] for message in messages) == ["left", "taken"]


def test_a_server_that_is_killed_comes_back_and_what_runs_meanwhile_goes_on(home: Path, project: Path) -> None:
    with embedded_aws("mended", root=project, **KEPT) as stack:
        s3 = client_of(stack, "s3")
        servers = {" ".join(process.cmdline()): process for process in group_of(stack)}
        for of_server in ("mlflow", "hypercorn"):
            next(process for command, process in servers.items() if of_server in command).kill()
            version = s3.put_object(Bucket=stack.inbox, Key=f"batches/flights/{of_server}.csv", Body=b"1")["VersionId"]
            assert soon(partial(all_reported, {(f"batches/flights/{of_server}.csv", version)}, stack, s3), 60)
