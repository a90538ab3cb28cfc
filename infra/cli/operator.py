"""A running stack as the command sees it: two buckets, and functions to ask."""

import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from functions.shared.adapters.s3 import S3ObjectStore
from functions.shared.domain.errors import EverscoreError, InputError
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.manifests import Manifests, source_of
from infra.local.stacks import Stack, running_stack

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

LONGEST_CALL_S = 900
POLL_S = 0.1


class FunctionFailedError(EverscoreError):
    """A deployed function raised; its message is passed on. Look into its log."""


class NoAnswerError(EverscoreError):
    """Nothing came of an upload in time; look at the queue, the dead-letter queue and the function's log."""


class Operator:
    """What the command can do to one stack: write to the inbox, read the store, ask a function."""

    def __init__(self, session: Any, endpoint: str | None, outputs: Mapping[str, str]) -> None:
        self._session = session
        self._endpoint = endpoint
        self._outputs = outputs
        client = session.client("s3", endpoint_url=endpoint)
        self.inbox = S3ObjectStore(client, outputs["InboxBucket"])
        self.store = S3ObjectStore(client, outputs["StoreBucket"])

    @cached_property
    def _functions(self) -> "LambdaClient":
        config = Config(read_timeout=LONGEST_CALL_S, retries={"total_max_attempts": 1})
        client: LambdaClient = self._session.client("lambda", endpoint_url=self._endpoint, config=config)
        return client

    def ask(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function (`Retraining`, `Release`) and return its answer.

        Raises:
            InputError: if the function refused what was asked.
            FunctionFailedError: if it failed.
        """
        answer = self._functions.invoke(FunctionName=self._outputs[f"{function}Function"], Payload=json.dumps(request).encode())
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            kind = InputError if payload.get("errorType") in _refusals() else FunctionFailedError
            raise kind(str(payload.get("errorMessage", payload)))
        return payload

    def upload(self, key: str, body: bytes) -> ObjectInfo:
        """Write a file to the inbox."""
        return self.inbox.write(key, body)

    def await_manifest(self, uploaded: ObjectInfo, *, timeout_s: float = 300) -> Manifest:
        """The manifest of an uploaded batch, once it stands."""
        from functions.shared.domain import layout

        source = source_of(self.inbox.bucket, uploaded)
        batch = layout.batch_id(source.bucket, source.key, source.version_id)
        return wait_for(
            lambda: Manifests(self.store).find(layout.model_of(uploaded.key), batch, source), timeout_s, f"manifest of {uploaded.key}"
        )


def _refusals() -> set[str]:
    """Names of the errors by which a function says that what was asked cannot be done."""
    return {InputError.__name__, *(kind.__name__ for kind in InputError.__subclasses__())}


def wait_for[T](look: Callable[[], T | None], timeout_s: float, what: str) -> T:
    """Look until there is something.

    Raises:
        NoAnswerError: if there is nothing after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while (found := look()) is None:
        if time.monotonic() > deadline:
            message = f"no {what} after {timeout_s:.0f} s"
            raise NoAnswerError(message)
        time.sleep(POLL_S)
    return found


def connect(stack: str | None) -> Operator:
    """The stack of this name on AWS, or, without a name, the embedded one that is running."""
    if stack is None:
        return embedded(running_stack(None))
    session = boto3.Session()
    described = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return Operator(session, None, {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])})


def embedded(stack: Stack) -> Operator:
    """The operator of an embedded stack."""
    environment = stack.env()
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    return Operator(session, stack.endpoint, stack.outputs)
