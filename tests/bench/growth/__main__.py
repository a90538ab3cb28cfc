"""How measuring grows with a model's history and with the number of models; written into docs/scale.md.

    python -m tests.bench.growth [--batches 100 1000 10000] [--models 1 10 100 1000] [--files 1000]

Buckets are in memory and count the requests that S3 would get; seconds are those of the functions' own work. A batch has one row.
"""

import argparse
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.growth.burst import Burst
from tests.bench.growth.fleet import Fleet
from tests.bench.growth.history import OVER_DAYS, History
from tests.bench.scoring.processes import machine

PAGE = Path(__file__).parents[3] / "docs" / "scale.md"
SPREADS: dict[str, Callable[[int], date]] = {
    f"over {OVER_DAYS} days": lambda number: History.LAST - timedelta(days=number % OVER_DAYS),
    "in one day": lambda _: History.LAST,
}


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--models", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--files", type=int, nargs="+", default=[1000])
    options = parser.parse_args()
    replace_measured(PAGE, "history", f"{_history(options.batches)}\n\n{_source()}")
    replace_measured(PAGE, "fleet", f"{_fleet(options.models)}\n\n{_source()}")
    replace_measured(PAGE, "burst", f"{_burst(options.files)}\n\n{_source()}")


def _history(sizes: list[int]) -> str:
    columns, header = [], ["seconds / requests to S3"]
    for name, spread in SPREADS.items():
        for batches in sizes:
            history = History(batches, spread)
            header.append(f"{batches:,} batches {name}")
            columns.append({what: _timed(history.requests, act) for what, act in history.acts()})
    return markdown_table(header, [[what, *(column[what] for column in columns)] for what in columns[0]])


def _fleet(sizes: list[int]) -> str:
    columns = []
    for models in sizes:
        fleet = Fleet(models)
        columns.append({what: _timed(fleet.requests, act) for what, act in fleet.acts()})
    header = ["seconds / requests to S3", *(f"{models:,} models" for models in sizes)]
    return markdown_table(header, [[what, *(column[what] for column in columns)] for what in columns[0]])


def _burst(sizes: list[int]) -> str:
    columns = []
    for files in sizes:
        burst = Burst(files)
        columns.append({what: _timed(burst.requests, act) for what, act in burst.acts()})
    header = ["seconds / requests to S3", *(f"{files:,} files of one row" for files in sizes)]
    return markdown_table(header, [[what, *(column[what] for column in columns)] for what in columns[0]])


def _timed(requests: Callable[[], int], act: Callable[[], object]) -> str:
    before, began = requests(), perf_counter()
    act()
    return f"{perf_counter() - began:.3f} / {requests() - before:,}"


def _source() -> str:
    return f"`python -m tests.bench.growth`, {machine()}."


if __name__ == "__main__":
    main()
