"""Upload a million rows to the embedded AWS, and write to docs/tables.md when SQL answers over them: python -m tests.bench.queryable.

The template is at its defaults, but for its clocks, which rest. The embedded AWS hands manifests on at once, where AWS gathers them first; so
the template's window is added to what was measured.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import BytesIO
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError
from functions.shared.repositories.releases import Releases
from infra.cli.operator import Operator, embedded, wait_for
from infra.cli.sql import ask
from infra.demo import flights
from infra.demo.flights import MODEL
from infra.local.embedded import embedded_aws
from infra.local.transformation import read_template
from infra.places import ROOT
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.scoring.processes import machine

MILLION, LIMIT_S, PATIENCE_S = 1_000_000, 90, 300
TRAINING_DAYS = (date(2013, 1, 1), date(2013, 1, 21))


@dataclass(frozen=True, slots=True)
class Way:
    """Seconds of a file's way: to its manifest, and from there into an answer."""

    scored_s: float
    shown_s: float


def train(operator: Operator) -> None:
    """Have a first version of the demo's model serve."""
    body = BytesIO()
    flights.between(flights.departures(), *TRAINING_DAYS).to_parquet(body, index=False)
    uploaded = operator.upload(layout.in_inbox(layout.TRAINING, MODEL, "january.parquet"), body.getvalue())
    request = {"action": "train", "model": MODEL, "key": uploaded.key, "version_id": uploaded.version_id}
    columns = {"target": flights.TARGET, "id_column": flights.ID, "time_column": flights.TIME}
    operator.ask("Retraining", request | columns)
    wait_for(lambda: Releases(operator.store).current(MODEL), PATIENCE_S, "release of version 1")


def drawn(rows: int) -> bytes:
    """That many flights of the demo's, drawn with replacement, each with an id of its own, as CSV."""
    known = flights.departures().drop(columns=flights.TARGET)
    some = known.iloc[np.random.default_rng(2013).integers(0, len(known), rows)]
    return some.assign(**{flights.ID: [f"R{number:07d}" for number in range(rows)]}).to_csv(index=False).encode()


def shown(operator: Operator) -> int:
    """How many rows a query finds."""
    try:
        return int(ask(f"SELECT count(*) FROM {MODEL}_scored", operator).column(0)[0].as_py())
    except InputError:  # there is no table yet
        return 0


def way_of(name: str, body: bytes, rows: int, operator: Operator) -> Way:
    before, begun = shown(operator), time.perf_counter()
    manifest = operator.await_manifest(operator.upload(layout.in_inbox(layout.BATCHES, MODEL, name), body), timeout_s=PATIENCE_S)
    assert manifest.rows_in == rows
    scored = time.perf_counter()
    wait_for(lambda: shown(operator) >= before + manifest.rows_scored or None, PATIENCE_S, f"rows of {name}")
    way = Way(scored - begun, time.perf_counter() - scored)
    print(f"{name}: {way}", file=sys.stderr, flush=True)
    return way


def gathered_s() -> int:
    """Seconds for which the template has manifests gathered."""
    cataloguing = read_template((ROOT / "template.yaml").read_text())["Resources"]["Cataloguing"]
    return int(cataloguing["Properties"]["Events"]["Manifests"]["Properties"]["MaximumBatchingWindowInSeconds"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=MILLION)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    body = drawn(options.rows)
    with TemporaryDirectory() as home:
        os.environ["EVERSCORE_HOME"] = home
        with embedded_aws("queryable", parameters={"ScheduleState": "DISABLED"}) as stack:
            operator = embedded(stack)
            train(operator)
            ways = [way_of(f"{number}.csv", body, options.rows, operator) for number in range(options.rounds)]
    parts = {
        "upload and scoring, to the manifest": median(way.scored_s for way in ways),
        "manifests gathered, at most": float(gathered_s()),
        "commit to the tables, until a query finds the rows": median(way.shown_s for way in ways),
    }
    whole = sum(parts.values())
    slowest = max(way.scored_s + way.shown_s for way in ways) + gathered_s()
    table = markdown_table(
        ["part of the way", "seconds"], [[part, f"{seconds:.1f}"] for part, seconds in {**parts, "in all": whole}.items()]
    )
    said = (
        f"A file of {options.rows:,} rows, {len(body) / 2**20:.0f} MB of CSV, medians of {len(ways)} on the embedded AWS; the slowest, in new processes, takes"
        f" {slowest:.0f} s in all.\nLongest part: {max(parts, key=lambda part: parts[part])}. The embedded AWS gathers nothing, so that part is the template's."
        f" Measured {datetime.now(UTC):%Y-%m-%d}, {machine()}; {os.getloadavg()[0]:.1f} processes were runnable at the end."
    )
    print(table, said, sep="\n\n")
    replace_measured(ROOT / "docs/tables.md", "queryable", f"{table}\n\n{said}")
    if slowest > LIMIT_S:
        sys.exit(f"rows were not to be asked for within {LIMIT_S} s")


if __name__ == "__main__":
    main()
