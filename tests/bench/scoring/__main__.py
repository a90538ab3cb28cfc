"""Time the scorer against what else scores a file, and write docs/performance.md.

    make bench                                               # or:
    python -m tests.bench.scoring [--rounds 5] [--folder .cache/bench] [--only speed|files|stages|writing|bad|memory|cold|one] [--print]

Needs a quiet machine, 6 GB of disk, and `.peers`, which `make bench` makes. Files and models are made once, in the folder.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from infra.cost.speed import Stages
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.figures import record
from tests.bench.scoring.processes import Command, Runs, in_turns, machine, run
from tests.bench.scoring.world import AS_WE_WRITE, BROKEN, FOREST_ROWS, KINDS, MILLION, World

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "performance.md"
PEERS = ROOT / ".peers" / "bin" / "python"
OURS, PYFUNC, CLI = "Everscore", "pandas + mlflow.pyfunc", "mlflow models predict"
DUCKDB, POLARS, ARROW = "DuckDB, a bare copy", "polars, a bare copy", "pyarrow, a bare copy"
_SCRIPTS = {OURS: "everscore", PYFUNC: "pyfunc"}
_COPIERS = {DUCKDB: "duckdb", POLARS: "polars", ARROW: "pyarrow"}


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
        if name in _COPIERS:
            return [str(PEERS), str(Path(__file__).with_name("copiers.py")), _COPIERS[name], str(file), f"{out}.parquet"]
        script = [sys.executable, "-m", "tests.bench.scoring.contenders", _SCRIPTS[name]]
        return [*script, model, str(file), f"{out}.parquet", str(folder)]

    def time(self, commands: dict[str, Command]) -> dict[str, Runs]:
        """Run commands in turns and say on standard error how it goes."""
        measured = in_turns(commands, self.world.folder, self.rounds, lambda line: print(line, file=sys.stderr))
        self.others.extend(runs.others for runs in measured.values())
        return measured

    def speed(self) -> str:
        """Each model, each contender, as multiples of the least that a bare copy took."""
        rows = []
        for model, count, others in (
            ("logistic", MILLION, (ARROW, PYFUNC, CLI)),
            ("boosting", MILLION, (PYFUNC, CLI)),
            ("xgboost", MILLION, (PYFUNC, CLI)),
            ("lightgbm", MILLION, (PYFUNC, CLI)),
            ("forest", FOREST_ROWS, (PYFUNC, CLI)),
        ):
            file = self.world.rows(count)
            measured = self.time({name: self.contender(name, model, file) for name in (OURS, DUCKDB, POLARS, *others)})
            for name, runs in measured.items():
                figures = f"{runs.wall_s:.2f}", f"{runs.cpu_s:.2f}", f"{runs.peak_mb:.0f}"
                rows.append([f"{model}, {count:,} rows", name, *figures, *_against_copies(runs, measured)])
        return markdown_table(["model, file", "process", "wall s", "processor s", "peak MB", *_AGAINST_COPIES], rows)

    def files(self) -> str:
        """Each kind of file, against bare copies of it."""
        rows = []
        for kind, said in KINDS.items():
            file = self.world.of_kind(kind)
            measured = self.time({name: self.contender(name, "logistic", file) for name in (OURS, DUCKDB, POLARS)})
            for name, runs in measured.items():
                figures = f"{runs.wall_s:.2f}", f"{runs.cpu_s:.2f}", f"{runs.peak_mb:.0f}"
                rows.append([f"{said}, {file.stat().st_size / 1e6:,.0f} MB", name, *figures, *_against_copies(runs, measured)])
        return markdown_table(["file", "process", "wall s", "processor s", "peak MB", *_AGAINST_COPIES], rows)

    def writing(self) -> str:
        """Settings of Parquet: what they cost, and the bytes that come of it."""
        found = self._script("writing", "boosting", self.world.rows(MILLION), str(self.rounds))
        ours, smallest = found[AS_WE_WRITE], min(size for _, size in found.values())
        rows = [
            [name, f"{seconds:.2f}", f"{seconds / ours[0]:.2f}", f"{size / 1e6:.1f}", f"{size / smallest:.2f}"]
            for name, (seconds, size) in found.items()
        ]
        text = markdown_table(["settings", "processor s", "as multiple of ours", "MB", "as multiple of the smallest"], rows)
        out, sizes = self.world.folder / "out.parquet", {}
        for name in (DUCKDB, POLARS):
            run(self.contender(name, "", self.world.rows(MILLION)), self.world.folder)
            sizes[name] = f"{out.stat().st_size / 1e6:.1f} MB for {name}"
        return f"{text}\n\nThe same rows without scores: {', '.join(sizes.values())}."

    def one(self) -> str:
        """A batch of one row."""
        found = {model: self._script("one_row", model, self.world.rows(MILLION)) for model in ("logistic", "boosting")}
        rows = [[name, *(f"{1000 * seconds[name]:.0f}" for seconds in found.values())] for name in found["logistic"]]
        return markdown_table(["a batch of one row, processor ms", *found], rows)

    def _script(self, name: str, model: str, file: Path, *more: str) -> dict[str, Any]:
        """What a script of this folder prints."""
        command = [sys.executable, "-m", f"tests.bench.scoring.{name}", model, str(file), str(self.world.folder), *more]
        found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return found

    def stages(self) -> str:
        """Processor seconds of each stage."""
        columns = {model: self._script("stages", model, self.world.rows(MILLION)) for model in ("logistic", "boosting")}
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
        runs = "one run each" if name in {"stages", "memory", "one"} else f"{self.rounds} rounds"
        text = f"`python -m tests.bench.scoring --only {name}`, {runs}, {datetime.now(UTC):%Y-%m-%d}, {machine()}."
        if self.others:
            text += f" Meanwhile other work took {median(self.others):.1f} processors."
        return text


SECTIONS: Mapping[str, Callable[[Bench], str]] = {
    "speed": Bench.speed,
    "files": Bench.files,
    "stages": Bench.stages,
    "writing": Bench.writing,
    "bad": Bench.bad,
    "memory": Bench.memory,
    "cold": Bench.cold,
    "one": Bench.one,
}

_AGAINST_COPIES = ["wall, as multiple of the fastest copy's", "processor, as multiple of the thriftiest copy's"]


def _against_copies(runs: Runs, measured: Mapping[str, Runs]) -> tuple[str, str]:
    copies = [found for name, found in measured.items() if name in _COPIERS]
    fastest = min(copies, key=lambda found: found.wall_s)
    thriftiest = min(copies, key=lambda found: found.cpu_s)
    return f"{runs.times_slower_than(fastest):.2f}", f"{runs.times_more_processor_than(thriftiest):.2f}"


def main() -> None:
    """Measure what is asked for and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    parser.add_argument("--only", choices=list(SECTIONS), action="append")
    parser.add_argument("--print", action="store_true", help="print, and leave the document alone")
    options = parser.parse_args()
    if not PEERS.exists():
        parser.error("DuckDB and polars are not there: make .peers/installed")
    world = World(options.folder.resolve())
    world.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "tests.bench.scoring.making", str(world.folder)], check=True)
    for name in options.only or SECTIONS:
        bench = Bench(world, options.rounds)
        text = f"{SECTIONS[name](bench)}\n\n{bench.circumstances(name)}"
        print(text)
        if not options.print:
            replace_measured(DOCUMENT, name, text)
        if bench.stage_seconds and not options.print:
            record(stages=bench.stage_figures())
    shutil.rmtree(world.folder / "stages", ignore_errors=True)


if __name__ == "__main__":
    main()
