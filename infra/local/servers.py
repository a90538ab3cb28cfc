"""The servers of an embedded AWS: ministack, MLflow, and the exposition.

Prometheus scrapes the exposition.

Each is given a socket that listens already, as its standard input. So a port is never chosen and then lost to another
process, and a client may connect at once: it waits in the socket's queue until the server accepts.
"""

import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from functions.shared.domain.document import Document, Value
from functions.shared.domain.errors import PortTakenError
from infra.places import CODE

APPLICATION = "infra.local.mended_ministack:ministack_application()"
HOST = "127.0.0.1"
STATE, OBJECTS = "state", "objects"
"""Folders in a stack's folder for ministack's state and for the buckets' objects."""
REGION = "us-east-1"
ACCOUNT = "000000000000"
SECRET = "embedded"  # noqa: S105 - the embedded AWS takes any

INHERITED = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "OMP_NUM_THREADS")
"""Environment variables that servers and functions inherit: none that could lead to a real account."""

PATIENCE_S = 5.0
"""How long a stopped stack waits for its port, which any program's connection may have for moments."""

DOCKER = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
"""Variables by which Docker's clients find its engine."""


class Server(Value):
    """A process to keep.

    It has a command, its whole environment, and the descriptor of its listening socket.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    socket: int


class Servers(Document):
    """The servers that a keeper runs."""

    servers: tuple[Server, ...]


def listening_socket(port: int | None = None) -> socket.socket:
    """Return a socket that listens on loopback, on `port` or on a free one.

    Raises:
        PortTakenError: if `port` is in use.
    """
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port or 0))
    except OSError as error:
        listener.close()
        message = f"port {port} is in use on this machine"
        raise PortTakenError(message, remedy="choose another with --port, or leave --port out for a free one") from error
    listener.listen(128)
    return listener


def socket_again(url: str, port: int | None) -> socket.socket:
    """Return a stopped stack's socket again, since queues' URLs hold its port.

    Raises:
        PortTakenError: if another port is asked for, or somebody else has this one.
    """
    before = urlsplit(url).port
    if port not in {None, before}:
        message = f"the stopped stack used port {before} and needs it again, not port {port}"
        raise PortTakenError(message, remedy="leave --port out")
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return listening_socket(before)
        except PortTakenError as error:
            if time.monotonic() > end:
                message = f"the stopped stack needs port {before}, which another program uses now"
                raise PortTakenError(message, remedy="end that program, then start the stack again") from error
            time.sleep(0.1)


def socket_like(url: str) -> socket.socket:
    """Return a socket at the port of a URL, or at a free one if that port is taken."""
    try:
        return listening_socket(urlsplit(url).port)
    except PortTakenError:
        return listening_socket()


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket, e.g. `http://127.0.0.1:40123`."""
    return "http://{}:{}".format(*listener.getsockname())


def ministack_server(folder: Path, python: Path, listener: socket.socket, *, containers: bool = False, iam: bool = False) -> Server:
    """Return ministack's server, with its state on disk at any moment.

    Functions run as children with `python`, or in containers. With `iam` it looks at signatures and policies.
    """
    if containers:
        docker = {"EVERSCORE_CONTAINERS": str(folder)} | {name: os.environ[name] for name in DOCKER if name in os.environ}
    else:
        docker = {"DOCKER_HOST": f"unix://{folder / 'no-docker'}"}
    return Server(
        name="ministack",
        command=(str(python), "-m", "hypercorn", APPLICATION, "--bind", "fd://0", "--workers", "0", "--keep-alive", "75"),
        environment=_environment(folder)
        | {
            "PYTHONPATH": str(_mends(folder)),
            "GATEWAY_PORT": str(listener.getsockname()[1]),
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folder / STATE),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folder / OBJECTS),
            # Neither is used here, and both would listen on every interface.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "AUTH": str(iam).lower(),
        }
        | docker,
        socket=listener.fileno(),
    )


def _mends(folder: Path) -> Path:
    """Make a folder from which ministack's interpreter can import `infra` alone.

    The packages next to the real one have other pins.
    """
    mends = folder / "mends"
    mends.mkdir(exist_ok=True)
    link = mends / "infra"
    if link.is_symlink() and link.readlink() != CODE / "infra":  # another checkout, or another installation, kept the stack
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(CODE / "infra")
    return mends


def mlflow_server(folder: Path, listener: socket.socket) -> Server:
    """Return MLflow's tracking server and registry, with artifacts in the folder."""
    return Server(
        name="mlflow",
        command=(
            *(sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", HOST),
            *("--port", str(listener.getsockname()[1]), "--uvicorn-opts", "--fd 0"),
            *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts")),
        ),
        environment=_environment(folder) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        socket=listener.fileno(),
    )


def bridge_server(name: str, folder: Path, listener: socket.socket, url: str) -> Server:
    """Return the forwarder from containers to a server on the loopback interface."""
    command = (sys.executable, "-m", "infra.local.bridge", url)
    return Server(name=name, command=command, environment=_environment(folder) | {"PYTHONPATH": str(CODE)}, socket=listener.fileno())


def exposition_server(folder: Path, listener: socket.socket, endpoint: str) -> Server:
    """Return the server that Prometheus scrapes, for the AWS at an endpoint."""
    return Server(
        name="exposition",
        command=(sys.executable, "-m", "infra.local.exposition", str(folder)),
        environment=_environment(folder)
        | {
            "PYTHONPATH": str(CODE),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
        },
        socket=listener.fileno(),
    )


def _environment(folder: Path) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "TZ": ":UTC", "NO_PROXY": HOST, "PYTHONUNBUFFERED": "1"}
