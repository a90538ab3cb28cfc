"""Start the embedded AWS: ministack, MLflow and the project's own template."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import EmbeddedAwsError, InputError
from infra.local.bridge import bridge_socket
from infra.local.deployment import Containers, deploy
from infra.local.folders import STACK, read_state, write_whole
from infra.local.image import IMAGE, require_image
from infra.local.mended_persistence import SAVE
from infra.local.ministack import ministack_python
from infra.local.scraping import write_configuration
from infra.local.servers import (
    ACCOUNT,
    OBJECTS,
    REGION,
    SECRET,
    STATE,
    Server,
    Servers,
    bridge_server,
    exposition_server,
    listening_socket,
    ministack_server,
    mlflow_server,
    socket_again,
    socket_like,
    url_of,
)
from infra.local.stack_containers import expect_containers, starts_containers
from infra.local.stacks import KEEPER, KEEPER_ARGUMENTS, Keeper, Stack, end_stack, remove_stack, state_folder
from infra.places import CODE, ROOT

ANSWER_S = 180
LOG_LINES = 15
FUNCTIONS = {
    "scoring": "ScoringFunction",
    "metric_emission": "MetricEmissionFunction",
    "retraining": "RetrainingFunction",
    "release": "ReleaseFunction",
    "notification": "NotificationFunction",
    "erasure": "ErasureFunction",
    "partitioning": "PartitioningFunction",
    "cataloguing": "CataloguingFunction",
}
AS_ON_AWS: Mapping[str, str] = {}
"""Parameters of the template: all at their defaults."""

type Progress = Callable[[str], None]


def quiet(_step: str) -> None:
    """Ignore progress."""


@contextmanager
def embedded_aws(
    name: str = "everscore",
    *,
    port: int | None = None,
    progress: Progress = quiet,
    parameters: Mapping[str, str] = AS_ON_AWS,
    root: Path = ROOT,
    containers: bool = False,
    await_mlflow: bool = True,
    kept: bool = False,
    iam: bool = False,
) -> Iterator[Stack]:
    """Run an embedded AWS while the block runs.

    It ends with this process in any case.

    Args:
        name: the stack's name; a number is added if it is taken.
        port: the port of its AWS endpoint (default: any free port).
        progress: called with each step, a phrase in the present tense.
        parameters: parameters of the template, e.g. `{"ScheduleState": "DISABLED"}`; MLflow's URI is set.
        root: the folder of the template and of the functions' code.
        containers: whether functions run in containers of the built image instead of local processes.
        await_mlflow: whether the block begins only when MLflow answers; otherwise its first clients wait.
        kept: whether its data stay for the next start of a kept stack of this name, instead of being removed.
        iam: whether each function may do only what its role allows, and other callers what their policies do.

    Raises:
        InvalidNameError: if a stack cannot have this name.
        PortTakenError: if `port`, or the one that a stopped stack had, is in use.
        EmbeddedAwsError: if it does not come up; its folder stays until the next start, for the logs.
    """
    with ExitStack() as undo:
        stack, _ = _start(name, port, progress, parameters, root, undo, containers=containers, kept=kept, iam=iam)
        undo.callback(stop_stack if kept else remove_stack, stack.folder)
        undo.callback(progress, "stopping the embedded AWS")
        if await_mlflow:
            _wait_for_mlflow(stack, progress)
        yield stack


def detached_aws(
    name: str = "everscore",
    *,
    port: int | None = None,
    progress: Progress = quiet,
    parameters: Mapping[str, str] = AS_ON_AWS,
    root: Path = ROOT,
    containers: bool = False,
) -> Stack:
    """Start an embedded AWS that runs until `stop_stack` or `remove_stack`.

    Arguments and errors are those of a kept `embedded_aws`.
    """
    with ExitStack() as undo:
        stack, tie = _start(name, port, progress, parameters, root, undo, containers=containers, kept=True)
        _wait_for_mlflow(stack, progress)
        tie.write(b"be free\n")
        tie.close()
        undo.pop_all()
    return stack


@dataclass(frozen=True, slots=True)
class _Addresses:
    """Addresses of a stack's servers: on this machine, and for its functions.

    Functions in containers reach MLflow and AWS by other addresses.
    """

    endpoint: str
    mlflow_uri: str
    metrics_url: str
    mlflow_inside: str
    containers: Containers | None = None


def _start(
    name: str,
    port: int | None,
    progress: Progress,
    parameters: Mapping[str, str],
    root: Path,
    undo: ExitStack,
    *,
    containers: bool,
    kept: bool,
    iam: bool = False,
) -> tuple[Stack, IO[bytes]]:
    """Start a stack that `undo` ends; the returned pipe ties it to this process."""
    python = ministack_python(progress)
    with state_folder(name, kept=kept) as folder:
        before = _stack_before(folder, name)
        if before is not None and containers and not starts_containers(folder):
            remedy = (
                f"`everscore local up --stack {name}` starts it as it is; `everscore local up --containers --stack OTHER` starts another"
            )
            raise InputError(f"stack {name} was made without containers", remedy=remedy, code="no_containers")
        progress("starting the embedded AWS and MLflow" if before is None else f"starting {name} again with its data")
        containers = containers if before is None else starts_containers(folder)
        addresses, tie = _start_servers(folder, python, before, port, undo, containers=containers, iam=iam)
    try:
        _wait_for_answer(f"{addresses.endpoint}/_ministack/health")
        progress("deploying template.yaml")
        given = {"MlflowTrackingUri": addresses.mlflow_inside, **parameters}
        outputs = _deploy(root, folder.name, addresses.endpoint, given, addresses.containers, again=before is not None)
        _wait_for_answer(addresses.endpoint + SAVE)
    except (OSError, HTTPException, BotoCoreError, ClientError, EmbeddedAwsError) as error:
        raise _not_up(folder, error) from error
    stack = Stack(
        name=folder.name,
        folder=folder,
        endpoint=addresses.endpoint,
        mlflow_uri=addresses.mlflow_uri,
        metrics_url=addresses.metrics_url,
        inbox=outputs["InboxBucket"],
        store=outputs["StoreBucket"],
        functions={function: outputs[output] for function, output in FUNCTIONS.items()},
        outputs=outputs,
    )
    write_configuration(folder, stack.metrics_url)
    write_whole(folder / STACK, stack.to_json())
    return stack, tie


def _stack_before(folder: Path, name: str) -> Stack | None:
    """Return the stopped stack whose data the folder holds, if there is one."""
    before = read_state(folder / STACK, Stack)
    if before is not None and not (folder / STATE).is_dir():
        message = f"stack {name} was made by an earlier Everscore, which kept its objects only: they are in {folder / OBJECTS}"
        remedy = f"`everscore local down --stack {name}` removes it; `everscore local up --stack OTHER` starts another"
        raise InputError(message, remedy=remedy, code="earlier_stack")
    return before


def _start_servers(
    folder: Path, python: Path, before: Stack | None, port: int | None, undo: ExitStack, *, containers: bool, iam: bool
) -> tuple[_Addresses, IO[bytes]]:
    """Start the servers on listening sockets; return their addresses and their tie."""
    if containers:
        require_image()
    with ExitStack() as sockets:
        aws = sockets.enter_context(listening_socket(port) if before is None else socket_again(before.endpoint, port))
        mlflow = sockets.enter_context(listening_socket() if before is None else socket_like(before.mlflow_uri))
        exposition = sockets.enter_context(listening_socket() if before is None else socket_like(before.metrics_url))
        addresses = _Addresses(url_of(aws), url_of(mlflow), f"{url_of(exposition)}/metrics", mlflow_inside=url_of(mlflow))
        servers = [
            ministack_server(folder, python, aws, containers=containers, iam=iam),
            mlflow_server(folder, mlflow),
            exposition_server(folder, exposition, addresses.endpoint),
        ]
        if containers:
            expect_containers(folder)
            aws_bridge, mlflow_bridge = sockets.enter_context(bridge_socket()), sockets.enter_context(bridge_socket())
            servers += [bridge_server("bridge-aws", folder, aws_bridge, addresses.endpoint)]
            servers += [bridge_server("bridge-mlflow", folder, mlflow_bridge, addresses.mlflow_uri)]
            inside = Containers(IMAGE, url_of(aws_bridge))
            addresses = replace(addresses, mlflow_inside=url_of(mlflow_bridge), containers=inside)
        return addresses, _start_keeper(folder, servers, undo)


def stop_stack(folder: Path) -> None:
    """End a stack and keep its folder for the next start; do nothing if it has ended."""
    stack = read_state(folder / STACK, Stack)
    if stack is not None:
        with suppress(OSError, HTTPException, EmbeddedAwsError):  # otherwise as after a crash, without logs and metrics of a minute
            _wait_for_answer(stack.endpoint + SAVE)
    end_stack(folder)


def _start_keeper(folder: Path, servers: Sequence[Server], undo: ExitStack) -> IO[bytes]:
    (folder / "servers.json").write_bytes(Servers(servers=tuple(servers)).to_json())
    end, tie = os.pipe()
    with os.fdopen(end) as standard_input, (folder / "keeper.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *KEEPER_ARGUMENTS, str(folder)],
            cwd=CODE,
            stdin=standard_input,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[server.socket for server in servers],
        )
    keeper = Keeper(pid=process.pid, started=psutil.Process(process.pid).create_time())
    undo.callback(process.wait)
    undo.callback(keeper.kill)
    write_whole(folder / KEEPER, keeper.to_json())
    return undo.enter_context(os.fdopen(tie, "wb"))


def _wait_for_mlflow(stack: Stack, progress: Progress) -> None:
    progress("waiting for MLflow")
    try:
        _wait_for_answer(f"{stack.mlflow_uri}/health")
    except (OSError, HTTPException, EmbeddedAwsError) as error:
        raise _not_up(stack.folder, error) from error


def _not_up(folder: Path, error: Exception) -> EmbeddedAwsError:
    return EmbeddedAwsError(f"the embedded AWS did not come up: {error}\n{logs_of(folder)}")


def _wait_for_answer(url: str) -> None:
    """Send one request, which waits until the server behind the socket is up."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=ANSWER_S)
    try:
        connection.request("GET", address.path)
        if (status := connection.getresponse().status) != 200:
            message = f"{url} answered {status}"
            raise EmbeddedAwsError(message)
    finally:
        connection.close()


def _deploy(
    root: Path, stack_name: str, endpoint: str, parameters: Mapping[str, str], containers: Containers | None, *, again: bool
) -> dict[str, str]:
    session = boto3.Session(aws_access_key_id=ACCOUNT, aws_secret_access_key=SECRET, region_name=REGION)
    direct = Config(proxies={})
    return deploy(
        root,
        stack_name,
        parameters,
        containers=containers,
        again=again,
        s3=session.client("s3", endpoint_url=endpoint, config=direct),
        cloudformation=session.client("cloudformation", endpoint_url=endpoint, config=direct),
    )


def logs_of(folder: Path) -> str:
    """Return the end of each log in a stack's folder, under its path."""
    logs = [(path, path.read_text(errors="replace").splitlines()[-LOG_LINES:]) for path in sorted(folder.glob("*.log"))]
    return "\n".join(f"{path}:\n" + "\n".join(f"  {line}" for line in lines) for path, lines in logs if lines)
