"""How a command ends that cannot do what was asked."""

import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.shared.domain.errors import ConflictError, EmbeddedAwsError, EverscoreError, InputError, ReleaseRefusedError
from infra.cli import operator
from infra.cli.operator import FunctionFailedError, Operator
from tests.fakes.versions import MODEL
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended


@pytest.mark.parametrize(
    ("arguments", "code", "reported"),
    [
        ("score", "usage", "model"),
        ("nonsense", "usage", "nonsense"),
        ("status --stak x", "usage", "--stak"),
        ("score sales /nowhere/april.csv", "usage", "/nowhere/april.csv"),
        (f"score sales {__file__} --partition-bytes 0", "usage", "'--partition-bytes': it must be greater than or equal to 1"),
        ("policy no+name", "invalid_name", "no+name"),
        (f"score sales {__file__} -o scored.feather", "unknown_ending", "scored.feather"),
    ],
)
def test_a_refusal_with_json_is_one_object_on_standard_output(
    arguments: str, code: str, reported: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(f"{arguments} --json", monkeypatch) == 2
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"error", "code", "remedy"}
    assert answer["code"] == code
    assert reported in answer["error"]


def test_standard_input_and_pipes_are_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "june.csv")
    monkeypatch.setattr(operator, "connect", lambda _: Stack(MODEL))
    for file in ("-", str(tmp_path / "june.csv")):
        assert ended(f"score {MODEL} {file} --json", monkeypatch) == 2
        assert "to a file, and name that" in json.loads(capsys.readouterr().out)["remedy"]


def test_an_interrupted_wait_says_that_the_upload_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack(MODEL)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(operator, "connect", lambda _: stack)
    monkeypatch.setattr(stack, "upload_file", lambda key, file, _: stack.inbox.write(key, file.read_bytes()))
    monkeypatch.setattr(stack, "await_manifest", interrupted)
    (tmp_path / "june.csv").write_text("id,price\n1,2\n")
    assert ended(f"score {MODEL} {tmp_path / 'june.csv'} --wait", monkeypatch) == 130
    said = " ".join(capsys.readouterr().err.split())
    assert f"batches/{MODEL}/june.csv is uploaded and will be scored all the same; `everscore status {MODEL}` shows it" in said
    assert stack.inbox.read(f"batches/{MODEL}/june.csv")


@pytest.mark.parametrize("name", ["my model", "churn/2024"])
def test_a_file_is_not_uploaded_under_a_name_that_no_model_can_have(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = Stack()
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    monkeypatch.setattr(stack, "upload_file", lambda key, file, _: stack.inbox.write(key, file.read_bytes()))
    (tmp_path / "june.csv").write_text("id,price\n1,2\n")
    for new in ("", " --new"):
        assert ended(f"score '{name}' {tmp_path / 'june.csv'}{new} --json", monkeypatch) == 2
        assert json.loads(capsys.readouterr().out)["code"] == "invalid_name"
    assert stack.inbox.keys() == set()


def refused(_stack: str | None) -> None:
    raise InputError("two stacks run", remedy="name one with --stack", code="several_stacks")


def failed(_stack: str | None) -> None:
    raise EmbeddedAwsError("it did not come up")


def test_a_refusal_says_what_to_do_to_people_and_to_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(operator, "connect", refused)
    assert ended("status", monkeypatch) == 2
    assert capsys.readouterr() == ("", "error: two stacks run\nremedy: name one with --stack\n")
    assert ended("status --json", monkeypatch) == 2
    reported = {"error": "two stacks run", "code": "several_stacks", "remedy": "name one with --stack"}
    assert json.loads(capsys.readouterr().out) == reported


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EACCES, "EVERSCORE_HOME"),
        (errno.EPERM, "EVERSCORE_HOME"),
        (errno.EROFS, "EVERSCORE_HOME"),
    ],
)
def test_a_full_a_read_only_and_a_forbidden_disk_are_refusals(
    number: int, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused_by_the_system(_stack: str | None) -> None:
        raise OSError(number, os.strerror(number), "/home/somebody/.local")

    monkeypatch.setattr(operator, "connect", refused_by_the_system)
    assert ended("status", monkeypatch) == 2
    said = capsys.readouterr().err
    assert "/home/somebody/.local" in said
    assert remedy in said


def test_a_failure_that_is_not_the_users_ends_with_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(operator, "connect", failed)
    assert ended("status --json", monkeypatch) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "it did not come up", "code": "embedded_aws", "remedy": ""}
    assert err == "failed: it did not come up\n"


def stack_whose_function_raises(*kinds: str, text: str) -> Operator:
    """A stack whose function raises one error after the other, and answers then."""
    raised = iter([json.dumps({"errorType": kind, "errorMessage": text}).encode() for kind in kinds])

    def invoke(**_: object) -> dict[str, object]:
        payload = next(raised, None)
        return {"Payload": io.BytesIO(b'{"seq": 2}')} if payload is None else {"FunctionError": "Unhandled", "Payload": io.BytesIO(payload)}

    return operator_whose_function(invoke)


def operator_whose_function(invoke: Callable[..., dict[str, object]]) -> Operator:
    """A stack whose functions answer as `invoke` does."""
    endpoint = SimpleNamespace(http_session=SimpleNamespace(_socket_options=[]))
    session: Any = SimpleNamespace(client=lambda *_, **__: SimpleNamespace(invoke=invoke, _endpoint=endpoint))
    return Operator(session, None, {"InboxBucket": "i", "StoreBucket": "s", "ReleaseFunction": "release"}, name="everscore")


@pytest.mark.parametrize("kind", ["InputError", "ReleaseRefusedError", "BatchRejectedError", "TrainingError"])
def test_a_functions_refusal_reaches_the_user_with_its_remedy(kind: str) -> None:
    reported = str(ReleaseRefusedError("version 2 serves", remedy="name another"))
    with pytest.raises(InputError) as refusal:
        stack_whose_function_raises(kind, text=reported).ask("Release", {})
    assert (refusal.value.message, refusal.value.remedy) == ("version 2 serves", "name another")


@pytest.mark.parametrize(
    ("error", "raised"), [("ReleaseRefusedError", InputError), ("ConflictError", ConflictError), ("NotFoundError", FunctionFailedError)]
)
def test_a_refusal_that_is_an_answer_reaches_the_user_as_it_is(
    monkeypatch: pytest.MonkeyPatch, error: str, raised: type[EverscoreError]
) -> None:
    monkeypatch.setattr(operator, "POLL_S", 0)
    refused = {"refused": {"error": error, "message": "version 2 serves", "remedy": "name another", "code": "serves"}}
    stack = operator_whose_function(lambda **_: {"Payload": io.BytesIO(json.dumps(refused).encode())})
    with pytest.raises(raised) as refusal:
        stack.ask("Release", {})
    assert (refusal.value.message, refusal.value.remedy) == ("version 2 serves", "name another")


def test_a_functions_failure_is_no_refusal() -> None:
    with pytest.raises(FunctionFailedError) as failure:
        stack_whose_function_raises("RegistryUnavailableError", text="MLflow is away").ask("Release", {})
    assert (failure.value.message, failure.value.code) == ("MLflow is away", "registry_unavailable")


def test_a_function_that_lost_against_another_writer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "POLL_S", 0)
    assert stack_whose_function_raises("ConflictError", "ConflictError", text="changed").ask("Release", {}) == {"seq": 2}
    with pytest.raises(ConflictError, match=r"changed\nremedy: .*try again"):
        stack_whose_function_raises(*["ConflictError"] * 9, text="changed").ask("Release", {})
