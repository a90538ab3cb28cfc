"""Everscore and others on the same streams: false alarms, delays and missed harm. Writes its tables into docs/monitoring.md.

    make bench-judgement
    python -m tests.bench.judgement --quick      # one seed and two streams, prints, writes nothing

The worlds are `shifting_world`'s, the other streams are public data (`public.py`). Every judge sees the same batches, scored by the version
that Everscore trained on the stream's first days, and gets a batch's labels seven days after it.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from itertools import chain
from pathlib import Path

# Several processes share the cores: threads of the fit would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.judgement.public import STREAMS
from tests.bench.judgement.stages import CONTENDERS, OURS, OURS_BEFORE, Judged, ask_contenders, judge, take_down
from tests.bench.judgement.truth import YEAR
from tests.bench.judgement.worlds import SCENARIOS, world_stream
from tests.bench.shifting_world import Scenario

DOCUMENT = Path(__file__).parents[3] / "docs" / "monitoring.md"
NONE = "n/a"

type Table = tuple[Sequence[str], list[list[str]]]


def of_world(scenario: Scenario, seed: int, folder: Path) -> Judged:
    """Judge one life of a world."""
    return judge(world_stream(scenario, seed), folder)


def of_public(name: str, folder: Path) -> Judged:
    """Judge a stream of public data."""
    return judge(STREAMS[name](), folder)


def judges(found: Iterable[Judged]) -> list[str]:
    """Everyone who said something, ours first, the others by name."""
    named = {name for judged in found for name in judged.said}
    return [name for name in (OURS, OURS_BEFORE) if name in named] + sorted(named - {OURS, OURS_BEFORE})


def world_table(found: Sequence[Judged]) -> Table:
    """Calls where nothing changed, and what was made of each change, by judge."""
    lines = []
    for name in judges(found):
        on = [judged for judged in found if name in judged.said]
        quiet = [day for judged in on for day in judged.calls[name] if _is_quiet(judged, day)]
        days = sum(judged.course.batch_days * sum(_is_quiet(judged, day) for day in judged.course.arrives) for judged in on)
        cells = [_after([judged for judged in on if judged.name == scenario.value], name) for scenario in SCENARIOS[1:]]
        lines.append([name, f"{len(quiet) * YEAR / days:.1f}", *cells])
    return (["judge", "calls a year, nothing changed", *(scenario.value for scenario in SCENARIOS[1:])], lines)


def _is_quiet(judged: Judged, day: date) -> bool:
    return judged.course.changed is None or day <= judged.course.changed


def _after(found: Sequence[Judged], name: str) -> str:
    """What was made of a change: harm found, with the days that it took; or calls a year where it harmed nothing."""
    delays = list(chain.from_iterable(judged.said[name].delays for judged in found))
    if delays:
        return _found(delays)
    if not found:
        return NONE
    calls = sum(not _is_quiet(judged, day) for judged in found for day in judged.calls[name])
    days = sum(judged.course.batch_days * sum(not _is_quiet(judged, day) for day in judged.course.arrives) for judged in found)
    return f"no harm; {calls * YEAR / days:.1f} calls a year"


def _found(delays: Sequence[int | None]) -> str:
    seen = [delay for delay in delays if delay is not None]
    return f"{len(seen)} of {len(delays)}" + (f", {np.median(seen):.0f} days" if seen else "")


def source_table(found: Sequence[Judged]) -> Table:
    """What the public streams are, with their licences."""
    lines = []
    for judged in found:
        course = judged.course
        days = f"{len(course.arrives)} of {'a day' if course.batch_days == 1 else f'{course.batch_days} days'}"
        rows = np.median([rows for _, rows in judged.accuracies if rows] or [0])
        lines.append([judged.name, judged.source, days, f"{rows:,.0f}", str(len(course.judged))])
    return (["stream", "from", "batches", "labelled rows a batch", "spells of harm"], lines)


def stream_table(found: Sequence[Judged]) -> Table:
    """Idle calls a year and harm found on each public stream, by judge."""
    lines = []
    for name in judges(found):
        cells = []
        for judged in found:
            said = judged.said.get(name)
            harm = f"; {_found(said.delays)}" if said and said.delays else ""
            cells.append(NONE if said is None else f"{said.a_year:.1f}{'*' if said.always else ''}{harm}")
        lines.append([name, *cells])
    return (["judge", *(judged.name for judged in found)], lines)


def total_table(found: Sequence[Judged]) -> Table:
    """All public streams together, and on how many of them each other judge did better than ours or worse."""
    lines = []
    for name in judges(found):
        on = [judged for judged in found if name in judged.said]
        said = [judged.said[name] for judged in on]
        calls, years = sum(each.idle_calls for each in said), sum(each.idle_days for each in said) / YEAR
        delays = list(chain.from_iterable(each.delays for each in said))
        always = sum(each.always for each in said)
        better, worse = _better(on, name, OURS), _better(on, OURS, name)
        compared = [NONE, NONE] if name == OURS else [", ".join(better) or "none", str(len(worse))]
        lines.append([name, str(len(on)), f"{calls / years:.1f}", _found(delays) if delays else NONE, str(always), *compared])
    header = [
        "judge",
        "streams",
        "calls a year although nothing was harmed",
        "harm found",
        "streams on which it called most batches",
        "found no less harm with fewer such calls, or more with no more, than ours on",
        "streams on which ours did",
    ]
    return (header, lines)


def _better(found: Sequence[Judged], one: str, other: str) -> list[str]:
    """The streams on which one judge did better than another in one way, and no worse in the other."""
    both = ((judged.name, judged.said[one], judged.said[other]) for judged in found)
    return [
        name
        for name, ours, theirs in both
        if ours.missed <= theirs.missed and ours.a_year <= theirs.a_year and (ours.missed, ours.a_year) != (theirs.missed, theirs.a_year)
    ]


def estimate_table(groups: Sequence[tuple[str, Sequence[Judged]]]) -> Table:
    """Errors of the estimates of accuracy before labels, and how often their intervals held."""
    lines = []
    for title, found in groups:
        for name in sorted({name for judged in found for name in judged.estimates}):
            pairs = [pair for judged in found if name in judged.estimates for pair in judged.estimates[name].against(judged.accuracies)]
            batches = sum(len(judged.accuracies) for judged in found if name in judged.estimates)
            errors, held = ([pair[0] for pair in pairs], [pair[1] for pair in pairs]) if pairs else ([np.nan], [np.nan])
            lines.append([title, name, f"{len(pairs) / batches:.0%}", f"{np.mean(errors):.2f}", f"{np.mean(held):.1%}"])
    return (["streams", "estimate of accuracy", "batches estimated", "mean error over sampling error", "truth within the interval"], lines)


def main(arguments: Sequence[str]) -> None:
    """Judge all streams, and write the tables unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="public streams by function, and nothing of the worlds")
    parser.add_argument("--quick", action="store_true", help="one seed and two streams, print only")
    options = parser.parse_args(arguments)
    seeds = [] if options.only else range(options.first_seed, options.first_seed + (1 if options.quick else options.seeds))
    names = options.only or (["appliances", "car_parks"] if options.quick else list(STREAMS))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(options.jobs) as pool:
        worlds, streams = _judged(Path(folder), seeds, names, pool, options.jobs)
    tables: dict[str, Callable[[], Table]] = {
        "judged-sources": lambda: source_table(streams),
        "judged-streams": lambda: stream_table(streams),
        "judged-in-all": lambda: total_table(streams),
        "judged-estimates": lambda: estimate_table(
            [("worlds, before the change and after", worlds)] * bool(worlds) + [("public data", streams)]
        ),
    }
    if worlds:
        tables = {"judged-worlds": lambda: world_table(worlds)} | tables
    said = f"{len(seeds)} seeds of each world, from {options.first_seed}; {(time.monotonic() - begun) / 60:.0f} minutes."
    print(said)
    for name, made in tables.items():
        text = markdown_table(*made())
        print(f"\n{name}\n{text}")
        if not options.quick and not options.only:
            replace_measured(DOCUMENT, name, f"{said}\n\n{text}" if name == "judged-worlds" else text)


def _judged(
    folder: Path, seeds: Iterable[int], names: Sequence[str], pool: ProcessPoolExecutor, jobs: int
) -> tuple[list[Judged], list[Judged]]:
    """Let all judges judge all streams."""
    public = {f"public-{name}": pool.submit(of_public, name, folder / f"public-{name}") for name in names}
    worlds = {
        f"{scenario.name}-{seed}": pool.submit(of_world, scenario, seed, folder / f"{scenario.name}-{seed}")
        for scenario in SCENARIOS
        for seed in seeds
    }
    found = {}
    for number, (name, job) in enumerate((public | worlds).items(), start=1):
        found[name] = job.result()
        print(f"\r{number}/{len(public | worlds)} streams lived", end="", file=sys.stderr, flush=True)
    if CONTENDERS.exists():
        folders = [folder / name for name in found]
        for said in pool.map(ask_contenders, [folders[start::jobs] for start in range(jobs)]):
            for name, all_said in said.items():
                take_down(found[name], all_said)
    return [found[name] for name in worlds], [found[name] for name in public]


if __name__ == "__main__":
    main(sys.argv[1:])
