"""Bring a year of batches into a table, and write to docs/tables.md what commits and queries read then: python -m tests.bench.tables."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pyarrow as pa

from functions.cataloguing.service import catalogue
from functions.cataloguing.upkeep import compare
from functions.shared.repositories.manifests import Manifests
from infra.cost.speed import TableSeconds
from infra.places import ROOT
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.figures import record
from tests.bench.scoring.processes import machine
from tests.integration.cataloguing.world import ARRIVED, World, days_of

MODEL, ROWS = "m", 100
DAYS_A_COMMIT = 5
COMMITS = 12
LATENCY_S = 0.02
"""Of each answer of S3 and of AWS Glue. An assumption."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What bringing one new batch into the tables took."""

    seconds: float
    reads: int
    kilobytes: float
    writes: int


class Counted:
    """Counts what is asked of a store."""

    def __init__(self, world: World) -> None:
        self.reads = self.bytes = self.writes = 0
        read, write = world.store.read, world.store.write
        world.store.read = self._reading(read)  # type: ignore[method-assign]
        world.store.write = self._writing(write)  # type: ignore[method-assign]

    def _reading(self, read: Callable[..., bytes]) -> Callable[..., bytes]:
        def counted(*args: Any) -> bytes:
            body = read(*args)
            self.reads += 1
            self.bytes += len(body)
            return body

        return counted

    def _writing(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any) -> Any:
            self.writes += 1
            return write(*args)

        return counted


def rows_of(day: int, batch: int) -> pa.Table:
    """Rows whose time lies within the day before they arrive."""
    rng = np.random.default_rng(day * 1000 + batch)
    end = ARRIVED + timedelta(days=day)
    times = sorted(end - timedelta(seconds=float(second)) for second in rng.uniform(0, 86400, ROWS))
    return pa.table(
        {
            "id": [f"{day}-{batch}-{number}" for number in range(ROWS)],
            "at": pa.array(times, pa.timestamp("us", "UTC")),
            **{f"feature_{number}": rng.normal(size=ROWS) for number in range(10)},
            "score": rng.uniform(size=ROWS),
        }
    )


def one_more(world: World, counted: Counted, day: int, number: int) -> Commit:
    """Score one more batch on a day, and bring it into the tables."""
    batch = world.scored(f"more-{number}.csv", rows_of(day, 900 + number), arrived=ARRIVED + timedelta(days=day))
    counted.reads = counted.bytes = counted.writes = 0
    begun = perf_counter()
    catalogue(MODEL, days_of(batch), world.ports)
    return Commit(perf_counter() - begun, counted.reads, counted.bytes / 1000, counted.writes)


def after(name: str, commits: list[Commit]) -> list[str]:
    middle = {of: median(getattr(commit, of) for commit in commits) for of in ("seconds", "reads", "kilobytes", "writes")}
    return [name, f"{middle['seconds']:.2f}", f"{middle['reads']:.0f}", f"{middle['kilobytes']:,.0f}", f"{middle['writes']:.0f}"]


def share_of_a_day(world: World, day: int) -> float:
    """Bytes of the files that a query of one event day reads, as a share of all."""
    table = world.catalogue.load_table(("everscore", f"{MODEL}_scored"))
    midnight = (ARRIVED + timedelta(days=day)).replace(hour=0)
    period = f"at >= '{midnight.isoformat()}' and at < '{(midnight + timedelta(days=1)).isoformat()}'"
    of_day, of_all = (sum(task.file.file_size_in_bytes for task in scan.plan_files()) for scan in (table.scan(period), table.scan()))
    return of_day / of_all


def fill(world: World, days: int, batches: int) -> Iterator[int]:
    for some in batched(range(days), DAYS_A_COMMIT, strict=False):
        committed = [
            world.scored(f"{day}-{number}.csv", rows_of(day, number), arrived=ARRIVED + timedelta(days=day))
            for day in some
            for number in range(batches)
        ]
        catalogue(MODEL, days_of(*committed), world.ports)
        yield some[-1]


def slowed(act: Callable[..., Any]) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        sleep(LATENCY_S)
        return act(*args, **kwargs)

    return late


def slow_down(world: World) -> None:
    """Have store and catalogue answer as late as S3 and AWS Glue."""
    for name in ("read", "list", "open", "write", "delete", "info", "read_tagged", "folders"):
        setattr(world.store, name, slowed(getattr(world.store, name)))
    for name in ("load_table", "table_exists", "commit_table"):
        setattr(world.catalogue, name, slowed(getattr(world.catalogue, name)))


def timed(act: Callable[[], object]) -> float:
    begun = perf_counter()
    act()
    return perf_counter() - begun


def loaded_s() -> float:
    """Processor seconds of a fresh interpreter until the function has its ports."""
    code = "from functions.cataloguing import delivery, handler, upkeep; handler.ports()"
    settings = {f"EVERSCORE_{name}": "x" for name in ("STACK", "INBOX", "STORE")} | {"AWS_DEFAULT_REGION": "eu-central-1"}
    before = getrusage(RUSAGE_CHILDREN)
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, **settings})
    after = getrusage(RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 3


def charged(world: World, counted: Counted, day: int) -> TableSeconds:
    """Seconds that Lambda charges, with answers as late as S3's."""
    slow_down(world)
    commits = [one_more(world, counted, day, COMMITS + number).seconds for number in range(COMMITS)]
    compared = timed(lambda: compare(world.ports, ARRIVED + timedelta(days=day)))
    return TableSeconds(
        date=f"{datetime.now(UTC):%Y-%m-%d}", machine=machine(), start_s=loaded_s(), commit_s=median(commits), compare_s=compared
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--batches", type=int, default=100)
    options = parser.parse_args()
    with TemporaryDirectory() as folder, closing(World(Path(folder))) as world:
        counted = Counted(world)
        new = [one_more(world, counted, 0, number) for number in range(COMMITS)]
        for day in fill(world, options.days, options.batches):
            print(f"day {day + 1} of {options.days}", file=sys.stderr, flush=True)
        full = [one_more(world, counted, options.days, number) for number in range(COMMITS)]
        share = share_of_a_day(world, options.days // 2)
        seconds = charged(world, counted, options.days)
        files = len(world.tables.open(MODEL, "scored").files(Manifests(world.store).days(MODEL)))
    header = ["table of scored rows", "seconds per commit", "objects read", "kB read", "objects written"]
    rows = [after("new", new), after(f"with {files:,} files of {options.days} days", full)]
    said = (
        f"Medians of {COMMITS} commits of one batch each, {datetime.now(UTC):%Y-%m-%d}, {machine()}; the files lie on disk, so that S3's answers"
        f" come on top.\nA query of one event day reads {share:.2%} of the bytes of a table of {options.days} days with {options.batches} batches each."
    )
    replace_measured(ROOT / "docs/tables.md", "tables", f"{markdown_table(header, rows)}\n\n{said}")
    record(tables=seconds)


if __name__ == "__main__":
    main()
