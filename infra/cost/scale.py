"""Estimate how long a load takes, what limits it first, and which setting helps.

Each limit is a rate of work units (partitions or files) per second, and the lowest rate decides. Not included: functions that are
slower on AWS than here, retries, and other work of the account.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import ceil
from operator import attrgetter

from infra.cost.estimate import (
    GETS_A_PARTITION,
    MEMORY_OF_A_CPU_MB,
    PART_BYTES,
    PUTS_A_PARTITION,
    READ_BYTES,
    TRANSITIONS_A_PARTITION,
    Basis,
    Load,
    bytes_in,
    scoring_seconds,
)
from infra.cost.quotas import Quotas
from infra.local.transformation import read_template
from infra.places import ROOT

COMMIT_FILES_PER_S = 50
"""Results that a commit reads per second: 16 at once, about 300 ms each with a profile of 100 columns. An assumption."""
OVERHEAD_S = 0.25
"""What a small file costs besides its rows: a dozen requests to S3 of some 20 ms each, and 60 ms of work. An assumption but for these."""
MB = 2**20
PUTS_A_FILE, GETS_A_FILE = 3, 6
"""Scored rows, quarantined rows, manifest; the object, the standing manifest, the release, a bundle's files being loaded already."""


@dataclass(frozen=True, slots=True)
class ScaleSettings:
    """Parameters of the template that decide how much runs at once."""

    partition_mb: int
    partition_concurrency: int
    scoring_concurrency: int
    partition_above_mb: int
    scoring_memory_mb: int


@cache
def template_settings(at_once: int | None = None) -> ScaleSettings:
    """Return the template's defaults; `at_once` replaces both limits on functions."""
    parameters = read_template((ROOT / "template.yaml").read_text())["Parameters"]
    return ScaleSettings(
        partition_mb=parameters["PartitionMb"]["Default"],
        partition_above_mb=parameters["PartitionAboveMb"]["Default"],
        partition_concurrency=at_once or parameters["PartitionConcurrency"]["Default"],
        scoring_concurrency=at_once or parameters["ScoringConcurrency"]["Default"],
        scoring_memory_mb=parameters["ScoringMemoryMb"]["Default"],
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: its rate in units of work per second, and what raises it."""

    what: str
    units_per_s: float
    moved_by: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """The time for `units` (partitions or files) of `seconds_a_unit`, and all limits.

    Limits come narrowest first. `start_s` passes until all functions are working; `end_s` is the time of the commit.
    """

    units: int
    seconds_a_unit: float
    start_s: float
    end_s: float
    limits: tuple[Limit, ...]

    @property
    def seconds(self) -> float:
        """Return the seconds from the upload to the manifest."""
        waves = max(self.units / self.limits[0].units_per_s, self.seconds_a_unit)
        return self.start_s + waves + self.end_s

    @property
    def units_an_hour(self) -> float:
        """Return how many units per hour can be sustained."""
        return 3600 * self.limits[0].units_per_s


def forecast(load: Load, basis: Basis, quotas: Quotas, settings: ScaleSettings) -> tuple[Forecast, str]:
    """Forecast a load: small files all at once, large ones in turn.

    Large files are scored in partitions.
    """
    if not partitions_of(load, basis, settings):
        return many_files(load, basis, quotas, settings), "files"
    return one_file(replace(load, rows=ceil(load.rows / load.files), files=1), basis, quotas, settings), "partitions of each file"


def partitions_of(load: Load, basis: Basis, settings: ScaleSettings) -> int:
    """Return the total partitions of all files; 0 if each is scored whole."""
    file_bytes = bytes_in(load, basis.measured) / load.files
    if file_bytes <= settings.partition_above_mb * MB:
        return 0
    return load.files * ceil(file_bytes / (settings.partition_mb * MB))


def one_file(load: Load, basis: Basis, quotas: Quotas, settings: ScaleSettings) -> Forecast:
    """Return the time for all rows in one file, scored in partitions."""
    input_bytes = bytes_in(load, basis.measured)
    units = max(1, ceil(input_bytes / (settings.partition_mb * MB)))
    seconds = _seconds(load, basis, settings) / units
    bytes_a_unit = input_bytes / units
    at_once = {
        "partitions at once": (settings.partition_concurrency, "PartitionConcurrency"),
        "functions of the account": (quotas.lambda_concurrency.amount, "ask AWS for more concurrency"),
        "items of a Distributed Map": (quotas.map_concurrency.amount, "larger partitions (PartitionMb)"),
    }
    limits = [Limit(what, many / seconds, by) for what, (many, by) in at_once.items()]
    reads, writes = GETS_A_PARTITION + bytes_a_unit / READ_BYTES, PUTS_A_PARTITION + bytes_a_unit / 2 / PART_BYTES
    limits += _of_s3(quotas, reads=reads, writes=writes)
    transitions = quotas.transitions_per_s.amount / TRANSITIONS_A_PARTITION
    limits.append(Limit("state transitions", transitions, "larger partitions (PartitionMb), or ask AWS for more"))
    start = 10 * ceil(min(many for many, _ in at_once.values()) / quotas.lambda_ramp_per_10_s.amount) - 10
    cold = basis.measured.cold_starts.seconds["scoring"]
    return Forecast(units, seconds, start + cold, 1 + units / COMMIT_FILES_PER_S, _narrowest_first(limits))


def many_files(load: Load, basis: Basis, quotas: Quotas, settings: ScaleSettings) -> Forecast:
    """Return the time for files that arrive at once, each scored by a warm function."""
    seconds = _seconds(load, basis, settings) / load.files + OVERHEAD_S
    at_once = {
        "files scored at once": (settings.scoring_concurrency, "ScoringConcurrency"),
        "functions of the account": (quotas.lambda_concurrency.amount, "ask AWS for more concurrency"),
        "functions at one queue": (quotas.sqs_concurrency.amount, "larger files, or several stacks"),
    }
    limits = [Limit(what, many / seconds, by) for what, (many, by) in at_once.items()]
    limits += _of_s3(quotas, reads=GETS_A_FILE, writes=PUTS_A_FILE)
    wanted = min(many for many, _ in at_once.values())
    ramp = 60 * max(0.0, wanted - quotas.sqs_first_functions.amount) / quotas.sqs_ramp_per_minute.amount
    cold = basis.measured.cold_starts.seconds["scoring"]
    return Forecast(load.files, seconds, ramp / 2 + cold, 0.0, _narrowest_first(limits))


def _seconds(load: Load, basis: Basis, settings: ScaleSettings) -> float:
    """Return the seconds of one processor for all rows."""
    memory = min(settings.scoring_memory_mb, MEMORY_OF_A_CPU_MB)
    return scoring_seconds(Load(load.rows, load.columns, files=0, model=load.model), basis.measured, memory)


def _of_s3(quotas: Quotas, *, reads: float, writes: float) -> list[Limit]:
    by = "larger files or partitions; S3 also divides a prefix that stays busy"
    return [
        Limit("reads from S3 below one prefix", quotas.s3_get_per_s.amount / reads, by),
        Limit("writes to S3 below one prefix", quotas.s3_put_per_s.amount / writes, by),
    ]


def _narrowest_first(limits: list[Limit]) -> tuple[Limit, ...]:
    return tuple(sorted(limits, key=attrgetter("units_per_s")))
