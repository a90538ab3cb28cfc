"""How often estimates before labels are right where the truth is known. Writes its table into docs/monitoring.md.

    python -m tests.bench.estimate_characteristics --runs 300
    python -m tests.bench.estimate_characteristics --quick      # few runs, prints, writes nothing

A score's logit is N(-1, 1.3) and the labels' true logit a line of it, so the raw score is miscalibrated in every world.
A version is calibrated on rows of the stable world; then each run has two windows of labelled rows.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.decision_rule import above
from functions.shared.domain.performance.calibration import fit_calibration
from functions.shared.domain.performance.estimate import HELD, Estimate, HeldEstimate, estimate_performance, track_record
from functions.shared.domain.performance.metrics import measure
from functions.shared.domain.policy import EstimatePolicy
from functions.shared.domain.spec import Task
from tests.bench.document_table import markdown_table, replace_measured

type Floats = NDArray[np.float64]

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
POLICY = EstimatePolicy()
METRICS = ("accuracy", "auc", "log_loss", "brier")


@dataclass(frozen=True, slots=True)
class World:
    """Where the scores' logits lie and how far apart, and the line from them to the true logit."""

    name: str
    centre: float = -1.0
    slope: float = 0.7
    constant: float = 0.2
    spread: float = 1.3

    def draw(self, rows: int, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Floats]:
        """Labels and scores."""
        logit = rng.normal(self.centre, self.spread, rows)
        true = 1 / (1 + np.exp(-(self.slope * logit + self.constant)))
        return rng.random(rows) < true, 1 / (1 + np.exp(-logit))


STABLE = World("stable")
WORLDS = (
    STABLE,
    World("scores .5 higher, truth given the score unchanged", centre=-0.5),
    World("prevalence: +1 logit", constant=1.2),
    World("concept: the score means half as much", slope=0.35),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: which metrics' truth lay within the first window's interval, and the refusals before and after labels."""

    covered: dict[str, bool]
    refused_first: bool
    refused_after_two: bool


def run_once(world: World, calibration_rows: int, rows: int, rng: np.random.Generator) -> Outcome:
    """Calibrate, live through two windows, and ask for a third estimate."""
    calibration = fit_calibration(*STABLE.draw(calibration_rows, rng), rng)
    held: list[HeldEstimate] = []
    estimates: list[Estimate] = []
    covered: dict[str, bool] = {}
    for _ in range(3):
        positive, scores = world.draw(rows, rng)
        estimate = estimate_performance(calibration, scores, POLICY, rule=above(0.5), input_alerts=(), record=track_record(held), rng=rng)
        estimates.append(estimate)
        if estimate.metrics:
            truth = measure(Task.BINARY, positive, scores[:, np.newaxis], (scores > 0.5).astype(np.intp))
            inside = {name: _within(truth[name], estimate, name) for name in METRICS}
            covered = covered or inside
            thought = estimate.metrics[HELD]
            held.append(HeldEstimate(value=thought.value, low=thought.low, high=thought.high, truth=float(truth[HELD] or 0)))
    return Outcome(covered, bool(estimates[0].refusals), bool(estimates[2].refusals))


def _within(truth: float | None, estimate: Estimate, name: str) -> bool:
    return truth is not None and estimate.metrics[name].low <= truth <= estimate.metrics[name].high


def estimate_table(runs: int, seed: int) -> str:
    """Coverage of the first estimate and refusals, by world, calibration rows and rows a window."""
    lines = []
    for world in WORLDS:
        for calibration_rows, rows in ((3_000, 1_000), (20_000, 1_000), (20_000, 10_000)):
            rng = np.random.default_rng((seed, calibration_rows, rows))
            outcomes = [run_once(world, calibration_rows, rows, rng) for _ in range(runs)]
            given = [outcome.covered for outcome in outcomes if outcome.covered]
            coverage = [f"{100 * np.mean([covered[name] for covered in given]):.0f} %" if given else "none" for name in METRICS]
            refused = [
                f"{100 * np.mean([outcome.refused_first for outcome in outcomes]):.0f} %",
                f"{100 * np.mean([outcome.refused_after_two for outcome in outcomes]):.0f} %",
            ]
            lines.append([world.name, f"{calibration_rows:,}", f"{rows:,}", " / ".join(coverage), *refused])
    header = [
        "world",
        "calibration rows",
        "rows a window",
        "truth within the 95 % interval: " + " / ".join(METRICS),
        "refused at once",
        "refused after two mature windows",
    ]
    return markdown_table(header, lines)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the table unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="3 runs, print only")
    options = parser.parse_args(arguments)
    runs = 3 if options.quick else options.runs
    table = estimate_table(runs, options.seed)
    print(table)
    if not options.quick:
        replace_measured(DOCUMENT, "estimate", f"{runs:,} runs, seed {options.seed}.\n\n{table}")


if __name__ == "__main__":
    main(sys.argv[1:])
