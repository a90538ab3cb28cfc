"""One stream from its rows to what everyone said of it; a folder hands it to the contenders, which have an environment of their own."""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from functions.shared.domain.spec import Task
from infra.places import ROOT
from tests.bench.judgement.ours import Lived, live
from tests.bench.judgement.streams import LABEL_DELAY, TIME, Stream
from tests.bench.judgement.thresholds import by_accuracy, by_auc, by_psi
from tests.bench.judgement.truth import Course, Verdict, verdict

CONTENDERS = ROOT / ".contenders" / "bin" / "python"
OURS, OURS_BEFORE = "Everscore", "Everscore, every drift calls"
EVIDENTLY, AWS, MLFLOW = "Evidently, data set", "AWS's sample", "MLflow's example"
METRIC = "accuracy"


@dataclass(frozen=True, slots=True)
class Estimated:
    """Estimates of accuracy before labels, by batch: the estimate and its interval, None where it was refused."""

    intervals: Sequence[Sequence[float] | None]

    def against(self, truth: Sequence[tuple[float, int]]) -> Iterator[tuple[float, bool]]:
        """Yield, for each batch that was estimated and labelled, the error over the sampling error, and whether the interval held."""
        for interval, (accuracy, rows) in zip(self.intervals, truth, strict=True):
            if interval and rows:
                value, low, high = interval
                yield abs(value - accuracy) / np.sqrt(max(accuracy * (1 - accuracy), 1 / rows) / rows), low <= accuracy <= high


@dataclass
class Judged:
    """A stream, and what was said of it."""

    name: str
    source: str
    course: Course
    said: dict[str, Verdict]
    calls: dict[str, list[date]]
    accuracies: Sequence[tuple[float, int]]
    estimates: dict[str, Estimated] = field(default_factory=dict)

    def add(self, name: str, calls: Sequence[date], open_on: frozenset[date] = frozenset()) -> None:
        """Take down what a judge said."""
        self.calls[name], self.said[name] = list(calls), verdict(self.course, calls, open_on)


def judge(stream: Stream, folder: Path) -> Judged:
    """Live through a stream, ask the rules that are formulas, and write what the contenders read into a folder."""
    lived = live(stream)
    judged = Judged(stream.name, stream.source, Course.of(stream, lived), {}, {}, _accuracies(stream, lived))
    judged.add(OURS, [call.day for call in lived.calls], lived.open)
    judged.add(OURS_BEFORE, [call.day for call in lived.loud], lived.open)
    for name, calls in by_psi(stream, lived).items():
        judged.add(name, calls)
    if stream.task is Task.BINARY:
        judged.add(MLFLOW, by_accuracy(stream, lived))
        judged.add(AWS, by_auc(stream, lived))
        judged.estimates[OURS] = Estimated([found.get(METRIC) for found in lived.estimates])
    _write(stream, lived, folder)
    return judged


def _accuracies(stream: Stream, lived: Lived) -> list[tuple[float, int]]:
    known = lived.rows.dropna(subset="truth")
    right = (known["predicted"] == known["truth"]).groupby(known["batch"]).agg(["mean", "size"])
    return [(float(right["mean"].get(number, 0.0)), int(right["size"].get(number, 0))) for number in range(len(stream.batches))]


def _write(stream: Stream, lived: Lived, folder: Path) -> None:
    folder.mkdir(parents=True)
    columns = [*lived.numbers, *lived.categories]
    answers = ["score", "predicted", "truth", "loss"]
    lived.learnt[columns].to_parquet(folder / "learnt.parquet", index=False)
    lived.held[[TIME, *columns, *answers]].to_parquet(folder / "held.parquet", index=False)
    lived.rows[["batch", TIME, *columns, *answers]].to_parquet(folder / "rows.parquet", index=False)
    about = {
        "task": stream.task.value,
        "numbers": list(lived.numbers),
        "categories": list(lived.categories),
        "arrives": [batch.arrives.isoformat() for batch in stream.batches],
        "batch_days": stream.batch_days,
        "label_delay": LABEL_DELAY.days,
    }
    (folder / "about.json").write_text(json.dumps(about))


def ask_contenders(folders: Sequence[Path]) -> Mapping[str, Any]:
    """Return what other packages say of streams, by the name of the folder."""
    script = Path(__file__).with_name("contenders.py")
    done = subprocess.run([CONTENDERS, script, *folders], check=True, stdout=subprocess.PIPE, text=True)
    return {found["stream"]: found["said"] for found in map(json.loads, done.stdout.splitlines())}


def take_down(judged: Judged, said: Mapping[str, Any]) -> None:
    """Add what the contenders said of a stream."""
    for name, found in said.items():
        if name == "estimates":
            judged.estimates["NannyML, CBPE"] = Estimated(found)
        else:
            judged.add(name, [date.fromisoformat(day) for day in found])
    if AWS in judged.calls and EVIDENTLY in judged.calls:
        judged.add(AWS, sorted({*judged.calls[AWS], *judged.calls[EVIDENTLY]}))
