"""Let containers reach servers that listen only on this machine's loopback.

Docker's bridge is an interface of this machine that containers see and other machines don't. A forwarder listens there and
passes every connection on, so that the servers themselves stay where they are.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit

import psutil

from functions.shared.domain.errors import EmbeddedAwsError
from infra.local.servers import url_of

CHUNK_BYTES = 1 << 16


@contextmanager
def bridged(url: str) -> Iterator[str]:
    """Yield a URL at which containers reach a local server while the block runs.

    An example is `http://172.17.0.1:40123`.

    Raises:
        EmbeddedAwsError: if Docker's bridge is not an interface of this machine.
    """
    with bridge_socket() as listener, _Forwarder(listener, url) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield url_of(listener)
        finally:
            server.shutdown()


def bridge_socket() -> socket.socket:
    """Return a socket that listens where containers can reach it, on a free port.

    Raises:
        EmbeddedAwsError: if Docker's bridge is not an interface of this machine.
    """
    listener = socket.create_server((bridge_address(), 0), backlog=128)
    listener.set_inheritable(True)
    return listener


def bridge_address() -> str:
    """Return the address of this machine on Docker's default network.

    Raises:
        EmbeddedAwsError: if Docker's bridge is not an interface of this machine.
    """
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

    def __init__(self, listener: socket.socket, url: str) -> None:
        target = urlsplit(url)
        assert target.hostname is not None
        assert target.port is not None
        self.target = target.hostname, target.port
        super().__init__(listener.getsockname(), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listener.dup()


class _Connection(BaseRequestHandler):
    server: _Forwarder

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as target:
            answers = Thread(target=_pour, args=(target, self.request), daemon=True)
            answers.start()
            _pour(self.request, target)
            answers.join()


def _pour(source: socket.socket, sink: socket.socket) -> None:
    """Pass on all data, then the end. If one side breaks, close the other."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def main() -> None:
    """Pass connections on to a server, until killed.

    They come to the socket on standard input; the argument is the server's URL.
    """
    with socket.socket(fileno=sys.stdin.fileno()) as listener, _Forwarder(listener, sys.argv[1]) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
