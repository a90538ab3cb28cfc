"""Run a stack's functions with `sam local`, the usual way to try an image."""

import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from functions.shared.domain.errors import EmbeddedAwsError
from infra.local.containers import ContainerFunction, checked_answer
from infra.local.servers import HOST, listening_socket
from infra.local.transformation import Template, read_template
from infra.places import ROOT

SAM = ROOT / ".sam" / "bin" / "sam"
INVOKE = (str(SAM), "local", "invoke", "--template", "template.json", "--event", "event.json", "--skip-pull-image")
START_LAMBDA = (str(SAM), "local", "start-lambda", "--template", "template.json", "--skip-pull-image")
SERVING_S = 60.0
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
"""The template from `sam build`, in which functions name their image."""


def sam_invoke(functions: Mapping[str, ContainerFunction], function: str, event: Mapping[str, Any]) -> Any:
    """Invoke a function of the built template with an event; return its result.

    Raises:
        EmbeddedAwsError: if the image is not built or the function raised, with what it logged.
    """
    template = _built(functions)
    with _folder_of(template) as folder:
        (folder / "event.json").write_text(json.dumps(event))
        done = subprocess.run(
            [*INVOKE, logical_id(template, functions[function]), *_region(functions)],
            cwd=folder,
            env=_environment(functions),
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        message = f"sam local invoke failed:\n{done.stderr.strip()}"
        raise EmbeddedAwsError(message)
    return checked_answer(done.stdout, done.stderr)


@contextmanager
def sam_serving(functions: Mapping[str, ContainerFunction]) -> Iterator[str]:
    """Yield the URL of `sam local start-lambda` for these functions, by logical id.

    Raises:
        EmbeddedAwsError: if the image is not built, or SAM does not serve.
    """
    with listening_socket() as free:
        port = free.getsockname()[1]
    with _folder_of(_built(functions)) as folder, (folder / "sam.log").open("w+") as log:
        process = subprocess.Popen(
            [*START_LAMBDA, "--host", HOST, "--port", str(port), *_region(functions)],
            cwd=folder,
            env=_environment(functions),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _await_port(port, process, folder / "sam.log")
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait()


def _built(functions: Mapping[str, ContainerFunction]) -> Template:
    if not BUILT.exists():
        message = "the image is not built: `make build` does it"
        raise EmbeddedAwsError(message)
    return with_environments(read_template(BUILT.read_text()), functions)


@contextmanager
def _folder_of(template: Template) -> Iterator[Path]:
    """Yield a folder for SAM to work in, with the template."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "template.json").write_text(json.dumps(template))
        yield folder


def _environment(functions: Mapping[str, ContainerFunction]) -> Mapping[str, str]:
    """Return what SAM itself needs; of the embedded AWS each function knows the same.

    SAM gives a variable of the shell precedence over a template's, so those that a function declares are left out.
    """
    declared = {name for function in functions.values() for name in function.environment}
    kept = {name: value for name, value in os.environ.items() if name not in declared}
    return {**kept, **functions["scoring"].environment, "SAM_CLI_TELEMETRY": "0"}


def _region(functions: Mapping[str, ContainerFunction]) -> tuple[str, str]:
    return "--region", functions["scoring"].environment["AWS_DEFAULT_REGION"]


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SERVING_S
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError), socket.create_connection((HOST, port)):
            return
        time.sleep(0.05)
    message = f"sam local start-lambda does not serve:\n{log.read_text().strip()}"
    raise EmbeddedAwsError(message)


def with_environments(template: Template, functions: Mapping[str, ContainerFunction]) -> Template:
    """Return the template with each function's environment as in `functions`.

    SAM passes on only variables that the template declares.
    """
    resources = dict(template["Resources"])
    for function in functions.values():
        name = logical_id(template, function)
        properties = resources[name]["Properties"] | {"Environment": {"Variables": dict(function.environment)}}
        resources[name] = resources[name] | {"Properties": properties}
    return template | {"Resources": resources}


def logical_id(template: Template, function: ContainerFunction) -> str:
    """Return what the template calls the function with this command."""
    resources: Mapping[str, Any] = template["Resources"]
    commands = {name: resource["Properties"].get("ImageConfig", {}).get("Command") for name, resource in resources.items()}
    [name] = [name for name, command in commands.items() if command == [function.command]]
    return name
