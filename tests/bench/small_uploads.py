"""Bring 10,000 small uploads into a table, and write to docs/tables.md what commits, queries and sweeps take: python -m tests.bench.small_uploads.

Every request of the tables' reader, and of a sweep, waits as for S3.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from threading import Thread
from time import sleep
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from functions.cataloguing.service import catalogue
from functions.cataloguing.upkeep import compare, sweep
from functions.shared.domain.manifest import StoredFile
from infra.cli.sql import READS_AT_ONCE
from infra.places import ROOT
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.scoring.processes import machine
from tests.bench.tables import LATENCY_S, loaded_s, rows_of, slow_down, timed
from tests.integration.cataloguing.world import ARRIVED, World, days_of

DELIVERIES, DAYS, KINDS = 10, 100, 50


class Slow(SimpleHTTPRequestHandler):
    """Files over HTTP, in ranges, each answer as late as S3's, and counted."""

    protocol_version = "HTTP/1.1"
    answered = 0

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        Slow.answered += 1
        sleep(LATENCY_S)
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        size = path.stat().st_size
        first, last = 0, size - 1
        if wanted := self.headers.get("Range"):
            begin, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(begin or size - int(end)), min(int(end), last) if begin and end else last
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if body:
            with path.open("rb") as file:
                file.seek(first)
                self.wfile.write(file.read(last - first + 1))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Where the files of a folder are served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@cache
def some_rows(day: int, kind: int) -> pa.Table:
    return rows_of(day, kind)


class Quick(World):
    """Writes the same rows as a file once."""

    def __init__(self, folder: Path, root: str) -> None:
        super().__init__(folder, root)
        self._bodies: dict[int, bytes] = {}

    def stored(self, key: str, table: pa.Table) -> StoredFile:
        if id(table) not in self._bodies:
            sink = io.BytesIO()
            pq.write_table(table, sink, write_statistics=["at"])
            self._bodies[id(table)] = sink.getvalue()
        body = self._bodies[id(table)]
        self.store.write(key, body)
        return StoredFile(key=key, rows=table.num_rows, bytes=len(body), sha256="")


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def uploads(world: World, model: str, wanted: int, days: int) -> list[float]:
    """Seconds of each commit, a delivery of manifests at a time."""
    seconds = []
    delivered = wanted // DELIVERIES
    for first in range(0, wanted, delivered):
        batches = [
            world.scored(f"{n}.csv", some_rows(n % days, n % KINDS), model=model, arrived=ARRIVED + timedelta(days=n % days))
            for n in range(first, first + delivered)
        ]
        seconds.append(timed(partial(catalogue, model, days_of(*batches), world.ports)))
        say(f"{model}: {first + len(batches)} uploads, {seconds[-1]:.1f} s")
    return seconds


def one_file_a_day(world: World, model: str, wanted: int, days: int) -> None:
    """The same rows as compaction would leave them."""
    for day in range(days):
        table = pa.concat_tables(some_rows(day, n % KINDS) for n in range(day, wanted, days))
        batch = world.scored(f"{day}.csv", table, model=model, arrived=ARRIVED + timedelta(days=day))
        catalogue(model, days_of(batch), world.ports)


def asked(world: World, model: str, day: int) -> tuple[float, float]:
    """Seconds and requests of a query of one day: means of two."""
    midnight = (ARRIVED + timedelta(days=day)).replace(hour=0)
    period = f"\"at\" >= '{midnight.isoformat()}' AND \"at\" < '{(midnight + timedelta(days=1)).isoformat()}'"
    found = []
    world.set("threads", READS_AT_ONCE)
    world.set("enable_external_file_cache", value=False)
    for _ in range(2):
        before = Slow.answered
        seconds = timed(partial(world.query, f"SELECT count(*), avg(score) FROM {model}_scored WHERE {period}", f"{model}_scored"))
        found.append((seconds, float(Slow.answered - before)))
    return mean(seconds for seconds, _ in found), mean(requests for _, requests in found)


def clocks(folder: Path, models: int) -> tuple[float, float]:
    """Seconds of an hourly comparison and of a nightly sweep of many models, none of which changed."""
    with closing(World(folder)) as world:
        for number in range(models):
            model = f"m{number}"
            for arrived in (ARRIVED, ARRIVED - timedelta(days=9)):
                catalogue(model, days_of(world.scored(f"{arrived.day}.csv", rows_of(0, number), model=model, arrived=arrived)), world.ports)
        slow_down(world)
        return timed(partial(compare, world.ports, ARRIVED)), timed(partial(sweep, world.ports, ARRIVED + timedelta(days=1)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=100)
    options = parser.parse_args()
    rows = []
    for days, name in ((1, "in a day"), (DAYS, f"on {DAYS} days")):
        with TemporaryDirectory() as folder, served(Path(folder)) as root, closing(Quick(Path(folder), root)) as world:
            commits = uploads(world, "small", options.uploads, days)
            one_file_a_day(world, "large", options.uploads, days)
            small, large = asked(world, "small", days // 2), asked(world, "large", days // 2)
        say(f"{name}: {commits} {small} {large}")
        rows.append(
            [
                f"{options.uploads:,} {name}",
                f"{len(commits)}",
                f"{commits[0]:.1f} to {commits[-1]:.1f}",
                f"{small[0]:.1f} s, {small[1]:,.0f} requests",
                f"{large[0]:.1f} s, {large[1]:,.0f} requests",
            ]
        )
    with TemporaryDirectory() as folder:
        hourly, nightly = clocks(Path(folder), options.models)
    header = ["uploads of 100 rows", "commits", "seconds per commit, first to last", "query of a day", "the same, were each day one file"]
    said = (
        f"{options.uploads // DELIVERIES:,} manifests per delivery; DuckDB asks over HTTP, where each answer takes {LATENCY_S * 1000:.0f} ms more. With the same delay per"
        f" request of the store,\nthe hourly comparison of {options.models} models takes {hourly:.0f} s, and their nightly sweep {nightly:.0f} s. The function is loaded in {loaded_s():.1f} s of processor time."
        f" Measured {datetime.now(UTC):%Y-%m-%d}, {machine()}."
    )
    replace_measured(ROOT / "docs/tables.md", "small uploads", f"{markdown_table(header, rows)}\n\n{said}")


if __name__ == "__main__":
    main()
