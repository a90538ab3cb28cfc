"""Time the scorer against what else scores a file, and write docs/performance.md.

    make bench                                               # or:
    python -m tests.bench.scoring [--rounds 5] [--folder .cache/bench] [--only speed|stages|bad|memory|cold] [--print]

Needs a quiet machine and 5 GB of disk. Files and models are made once, in the folder.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from infra.cost.speed import Stages
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.figures import record
from tests.bench.scoring.processes import Command, Runs, in_turns, machine, run
from tests.bench.scoring.world import BROKEN, FOREST_ROWS, MILLION, World

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "performance.md"
OURS, FLOOR, ARROW, PYFUNC, CLI = "Everscore", "floor", "pyarrow alone", "pandas + mlflow.pyfunc", "mlflow models predict"
_SCRIPTS = {OURS: "everscore", FLOOR: "floor", ARROW: "arrow", PYFUNC: "pyfunc"}


@dataclass(frozen=True, slots=True)
class Bench:
    """A world and how often each command is run in it."""

    world: World
    rounds: int
    others: list[float] = field(default_factory=list)
    stage_seconds: dict[str, dict[str, float]] = field(default_factory=dict)

    def contender(self, name: str, model: str, file: Path) -> Command:
        """The process of one way to score a file."""
        folder, out = self.world.folder, self.world.folder / "out"
        if name == CLI:
            mlflow_model = str(self.world.mlflow_model(model))
            options = ["-m", mlflow_model, "-i", str(file), "-o", f"{out}.json", "-t", "csv", "--env-manager", "local"]
            return [str(Path(sys.executable).with_name("mlflow")), "models", "predict", *options]
        script = [sys.executable, "-m", "tests.bench.scoring.contenders", _SCRIPTS[name]]
        return [*script, model, str(file), f"{out}.parquet", str(folder)]

    def time(self, commands: dict[str, Command]) -> dict[str, Runs]:
        """Run commands in turns and say on standard error how it goes."""
        measured = in_turns(commands, self.world.folder, self.rounds, lambda line: print(line, file=sys.stderr))
        self.others.extend(runs.others for runs in measured.values())
        return measured

    def speed(self) -> str:
        """Each model, each contender."""
        rows, bounds = [], []
        for model, count, names in (
            ("logistic", MILLION, (OURS, FLOOR, ARROW, PYFUNC, CLI)),
            ("boosting", MILLION, (OURS, FLOOR, ARROW, PYFUNC, CLI)),
            ("xgboost", MILLION, (OURS, FLOOR, PYFUNC, CLI)),
            ("forest", FOREST_ROWS, (OURS, FLOOR, PYFUNC, CLI)),
        ):
            file = self.world.rows(count)
            measured = self.time({name: self.contender(name, model, file) for name in names})
            for name, runs in measured.items():
                ratio = "" if name == OURS else f"{runs.times_slower_than(measured[OURS]):.2f}"
                rows.append([f"{model}, {count:,} rows", name, f"{runs.wall_s:.2f}", f"{runs.cpu_s:.2f}", f"{runs.peak_mb:.0f}", ratio])
            most = [f"{measured[name].times_slower_than(measured[FLOOR]):.1f} times as fast as {name}" for name in (PYFUNC, CLI)]
            bounds.append(f"- {model}: a scorer at the floor, that costs nothing itself, would be {' and '.join(most)}.")
        header = ["model, file", "process", "wall s", "processor s", "peak MB", "wall, as multiple of Everscore's"]
        return f"{markdown_table(header, rows)}\n\n{'\n'.join(bounds)}"

    def stages(self) -> str:
        """Processor seconds of each stage."""
        columns = {}
        for model in ("logistic", "boosting"):
            options = [model, str(self.world.rows(MILLION)), str(self.world.folder)]
            command = [sys.executable, "-m", "tests.bench.scoring.stages", *options]
            columns[model] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        self.stage_seconds.update(columns)
        names = list(columns["logistic"])
        return markdown_table(["stage", *columns], [[name, *(f"{column[name]:.2f}" for column in columns.values())] for name in names])

    def stage_figures(self) -> Stages:
        """The same as `stages`, for those who reckon with it."""
        file = self.world.rows(MILLION)
        with file.open() as lines:
            columns = lines.readline().count(",") + 1
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        size = file.stat().st_size
        return Stages(date=today, machine=machine(), rows=MILLION, columns=columns, input_bytes=size, seconds=self.stage_seconds)

    def bad(self) -> str:
        """A clean file against those whose every hundredth row is broken, by format."""
        rows = []
        for form, format_name in (("csv", "CSV"), ("jsonl", "JSON Lines")):
            measured = self.time({how: self.contender(OURS, "logistic", self.world.broken(how, form)) for how in BROKEN})
            for how, runs in measured.items():
                multiples = f"{runs.times_slower_than(measured['clean']):.2f}", f"{runs.cpu_s / measured['clean'].cpu_s:.2f}"
                rows.append([format_name, BROKEN[how], f"{runs.wall_s:.2f}", f"{runs.cpu_s:.2f}", *multiples])
        header = [
            "format",
            "every hundredth row has",
            "wall s",
            "processor s",
            "wall, as multiple of the clean file's",
            "processor, likewise",
        ]
        return markdown_table(header, rows)

    def memory(self) -> str:
        """One million rows against twenty times as many."""
        rows = []
        for file in (self.world.rows(MILLION), self.world.large):
            for model in ("logistic", "boosting"):
                once = run(self.contender(OURS, model, file), self.world.folder)
                self.others.append(once.others)
                rows.append([model, f"{file.stat().st_size / 1e6:,.0f}", f"{once.wall_s:.1f}", f"{once.peak_mb:.0f}"])
        return markdown_table(["model", "CSV, MB", "wall s", "peak MB"], rows)

    def cold(self) -> str:
        """A fresh interpreter until it can score."""
        script = [sys.executable, "-m", "tests.bench.scoring.cold_start"]
        store = str(self.world.store)
        everything, libraries = "handler, S3 client, compiled model", "the libraries' share: imports and S3 client"
        measured = self.time({everything: [*script, "all", store, "boosting"], libraries: [*script, "libraries", store, "boosting"]})
        rows = [[name, f"{runs.wall_s:.2f}", f"{runs.cpu_s:.2f}"] for name, runs in measured.items()]
        ours = [f"{getattr(measured[everything], kind) - getattr(measured[libraries], kind):.2f}" for kind in ("wall_s", "cpu_s")]
        return markdown_table(["fresh interpreter", "wall s", "processor s"], [*rows, ["our own code and model: the difference", *ours]])

    def circumstances(self, name: str) -> str:
        """When, where and how a table was measured, and how quiet the machine was."""
        runs = "one run each" if name in {"stages", "memory"} else f"{self.rounds} rounds"
        text = f"`python -m tests.bench.scoring --only {name}`, {runs}, {datetime.now(UTC):%Y-%m-%d}, {machine()}."
        if self.others:
            text += f" Meanwhile other work took {median(self.others):.1f} processors."
        return text


def main() -> None:
    """Measure what is asked for and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--only", choices=["speed", "stages", "bad", "memory", "cold"], action="append")
    parser.add_argument("--print", action="store_true", help="print, and leave the document alone")
    options = parser.parse_args()
    world = World(options.folder.resolve())
    world.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "tests.bench.scoring.making", str(world.folder)], check=True)
    sections = {
        "speed": Bench.speed,
        "stages": Bench.stages,
        "bad": Bench.bad,
        "memory": Bench.memory,
        "cold": Bench.cold,
    }
    for name in options.only or sections:
        bench = Bench(world, options.rounds)
        text = f"{sections[name](bench)}\n\n{bench.circumstances(name)}"
        print(text)
        if not options.print:
            replace_measured(DOCUMENT, name, text)
        if bench.stage_seconds and not options.print:
            record(stages=bench.stage_figures())
    shutil.rmtree(world.folder / "stages", ignore_errors=True)


if __name__ == "__main__":
    main()
