"""Let other packages judge streams, as they come, and print on which days they call, as JSON. Runs in `.contenders`.

    .contenders/bin/python tests/bench/judgement/contenders.py FOLDER …

A folder has what the model learnt (`learnt.parquet`), the rows that it was measured on at training (`held.parquet`), all batches
(`rows.parquet`) and `about.json`. Each package keeps its defaults. What asks for labels gets those of a batch on the day on which they come.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("NML_DISABLE_USAGE_LOGGING", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

import pandas as pd

warnings.simplefilter("ignore")

REFERENCE_ROWS = 5_000
KSWIN_ROWS = 50
"""Rows of a batch that KSWIN is given: it compares two samples for each, which takes a third of a millisecond."""


class Stream:
    """A stream as `__main__` wrote it."""

    def __init__(self, folder: Path) -> None:
        self.about = json.loads((folder / "about.json").read_text())
        self.learnt, self.held, self.rows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("learnt", "held", "rows"))
        self.columns = [*self.about["numbers"], *self.about["categories"]]
        self.batches = [part for _, part in self.rows.groupby("batch")]
        self.arrives = [date.fromisoformat(day) for day in self.about["arrives"]]
        self.labelled = [day + timedelta(days=self.about["label_delay"]) for day in self.arrives]

    @property
    def is_binary(self) -> bool:
        return self.about["task"] == "binary"


def evidently(stream: Stream) -> dict[str, Any]:
    """The test that `DataDriftPreset` chooses for each column, without its plots: do half of the columns drift, and does any?"""
    from evidently.legacy.calculations.stattests import get_stattest

    some = stream.learnt.sample(min(REFERENCE_ROWS, len(stream.learnt)), random_state=0)
    kinds = dict.fromkeys(stream.about["numbers"], "num") | dict.fromkeys(stream.about["categories"], "cat")
    drifted: dict[str, list[date]] = {"Evidently, data set": [], "Evidently, any column": []}
    for arrives, batch in zip(stream.arrives, stream.batches, strict=True):
        called = 0
        for column, kind in kinds.items():
            before, now = some[column].dropna(), batch[column].dropna()
            if not now.empty:
                called += bool(get_stattest(before, now, kind, None)(before, now, kind, None).drifted)
        for name, least in (("Evidently, data set", len(kinds) / 2), ("Evidently, any column", 1)):
            if called >= least:
                drifted[name].append(arrives)
    return drifted


def nannyml(stream: Stream) -> dict[str, Any]:
    """Univariate drift of any column, and what confidence-based estimation expects of AUC and accuracy; chunks are the batches."""
    import nannyml as nml

    chunks = {"timestamp_column_name": "at", "chunk_period": "W" if stream.about["batch_days"] == 7 else "D"}
    reference = stream.held.sort_values("at").reset_index(drop=True)
    drift = nml.UnivariateDriftCalculator(column_names=stream.columns, treat_as_categorical=stream.about["categories"], **chunks)
    found: dict[str, Any] = {"NannyML, univariate drift": _alerts(stream, drift.fit(reference).calculate(stream.rows))}
    if stream.is_binary:
        names = {"y_pred_proba": "score", "y_pred": "predicted", "y_true": "truth"}
        answers = reference.dropna(subset="truth").astype({"truth": int, "predicted": int})
        cbpe = nml.CBPE(metrics=["roc_auc", "accuracy"], problem_type="classification_binary", **names, **chunks)
        estimated = cbpe.fit(answers).estimate(stream.rows.astype({"predicted": int}))
        accuracy = estimated.filter(period="analysis").to_df()["accuracy"]
        bounds = ["value", "lower_confidence_boundary", "upper_confidence_boundary"]
        found |= {"NannyML, CBPE": _alerts(stream, estimated), "estimates": accuracy[bounds].to_numpy(dtype=float).tolist()}
    return found


def _alerts(stream: Stream, result: Any) -> list[date]:
    frame = result.filter(period="analysis").to_df()
    alerts = frame.loc[:, [column for column in frame.columns if column[-1] == "alert"]].to_numpy(dtype=bool, na_value=False).any(axis=1)
    return [arrives for arrives, alert in zip(stream.arrives, alerts, strict=True) if alert]


def river(stream: Stream) -> dict[str, Any]:
    """ADWIN and KSWIN on losses and DDM on wrong answers, row by row, on the days on which the labels come."""
    from river import drift

    found: dict[str, list[date]] = {"ADWIN": [], "KSWIN": []}
    detectors = {"ADWIN": drift.ADWIN(), "KSWIN": drift.KSWIN(seed=0)}
    wrong = drift.binary.DDM()
    if stream.is_binary:
        found["DDM"] = []
    for labelled, batch in zip(stream.labelled, stream.batches, strict=True):
        known = batch.dropna(subset="loss")
        for name, detector in detectors.items():
            losses = known["loss"].to_numpy()
            if name == "KSWIN" and losses.size > KSWIN_ROWS:
                losses = losses[:: losses.size // KSWIN_ROWS][:KSWIN_ROWS]
            if _fed(detector, losses.tolist()):
                found[name].append(labelled)
        if stream.is_binary and _fed(wrong, (known["predicted"] != known["truth"]).tolist()):
            found["DDM"].append(labelled)
    return found


def _fed(detector: Any, values: list[Any]) -> bool:
    called = False
    for value in values:
        detector.update(value)
        called |= detector.drift_detected
    return called


def judged(folder: Path) -> Iterator[tuple[str, Any]]:
    """What each package says of a stream; who raises is left out, and standard error says why."""
    stream = Stream(folder)
    judges: tuple[Callable[[Stream], dict[str, Any]], ...] = (evidently, nannyml, river)
    for judge in judges:
        try:
            yield from judge(stream).items()
        except Exception as error:  # noqa: BLE001 - whatever a package says of data that it does not expect
            print(f"{judge.__name__} on {folder.name}: {type(error).__name__}: {str(error).strip()[:300]}", file=sys.stderr)


def main() -> None:
    """Judge all streams."""
    for folder in map(Path, sys.argv[1:]):
        print(json.dumps({"stream": folder.name, "said": dict(judged(folder))}, default=str), flush=True)


if __name__ == "__main__":
    main()
