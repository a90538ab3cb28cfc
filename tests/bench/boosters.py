"""Time predictions of XGBoost's and LightGBM's models alone, next to what else predicts them; write docs/performance.md.

    python -m tests.bench.boosters [--rounds 5] [--print]

Models of 100 and 1,000 trees with 31 leaves each, with and without categories, score the same rows on one thread. The processor's
time is counted, and the least of all rounds. Other packages that predict such models are timed too if `.peers` has been made
(`make bench-peers`): each gets the model's file, bare numbers, one thread, and five minutes of the processor
for a model.
"""

import argparse
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import xgboost
from threadpoolctl import threadpool_limits

from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task
from functions.shared.engines.compiled import build_engine
from functions.shared.engines.compiler import compile_pipeline
from functions.shared.engines.engine import Backend, EngineKind
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.kernels import least
from tests.bench.peers import NAMES
from tests.bench.scoring.processes import machine

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".peers" / "bin" / "python"
LEARNT, SCORED = 20_000, 16_384
NUMBERS, CATEGORIES, CODES = 12, 4, 60
TREES, LEAVES = (100, 1000), 31
LONGEST_S = 300
"""So much of the processor's time a peer may take to convert or compile a model and to predict with it."""
OURS, OWN = "Everscore", "its own library"


@dataclass(frozen=True, slots=True)
class Case:
    """A library's model of some trees, on numbers or on numbers and codes of categories."""

    library: str
    trees: int
    categories: int

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.library}, {self.trees:,} trees, {'with categories' if self.categories else 'numbers'}"

    def fitted(self, rows: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> Any:
        """The estimator on its first rows."""
        if self.library == "XGBoost":
            kinds = ["c"] * self.categories + ["q"] * (rows.shape[1] - self.categories)
            grown = {"max_leaves": LEAVES, "max_depth": 0, "grow_policy": "lossguide", "max_cat_to_onehot": 1}
            model = xgboost.XGBClassifier(n_estimators=self.trees, n_jobs=1, feature_types=kinds, enable_categorical=True, **grown)
        else:
            coded = {"categorical_column": list(range(self.categories))} if self.categories else {}
            model = lightgbm.LGBMClassifier(n_estimators=self.trees, num_leaves=LEAVES, n_jobs=1, verbosity=-1, **coded)
        return model.fit(rows[:LEARNT], truth[:LEARNT])


def rows_and_truth(categories: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Codes first, then numbers, a twentieth of all missing; the truth depends on all of them."""
    rng = np.random.default_rng(1)
    codes = np.floor(CODES * rng.random((SCORED, categories)) ** 2)
    numbers = rng.normal(size=(SCORED, NUMBERS - categories))
    signal = np.sin(codes).sum(axis=1) + np.sin(2 * numbers[:, :4]).sum(axis=1) + (numbers[:, 4:] ** 2).mean(axis=1)
    rows = np.hstack([codes, numbers])
    return np.where(rng.random(rows.shape) < 0.05, np.nan, rows), (signal + rng.normal(size=SCORED) > np.median(signal)).astype(int)


def figures(case: Case, rounds: int, folder: Path) -> dict[str, float | str]:
    """Microseconds per row of each that can predict the model, and why the others don't."""
    rows, truth = rows_and_truth(case.categories)
    model = case.fitted(rows, truth)
    names = [f"x{place}" for place in range(rows.shape[1])]
    features = tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in names)
    known = {"name": "bench", "task": Task.BINARY, "target": "y", "id_column": "id", "metric": "auc", "classes": ("0", "1")}
    spec = ModelSpec(**known, features=features, estimator=f"{type(model).__module__}.{type(model).__name__}")
    compiled = compile_pipeline(model, spec)
    assert compiled.kind is EngineKind.BITVECTOR, compiled.reason
    engine = build_engine(compiled, spec)
    assert engine.backend == Backend.KERNEL, "no kernels were built here"
    batch = pa.RecordBatch.from_pandas(pd.DataFrame(rows, columns=names), preserve_index=False)
    works = {OURS: lambda: engine.score(batch), OWN: _own(model, rows)}
    np.testing.assert_allclose(engine.score(batch)[:, 0], works[OWN](), rtol=1e-6)
    seconds = least(works, rounds, time.thread_time)
    return {name: taken / SCORED * 1e6 for name, taken in seconds.items()} | _peers(case, model, rows, truth, rounds, folder)


def _own(model: Any, rows: np.ndarray[Any, Any]) -> Any:
    if hasattr(model, "get_booster"):
        booster = model.get_booster()
        booster.set_param({"nthread": 1})
        single = rows.astype(np.float32)
        return lambda: booster.inplace_predict(single)
    return lambda: model.booster_.predict(rows, num_threads=1)


def _peers(
    case: Case, model: Any, rows: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], rounds: int, folder: Path
) -> dict[str, float | str]:
    """What packages of another environment take, or why they don't predict; nothing if there is none."""
    if not PEERS.exists():
        return {}
    file = folder / ("model.json" if case.library == "XGBoost" else "model.txt")
    (model.get_booster() if case.library == "XGBoost" else model.booster_).save_model(file)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "truth.npy", truth)
    return {name: _peer(name, case, file, rounds) for name in NAMES}


def _peer(name: str, case: Case, file: Path, rounds: int) -> float | str:
    asked = [PEERS, ROOT / "tests" / "bench" / "peers.py", name, file, *map(str, (rounds, case.trees, LEAVES, case.categories))]
    limited = ["prlimit", f"--cpu={LONGEST_S}", *asked]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(limited, stdout=subprocess.PIPE, text=True, check=False, env=environment, cwd=file.parent)
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        return f"over {LONGEST_S} s"
    done.check_returncode()
    found: float | str = json.loads(done.stdout.splitlines()[-1])
    return found


def cases() -> Iterator[Case]:
    """All models of the table."""
    for library in ("XGBoost", "LightGBM"):
        for categories in (0, CATEGORIES):
            for trees in TREES:
                yield Case(library, trees, categories)


def _times_faster(found: Mapping[str, float | str]) -> float:
    return float(found[OWN]) / float(found[OURS])


def _cell(found: float | str) -> str:
    return found if isinstance(found, str) else f"{found:.2f}"


def main() -> None:
    """Measure all models and write the table down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--print", action="store_true", help="print, and leave the document alone")
    options = parser.parse_args()
    with TemporaryDirectory() as folder, threadpool_limits(1):
        measured = {case: figures(case, options.rounds, Path(folder)) for case in cases()}
    others = [name for name in NAMES if any(name in found for found in measured.values())]
    table = [
        [case.name, *map(_cell, (found[OURS], found[OWN], _times_faster(found))), *(_cell(found[name]) for name in others)]
        for case, found in measured.items()
    ]
    when = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {os.getloadavg()[0]:.1f} processes were runnable at the end"
    header = ["model", OURS, OWN, "times faster than its library", *others]
    text = f"{markdown_table(header, table)}\n\n`python -m tests.bench.boosters`, {options.rounds} rounds, {when}."
    print(text)
    if not options.print:
        replace_measured(ROOT / "docs" / "performance.md", "boosters", text)


if __name__ == "__main__":
    main()
