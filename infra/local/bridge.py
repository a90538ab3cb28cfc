"""A way for containers to servers that listen on this machine's loopback interface only.

Docker's bridge is an interface of this machine that containers see and other machines don't. A forwarder listens there and
passes every connection on, so that the servers themselves stay where they are.
"""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit

import psutil

from functions.shared.domain.errors import EmbeddedAwsError

CHUNK_BYTES = 1 << 16


@contextmanager
def bridged(url: str) -> Iterator[str]:
    """The URL by which containers reach a local server, e.g. `http://172.17.0.1:40123`, while the block runs.

    Raises:
        EmbeddedAwsError: if Docker's bridge is not an interface of this machine.
    """
    address = urlsplit(url)
    assert address.hostname is not None
    assert address.port is not None
    server = _Forwarder((_bridge_address(), 0), (address.hostname, address.port))
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield "http://{}:{}".format(*server.server_address)
        finally:
            server.shutdown()


def _bridge_address() -> str:
    """Address of this machine on Docker's default network."""
    name = '{{index .Options "com.docker.network.bridge.name"}}'
    inspect = ["docker", "network", "inspect", "bridge", "--format", name]
    bridge = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    addresses = [address.address for address in psutil.net_if_addrs().get(bridge, []) if address.family is socket.AF_INET]
    if not addresses:
        message = f"containers cannot reach this machine: it has no interface {bridge!r}, which Docker's engine makes on Linux"
        raise EmbeddedAwsError(message)
    return addresses[0]


class _Forwarder(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listen: tuple[str, int], target: tuple[str, int]) -> None:
        self.target = target
        super().__init__(listen, _Connection)


class _Connection(BaseRequestHandler):
    server: _Forwarder

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as target:
            answers = Thread(target=_pour, args=(target, self.request), daemon=True)
            answers.start()
            _pour(self.request, target)
            answers.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    """Pass on all that comes, and then the end of it. A connection that breaks on one side is closed on the other."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
