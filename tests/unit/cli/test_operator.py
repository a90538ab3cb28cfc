"""Which stack a command works with."""

import io
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import psutil
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError
from rich.console import Console

from functions.shared.domain import layout
from functions.shared.domain.answer import Answer
from functions.shared.domain.errors import EverscoreError, InputError, NoStackError
from functions.shared.ports import ObjectInfo
from infra.cli import operator
from infra.cli.operator import FunctionFailedError, NoAnswerError, connect, connect_on_aws
from infra.local.stacks import CHOICE, Keeper
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended
from tests.unit.local.test_stacks import put_stack


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as running:
        yield running
        running.kill()


@pytest.fixture(autouse=True)
def stacks(tmp_path: Path, process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack `churn` that runs, and nothing that names a stack or an account on AWS."""
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path))
    for name in (CHOICE, "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    put_stack(tmp_path, "churn", Keeper(pid=process.pid, started=psutil.Process(process.pid).create_time()))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NoRegionError(), "AWS was not asked, since no region is set"),
        (NoCredentialsError(), "AWS was not asked, since no credentials are set"),
        (
            ClientError({"Error": {"Code": "ValidationError", "Message": "Stack with id chrun does not exist"}}, "DescribeStacks"),
            "Stack with id chrun does not exist",
        ),
    ],
)
def test_a_typo_in_a_stacks_name_lists_those_that_are_here(answer: Exception, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def session() -> None:
        raise answer

    monkeypatch.setattr(operator.boto3, "Session", session)
    with pytest.raises(NoStackError) as refused:
        connect("chrun")
    assert refused.value.message.startswith("no stack 'chrun': stacks here: churn; ")
    assert said in refused.value.message
    assert "specify a region" not in refused.value.message
    assert refused.value.remedy.startswith("did you mean 'churn'? name one of these with --stack or EVERSCORE_STACK")


def on_aws(name: str) -> SimpleNamespace:
    """An account whose stack of this name is whole."""
    outputs = [{"OutputKey": "InboxBucket", "OutputValue": "inbox-on-aws"}, {"OutputKey": "StoreBucket", "OutputValue": "store-on-aws"}]
    described = {"Stacks": [{"StackName": name, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}]}
    return SimpleNamespace(
        region_name="eu-central-1",
        client=lambda *_, **__: SimpleNamespace(describe_stacks=lambda StackName: described),  # noqa: N803 - AWS's names
    )


def test_a_stack_on_aws_is_found_whatever_this_machine_has_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator.boto3, "Session", lambda: on_aws("churn"))
    assert connect_on_aws("churn").store.bucket == "store-on-aws"


def test_a_stack_that_is_not_on_aws_is_not_looked_for_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def session() -> None:
        raise NoRegionError

    monkeypatch.setattr(operator.boto3, "Session", session)
    with pytest.raises(NoStackError, match="no stack 'churn' is on AWS: AWS was not asked, since no region is set"):
        connect_on_aws("churn")


@pytest.mark.parametrize(
    ("name", "variables", "times"),
    [
        ("churn", {"AWS_DEFAULT_REGION": "eu-central-1"}, 1),
        ("churn", {}, 0),
        ("churn", {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, 0),
        (None, {"AWS_DEFAULT_REGION": "eu-central-1"}, 0),
    ],
    ids=["aws-could-be-meant", "no-region", "as-local-env-prints", "no-name"],
)
def test_a_name_by_which_aws_may_have_a_stack_too_says_that_the_one_here_is_taken(
    name: str | None, variables: dict[str, str], times: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(operator, "embedded", lambda stack: stack)
    assert connect(name).name == "churn"
    out, err = capsys.readouterr()
    assert (out, err.count("churn is the one on this machine")) == ("", times)


@pytest.mark.parametrize(("arguments", "chosen"), [("status", "sales"), ("status --stack churn", "churn")])
def test_the_environment_names_the_stack_where_no_option_does(arguments: str, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(stack: str | None) -> None:
        raise NoStackError(f"asked for {stack}")

    asked: list[str | None] = []
    monkeypatch.setattr(operator, "connect", lambda stack: asked.append(stack) or refused(stack))
    monkeypatch.setenv(CHOICE, "sales")
    assert ended(arguments, monkeypatch) == 2
    assert asked == [chosen]


def test_what_local_env_prints_chooses_the_stack_for_the_command_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended("local env", monkeypatch) == 0
    assert f"export {CHOICE}=churn" in capsys.readouterr().out.splitlines()


def test_a_connection_that_waits_for_a_function_is_probed_before_a_nat_gateway_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int, int]] = []

    def create_connection(*_: object, socket_options: list[tuple[int, int, int]], **__: object) -> None:
        given.extend(socket_options)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", create_connection)
    outputs = {"InboxBucket": "inbox", "StoreBucket": "store", "ErasureFunction": "erasure"}
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-central-1")
    with pytest.raises(EndpointConnectionError):
        operator.Operator(session, "http://127.0.0.1:9", outputs, name="churn").ask("Erasure", {})
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in given
    [idle_s] = [value for level, option, value in given if (level, option) == (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)]
    assert 0 < idle_s < 350


class Working(Stack):
    """A stack whose function is asked by an event: `answers` are written, one for each look of the caller."""

    def __init__(self, *answers: Answer | None) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        self.answers = iter(answers)
        self.clock = 0.0

    def notify(self, function: str, request: Mapping[str, Any]) -> None:
        """Take an event."""
        self.asked.append({"function": function, **request})

    def sleep(self, seconds: float) -> None:
        """Let time pass until the next look."""
        self.clock += seconds
        if answer := next(self.answers, None):
            self.store.write(layout.answer_key("sales", self.asked[-1]["answer"]), answer.to_json())


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Working]:
    def make(*answers: Answer | None) -> Working:
        stack = Working(*answers)
        monkeypatch.setattr(operator, "time", SimpleNamespace(monotonic=lambda: stack.clock, sleep=stack.sleep))
        return stack

    return make


AT = datetime(2024, 6, 1, 12, tzinfo=UTC)
BEGUN = Answer(begun_at=AT, beat_at=AT)


def test_what_takes_minutes_is_asked_for_by_an_event_and_watched_in_the_store(working: Callable[..., Working]) -> None:
    stack = working(None, BEGUN, BEGUN.model_copy(update={"answer": {"decision": {"version": "2"}}}))
    assert stack.have_done("Retraining", {"action": "retrain", "model": "sales"}) == {"decision": {"version": "2"}}
    [asked] = stack.asked
    assert re.fullmatch("[0-9a-f]{32}", asked.pop("answer"))
    assert asked == {"function": "Retraining", "action": "retrain", "model": "sales"}


def test_a_function_at_work_is_waited_for_as_long_as_it_gives_signs_of_life(working: Callable[..., Working]) -> None:
    beats = [BEGUN.model_copy(update={"beat_at": AT + timedelta(seconds=number)}) for number in range(2000)]
    stack = working(*beats, BEGUN.model_copy(update={"answer": {}}))
    assert stack.have_done("Retraining", {"model": "sales"}) == {}
    assert stack.clock > 1800


@pytest.mark.parametrize(
    ("answers", "raised", "within_s", "said"),
    [
        ((), NoAnswerError, 610, "did not begin"),
        ((BEGUN,), FunctionFailedError, 100, "was ended"),
        ((BEGUN.model_copy(update={"failed": ("KeyError", "'x'")}),), FunctionFailedError, 1, "'x'"),
        (
            (BEGUN.model_copy(update={"failed": ("ReleaseRefusedError", "--force needs a reason, for the record\nremedy: add --reason")}),),
            InputError,
            1,
            "reason",
        ),
        (
            (
                BEGUN.model_copy(
                    update={
                        "answer": {
                            "refused": {
                                "error": "InputError",
                                "message": "--force needs a reason, for the record",
                                "remedy": "",
                                "code": "usage",
                            }
                        }
                    }
                ),
            ),
            InputError,
            1,
            "reason",
        ),
    ],
)
def test_a_caller_that_watches_in_vain_or_is_refused_learns_it(
    working: Callable[..., Working], answers: tuple[Answer, ...], raised: type[EverscoreError], within_s: float, said: str
) -> None:
    stack = working(*answers)
    with pytest.raises(raised, match=said):
        stack.have_done("Retraining", {"model": "sales"})
    assert stack.clock < within_s


def test_who_comes_second_asks_again_with_a_token_of_its_own(working: Callable[..., Working]) -> None:
    conflict = {"refused": {"error": "ConflictError", "message": "changed", "remedy": "", "code": "conflict"}}
    stack = working(BEGUN.model_copy(update={"answer": conflict}), None, BEGUN.model_copy(update={"answer": {"done": True}}))
    assert stack.have_done("Retraining", {"model": "sales"}) == {"done": True}
    assert len({asked["answer"] for asked in stack.asked}) == 2


class VersionedInbox:
    """What S3 answers to a client's requests for one bucket: each write of a key makes a version."""

    def __init__(self) -> None:
        self.versions: list[bytes] = []
        self.parts: dict[str, bytes] = {}
        self.between: Callable[[], object] | None = None

    def answer(self, request: Any, **_: object) -> AWSResponse:
        """Answer one request; after a write, others may come in between."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query, keep_blank_values=True).items()}
        if request.method == "HEAD":
            number = int(asked.get("versionId", f"v{len(self.versions)}").removeprefix("v"))
            return self._answered({"Content-Length": str(len(self.versions[number - 1])), "x-amz-version-id": f"v{number}"})
        if request.method == "POST" and "uploads" in asked:
            return self._answered({}, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        body = request.body.read() if hasattr(request.body, "read") else request.body
        if "partNumber" in asked:
            self.parts[asked["partNumber"]] = body
            return self._answered({})
        self.versions.append(b"".join(self.parts[number] for number in sorted(self.parts)) if request.method == "POST" else body)
        written = f"v{len(self.versions)}"
        if between := self.between:
            self.between = None
            between()
        return self._answered({"x-amz-version-id": written}, b"<CompleteMultipartUploadResult/>" if request.method == "POST" else b"")

    @staticmethod
    def _answered(headers: dict[str, str], body: bytes = b"") -> AWSResponse:
        plain = {"ETag": '"e"', "Last-Modified": "Mon, 01 Apr 2013 10:00:00 GMT"}
        return AWSResponse("http://127.0.0.1:9", 200, HeadersDict({**plain, **headers}), SimpleNamespace(stream=lambda: [body]))


@pytest.mark.parametrize("size", [10, 9 * 2**20])
def test_of_two_uploads_of_one_name_at_once_each_waits_for_its_own(size: int, tmp_path: Path) -> None:
    outputs = {"InboxBucket": "inbox", "StoreBucket": "store"}
    session = boto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-central-1")
    inbox = VersionedInbox()

    def upload(month: str) -> ObjectInfo:
        stack = operator.Operator(session, "http://127.0.0.1:9", outputs, name="churn")
        stack._s3.meta.events.register("before-send.s3", inbox.answer)
        (tmp_path / month).mkdir()
        file = tmp_path / month / "new.csv"
        file.write_bytes(month.encode() * size)
        return stack.upload_file("batches/churn/new.csv", file, Console(file=io.StringIO()))

    others: list[ObjectInfo] = []
    inbox.between = lambda: others.append(upload("february"))
    mine = upload("january")
    assert [mine.version_id, *(other.version_id for other in others)] == ["v1", "v2"]
    assert [mine.bytes, *(other.bytes for other in others)] == [7 * size, 8 * size]
