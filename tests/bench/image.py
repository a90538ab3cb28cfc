"""Weigh the functions' image, time its rebuilding and its cold starts, and write docs/performance.md.

    make bench-image                                         # builds it first; or:
    python -m tests.bench.image [--rounds 5] [--print]

In every round a new model is trained, released, scored by and measured, each by a function in a new container.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, time_ns
from typing import Any

from infra.cli.operator import embedded
from infra.cost.speed import ColdStarts
from infra.demo.once import each_function_once, idle_stack
from infra.local.codedeploy import deployment_hook
from infra.local.containers import EMULATED_NAME, ContainerFunction, container_functions, emulated
from infra.local.image import IMAGE, base_image, built_from, size_mb
from infra.local.sam import SAM
from infra.places import ROOT
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.figures import record
from tests.bench.scoring.processes import machine

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
HEAVY = ("numpy", "pyarrow", "boto3", "scipy", "pandas", "sklearn", "skops", "mlflow")
LARGEST = 8
REBUILT_TAG = "everscore-rebuilt"
WORK = {
    "scoring": "reads the release and the version, scores 6,000 flights",
    "metric_emission": "measures that batch",
    "retraining": "trains on 18,000 flights, compiles, registers in MLflow",
    "cataloguing": "makes the tables, brings that batch into them",
    "code_check": "asks scoring, which is warm, for that batch's bytes again",
    "erasure": "removes two flights from everything stored",
    "partitioning": "cuts a week of flights",
    "release": "publishes the version, sets MLflow's aliases",
}


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds until a new container's first answer, of them until the handler was imported, and of processors."""

    answer_s: float
    init_s: float
    processor_s: float


def note(line: str) -> None:
    """Say how it goes on standard error."""
    print(line, file=sys.stderr, flush=True)


def cold_start(name: str, function: ContainerFunction, event: Mapping[str, Any]) -> tuple[Any, ColdStart]:
    """A function's answer to a container's first event."""
    with emulated(function) as running:
        before, started = running.processor_s(), perf_counter()
        answer = running.invoke(event)
        answer_s = perf_counter() - started
        [init_ms] = re.findall(r"INIT REPORT\(durationMs: ([\d.]+)\)", running.logs())
        measured = ColdStart(answer_s, float(init_ms) / 1000, running.processor_s() - before)
    note(f"{name}: {measured}")
    return answer, measured


def imported(function: ContainerFunction, event: Mapping[str, Any]) -> tuple[Any, set[str]]:
    """A function's answer, and which of the heavy packages it had imported by then."""
    with emulated(function, variables={"PYTHONVERBOSE": "1"}) as running:
        answer = running.invoke(event)
        return answer, {name for name in HEAVY if f"\nimport '{name}' " in running.logs()}


def cold_starts(rounds: int) -> tuple[str, ColdStarts]:
    """A table of medians, and of them what is reckoned with."""
    measured: defaultdict[str, list[ColdStart]] = defaultdict(list)
    packages: dict[str, set[str]] = {}
    with (
        idle_stack(note) as stack,
        container_functions(stack) as deployed,
        emulated(deployed["scoring"]) as new_code,
        deployment_hook(deployed["scoring"], lambda_endpoint=new_code.endpoint, new_version=EMULATED_NAME) as hook,
    ):
        functions = {**deployed, "code_check": hook.function}

        def look(name: str, event: Mapping[str, Any]) -> Any:
            answer, packages[name] = imported(functions[name], event)
            return answer

        def time(name: str, event: Mapping[str, Any]) -> Any:
            answer, took = cold_start(name, functions[name], event)
            measured[name].append(took)
            return answer

        operator = embedded(stack)
        each_function_once(operator, look, hook.answers, "unmeasured")
        for number in range(rounds):
            each_function_once(operator, time, hook.answers, f"round-{number}")
    rows = []
    for name, work in WORK.items():
        seconds = (median(getattr(run, of) for run in measured[name]) for of in ("init_s", "answer_s", "processor_s"))
        loaded = ", ".join(package for package in HEAVY if package in packages[name])
        rows.append([name, f"{functions[name].memory_mb}", *(f"{value:.2f}" for value in seconds), work, loaded])
    header = ["function", "MB of memory", "init s", "init + first answer s", "processor s", "which", "imported by then"]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    answers = {name: median(run.answer_s for run in runs) for name, runs in measured.items()}
    return markdown_table(header, rows), ColdStarts(date=today, machine=machine(), image_mb=size_mb(IMAGE), seconds=answers)


def weights() -> str:
    """A table of the image's parts, with the largest packages."""
    run = ["docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c", "du -s -B 1000000 /var/task/*"]
    lines = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
    parts = sorted(((int(megabytes), Path(path).name) for megabytes, path in map(str.split, lines)), reverse=True)
    base, whole = size_mb(built_from(IMAGE)), size_mb(IMAGE)
    rows = [["beyond the base image", f"{whole - base:.0f}"], *([f"… `{name}`", str(megabytes)] for megabytes, name in parts[:LARGEST])]
    return markdown_table(["part", "MB, unpacked"], [*rows, ["the base image", f"{base:.0f}"]])


def rebuild_s() -> float:
    """Seconds that `sam build` takes after a line of code has changed. The image of that has a tag of its own, and is removed."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for path in ("functions", "requirements"):
            shutil.copytree(ROOT / path, folder / path, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "infra" / "state_machines", folder / "infra" / "state_machines")
        shutil.copy(ROOT / ".dockerignore", folder)
        template = (ROOT / "template.yaml").read_text()
        (folder / "template.yaml").write_text(template.replace("DockerTag: everscore\n", f"DockerTag: {REBUILT_TAG}\n"))
        try:
            _sam_build(folder)
            with (folder / "functions" / "scoring" / "service.py").open("a") as code:
                code.write(f"\nREBUILT = {time_ns()}\n")
            started = perf_counter()
            _sam_build(folder)
            return perf_counter() - started
        finally:
            subprocess.run(["docker", "image", "rm", f"scoring:{REBUILT_TAG}"], check=False, capture_output=True)


def _sam_build(folder: Path) -> None:
    subprocess.run(
        [SAM, "build", "--parameter-overrides", f"Base={built_from(IMAGE)}"],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
    )


def circumstances(rounds: int) -> Sequence[str]:
    """How it was measured."""
    inspect = ["docker", "image", "inspect", "--format", '{{index .Config.Labels "everscore.stand-in"}}', IMAGE]
    stand_in = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip() == "true"
    base = f"a stand-in for {base_image()}, which could not be pulled" if stand_in else base_image()
    busy = f"{os.getloadavg()[0]:.1f} processes were runnable at the end; this takes one"
    return ["", f"`make bench-image`, {rounds} rounds, {datetime.now(UTC):%Y-%m-%d}, {machine()}; {busy}. Base image: {base}."]


def main() -> None:
    """Measure and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--print", action="store_true", help="print, and leave the document alone")
    options = parser.parse_args()
    rebuilt = f"After a line of code has changed, `sam build` takes {rebuild_s():.0f} s."
    table, figures = cold_starts(options.rounds)
    text = "\n".join([weights(), "", rebuilt, "", table, *circumstances(options.rounds)])
    if options.print:
        print(text)
    else:
        replace_measured(DOCUMENT, "image", text)
        record(cold_starts=figures)


if __name__ == "__main__":
    main()
