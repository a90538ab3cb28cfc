"""Whole processes, timed from outside and in turns, so that a machine whose speed drifts treats all alike."""

import os
import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

type Command = Sequence[str]


@dataclass(frozen=True, slots=True)
class Run:
    """One process and those it waited for: wall seconds, seconds of processors, most memory of any of them in MB.

    `others` is how many processors all other work on the machine took meanwhile: 0 on a quiet one.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    others: float


@dataclass(frozen=True, slots=True)
class Runs:
    """The same command again and again."""

    runs: tuple[Run, ...]

    @property
    def wall_s(self) -> float:
        """Median."""
        return median(run.wall_s for run in self.runs)

    @property
    def cpu_s(self) -> float:
        """Median."""
        return median(run.cpu_s for run in self.runs)

    @property
    def others(self) -> float:
        """Median."""
        return median(run.others for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """The most of all runs."""
        return max(run.peak_mb for run in self.runs)

    def times_slower_than(self, other: "Runs") -> float:
        """Median of the ratios of wall time, run by run."""
        return median(mine.wall_s / its.wall_s for mine, its in zip(self.runs, other.runs, strict=True))

    def times_more_processor_than(self, other: "Runs") -> float:
        """Median of the ratios of processor time, run by run."""
        return median(mine.cpu_s / its.cpu_s for mine, its in zip(self.runs, other.runs, strict=True))


def run(command: Command, folder: Path) -> Run:
    """Run a command; bytecode is kept in `folder`, as an image that is built once keeps it.

    Raises:
        CalledProcessError: if it fails.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    with (folder / "log").open("w+b") as log:
        busy, started = _busy_s(), perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        wall_s, busy_s = perf_counter() - started, _busy_s() - busy
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise subprocess.CalledProcessError(process.returncode, command, log.read())
    cpu_s = used.ru_utime + used.ru_stime
    return Run(wall_s, cpu_s, used.ru_maxrss / 1024, max(busy_s - cpu_s, 0.0) / wall_s)


def _busy_s() -> float:
    """Seconds of processors that the machine has spent on anything."""
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(map(int, (user, nice, system, interrupts, soft_interrupts))) / os.sysconf("SC_CLK_TCK")


def in_turns(commands: Mapping[str, Command], folder: Path, rounds: int, note: Callable[[str], None]) -> dict[str, Runs]:
    """Run all commands once unmeasured, then `rounds` times each, one after the other in every round."""
    measured: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            took = run(command, folder)
            note(f"{name}: {took.wall_s:.2f} s, {took.cpu_s:.2f} s of processors, {took.peak_mb:.0f} MB, others {took.others:.1f}")
            if number:
                measured[name].append(took)
    return {name: Runs(tuple(runs)) for name, runs in measured.items()}


def machine() -> str:
    """What this runs on, in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.process_cpu_count()} processors ({model}), {memory_gb:.0f} GB, {platform.system()}, Python {platform.python_version()}"
