"""Serve an embedded AWS's totals to Prometheus, read at each scrape."""

import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from functions.metric_emission.prometheus import families
from functions.shared.adapters.s3 import S3ObjectStore, s3_client
from functions.shared.domain import layout
from functions.shared.domain.totals import Totals
from functions.shared.repositories.documents import read_documents
from infra.local.folders import STACK
from infra.local.stacks import Stack

FORGOTTEN = timedelta(hours=3)
"""Age at which totals are dropped: not even the hourly tick updates them, so the model no longer serves."""


class StoredTotals(Collector):
    """Collects the series of the stack in a folder; none before it is up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Family]:
        """Yield all families, as remote write would send them now."""
        if not (self._folder / STACK).exists():
            return
        stack = Stack.from_json((self._folder / STACK).read_bytes())
        documents = read_documents(S3ObjectStore(s3_client(), stack.store), Totals, layout.TOTALS)
        fresh = (totals for totals in documents if datetime.now(UTC) - totals.told_at < FORGOTTEN)
        yield from families(fresh, stack=stack.name)


class _QuietHandler(WSGIRequestHandler):
    """A handler that does not log: scrapes come every few seconds."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Log nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """A server on a socket that listens already."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), _QuietHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = listener.getsockname()
        self.setup_environ()


def main() -> None:
    """Serve `/metrics` of a stack.

    The argument names its folder; the socket is standard input.
    """
    registry = CollectorRegistry()
    registry.register(StoredTotals(Path(sys.argv[1])))
    with _Server(socket.socket(fileno=0)) as server:
        server.set_app(make_wsgi_app(registry))
        server.serve_forever()


if __name__ == "__main__":
    main()
