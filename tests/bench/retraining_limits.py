"""What a retraining takes, by rows, features and estimator: `python -m tests.bench.retraining_limits [ROWS FEATURES ESTIMATOR …]`.

The whole of it: labelled rows and snapshot read, cleaned and joined, the challenger fitted, proved and cross-validated, the gate
asked, the bundle written. Each in a process of its own, on rows made before, in folders instead of S3 and without MLflow.
Seconds are of the processor, which a busy machine does not stretch; a retraining works in one thread but for scoring.
The table in docs/updating.md is written after every case; with cases named, its other lines stay.
"""

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from functions.retraining.event import RetrainRequest, TrainRequest
from functions.retraining.ports import Ports
from functions.retraining.service import retrain, train_first
from functions.shared.domain import layout
from functions.shared.domain.policy import Policy, RetrainingPolicy
from functions.shared.domain.release import ServedModel
from functions.shared.ports import TrainingRun
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from infra.cli.local_folder import LocalFolder
from tests.bench.document_table import markdown_table, measured_rows, replace_measured
from tests.fakes.documents import make_manifest, make_release
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.recording_bus import RecordingBus

DOCUMENT = Path(__file__).parents[2] / "docs/updating.md"
MODEL = "limits"
ESTIMATORS = {
    "boosting": "sklearn.ensemble.HistGradientBoostingClassifier",
    "logistic": "sklearn.linear_model.LogisticRegression",
    "forest": "sklearn.ensemble.RandomForestClassifier",
}
CASES = [
    (100_000, 12, "boosting"),
    (100_000, 12, "logistic"),
    (100_000, 50, "boosting"),
    (1_000_000, 12, "boosting"),
    (1_000_000, 12, "logistic"),
    (1_000_000, 50, "boosting"),
    (3_000_000, 12, "boosting"),
    (8_000_000, 12, "boosting"),
    (100_000, 12, "forest"),
    (250_000, 12, "forest"),
]
FIRST_DAY, FIRST_DAYS, LEARNT_DAYS, HELD_DAYS = date(2024, 1, 1), 30, 112, 28
FIRST_ROWS_A_DAY = 400
LONGEST_S = 3600
TIMEOUT_S, LARGEST_MB, DEFAULT_MB = 900, 10_240, 3_008
"""What a function has at the most, and by the template's default."""


def rows_of(day: date, count: int, features: int) -> pa.Table:
    """A day's rows: one feature in six a category of twenty values, the others numbers, some missing; a label that five decide."""
    rng = np.random.default_rng(day.toordinal())
    numbers = rng.normal(size=(features, count))
    columns: dict[str, Any] = {
        "id": pa.array([f"{day.isoformat()}-{row}" for row in range(count)]),
        "at": pa.array(np.full(count, np.datetime64(day.isoformat(), "us")) + rng.integers(0, 86_400, count) * 1_000_000).cast(
            pa.timestamp("us", "UTC")
        ),
    }
    for place in range(features):
        if place % 6 == 5:
            columns[f"x{place}"] = pa.array(np.char.add("c", rng.integers(0, 20, count).astype(str)))
        else:
            columns[f"x{place}"] = pa.array(numbers[place], mask=rng.random(count) < 0.05)
    chance = 1 / (1 + np.exp(1 - numbers[0] - 0.5 * numbers[1] * numbers[2] + numbers[3] - 0.3 * numbers[4]))
    return pa.table({**columns, "y": pa.array(np.where(rng.random(count) < chance, "yes", "no"))})


def as_parquet(table: pa.Table) -> bytes:
    """A file in memory."""
    body = io.BytesIO()
    pq.write_table(table, body)
    return body.getvalue()


def ports(folder: Path) -> Ports:
    """Retraining's ports on two folders."""
    store = LocalFolder(folder / "store")
    return Ports(
        inbox=LocalFolder(folder / "inbox"),
        store=store,
        registry=MemoryRegistry(),
        bundles=Bundles(store),
        events=RecordingBus(),
        new_holder=lambda: "bench",
        now=lambda: datetime.now(UTC),
    )


def prepare(folder: Path, rows: int, features: int, estimator: str) -> None:
    """A champion of few rows that serves, and the labels that came since."""
    shop = ports(folder)
    unlimited = RetrainingPolicy.model_validate({"max_rows": 10**9, "max_values": 10**12})
    Policies(shop.store).write(MODEL, Policy(number=1, retraining=unlimited))
    days = [FIRST_DAY + timedelta(days=number) for number in range(FIRST_DAYS + LEARNT_DAYS + HELD_DAYS)]
    first = pa.concat_tables([rows_of(day, FIRST_ROWS_A_DAY, features) for day in days[:FIRST_DAYS]])
    shop.inbox.write(f"training/{MODEL}/first.parquet", as_parquet(first))
    request = TrainRequest(
        model=MODEL,
        key=f"training/{MODEL}/first.parquet",
        target="y",
        id_column="id",
        time_column="at",
        estimator=ESTIMATORS[estimator],
    )
    decision = train_first(request, shop).decision
    assert decision is not None
    prefix = layout.version_prefix(MODEL, decision.challenger_version)
    champion = ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix)
    Releases(shop.store).publish(make_release(seq=1, champion=champion, model=MODEL), over=None)
    for day in days[FIRST_DAYS:]:
        table = rows_of(day, rows // LEARNT_DAYS, features)
        table = table.rename_columns([*table.column_names[:-1], "everscore_label"])
        table = table.append_column("everscore_label_arrived", pa.array([datetime(2024, 9, 1, tzinfo=UTC)] * table.num_rows))
        shop.store.write(layout.labelled_key(MODEL, day, "all"), as_parquet(table))
    manifest = make_manifest("last.csv", day=days[-1], rows_in=100, rows_scored=100, event_days={days[-1] + timedelta(days=7): 100})
    Manifests(shop.store).commit(manifest.model_copy(update={"model": MODEL}))


def measure(folder: Path) -> None:
    """Retrain, and print what it took."""
    shop = ports(folder)
    shop.registry.register(MODEL, "1", TrainingRun(None, {}, {}, {}, {}))  # version 1, which another process made
    result = retrain(RetrainRequest(model=MODEL, trigger="person"), shop)
    assert result.decision is not None, result.skipped
    used = resource.getrusage(resource.RUSAGE_SELF)
    taken = {"seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024, "learnt": result.decision.trained_rows}
    print(json.dumps(taken))


def case(rows: int, features: int, estimator: str) -> Iterator[str]:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        me = [sys.executable, "-m", "tests.bench.retraining_limits"]
        subprocess.run([*me, "prepare", folder, str(rows), str(features), estimator], check=True, env=environment)
        done = subprocess.run([*me, "measure", folder], check=True, env=environment, stdout=subprocess.PIPE, timeout=LONGEST_S)
    taken = json.loads(done.stdout)
    yield from (ESTIMATORS[estimator].rpartition(".")[2], f"{taken['learnt']:,}", str(features))
    yield from (f"{taken['seconds']:.0f}", f"{taken['peak_mb']:,.0f}")
    for memory_mb in (DEFAULT_MB, LARGEST_MB):
        yield "yes" if taken["seconds"] < TIMEOUT_S and taken["peak_mb"] < memory_mb else "no"


def main(arguments: list[str]) -> None:
    """Measure the cases named, three arguments each, or all."""
    match arguments:
        case ["prepare", folder, rows, features, estimator]:
            prepare(Path(folder), int(rows), int(features), estimator)
            return
        case ["measure", folder]:
            measure(Path(folder))
            return
    named = [(int(rows), int(features), name) for rows, features, name in zip(*[iter(arguments)] * 3, strict=True)]
    header = ("estimator", "rows learnt", "features", "processor s", "peak MB", f"fits {DEFAULT_MB:,} MB", f"fits {LARGEST_MB:,} MB")
    lines = {tuple(line[:3]): line for line in measured_rows(DOCUMENT, "limits")} if named else {}
    for number, (rows, features, estimator) in enumerate(named or CASES):
        line = list(case(rows, features, estimator))
        print(*line, f"({number + 1} of {len(named or CASES)})", flush=True)
        lines[tuple(line[:3])] = line
        replace_measured(DOCUMENT, "limits", markdown_table(header, list(lines.values())))


if __name__ == "__main__":
    main(sys.argv[1:])
