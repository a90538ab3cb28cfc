"""A running stack as the command sees it: two buckets, and functions to call."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound
from rich.console import Console
from rich.progress import DownloadColumn, Progress

from functions.shared.adapters.s3 import S3ObjectStore
from functions.shared.domain import layout
from functions.shared.domain.answer import ASKED, ENDED_EARLY, ENDED_EARLY_REMEDY, SILENT, Answer
from functions.shared.domain.errors import (
    REFUSED,
    ConflictError,
    EverscoreError,
    InputError,
    NoStackError,
    NotFoundError,
    code_of,
    message_and_remedy,
)
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Release
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.reading.encodings import UTF8
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.releases import Releases
from infra.cli.aws_errors import as_shown
from infra.cli.converted import settled_encoding
from infra.cli.names import looked_up, nearest
from infra.cli.options import say
from infra.local.stacks import CHOICE, Stack, running_stack, running_stacks, stack_names, stopped_stacks
from infra.words import _, plural

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

LONGEST_CALL_S = 900
PROBE_S = 60
POLL_S, LONGEST_POLL_S = 0.1, 2.0
BEGINS_WITHIN_S = 600.0
_NOT_BEGUN = (
    "Lambda begins when the account has a place for it, within six hours: `everscore status` shows what came of it; "
    "a stack that is older than this command cannot answer, so deploy it again"
)
_TRIES = 5
UNKNOWN_STACK = "ValidationError"
"""CloudFormation's code for a stack that there is not."""


class FunctionFailedError(EverscoreError):
    """A deployed function raised; its message is passed on, and its log says more."""


class NoAnswerError(EverscoreError):
    """An upload had no result in time; its queues and the function's log show why."""


@dataclass(frozen=True, slots=True)
class Access:
    """Addresses by which other programs reach a stack.

    `token` and `endpoint` are empty where there is none.
    """

    key: str
    secret: str
    token: str
    region: str
    endpoint: str


class Operator:
    """One stack for the command: write to the inbox, read the store, call functions."""

    def __init__(self, session: Any, endpoint: str | None, outputs: Mapping[str, str], *, name: str) -> None:
        self.name = name
        self._session = session
        self._endpoint = endpoint
        self.outputs = outputs
        self._s3: S3Client = self.client("s3")
        self.inbox = S3ObjectStore(self._s3, outputs["InboxBucket"])
        self.store = S3ObjectStore(self._s3, outputs["StoreBucket"])

    def client(self, service: str, **options: Any) -> Any:
        """Return boto3's client of a service, where the stack is."""
        return self._session.client(service, endpoint_url=self._endpoint, **options)

    @property
    def access(self) -> Access:
        """Return the credentials, region and endpoint of this stack."""
        found = self._session.get_credentials().get_frozen_credentials()
        return Access(
            found.access_key,
            found.secret_key,
            found.token or "",
            self._session.region_name,
            self._endpoint or os.environ.get("AWS_ENDPOINT_URL", ""),
        )

    @cached_property
    def _functions(self) -> "LambdaClient":
        config = Config(read_timeout=LONGEST_CALL_S, retries={"total_max_attempts": 1}, tcp_keepalive=True)
        client: LambdaClient = self.client("lambda", config=config)
        _probe_idle_connections(client)
        return client

    @cached_property
    def who(self) -> str:
        """Return who decides, for the record: IAM's principal, or this machine's user."""
        if self._endpoint is not None:
            return getuser()
        return str(self._session.client("sts").get_caller_identity()["Arn"])

    @cached_property
    def account(self) -> str | None:
        """Return the account of AWS; None for an embedded stack."""
        return None if self._endpoint is not None else str(self._session.client("sts").get_caller_identity()["Account"])

    def ask(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function (`Retraining`, `Release`) and return its answer.

        If another writer was first, call it again.

        Raises:
            InputError: if the function refused what was asked.
            ConflictError: if other writers were first each time.
            FunctionFailedError: if it failed.
        """
        return undisputed(lambda: self._ask_once(function, request))

    def _ask_once(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._functions.invoke(FunctionName=self.outputs[f"{function}Function"], Payload=json.dumps(request).encode())
        payload: dict[str, Any] = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer:
            return _unrefused(payload)
        raised = str(payload.get("errorType", "FunctionFailed"))
        raise _refusal(raised, *message_and_remedy(str(payload.get("errorMessage", payload))), code_of(raised))

    def notify(self, function: str, request: Mapping[str, Any]) -> None:
        """Call a function without waiting for it."""
        name = self.outputs[f"{function}Function"]
        self._functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(request).encode())

    def have_done(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have a function do what takes minutes; return its answer from the store.

        No connection waits meanwhile: a NAT gateway forgets one that is idle for 350 seconds. Errors are those of `ask`.

        Raises:
            NoAnswerError: if the function does not begin.
        """
        return undisputed(lambda: self._have_done_once(function, request))

    def _have_done_once(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        token = uuid4().hex
        self.notify(function, {**request, ASKED: token})
        answer = await_answer(self.store, layout.answer_key(request["model"], token))
        if answer.failed:
            raised, text = answer.failed
            raise _refusal(raised, *message_and_remedy(text), code_of(raised))
        return _unrefused(dict(answer.answer or {}))

    def upload(self, key: str, body: bytes) -> ObjectInfo:
        """Write a small object to the inbox."""
        return self.inbox.write(key, body)

    def upload_file(self, key: str, file: Path, console: Console) -> ObjectInfo:
        """Write a file of any size to the inbox, with a progress bar on a terminal.

        Returns:
            The version that was written, although others may write the same key meanwhile.
        """
        with (
            Progress(
                *Progress.get_default_columns(), DownloadColumn(), console=console, transient=True, disable=not console.is_terminal
            ) as progress,
            _versions_written(self._s3) as versions,
        ):
            task = progress.add_task(f"uploading {file.name}", total=file.stat().st_size)
            self._s3.upload_file(str(file), self.inbox.bucket, key, Callback=lambda sent: progress.advance(task, sent))
        return self.inbox.info(key, versions[-1])

    def spec_of(self, model: str, version: str) -> ModelSpec:
        """Return a version's spec.

        Raises:
            InputError: if the model has no such version.
        """
        try:
            return ModelSpec.from_json(self.store.read(layout.version_prefix(model, version) + SPEC))
        except NotFoundError as error:
            remedy = f"`everscore status {model}` lists its versions"
            raise InputError(f"model {model!r} has no version {version!r}", remedy=remedy, code="unknown_version") from error

    def served_specs(self, model: str) -> list[ModelSpec]:
        """Return the specs of champion and challenger."""
        release = self.release_of(model)
        return [self.spec_of(model, served.version) for served in (release.champion, release.challenger) if served]

    def encoding_for(self, model: str, file: Path) -> str | None:
        """Return the encoding that settles a doubt about a file's text.

        It is None if there is no doubt, or if training settled it with another encoding than UTF-8.

        Raises:
            InputError: if nothing settles it.
        """
        return settled_encoding(file, unless=lambda: self.serves(model) and self._reads_another_encoding(model))

    def _reads_another_encoding(self, model: str) -> bool:
        return any(spec.formats.encoding not in {None, UTF8} for spec in self.served_specs(model))

    def manifest_of(self, model: str, batch: str) -> Manifest:
        """Return the manifest of a batch, by its id or the beginning of it.

        Raises:
            InputError: if no batch of the model matches, or several do.
        """
        manifests = Manifests(self.store)
        found = [key for name, key in manifests.keys(model).items() if name.startswith(batch)]
        if len(found) != 1:
            batches = plural("{number:,} batch", "{number:,} batches", len(found)) if found else "no batch"
            remedy = f"give the whole id; `everscore status {model}` lists the newest batches"
            raise InputError(f"the id {batch!r} fits {batches} of {model!r}", remedy=remedy, code="unknown_batch")
        return manifests.read(found[0])

    def download(self, key: str, file: Path) -> None:
        """Write an object of the store to a file.

        Raises:
            NotFoundError: if there is none.
        """
        try:
            self._s3.download_file(self.store.bucket, key, str(file))
        except ClientError as error:
            if error.response["Error"].get("Code") != "404":
                raise
            message = f"s3://{self.store.bucket}/{key} does not exist"
            raise NotFoundError(message) from error

    def serves(self, model: str) -> bool:
        """Return whether a model has a release."""
        return Releases(self.store).current(model) is not None

    def release_of(self, model: str) -> Release:
        """Return what a model serves.

        Raises:
            InputError: if it serves nothing.
        """
        return looked_up(model, self.store)

    def await_manifest(self, uploaded: ObjectInfo, *, timeout_s: float = 300) -> Manifest:
        """Wait for the manifest of an uploaded batch and return it.

        Raises:
            NoAnswerError: if there is none after `timeout_s` seconds, with what is known of it.
        """
        source, model = source_of(self.inbox.bucket, uploaded), layout.model_of(uploaded.key)
        batch = layout.batch_id(source.bucket, source.key, source.version_id)
        try:
            return wait_for(lambda: Manifests(self.store).find(model, batch, source), timeout_s, f"manifest of {uploaded.key}")
        except NoAnswerError as late:
            waiting, at_work = self._messages("ScoringQueueUrl")
            dead, _ = self._messages("ScoringDeadLettersUrl")
            message = f"{late.message} (all files: {waiting} waiting, {at_work} being scored, {dead} given up)"
            remedy = (
                f"the file is uploaded and will be scored without this command; `everscore status {model}` shows it then. "
                f"If it does not, read the scoring function's log and ScoringDeadLettersAlarm in docs/runbook.md"
            )
            raise NoAnswerError(message, remedy=remedy) from late

    def _messages(self, queue: str) -> tuple[int, int]:
        """Return about how many messages of a queue wait, and how many are in work."""
        client: SQSClient = self.client("sqs")
        found = client.get_queue_attributes(QueueUrl=self.outputs[queue], AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


@contextmanager
def _versions_written(client: "S3Client") -> Iterator[list[str | None]]:
    """A list of the versions that a client writes until the block ends.

    boto3's `upload_file` does not return its own.
    """
    versions: list[str | None] = []

    def note(parsed: Mapping[str, Any], **_: Any) -> None:
        versions.append(parsed.get("VersionId"))

    written = [f"after-call.s3.{operation}" for operation in ("PutObject", "CompleteMultipartUpload")]
    for event in written:
        client.meta.events.register(event, note)
    try:
        yield versions
    finally:
        for event in written:
            client.meta.events.unregister(event, note)


def _probe_idle_connections(client: Any) -> None:
    """Probe a client's idle connections each minute.

    A NAT gateway forgets a connection that was idle for 350 seconds.

    botocore turns probes on but leaves their pace to the system, which is two hours on Linux; it has no option for it.
    """
    idle = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None))  # the latter on macOS
    if idle is not None:
        client._endpoint.http_session._socket_options.append((socket.IPPROTO_TCP, idle, PROBE_S))  # noqa: SLF001


def _refusal(raised: str, message: str, remedy: str, code: str) -> EverscoreError:
    """Return what to raise where a function raised or answered this error."""
    if raised == ConflictError.__name__:
        return ConflictError(message, remedy=remedy or "somebody else changes the same at this moment: try again")
    refusals = {InputError.__name__, *(kind.__name__ for kind in InputError.__subclasses__())}
    return (InputError if raised in refusals else FunctionFailedError)(message, remedy=remedy, code=code)


def _unrefused(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what a function answers, or raise its refusal."""
    if refused := answer.get(REFUSED):
        raise _refusal(refused["error"], refused["message"], refused["remedy"], refused["code"])
    return answer


def await_answer(store: ObjectStore, key: str) -> Answer:
    """Watch for the answer at a key, and return it when it is complete.

    Raises:
        NoAnswerError: if nobody begins.
        FunctionFailedError: if who began was ended.
    """
    asked = moved = time.monotonic()
    beat = None
    while not (answer := _answer_at(store, key)) or not answer.ended:
        now = time.monotonic()
        if answer and answer.beat_at != beat:
            beat, moved = answer.beat_at, now
        elif beat and now - moved > SILENT.total_seconds():
            raise FunctionFailedError(ENDED_EARLY, remedy=ENDED_EARLY_REMEDY)
        elif not beat and now - moved > BEGINS_WITHIN_S:
            message = f"the function did not begin within {BEGINS_WITHIN_S / 60:.0f} minutes"
            raise NoAnswerError(message, remedy=_NOT_BEGUN)
        time.sleep(min(LONGEST_POLL_S, POLL_S + (now - asked) / 20))
    return answer


def _answer_at(store: ObjectStore, key: str) -> Answer | None:
    with suppress(NotFoundError):
        return Answer.from_json(store.read(key))
    return None


def undisputed[T](act: Callable[[], T]) -> T:
    """Return what `act` returns; while another writer is first, call it again.

    Raises:
        ConflictError: if other writers were first each time.
    """
    for attempt in range(1, _TRIES):
        with suppress(ConflictError):
            return act()
        time.sleep(attempt * POLL_S)
    return act()


def wait_for[T](look: Callable[[], T | None], timeout_s: float, what: str) -> T:
    """Look until something is found, and return it.

    Raises:
        NoAnswerError: if there is nothing after `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while (found := look()) is None:
        if time.monotonic() > deadline:
            message = f"there was no {what} after {timeout_s:.0f} s"
            raise NoAnswerError(message)
        time.sleep(POLL_S)
    return found


def connect(stack: str | None) -> Operator:
    """Return the stack of this name: an embedded one, or one on AWS.

    Without a name, the embedded one that is running.

    Raises:
        NoStackError: if there is none, with those that are there.
    """
    running, stopped = [running.name for running in running_stacks()], [folder.name for folder in stopped_stacks()]
    if stack is None or stack in {*running, *stopped}:
        if stack is not None and _may_ask_aws():
            said = _("{stack} is the one on this machine; `everscore local down` removes it, if you mean one on AWS", stack=stack)
            say(said, "dim")
        return embedded(running_stack(stack))
    return connect_on_aws(stack, lambda answer: _no_stack(stack, running, stopped, answer))


def connect_on_aws(stack: str, absent: Callable[[str], NoStackError] | None = None) -> Operator:
    """Return the stack of this name on AWS, whatever this machine has by that name.

    Raises:
        NoStackError: if there is none, as `absent` makes it of why.
    """
    absent = absent or partial(_not_on_aws, stack)
    try:
        session = boto3.Session()
        client = session.client("cloudformation")
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
    except NoRegionError:
        raise absent("AWS was not asked, since no region is set") from None
    except NoCredentialsError:
        raise absent("AWS was not asked, since no credentials are set") from None
    except (BotoCoreError, ClientError) as error:
        if isinstance(error, ClientError) and error.response["Error"].get("Code") != UNKNOWN_STACK:
            raise as_shown(error) from error
        asked = os.environ.get("AWS_ENDPOINT_URL", "AWS")
        raise absent(f"{asked} answers: {error}") from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    if "StoreBucket" not in outputs:
        message = f"{stack} is no whole stack of Everscore: CloudFormation says {described['StackStatus']}"
        raise NoStackError(message, remedy="wait if it is being made; else `everscore deploy` makes it, or choose another with --stack")
    return Operator(session, None, outputs, name=stack)


def _may_ask_aws() -> bool:
    """Return whether a stack on AWS could be meant, since a region is set."""
    with suppress(ProfileNotFound):
        return "AWS_ENDPOINT_URL" not in os.environ and boto3.Session().region_name is not None
    return False


def _not_on_aws(name: str, why: str) -> NoStackError:
    return NoStackError(f"no stack {name!r} is on AWS: {why}", remedy="check its name, AWS_PROFILE and AWS_DEFAULT_REGION")


def _no_stack(name: str, running: Sequence[str], stopped: Sequence[str], on_aws: str) -> NoStackError:
    """Return the error that neither this machine nor AWS has a stack of this name."""
    local = stack_names(running, stopped)
    there = f"stacks here: {local}" if local else "no stack is here"
    named = f"name one of these with --stack or {CHOICE}" if local else "start a stack here with `everscore local up`"
    on_aws_too = "for a stack on AWS check its name, AWS_PROFILE and AWS_DEFAULT_REGION"
    hints = [*nearest(name, [*running, *stopped]), f"{named}; {on_aws_too}"]
    return NoStackError(f"no stack {name!r}: {there}; {on_aws}", remedy=" ".join(hints))


def embedded(stack: Stack) -> Operator:
    """Return the operator of an embedded stack."""
    environment = stack.env()
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    return Operator(session, stack.endpoint, stack.outputs, name=stack.name)
