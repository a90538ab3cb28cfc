"""Make the demo's first model offline: `python -m infra.demo.first_model STAGE`.

`dvc.yaml` names the stages. They are the retraining function's own steps, so the bundle equals that of the demo's version 1.
"""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from functions.retraining.event import TrainRequest
from functions.retraining.fitting import fit, score_rows
from functions.retraining.holdout import split
from functions.retraining.measuring import measure_rows
from functions.retraining.publication import Candidate, bundle_files
from functions.retraining.training_file import read_training_file
from functions.retraining.training_set import TrainingSet
from functions.shared.domain.performance.losses import losses
from functions.shared.domain.policy import Policy, RowContract
from functions.shared.engines.bundle import bundle_digest, load_bundle
from functions.shared.engines.skops_file import dump_pipeline
from infra.cli.local_folder import LocalFolder
from infra.demo import flights

PARAMETERS = Path("params.yaml")
WORK = Path("build/first-model")
DATA, BUNDLE = "flights.parquet", WORK / "bundle"
RESULTS = Path("infra/demo/first-model")
DIGITS = 6
BINS = 10


def main(arguments: Sequence[str]) -> None:
    """Run one stage in the project's folder."""
    stages = {"prepare": prepare, "train": train, "evaluate": evaluate}
    if len(arguments) != 1 or arguments[0] not in stages:
        sys.exit(f"name one stage: {', '.join(stages)}")
    stages[arguments[0]](yaml.safe_load(PARAMETERS.read_text()))


def prepare(parameters: dict[str, Any]) -> None:
    """Cut the first months out of the year."""
    days = (date.fromisoformat(parameters["prepare"][name]) for name in ("first_day", "last_day"))
    WORK.mkdir(parents=True, exist_ok=True)
    flights.between(flights.departures(), *days).to_parquet(WORK / DATA, index=False)


def train(parameters: dict[str, Any]) -> None:
    """Fit on the older four fifths and write the version's bundle."""
    learnt, held = _rows(parameters)
    fitted = fit(learnt.spec, learnt)
    candidate = Candidate(fitted, learnt, TrainingSet(fitted.spec, held.table).known(), learnt)
    scores = fitted.score(candidate.held)
    metrics = measure_rows(fitted, candidate.held, scores)
    files = bundle_files(candidate, dump_pipeline(fitted.pipeline), "1", scores, metrics)
    BUNDLE.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        (BUNDLE / name).write_bytes(body)
    _write_json("made_by.json", {**fitted.spec.platform, **fitted.spec.libraries})


def evaluate(parameters: dict[str, Any]) -> None:
    """Measure the bundle on the newest fifth, with the engine that would serve it."""
    files = {file.name: file.read_bytes() for file in BUNDLE.iterdir()}
    digest = bundle_digest(files)
    model = load_bundle(files.__getitem__, digest)
    learnt, held = _rows(parameters)
    held = TrainingSet(model.spec, held.table).known()
    truth, scores = held.truth(), score_rows(model.engine, held)
    measured = {name: _rounded(value) for name, value in measure_rows(model, held, scores).items()}
    _write_json("metrics.json", {**measured, "learnt_rows": learnt.rows, "held_rows": held.rows})
    late = truth == 1
    _write("roc.csv", ("share_of_punctual", "share_of_late"), _roc(late, scores[:, 0]))
    _write("calibration.csv", ("mean_score", "share_late", "rows"), _calibration(late, scores[:, 0]))
    loss = losses(model.spec.task, truth, scores)
    days = ((str(day), _rounded(float(loss[held.days == day].mean()))) for day in np.unique(held.days))
    _write("by_day.csv", ("day", "log_loss"), days)


def _rows(parameters: dict[str, Any]) -> tuple[TrainingSet, TrainingSet]:
    """Return the rows to learn and to hold out, read as the retraining function does."""
    made = parameters["train"]
    request = TrainRequest(
        model=flights.MODEL,
        key=DATA,
        target=flights.TARGET,
        id_column=flights.ID,
        time_column=flights.TIME,
        estimator=made["estimator"],
        parameters=made["parameters"],
        seed=made["seed"],
    )
    policy = Policy(row_contract=RowContract(ranges=made["ranges"]))
    file = read_training_file(request, policy, LocalFolder(WORK))
    parts = split(file.rows, request.seed)
    return parts.learnt, parts.held


def _roc(late: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> Iterable[tuple[float | None, ...]]:
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(late, scores)
    grid = np.linspace(0, 1, 101)
    return ((_rounded(x), _rounded(y)) for x, y in zip(grid, np.interp(grid, false, true), strict=True))


def _calibration(late: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> Iterable[tuple[float | None, ...]]:
    """Yield ten groups of equal size by score."""
    for group in np.array_split(np.argsort(scores, kind="stable"), BINS):
        yield _rounded(scores[group].mean()), _rounded(late[group].mean()), len(group)


def _rounded(value: float | None) -> float | None:
    """Round to so few digits that results agree between processors."""
    return None if value is None else round(float(value), DIGITS)


def _write_json(name: str, body: Mapping[str, object]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / name).write_text(json.dumps(body, indent=1) + "\n")


def _write(name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (RESULTS / name).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
