"""Fix four differences between ministack and AWS, so that other code need not.

- A ranged GET that names a version is answered with the whole object: it gets the range, which is how batches are read.
- Events of versioned buckets name no version: they get the version-id, by which everything is read.
- A function's error is answered without its type: it gets the class's name, by which callers know a refusal from a failure, or
  Lambda's name for a process that ended.
- Containers of functions have all of the machine's memory: they get what the function is configured with, and Lambda's confinement.

What its Step Functions lacks is mended in `mended_stepfunctions.py`, and what it forgets when it is killed in `mended_persistence.py`.

This module is imported by ministack's interpreter and may use nothing but the standard library and ministack, whose
internals are what they are because its version is locked.
"""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from infra.local.mended_persistence import SAVE, keep_state, save_all, save_catalogue_at_once
from infra.local.mended_stepfunctions import mend_step_functions

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[[Message, Receive, Send], Awaitable[None]]

MEMORY_OF_A_CPU_MB = 1769
_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")
_RAISED = re.compile(r"(?:\w+\.)*(\w+): (.*)")
_ENDED = ("Worker process died", "Worker returned no response", "[Errno 32] Broken pipe")
"""What ministack says of a function whose process ended during a call."""
_WHOLE_OBJECT = (b"content-length", b"content-range", b"x-amz-checksum-")


def requested_range(scope: Message) -> tuple[bytes, bytes] | None:
    """First and last byte as asked for (either may be empty) by a GET of one version.

    It is None for any other request.
    """
    if scope["type"] != "http" or scope["method"] != "GET" or "versionId" not in parse_qs(scope["query_string"].decode()):
        return None
    match = _RANGE.fullmatch(dict(scope["headers"]).get(b"range", b""))
    return (match[1], match[2]) if match and (match[1] or match[2]) else None


def positions(first: bytes, last: bytes, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a range in an object of `size` bytes.

    It is None where S3 answers 416.

    >>> positions(b"2", b"3", 10), positions(b"", b"3", 10), positions(b"8", b"99", 10), positions(b"10", b"", 10)
    ((2, 4), (7, 10), (8, 10), None)
    """
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    return (start, end) if start < end else None


@dataclass(slots=True)
class Cut:
    """The part of an object that a request wants, and the whole object's size."""

    wanted: tuple[bytes, bytes]
    size: int | None = None

    def of(self, body: bytes) -> bytes:
        """Return the part; the whole if it lies beyond the end, which is refused later."""
        found = positions(*self.wanted, len(body))
        if found is None:
            return body
        self.size = len(body)
        return body[slice(*found)]


_CUT: ContextVar[Cut | None] = ContextVar("cut", default=None)


def with_ranged_versions(application: Application) -> Application:
    """Wrap an ASGI application so that it cuts answers to ranged GETs of versions."""

    async def ranged(scope: Message, receive: Receive, send: Send) -> None:
        wanted = requested_range(scope)
        if wanted is None:
            await application(scope, receive, send)
            return
        cut = Cut(wanted)
        _CUT.set(cut)
        started: list[Message] = []
        body = bytearray()

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(message)
            else:
                body.extend(message.get("body", b""))

        await application(scope, receive, collect)
        for message in _answer(started[0], bytes(body), cut):
            await send(message)

    return ranged


def cut_bodies_early() -> None:
    """Make ministack's S3 answer a ranged GET of a version with that range only.

    Copies of large objects would take seconds each.
    """
    s3: Any = import_module("ministack.services.s3")
    whole = s3._version_body

    def part(*arguments: Any) -> bytes | None:
        body: bytes | None = whole(*arguments)
        cut = _CUT.get()
        return body if cut is None or body is None else cut.of(body)

    s3._version_body = part


def _answer(start: Message, body: bytes, cut: Cut) -> tuple[Message, Message]:
    if start["status"] != 200:
        return start, {"type": "http.response.body", "body": body}
    headers = [(name, value) for name, value in start["headers"] if not name.lower().startswith(_WHOLE_OBJECT)]
    size = len(body) if cut.size is None else cut.size
    found = positions(*cut.wanted, size)
    if found is None:
        status, content = 416, b"<Error><Code>InvalidRange</Code><Message>The requested range is not satisfiable</Message></Error>"
        content_range = f"bytes */{size}"
    else:
        status, content = 206, body[slice(*found)] if cut.size is None else body
        content_range = f"bytes {found[0]}-{found[1] - 1}/{size}"
    headers += [(b"content-length", str(len(content)).encode()), (b"content-range", content_range.encode())]
    return {**start, "status": status, "headers": headers}, {"type": "http.response.body", "body": content}


def versioned(event: Mapping[str, Any], version_id: str | None) -> Mapping[str, Any]:
    """Return ministack's record of an event, with the object's version if it has one."""
    if event.get("Source") != "aws.s3" or not version_id:
        return event
    detail = json.loads(event["Detail"])
    detail["object"]["version-id"] = version_id
    return {**event, "Detail": json.dumps(detail)}


def name_versions_in_events() -> None:
    """Make ministack's S3 pass the version to EventBridge, called in the same thread."""
    s3: Any = import_module("ministack.services.s3")
    eventbridge: Any = import_module("ministack.services.eventbridge")
    fire, dispatch = s3._fire_s3_event, eventbridge._dispatch_event
    version: ContextVar[str | None] = ContextVar("version", default=None)

    def fire_with_version(*arguments: Any, **options: Any) -> None:
        version.set(options.get("version_id"))
        fire(*arguments, **options)

    def dispatch_with_version(event: Mapping[str, Any], view: Any = None) -> None:
        dispatch(versioned(event, version.get()), view)

    s3._fire_s3_event, eventbridge._dispatch_event = fire_with_version, dispatch_with_version


def error_type(trace: str, message: str) -> str | None:
    r"""Return the error class at the end of a traceback, if its message is this one.

    >>> error_type("Traceback …\nfunctions.shared.domain.errors.TrainingError: one class only\n", "one class only")
    'TrainingError'
    """
    first = message.split("\n", 1)[0]
    raised = [found for line in trace.splitlines() if (found := _RAISED.fullmatch(line)) and found[2] == first]
    return raised[-1][1] if raised else None


def name_error_types() -> None:
    """Make ministack's Lambda name a raised error's type, as AWS's runtime does.

    It also answers the end of a process as Lambda does.
    """
    functions: Any = import_module("ministack.services.lambda_svc")
    execute = functions._execute_function_warm

    def execute_with_type(*arguments: Any) -> dict[str, Any]:
        result: dict[str, Any] = execute(*arguments)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict):
            message = body["errorMessage"]
            name = "Runtime.ExitError" if message in _ENDED else error_type(result.get("log", ""), message)
            return {**result, "body": {**body, "errorType": name or body["errorType"]}}
        return result

    functions._execute_function_warm = execute_with_type


def accept_what_it_does_not_do() -> None:
    """Make ministack's CloudFormation take resources that it cannot make.

    CodeDeploy's are names alone: nothing is checked, and no traffic is shifted. So are alarms on the sum of several metrics.
    """
    handlers: Any = import_module("ministack.services.cloudformation.provisioners")._RESOURCE_HANDLERS

    def named(logical_id: str, _properties: object, stack_name: str) -> tuple[str, dict[str, str]]:
        return f"{stack_name}-{logical_id}", {}

    for kind in ("Application", "DeploymentGroup"):
        handlers[f"AWS::CodeDeploy::{kind}"] = {"create": named, "delete": lambda *_: None}
    alarm = handlers["AWS::CloudWatch::Alarm"]
    create = alarm["create"]
    alarm["create"] = lambda name, properties, stack: (named if "Metrics" in properties else create)(name, properties, stack)


def name_glue_resources() -> None:
    """Make ministack's IAM compare requests to Glue with the ARN they are about.

    It looks for a table's or a database's name in one field, whatever the request is.
    """
    actions: Any = import_module("ministack.core.iam_actions")
    of_others = actions.extract_resource_arn

    def of_request(service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str) -> str:
        if service != "glue":
            found: str = of_others(service, method, path, headers, body, query, region, account)
            return found
        asked = json.loads(body or b"{}")
        name = asked.get("Name") or asked.get("TableInput", asked.get("DatabaseInput", {})).get("Name", "*")
        within = f"table/{asked['DatabaseName']}/{name}" if "DatabaseName" in asked else f"database/{name}"
        return f"arn:aws:glue:{region}:{account}:{within}"

    actions.extract_resource_arn = of_request


def confined(options: Mapping[str, Any], folder: str, processors: int) -> dict[str, Any]:
    """Return the Docker SDK's options to run a function's container as Lambda does.

    That is: its memory and no swap, its share of the processors, an unprivileged user that the image does not know, and /tmp
    alone to write to.

    Args:
        options: as ministack has them; the environment names the function's memory in MB.
        folder: of the stack, by which its containers are found again.
        processors: that this machine has.
    """
    memory_mb = int(options["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    return {
        **options,
        "mem_limit": f"{memory_mb}m",
        "memswap_limit": f"{memory_mb}m",
        "nano_cpus": int(1e9 * min(memory_mb / MEMORY_OF_A_CPU_MB, processors)),
        "user": "993:990",
        "read_only": True,
        "tmpfs": {"/tmp": ""},  # noqa: S108 - of the container
        "labels": {**options.get("labels", {}), "everscore.stack": folder},
    }


def confine_containers(folder: str) -> None:
    """Make ministack start containers of functions as Lambda does."""
    collection: Any = import_module("docker.models.containers").ContainerCollection
    run = collection.run

    def run_confined(self: Any, image: str, command: Any = None, **options: Any) -> Any:
        return run(self, image, command, **confined(options, folder, os.cpu_count() or 1))

    collection.run = run_confined


def with_saving(application: Application) -> Application:
    """Wrap an ASGI application so that it saves everything on request, then answers."""

    async def saving(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != SAVE:
            await application(scope, receive, send)
            return
        await asyncio.to_thread(save_all)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return saving


def as_if_encrypted(application: Application) -> Application:
    """Wrap an ASGI application so that requests count as sent by HTTPS.

    Our buckets' policies ask for it; on the loopback interface nobody could listen.
    """

    async def encrypted(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}
        await application(scope, receive, send)

    return encrypted


def ministack_application() -> Application:
    """Return what hypercorn serves."""
    keep_state(Path(os.environ["STATE_DIR"]), Path(os.environ["S3_DATA_DIR"]))
    save_catalogue_at_once()
    cut_bodies_early()
    name_versions_in_events()
    name_error_types()
    mend_step_functions()
    accept_what_it_does_not_do()
    name_glue_resources()
    if folder := os.environ.get("EVERSCORE_CONTAINERS"):
        confine_containers(folder)
    application: Application = import_module("ministack.app").app
    return with_saving(as_if_encrypted(with_ranged_versions(application)))
