"""Run a stack's functions in containers under AWS's runtime interface emulator."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, NoReturn

import boto3

from functions.shared.domain.errors import REFUSED, EmbeddedAwsError
from infra.local.bridge import bridged
from infra.local.image import IMAGE
from infra.local.stacks import Stack

MEMORY_OF_A_CPU_MB = 1769
CONFINED = (
    *("docker", "run", "--detach", "--pull", "never", "--publish", "127.0.0.1::8080"),
    # As on Lambda: a user and group unknown to the image, and only /tmp is writable.
    *("--user", "993:990", "--read-only", "--tmpfs=/tmp"),
)
SERVING_S = 30.0
EMULATED_NAME = "function"
USAGE = ("/sys/fs/cgroup/cpuacct/cpuacct.usage", "/sys/fs/cgroup/cpu.stat")
"""Files with a container's processor time; which of the two exists depends on the kernel."""


@dataclass(frozen=True, slots=True)
class ContainerFunction:
    """A function as its stack configures it, with addresses for containers."""

    command: str
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str]


@contextmanager
def container_functions(stack: Stack) -> Iterator[Mapping[str, ContainerFunction]]:
    """Yield a stack's functions by package name, reachable for containers.

    The stack's servers can be reached while the block runs.
    """
    own = stack.env()
    client = boto3.client(
        "lambda",
        endpoint_url=stack.endpoint,
        aws_access_key_id=own["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=own["AWS_SECRET_ACCESS_KEY"],
        region_name=own["AWS_DEFAULT_REGION"],
    )
    with bridged(stack.endpoint) as endpoint, bridged(stack.mlflow_uri) as mlflow_uri:
        reachable = {name: value for name, value in own.items() if name.startswith("AWS_")} | {"AWS_ENDPOINT_URL": endpoint}
        functions = {}
        for function, deployed in stack.functions.items():
            configured = client.get_function_configuration(FunctionName=deployed)
            variables = {name: value for name, value in configured["Environment"]["Variables"].items() if name != "PYTHONPATH"}
            if "MLFLOW_TRACKING_URI" in variables:
                variables["MLFLOW_TRACKING_URI"] = mlflow_uri
            functions[function] = ContainerFunction(
                command=configured["Handler"],
                memory_mb=configured["MemorySize"],
                timeout_s=configured["Timeout"],
                environment=variables | reachable,
            )
        yield functions


class Emulated:
    """A running container of a function, with one event at a time, as on Lambda.

    `endpoint` accepts Lambda's calls for a function named `EMULATED_NAME`.
    """

    def __init__(self, container: str, port: int, timeout_s: int) -> None:
        self._container = container
        self._port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self._timeout_s = timeout_s

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Return the function's result.

        Raises:
            EmbeddedAwsError: if the function raised, with what it logged.
        """
        status, body = self._ask("POST", f"/2015-03-31/functions/{EMULATED_NAME}/invocations", json.dumps(event))
        if status != 200:
            _failed(f"the emulator answered {status}: {body.decode(errors='replace')}", self.logs())
        return checked_answer(body, self.logs())

    def logs(self) -> str:
        """Return the output of the function and the emulator."""
        logs = ["docker", "logs", self._container]
        return subprocess.run(logs, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def processor_s(self) -> float:
        """Return the processor seconds that the container has used so far."""
        account = ["docker", "exec", self._container, "cat", *USAGE]
        return processor_seconds(subprocess.run(account, check=False, capture_output=True, text=True).stdout)

    def await_emulator(self) -> None:
        """Wait until the emulator serves. The function starts with its first event only."""
        end = time.monotonic() + SERVING_S
        while True:
            try:
                self._ask("GET", "/", "")
            except (OSError, HTTPException) as error:
                if time.monotonic() > end:
                    _failed(f"the emulator does not serve: {error}", self.logs())
                time.sleep(0.02)
            else:
                return

    def _ask(self, method: str, path: str, body: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=self._timeout_s)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def emulated(function: ContainerFunction, *, image: str = IMAGE, variables: Mapping[str, str] | None = None) -> Iterator[Emulated]:
    """Run a function in a container confined as on Lambda.

    It has the function's memory and share of a processor, runs unprivileged, and can write only to /tmp.

    Args:
        function: the function.
        image: the image's name.
        variables: further environment, e.g. `{"PYTHONVERBOSE": "1"}`.
    """
    environment = {
        **function.environment,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout_s),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        **(variables or {}),
    }
    cpus = min(function.memory_mb / MEMORY_OF_A_CPU_MB, os.cpu_count() or 1)
    run = [
        *CONFINED,
        *("--memory", f"{function.memory_mb}m", "--cpus", f"{cpus:.3f}"),
        *(option for name, value in environment.items() for option in ("--env", f"{name}={value}")),
        *(image, function.command),
    ]
    started = subprocess.run(run, check=False, capture_output=True, text=True)
    container = started.stdout.strip()
    try:
        if started.returncode != 0:
            _failed(f"the container did not start: {started.stderr.strip()}", "")
        published = subprocess.run(["docker", "port", container, "8080/tcp"], check=True, capture_output=True, text=True).stdout
        running = Emulated(container, int(published.split()[0].rpartition(":")[2]), function.timeout_s)
        running.await_emulator()
        yield running
    finally:
        if container:
            subprocess.run(["docker", "rm", "--force", "--volumes", container], check=False, capture_output=True)


def processor_seconds(usage: str) -> float:
    """Return the seconds in a `USAGE` file: plain nanoseconds, or named microseconds."""
    microseconds = re.search(r"^usage_usec (\d+)$", usage, re.MULTILINE)
    return int(microseconds[1]) / 1e6 if microseconds else int(usage) / 1e9


def checked_answer(body: str | bytes, logs: str) -> Any:
    """Parse a function's response.

    Raises:
        EmbeddedAwsError: if it is an error, which the emulator returns like a result.
    """
    answer = json.loads(body or "null")
    if isinstance(answer, dict) and "errorType" in answer:
        _failed(f"{answer['errorType']}: {answer.get('errorMessage')}", logs)
    if isinstance(answer, dict) and REFUSED in answer:
        _failed(f"{answer[REFUSED]['error']}: {answer[REFUSED]['message']}", logs)
    return answer


def _failed(what: str, logs: str) -> NoReturn:
    message = f"{what}\n{logs}".strip()
    raise EmbeddedAwsError(message)
