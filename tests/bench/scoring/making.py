"""What the scorers are timed on: flights drawn again from the demo's, and models as this project and MLflow keep them.

    python -m tests.bench.scoring.making FOLDER

Everything is made from seeds. A file of n rows is n flights drawn with replacement, each with an id of its own.
"""

import gzip
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from functions.retraining.fitting import Fitted, fit
from functions.retraining.training_set import DAY, TrainingSet, assemble
from functions.shared.domain import layout
from functions.shared.domain.drift.baseline import build_baseline
from functions.shared.domain.release import Release, ServedModel
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.bundle import bundle_digest, make_bundle
from functions.shared.engines.skops_file import dump_pipeline
from infra.cli.local_folder import LocalFolder
from infra.demo import flights
from tests.bench.scoring.world import BROKEN, FOREST_ROWS, LARGE_BYTES, MILLION, WIDE_COLUMNS, WIDE_ROWS, World

CATEGORIES = ("carrier", "origin", "dest")
NUMBERS = (
    "sched_minute_of_day",
    "sched_arr_minute",
    "distance",
    "seats",
    "plane_age",
    "temp",
    "humid",
    "wind_speed",
    "visib",
)
COLUMNS = (flights.ID, flights.TIME, *CATEGORIES, *NUMBERS)
TRAINING_ROWS = 30_000
CHUNK_ROWS = 250_000
BAD_EVERY = 100
VERSION = "1"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A model to score with: its estimator and parameters."""

    estimator: str
    parameters: Mapping[str, object]


MODELS = {
    "logistic": Contestant("sklearn.linear_model.LogisticRegression", {}),
    "boosting": Contestant("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 100}),
    "xgboost": Contestant("xgboost.XGBClassifier", {"n_estimators": 100}),
    "lightgbm": Contestant("lightgbm.LGBMClassifier", {"n_estimators": 100, "verbosity": -1}),
    "forest": Contestant("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 100}),
}
"""One-hot logistic regression; boosting with native categories, scikit-learn's, XGBoost's and LightGBM's; deep trees (no limit of depth)."""


def make(world: World) -> None:
    """Make what is not there yet."""
    _written(world.rows(MILLION), partial(_write_rows, MILLION))
    _written(world.rows(FOREST_ROWS), partial(_write_rows, FOREST_ROWS))
    for form in ("csv", "jsonl"):
        for how in BROKEN:
            _written(world.broken(how, form), partial(_write_broken, world.rows(MILLION), how, form))
    million = world.rows(MILLION)
    _written(world.of_kind("csv.gz"), partial(_write_gzip, million))
    _written(world.of_kind("parquet"), partial(_write_parquet, million))
    _written(world.of_kind("wide.csv"), partial(_write_wide, million))
    _written(world.of_kind("texts.csv"), partial(_write_texts, world.rows(FOREST_ROWS)))
    _written(world.large, partial(_repeat, world.rows(MILLION)))
    for name, contestant in MODELS.items():
        _written(world.mlflow_model(name), partial(_make_model, name, contestant, LocalFolder(world.store)))


def _written(path: Path, write: Callable[[Path], None]) -> None:
    """Make a file or folder, if it is not there; it appears only when it is whole."""
    if path.exists():
        return
    unfinished = path.with_name(f".{path.name}")
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    if unfinished.is_dir():
        shutil.rmtree(unfinished)
    write(unfinished)
    unfinished.rename(path)


def _write_rows(count: int, path: Path) -> None:
    drawn = np.random.default_rng(2013)
    known = flights.departures()[list(COLUMNS)]
    for first in range(0, count, CHUNK_ROWS):
        size = min(CHUNK_ROWS, count - first)
        rows = known.iloc[drawn.integers(0, len(known), size)]
        rows[flights.ID] = [f"R{number:09d}" for number in range(first, first + size)]
        rows.to_csv(path, index=False, mode="a" if first else "w", header=not first)


def _write_broken(file: Path, how: str, form: str, path: Path) -> None:
    with file.open() as rows, path.open("w") as written:
        names = next(rows).rstrip("\n").split(",")
        if form == "csv":
            written.write(",".join(names) + "\n")
        for number, row in enumerate(rows):
            broken = how if number % BAD_EVERY == BAD_EVERY // 2 else "clean"
            fields: dict[str, object] = dict(zip(names, row.rstrip("\n").split(","), strict=True))
            fields |= {"number": {"temp": "warm"}, "time": {flights.TIME: "noon"}}.get(broken, {})
            written.write(_line(fields, form, whole=broken != "shape"))


def _line(fields: Mapping[str, object], form: str, *, whole: bool) -> str:
    if form == "csv":
        return ",".join(map(str, fields.values())) + ("\n" if whole else ",x\n")
    return json.dumps({name: _as_json(name, value) for name, value in fields.items()})[: None if whole else -1] + "\n"


def _as_json(name: str, value: object) -> object:
    if name not in NUMBERS or value == "warm":
        return value
    return float(str(value)) if value else None


def _write_gzip(file: Path, path: Path) -> None:
    with file.open("rb") as rows, gzip.open(path, "wb", compresslevel=6) as written:
        shutil.copyfileobj(rows, written)


def _write_parquet(file: Path, path: Path) -> None:
    pq.write_table(pyarrow.csv.read_csv(file), path)


def _write_wide(file: Path, path: Path) -> None:
    """Flights with further columns of numbers, drawn from a few thousand texts."""
    drawn = np.random.default_rng(2014)
    known = np.array([f"{number:.4f}" for number in drawn.normal(size=5_000)])
    more = WIDE_COLUMNS - len(COLUMNS)
    with file.open() as rows, path.open("w") as written:
        written.write(",".join([next(rows).rstrip("\n"), *(f"n{place}" for place in range(more))]) + "\n")
        for row in islice(rows, WIDE_ROWS):
            written.write(",".join([row.rstrip("\n"), *known[drawn.integers(0, len(known), more)]]) + "\n")


def _write_texts(file: Path, path: Path) -> None:
    """Flights with a long text each: words in any order."""
    drawn = np.random.default_rng(2015)
    words = np.array(["runway", "gate", "weather", "crew", "late", "early", "north", "holding", "fuel", "slot"])
    with file.open() as rows, path.open("w") as written:
        written.write(next(rows).rstrip("\n") + ",remark\n")
        for row in rows:
            remark = " ".join(words[drawn.integers(0, len(words), 200)])[:1000]
            written.write(f"{row.rstrip('\n')},{remark}\n")


def _repeat(file: Path, path: Path) -> None:
    header, _, body = file.read_bytes().partition(b"\n")
    with path.open("wb") as large:
        large.write(header + b"\n")
        while large.tell() < LARGE_BYTES:
            large.write(body)


def _make_model(name: str, contestant: Contestant, store: LocalFolder, path: Path) -> None:
    fitted, rows = _fitted(name, contestant)
    _release(store, fitted, rows)
    _save(fitted, path)


def _spec(name: str, contestant: Contestant) -> ModelSpec:
    kinds = dict.fromkeys(CATEGORIES, FeatureKind.CATEGORY) | dict.fromkeys(NUMBERS, FeatureKind.NUMBER)
    return ModelSpec(
        name=name,
        task=Task.BINARY,
        target=flights.TARGET,
        id_column=flights.ID,
        time_column=flights.TIME,
        features=tuple(Feature(name=feature, kind=kind) for feature, kind in kinds.items()),
        metric="log_loss",
        estimator=contestant.estimator,
        parameters=contestant.parameters,
    )


def _fitted(name: str, contestant: Contestant) -> tuple[Fitted, TrainingSet]:
    known = flights.departures().dropna(subset=[flights.TARGET]).sample(TRAINING_ROWS, random_state=2013)
    known[DAY] = known[flights.TIME].dt.date
    known[flights.TARGET] = known[flights.TARGET].astype(int).astype(str)
    spec = _spec(name, contestant)
    rows = assemble(spec, [pa.Table.from_pandas(known, preserve_index=False)])
    return fit(spec, rows), rows


def _release(store: LocalFolder, fitted: Fitted, rows: TrainingSet) -> None:
    spec = fitted.spec
    baseline = build_baseline(spec.name, VERSION, rows.table, spec, fitted.score(rows))
    bundle = make_bundle(spec, baseline, fitted.compiled, dump_pipeline(fitted.pipeline))
    prefix = layout.version_prefix(spec.name, VERSION)
    for name, content in bundle.items():
        store.write(prefix + name, content)
    release = Release(
        model=spec.name,
        seq=1,
        champion=ServedModel(version=VERSION, digest=bundle_digest(bundle), prefix=prefix),
        newest=VERSION,
        reason="to be timed",
        decided_by="tests.bench.scoring",
        decided_at=datetime(2013, 1, 1, tzinfo=UTC),
    )
    store.write(layout.release_key(spec.name), release.to_json())


def _save(fitted: Fitted, path: Path) -> None:
    """As MLflow would keep it: cloudpickle, which loads faster than skops, and no signature to enforce."""
    import mlflow.sklearn

    mlflow.sklearn.save_model(
        fitted.pipeline, path, serialization_format="cloudpickle", pip_requirements=["scikit-learn"], pyfunc_predict_fn="predict_proba"
    )


if __name__ == "__main__":
    make(World(Path(sys.argv[1])))
