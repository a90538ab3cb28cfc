"""What one absurd label does to the judgement of decay. Writes its table into docs/monitoring.md.

    python -m tests.bench.absurd_labels --runs 500
    python -m tests.bench.absurd_labels --quick      # few runs, prints, writes nothing

A regression's errors are normal, or of Student's t with 5 degrees of freedom and so with a long tail; a day scales all of its
errors by a shock (lognormal, sd .05). The baseline's loss and ceiling come from 28 such days. Then the errors grow by a tenth, or
do not, and on the third day one label may be a million times too large.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.performance.decay import detect_decay
from functions.shared.domain.performance.losses import loss_ceiling, losses
from functions.shared.domain.policy import PerformancePolicy
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from tests.bench.document_table import markdown_table, replace_measured

type Floats = NDArray[np.float64]
type Draw = Callable[[np.random.Generator, int], Floats]

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
ROWS = (100, 1_000, 10_000)
DAY_SHOCK, RUN_DAYS, SLIP_DAY, SLIP = 0.05, 28, 2, 1e6
START = date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class Case:
    """What became of the errors, whether a label slipped, and whether losses are cut."""

    errors: str
    draw: Draw
    growth: float
    slipped: bool
    cut: bool


def students(rng: np.random.Generator, rows: int) -> Floats:
    """Draw errors with a long tail."""
    return rng.standard_t(5, rows)


def normal(rng: np.random.Generator, rows: int) -> Floats:
    """Draw errors without one."""
    return rng.normal(size=rows)


CASES = tuple(
    Case(name, draw, growth, slipped, cut)
    for name, draw in (("normal", normal), ("Student's t, 5", students))
    for growth in (1.0, 1.1)
    for slipped, cut in ((False, False), (False, True), (True, False), (True, True))
)


def errors_of_a_day(rng: np.random.Generator, draw: Draw, rows: int) -> Floats:
    """Errors of one day, shape (rows,)."""
    return draw(rng, rows) * rng.lognormal(0, DAY_SHOCK)


def squared(errors: Floats, ceiling: float | None = None) -> Floats:
    """Losses of errors."""
    return losses(Task.REGRESSION, np.zeros(errors.size), errors[:, np.newaxis], ceiling)


def is_called(rng: np.random.Generator, case: Case, rows: int) -> bool:
    """Return whether decay is called on any day of a run, looking after each."""
    before = squared(np.concatenate([errors_of_a_day(rng, case.draw, rows) for _ in range(RUN_DAYS)]))
    ceiling = loss_ceiling(Task.REGRESSION, before) if case.cut else None
    usual = before if ceiling is None else np.minimum(before, ceiling)
    baseline = Baseline(model="m", version="1", rows=rows, days=RUN_DAYS, features=(), scores=(), loss=float(usual.mean()))
    days: list[DayPerformance] = []
    for number in range(RUN_DAYS):
        errors = case.growth * errors_of_a_day(rng, case.draw, rows)
        if case.slipped and number == SLIP_DAY:
            errors[0] = SLIP
        found = squared(errors, ceiling)
        group = GroupPerformance(
            role=Role.CHAMPION, version="1", rows=rows, loss_sum=float(found.sum()), loss_sum_squares=float(found @ found)
        )
        day = START + timedelta(number)
        days.append(DayPerformance(model="m", day=day, rows_predicted=rows, rows_labelled=rows, groups=(group,)))
        if detect_decay(days, baseline, PerformancePolicy()).alert:
            return True
    return False


def table(runs: int, seed: int) -> str:
    """Runs of 28 days on which decay was called."""
    lines = []
    for case in CASES:
        called = [sum(is_called(np.random.default_rng((seed, rows, run)), case, rows) for run in range(runs)) for rows in ROWS]
        slip, growth = "one a million times too large" if case.slipped else "right", f"{100 * (case.growth - 1):.0f} %"
        shares = " / ".join(f"{100 * count / runs:.1f} %" for count in called)
        lines.append([case.errors, growth, slip, "cut" if case.cut else "as they are", shares])
    sizes = " / ".join(f"{rows:,}" for rows in ROWS)
    header = ["errors", "grown by", "labels", "losses", f"runs of 28 days with a decay alarm, {sizes} labels a day"]
    return markdown_table(header, lines)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the table unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="5 runs, print only")
    options = parser.parse_args(arguments)
    runs = 5 if options.quick else options.runs
    found = table(runs, options.seed)
    print(found)
    if not options.quick:
        replace_measured(DOCUMENT, "absurd-labels", f"{runs:,} runs, seed {options.seed}.\n\n{found}")


if __name__ == "__main__":
    main(sys.argv[1:])
