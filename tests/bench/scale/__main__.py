"""How scoring in partitions scales here, how far it should go on AWS, and what small files cost; written into docs/scale.md.

    python -m tests.bench.scale [--only speedup|growth|small|queued|plan] [--rows 1e8] [--rounds 3]

The files are those of `tests.bench.scoring`, made where they are missing. 100 million rows take 9 GB, which are deleted again.
"""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from infra.cost.deployed import deployed
from infra.cost.estimate import MEMORY_OF_A_CPU_MB, Basis, Load, scoring_bill
from infra.cost.prices import listed_prices
from infra.cost.quotas import listed_quotas
from infra.cost.scale import Forecast, many_files, one_file, partitions_of, template_settings
from infra.cost.speed import measured
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.scale.batches import Took, score_in_partitions
from tests.bench.scale.queue import measure_throughput
from tests.bench.scale.small import measure_overhead
from tests.bench.scoring.making import make
from tests.bench.scoring.processes import machine
from tests.bench.scoring.world import FOREST_ROWS, MILLION, World

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "scale.md"
MODEL = "boosting"
PARTS_OF_A_MILLION = 2


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=list(STEPS))
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=100 * MILLION)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "bench")
    options = parser.parse_args()
    for name in [options.only] if options.only else STEPS:
        STEPS[name](options)


def speed_up(options: argparse.Namespace) -> None:
    """The same rows, ten million at most, by one worker and by two, in turns."""
    world = _made(options)
    millions = min(options.rows // MILLION, 10)
    file = _repeated(world, millions)
    runs: dict[int, list[Took]] = {1: [], 2: []}
    for _ in range(options.rounds):
        for workers, taken in runs.items():
            taken.append(_scored(world, file, workers))
    file.unlink()
    ratio = median(one.wall_s / two.wall_s for one, two in zip(runs[1], runs[2], strict=True))
    rows = [
        [str(workers), *(f"{median(getattr(took, name) for took in taken):.2f}" for name in ("wall_s", "cpu_s", "others", "used"))]
        for workers, taken in runs.items()
    ]
    table = markdown_table(("workers", "wall s", "processor s", "processors of other work", "of those left to them, used"), rows)
    work = median(one.cpu_s for one in runs[1]) / median(two.cpu_s for two in runs[2])
    alone = 2 * work * median(two.used for two in runs[2])
    text = (
        f"One worker took **{ratio:.2f} times** as long as two: {millions} million rows, median of {options.rounds} rounds. With both processors to "
        f"themselves two would be {alone:.2f} times as fast, by the processor seconds and by how much of what was left to them they used."
    )
    _write("speedup", f"{table}\n\n{text}")


def growth(options: argparse.Namespace) -> None:
    """More and more rows by two workers; the table is written after each, since the last takes long."""
    world, rows = _made(options), []
    for size in (MILLION, 10 * MILLION, 100 * MILLION):
        if size > options.rows:
            break
        file = _repeated(world, size // MILLION)
        rows.append(_grown(_scored(world, file, 2)))
        file.unlink()
        _write("growth", markdown_table(tuple(rows[0]), [tuple(row.values()) for row in rows]))


def _grown(took: Took) -> dict[str, str]:
    millions = took.rows / MILLION
    gb_seconds = took.cpu_s / millions * MEMORY_OF_A_CPU_MB / 1024
    return {
        "rows": f"{took.rows:,}",
        "partitions": f"{took.partitions:,}",
        "wall s": f"{took.wall_s:.1f}",
        "wall s a million": f"{took.wall_s / millions:.2f}",
        "processor s a million": f"{took.cpu_s / millions:.2f}",
        "dollars a million": f"{gb_seconds * listed_prices().gb_second('x86_64').dollars:.6f}",
        "commit s": f"{took.commit_s:.2f}",
        "peak MB of a worker": f"{took.peak_mb:.0f}",
        "processors of other work": f"{took.others:.1f}",
    }


def small(options: argparse.Namespace) -> None:
    """Small files, one after the other, by a warm function."""
    world = _made(options)
    rows = [[f"{count:,}", f"{took.wall_ms:.1f}", f"{took.cpu_ms:.1f}", f"{took.calls}"] for count, took in measure_overhead(world).items()]
    header = ("rows in the file", "ms", "processor ms", "calls to buckets")
    _write("small", markdown_table(header, rows))


def queued(options: argparse.Namespace) -> None:
    """Many small files at once, through the queue of the embedded AWS."""
    took = measure_throughput(_made(options), options.files, 1000)
    text = (
        f"{took.files:,} files of {took.rows:,} rows, uploaded at once to the embedded AWS with two functions at once: "
        f"{took.seconds:.1f} s to the last manifest, {took.files / took.seconds:.1f} files a second, {took.cold} cold starts in all."
    )
    _write("queued", text)


def plan(_: argparse.Namespace) -> None:
    """What quotas leave of it on AWS."""
    basis, quotas = Basis(measured(), listed_prices(), deployed()), listed_quotas()
    large, many = Load(10**9, 12, files=1), Load(10**9, 12, files=10**6)
    tables = []
    for title, load, foresee in (
        ("A thousand million rows of 12 columns in one file", large, one_file),
        ("A million files of a thousand rows of 12 columns, all at once", many, many_files),
    ):
        dollars = scoring_bill(load, basis, partitions=partitions_of(load, basis, template_settings())).dollars
        rows = [_planned(at_once, foresee(load, basis, quotas, template_settings(at_once))) for at_once in (5, 50, 500, 1000)]
        header = ("functions at once", "units", "s a unit", "s in all", "an hour", "saturates first", "moved by", "then")
        tables.append(f"**{title}**: ${dollars:,.2f}\n\n{markdown_table(header, rows)}")
    listed = [
        [str(quota.amount), quota.unit, quota.source, "yes" if quota.adjustable else "no"] for name, quota in quotas if name != "as_of"
    ]
    heading = f"Quotas as of {quotas.as_of}, not all compared with their source since (`infra/cost/quotas.toml`):"
    tables.append(f"{heading}\n\n{markdown_table(('amount', 'of', 'source', 'raised on request'), listed)}")
    stages = basis.measured.stages
    note = f"`python -m tests.bench.scale --only plan`; {MODEL} as measured on {stages.date}, {stages.machine}; prices of {basis.prices.as_of}."
    replace_measured(PAGE, "plan", "\n\n".join([*tables, note]))


def _planned(at_once: int, found: Forecast) -> list[str]:
    first, second = found.limits[:2]
    numbers = [f"{at_once:,}", f"{found.units:,}", f"{found.seconds_a_unit:.2f}", f"{found.seconds:,.0f}", f"{found.units_an_hour:,.0f}"]
    return [*numbers, first.what, first.moved_by, second.what]


def _made(options: argparse.Namespace) -> World:
    world = World(options.folder.resolve())
    if not (world.rows(MILLION).exists() and (world.store / "releases" / MODEL).exists()):
        make(world)
    return world


def _repeated(world: World, times: int) -> Path:
    """The million rows that many times over, in one file."""
    path = world.folder / f"flights-{times}-millions.csv"
    header, _, body = world.rows(MILLION).read_bytes().partition(b"\n")
    with path.open("wb") as file:
        file.write(header + b"\n")
        for _ in range(times):
            file.write(body)
    return path


def _scored(world: World, file: Path, workers: int) -> Took:
    partition_bytes = -(-world.rows(MILLION).stat().st_size // PARTS_OF_A_MILLION)
    warming = world.rows(FOREST_ROWS)
    took = score_in_partitions(MODEL, file, world.store, workers=workers, partition_bytes=partition_bytes, warming=warming)
    print(f"{workers} workers: {took}", flush=True)
    return took


def _write(name: str, text: str) -> None:
    replace_measured(
        PAGE, name, f"{text}\n\n`python -m tests.bench.scale --only {name}`, {datetime.now(UTC).date()}, {machine()}, {MODEL}."
    )
    print(text, flush=True)


STEPS: dict[str, Callable[[argparse.Namespace], None]] = {
    "speedup": speed_up,
    "growth": growth,
    "small": small,
    "queued": queued,
    "plan": plan,
}

if __name__ == "__main__":
    main()
