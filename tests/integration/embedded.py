"""The embedded AWS alone, and processes that work off orders against it, as `forked` describes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from infra.local.ministack import ministack_python
from infra.local.servers import HOST, INHERITED, REGION, listening_socket, ministack_server, url_of
from infra.places import ROOT

INBOX, STORE, STACK = "everscore-inbox", "everscore-store", "kill"


@contextmanager
def embedded_aws(folder: Path) -> Iterator[str]:
    """Its endpoint."""
    (folder / "tmp").mkdir()
    with listening_socket() as listener, (folder / "ministack.log").open("wb") as log:
        server = ministack_server(folder, ministack_python(print), listener)
        process = subprocess.Popen(
            server.command, env=dict(server.environment), stdin=listener.fileno(), stdout=log, stderr=log, cwd=folder
        )
        try:
            yield url_of(listener)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def order_taker(function: str, aws: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A process with a function's environment."""
    environment = {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": aws,
        "NO_PROXY": HOST,
        "POWERTOOLS_SERVICE_NAME": function,
        "EVERSCORE_STACK": STACK,
        "EVERSCORE_INBOX": INBOX,
        "EVERSCORE_STORE": STORE,
        "PYTHONPATH": str(ROOT),
        # A process that forks must have no thread besides its own, not even a library's.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        **settings,
    }
    command = [sys.executable, "-W", "error:This process:DeprecationWarning", "-m", f"tests.integration.{function}_worker"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        with closing(worker.stdin):
            yield worker
