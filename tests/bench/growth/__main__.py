"""How measuring grows with a model's history and with the number of models; written into docs/scale.md.

    python -m tests.bench.growth [--only TABLE] [--batches 100 1000 10000] [--models 1 10 100 1000] [--files 1000 10000]

Buckets are in memory and count the requests that S3 would get; seconds are those of a processor. A batch has one row.
"""

import argparse
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from time import process_time

from infra.local.transformation import read_template
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.growth.burst import Burst
from tests.bench.growth.fleet import Fleet
from tests.bench.growth.history import OFTEN, OVER_DAYS, TIMES, History
from tests.bench.growth.labelled import Labelled
from tests.bench.scoring.processes import machine

HEADER = "processor seconds / requests to S3"
SOME = 100
ROOT = Path(__file__).parents[3]
PAGE, TEMPLATE = ROOT / "docs" / "scale.md", ROOT / "template.yaml"
SPREADS: dict[str, Callable[[int], date]] = {
    f"over {OVER_DAYS} days": lambda number: History.LAST - timedelta(days=number % OVER_DAYS),
    "in one day": lambda _: History.LAST,
}


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--models", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--before", type=int, nargs="+", default=[100, 100_000])
    parser.add_argument("--label-files", type=int, nargs="+", default=[1, 10, 30, 100])
    tables = {
        "history": lambda: _history(options.batches),
        "fleet": lambda: _fleet(options.models),
        "burst": lambda: _burst(options.files),
        "after": lambda: _after(options.before),
        "labelled": lambda: _labelled(options.label_files),
    }
    parser.add_argument("--only", choices=list(tables))
    options = parser.parse_args()
    for name in [options.only] if options.only else tables:
        replace_measured(PAGE, name, f"{tables[name]()}\n\n{_source()}")


def _history(sizes: list[int]) -> str:
    columns, header = [], [HEADER]
    for name, spread in SPREADS.items():
        for batches in sizes:
            history = History(batches, spread)
            header.append(f"{batches:,} batches {name}")
            columns.append({what: _timed(history.requests, act, TIMES if what in OFTEN else 1) for what, act in history.acts()})
    return markdown_table(header, [[what, *(column[what] for column in columns)] for what in columns[0]])


def _fleet(sizes: list[int]) -> str:
    columns = []
    for models in sizes:
        fleet = Fleet(models)
        columns.append({what: _timed(fleet.requests, act) for what, act in fleet.acts()})
    header = [HEADER, *(f"{models:,} models" for models in sizes)]
    return markdown_table(header, [[what, *(column[what] for column in columns)] for what in columns[0]])


def _burst(sizes: list[int]) -> str:
    return _bursts({f"{files:,} files of one row": (files, 0) for files in sizes})


def _after(sizes: list[int]) -> str:
    return _bursts({f"{SOME} files of one row after {before:,}": (SOME, before) for before in sizes})


def _bursts(wanted: Mapping[str, tuple[int, int]]) -> str:
    """What scoring and measuring take, and how many times as long measuring takes with as many functions as the template has for each."""
    columns: list[dict[str, str]] = []
    parameters = read_template(TEMPLATE.read_text())["Parameters"]
    scoring, measuring = (parameters[name]["Default"] for name in ("ScoringConcurrency", "MetricEmissionConcurrency"))
    for files, before in wanted.values():
        burst, took = Burst(files, before=before), []
        column = {}
        for what, act in burst.acts():
            asked, began = burst.requests(), process_time()
            act()
            took.append((process_time() - began, burst.requests() - asked))
            column[what] = "{:.3f} / {:,}".format(*took[-1])
        ratios = [measured / measuring / (scored / scoring) for scored, measured in zip(*took, strict=True)]
        column[f"measuring by {measuring} functions, times scoring by {scoring}"] = "{:.2f} / {:.2f}".format(*ratios)
        columns.append(column)
    return markdown_table([HEADER, *wanted], [[what, *(column[what] for column in columns)] for what in columns[0]])


def _labelled(sizes: list[int]) -> str:
    columns = []
    for files in sizes:
        labelled = Labelled(files)
        columns.append({what: _timed(labelled.requests, act) for what, act in labelled.acts()})
    header = [HEADER, *(f"after {files:,}" for files in sizes)]
    return markdown_table(header, [[what, *(column[what] for column in columns)] for what in columns[0]])


def _timed(requests: Callable[[], int], act: Callable[[], object], times: int = 1) -> str:
    before, began = requests(), process_time()
    for _ in range(times):
        act()
    asked = (requests() - before) / times
    return f"{(process_time() - began) / times:.3f} / {asked:,.{0 if asked.is_integer() else 1}f}"


def _source() -> str:
    return f"`python -m tests.bench.growth`, {machine()}."


if __name__ == "__main__":
    main()
