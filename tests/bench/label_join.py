"""Measure what a large file of labels takes, and write docs/monitoring.md: `python -m tests.bench.label_join [--folder .cache/bench]`.

Five batches of a million flights each, scored by the scorer itself; then one file that labels every fifth row of each, by id
and time, is recorded as metric_emission does it. The event days are all those of 2013.
"""

import argparse
import io
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery
from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.labelled_columns import LABEL
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from infra.cli.local_folder import LocalFolder
from infra.demo import flights
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.scoring.processes import machine, run
from tests.bench.scoring.world import MILLION, World
from tests.fakes.measuring import make_ports

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "monitoring.md"
MODEL = "logistic"
BATCHES = "RSTUV"
"""A batch a letter, with which its ids begin."""
LABELLED_EVERY = 5


def make(folder: Path, world: World) -> None:
    """The predictions and the file of labels."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.store / "releases", folder / "store" / "releases")
    inbox, store = LocalFolder(folder / "inbox"), LocalFolder(folder / "store")
    rows = world.rows(MILLION).read_bytes()
    for letter in BATCHES:
        body = rows.replace(b"\nR", b"\n" + letter.encode())
        batch = _uploaded(inbox, f"{layout.BATCHES}/{MODEL}/{letter}.csv", body)
        manifest = score_batch(batch, Ports(inbox, store, Bundles(store), lambda: "a1", partial(datetime.now, UTC)))
        assert manifest.rows_scored == MILLION
    inbox.write(_labels_key(), _labels(rows))


def _labels(rows: bytes) -> bytes:
    body = io.BytesIO()
    body.write(f"{flights.ID},{flights.TIME},{flights.TARGET}\n".encode())
    for place, row in enumerate(rows.splitlines()[1::LABELLED_EVERY]):
        flight, time, _ = row.split(b",", 2)
        for number, letter in enumerate(BATCHES.encode()):
            body.write(b"%c%s,%s,%d\n" % (letter, flight[1:], time, (place + number) % 5 % 2))
    return body.getvalue()


def _labels_key() -> str:
    return f"labels/{MODEL}/labels.csv"


def _uploaded(inbox: LocalFolder, key: str, body: bytes | None = None) -> StoredObject:
    info = inbox.info(key) if body is None else inbox.write(key, body)
    return StoredObject(bucket=inbox.bucket, key=key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)


def join(folder: Path) -> None:
    """Record the labels; every one must have met its prediction."""
    inbox, store = LocalFolder(folder / "inbox"), LocalFolder(folder / "store")
    ports = make_ports(store, inbox=inbox, now=partial(datetime.now, UTC))
    measure_labels(_uploaded(inbox, _labels_key()), Delivery(ports))


def _labelled(store: ObjectStore) -> int:
    found = store.list(layout.labelled_prefix(MODEL))
    return sum(pq.read_table(pa.BufferReader(store.read(info.key)), columns=[LABEL]).num_rows for info in found)


def main() -> None:
    """Measure once and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--join", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--print", action="store_true", help="print, and leave the document alone")
    options = parser.parse_args()
    if options.join:
        join(options.join)
        return
    world, folder = World(options.folder.resolve()), options.folder.resolve() / "labels"
    subprocess.run([sys.executable, "-m", "tests.bench.scoring.making", str(world.folder)], check=True)
    make(folder, world)
    once = run([sys.executable, "-m", "tests.bench.label_join", "--join", str(folder)], world.folder)
    labels = MILLION * len(BATCHES) // LABELLED_EVERY
    assert _labelled(LocalFolder(folder / "store")) == labels
    header = ["predictions", "labels", "event days", "wall s", "processor s", "peak MB"]
    days = len(list(LocalFolder(folder / "store").folders(layout.labelled_prefix(MODEL))))
    counts = [f"{MILLION * len(BATCHES):,}", f"{labels:,}", f"{days}"]
    table = markdown_table(header, [[*counts, f"{once.wall_s:.1f}", f"{once.cpu_s:.1f}", f"{once.peak_mb:.0f}"]])
    text = f"{table}\n\n`python -m tests.bench.label_join`, {datetime.now(UTC):%Y-%m-%d}, {machine()}."
    text += f" Meanwhile other work took {once.others:.1f} processors."
    print(text)
    if not options.print:
        replace_measured(DOCUMENT, "label-join", text)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
