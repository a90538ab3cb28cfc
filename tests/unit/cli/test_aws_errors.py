"""What a person reads where AWS, or the library that asks it, refuses."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from functions.shared.domain.errors import InputError, NoStackError
from infra.cli import operator
from tests.unit.cli.terminal import ended


def answered(code: str, message: str) -> ClientError:
    """An answer in the shape in which AWS's services write it and botocore reads it."""
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "Invoke")


REFUSALS = [
    (exceptions.NoRegionError(), "no_region", "AWS_DEFAULT_REGION"),
    (exceptions.NoCredentialsError(), "no_credentials", "aws configure"),
    (exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "no_credentials", "aws configure"),
    (exceptions.ProfileNotFound(profile="prod"), "no_credentials", "list-profiles"),
    (exceptions.UnauthorizedSSOTokenError(), "expired_credentials", "aws sso login"),
    (exceptions.SSOTokenLoadError(error_msg="none"), "expired_credentials", "aws sso login"),
    (exceptions.LoginRefreshRequired(), "expired_credentials", "aws login"),
    (answered("ExpiredTokenException", "The security token included in the request is expired"), "expired_credentials", "sign in again"),
    (answered("InvalidClientTokenId", "The security token included in the request is invalid."), "unknown_credentials", "AWS_PROFILE"),
    (
        answered("AccessDeniedException", "User: arn:aws:iam::1:user/ann is not authorized to perform: lambda:InvokeFunction"),
        "access_denied",
        "permission",
    ),
    (answered("NoSuchBucket", "The specified bucket does not exist"), "resource_gone", "describe-stacks"),
]
FAILURES = [
    (exceptions.ReadTimeoutError(endpoint_url="https://lambda"), "unreachable", "everscore status"),
    (exceptions.EndpointConnectionError(endpoint_url="https://lambda"), "unreachable", "the network"),
    (answered("TooManyRequestsException", "Rate Exceeded."), "unreachable", "wait a minute"),
    (answered("InternalError", "We encountered an internal error."), "unreachable", "the network"),
]


@pytest.mark.parametrize(("error", "code", "remedy", "ends_with"), [(*case, 2) for case in REFUSALS] + [(*case, 1) for case in FAILURES])
def test_each_refusal_of_aws_is_a_sentence_with_a_remedy(
    error: Exception, code: str, remedy: str, ends_with: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(_stack: str | None) -> Any:
        raise error

    monkeypatch.setattr(operator, "connect", raising)
    assert ended("status --json", monkeypatch) == ends_with
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert said["code"] == code
    assert remedy in said["remedy"]
    assert "Traceback" not in err
    assert f"remedy: {said['remedy']}" in err


def test_a_stack_on_aws_that_one_may_not_look_at_is_distinguished_from_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    denied = answered("AccessDenied", "not authorized to perform: cloudformation:DescribeStacks")
    monkeypatch.setattr(operator, "running_stacks", tuple)
    monkeypatch.setattr(operator, "stopped_stacks", tuple)

    class Session:
        def client(self, *_: object) -> Any:
            raise denied

    monkeypatch.setattr(operator.boto3, "Session", Session)
    with pytest.raises(InputError, match=r"AWS refused .*not authorized"):
        operator.connect("prod")


def test_a_stack_that_is_being_made_or_failed_is_said_and_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def client(self, *_: object) -> Any:
            return SimpleNamespace(describe_stacks=lambda **_: {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]})

    monkeypatch.setattr(operator, "running_stacks", tuple)
    monkeypatch.setattr(operator, "stopped_stacks", tuple)
    monkeypatch.setattr(operator.boto3, "Session", Session)
    with pytest.raises(NoStackError, match="no whole stack of Everscore: CloudFormation says ROLLBACK_COMPLETE"):
        operator.connect("prod")
