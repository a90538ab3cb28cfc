"""A real Prometheus for the length of a test, and its answers."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

ROOT = Path(__file__).parents[3]
START_S = 30

type Labels = frozenset[tuple[str, str]]


def binary(name: str) -> str:
    """Where `prometheus` or `promtool` is, on the PATH or where the install script puts it."""
    found = shutil.which(name) or shutil.which(name, path=str(ROOT / ".tools/prometheus/usr/bin"))
    assert found, f"{name} is missing: infra/prometheus/install.sh installs it"
    return found


def promtool(*arguments: str) -> None:
    """Run promtool; what it finds fault with fails the test."""
    done = subprocess.run([binary("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running server."""

    url: str

    @property
    def write_url(self) -> str:
        """Where it takes samples."""
        return f"{self.url}/api/v1/write"

    def query(self, promql: str, at: datetime | None = None) -> dict[Labels, float]:
        """What an instant query returns, by labels without the name."""
        parameters = {"query": promql} | ({"time": str(at.timestamp())} if at else {})
        answer = self.get(f"/api/v1/query?{urlencode(parameters)}")
        if answer["resultType"] == "scalar":
            return {frozenset(): float(answer["result"][1])}
        return {
            frozenset((name, value) for name, value in found["metric"].items() if name != "__name__"): float(found["value"][1])
            for found in answer["result"]
        }

    def value(self, promql: str, at: datetime | None = None) -> float:
        """The only value that a query returns."""
        [value] = self.query(promql, at).values()
        return value

    def get(self, path: str) -> Any:
        """The data of an answer of the server's API."""
        try:
            with urlopen(self.url + path, timeout=10) as response:
                return json.load(response)["data"]
        except HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            with urlopen(f"{self.url}/-/ready", timeout=1) as response:
                return bool(response.status == 200)
        except (URLError, ConnectionError, TimeoutError):
            return False


@contextmanager
def running_prometheus(folder: Path, configuration: Mapping[str, Any] | None = None) -> Iterator[Prometheus]:
    """A server that takes remote writes, with its data in a folder; JSON is YAML, so that is how it is configured."""
    config = folder / "prometheus.yml"
    config.write_text(json.dumps(configuration or {}))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        binary("prometheus"),
        *(f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"),
        *("--web.enable-remote-write-receiver", "--web.enable-lifecycle", "--log.level=warn"),
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    server = Prometheus(f"http://{address}")
    try:
        end = time.monotonic() + START_S
        while not server.ready():
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < end, f"Prometheus does not answer within {START_S} s"
            time.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.wait()
