"""How often admission suspects labels, by rows per month and kind of change. Writes its table into docs/updating.md.

    python -m tests.bench.probe_characteristics --seeds 200 --jobs 2
    python -m tests.bench.probe_characteristics --quick      # two seeds, prints, writes nothing
    python -m tests.bench.probe_characteristics --flips 40   # how surely flipped labels are refused where rows are fewest

Each case is judged by the rule, and by the one that it replaced, which asked of a model of few rows what the champion had
reached on all of its own.
"""

import argparse
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

# Several processes share the cores: threads of the fit would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import norm

from functions.shared.domain.gate.admission import LabelProbe, as_many, suspect_labels
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import Task
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.gate_characteristics import OUT_OF_TIME, auc_of, probe_auc, share
from tests.bench.shifting_world import BASELINE_DAYS, MONTH_DAYS, Rows, Scenario, World, fit, score

DOCUMENT = Path(__file__).parents[2] / "docs" / "updating.md"
POLICY = GatePolicy()
ROWS_A_MONTH = (1000, 3000, 10_000, 30_000)
FLIPPED, FIRST_FLIPPED = 0.45, 1000

type Draw = Callable[[World, np.random.Generator, int], Rows]


def _flipped(world: World, rng: np.random.Generator, rows: int) -> Rows:
    drawn = world.draw(rng, Scenario.STABLE, 2, rows)
    return replace(drawn, truth=np.where(rng.random(rows) < FLIPPED, 1 - drawn.truth, drawn.truth))


CASES: Mapping[str, Draw] = {
    "stable": lambda world, rng, rows: world.draw(rng, Scenario.STABLE, 2, rows),
    "a third of the way to another concept": lambda world, rng, rows: world.draw(rng, Scenario.GRADUAL, 1, rows),
    "two thirds of the way": lambda world, rng, rows: world.draw(rng, Scenario.GRADUAL, 2, rows),
    "another concept": lambda world, rng, rows: world.draw(rng, Scenario.ABRUPT, 2, rows),
    f"{FLIPPED:.0%} of the labels flipped": _flipped,
    "labels shuffled": lambda world, rng, rows: world.draw(rng, Scenario.LABEL_NEWEST, 2, rows),
}

type Refused = Counter[tuple[int, str, str]]
"""Refusals by rows per month, case and rule."""


def run_seed(seed: int) -> Refused:
    """Return what was refused in one world."""
    refused: Refused = Counter()
    for rows in ROWS_A_MONTH:
        rng = np.random.default_rng([seed, rows])
        world = World(rng)
        baseline = world.draw(rng, Scenario.STABLE, 0, rows * BASELINE_DAYS // MONTH_DAYS)
        learnt, unseen = (baseline.part(part) for part in (baseline.days < OUT_OF_TIME, baseline.days >= OUT_OF_TIME))
        champion = auc_of(unseen, score(fit(learnt), unseen))
        for case, draw in CASES.items():
            newest = draw(world, rng, rows)
            probe = probe_auc(newest)
            before = probe_auc(learnt.part(as_many(learnt.days, newest.days, rng)))
            for rule, needed in {"now": before, "before": champion}.items():
                refused[rows, case, rule] += suspect_labels(Task.BINARY, LabelProbe(probe, needed, None), POLICY) is not None
    return refused


def shortfall(seed: int) -> float:
    """Return by how much AUC models of flipped labels miss what is needed, where rows are fewest; above 0 they are refused."""
    rows = ROWS_A_MONTH[0]
    rng = np.random.default_rng([seed, rows])
    world = World(rng)
    baseline = world.draw(rng, Scenario.STABLE, 0, rows * BASELINE_DAYS // MONTH_DAYS)
    learnt = baseline.part(baseline.days < OUT_OF_TIME)
    newest = _flipped(world, rng, rows)
    return probe_auc(learnt.part(as_many(learnt.days, newest.days, rng))) - POLICY.label_probe_margin - probe_auc(newest)


def report_flips(found: Sequence[float]) -> str:
    """Return how surely flipped labels are refused: counted, and by the normal distribution of the shortfall."""
    missed = norm.sf(np.mean(found) / np.std(found, ddof=1))
    return (
        f"Of {FLIPPED:.0%} flipped labels in {ROWS_A_MONTH[0]:,} rows, {sum(short > 0 for short in found)} of {len(found)} worlds were refused: "
        f"models of them miss what is needed by {np.mean(found):.3f} AUC, and this varies by {np.std(found, ddof=1):.3f} between worlds. "
        f"By a normal distribution one in {float(f'{1 / missed:.1g}'):,.0f} would pass."
    )


def report(refused: Refused, seeds: int) -> str:
    """Return the table: a line for each case, a column for each number of rows."""
    lines = [
        [case, *(f"{share(refused[rows, case, 'now'], seeds)}; {refused[rows, case, 'before'] / seeds:.0%}" for rows in ROWS_A_MONTH)]
        for case in CASES
    ]
    return f"{seeds} seeds.\n\n" + markdown_table(["newest labels", *(f"{rows:,} rows" for rows in ROWS_A_MONTH)], lines)


def main() -> None:
    """Run the seeds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--flips", type=int, default=0, help="worlds with flipped labels, and nothing else")
    parser.add_argument("--quick", action="store_true", help="two seeds, written nowhere")
    arguments = parser.parse_args()
    if arguments.flips:
        with ProcessPoolExecutor(arguments.jobs) as pool:
            text = report_flips(list(pool.map(shortfall, range(FIRST_FLIPPED, FIRST_FLIPPED + arguments.flips))))
        print(text)
        replace_measured(DOCUMENT, "probe-flips", text)
        return
    seeds = range(2 if arguments.quick else arguments.seeds)
    refused: Refused = Counter()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for done, found in enumerate(pool.map(run_seed, seeds), start=1):
            refused += found
            print(f"\r{done}/{len(seeds)} seeds", end="", flush=True)
    text = report(refused, len(seeds))
    print(f"\n{text}")
    if not arguments.quick:
        replace_measured(DOCUMENT, "probe", text)


if __name__ == "__main__":
    main()
