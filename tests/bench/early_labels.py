"""How often a batch's loss by its first labels is right where the truth is known. Writes its table into docs/monitoring.md.

    python -m tests.bench.early_labels --runs 500
    python -m tests.bench.early_labels --quick      # few runs, prints, writes nothing

The worlds are those of `estimate_characteristics`. Labels come in random order; the interval is looked at from 200 labels on,
after every 20 of them, until 30 % of the rows have one. A run counts as covered if the truth, the mean loss over all rows of the
batch, lay within *each* of these intervals.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.performance.calibration import Calibration, fit_calibration
from functions.shared.domain.performance.days import BatchLosses, ExpectedLosses
from functions.shared.domain.performance.early import LEAST_LABELS, EarlyLoss, early_loss
from functions.shared.domain.performance.estimate import expected_losses
from functions.shared.domain.performance.losses import losses
from functions.shared.domain.spec import Task
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.estimate_characteristics import STABLE, WORLDS, World

type Floats = NDArray[np.float64]

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
CALIBRATION_ROWS = 20_000
LABELLED = 0.3
STEP = 20
GOOD = World("stable, and the model is good: its AUC is 0.96", centre=0.0, slope=1.0, constant=0.0, spread=5.0)
CASES = [(world, rows) for world in (*WORLDS, GOOD) for rows in (1_000, 10_000)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: whether every interval held the truth, whether those of labels alone did, and how wide the first were, one to the other."""

    covered: bool
    alone: bool
    width: float


def sums(loss: Floats, expected: Floats) -> BatchLosses:
    """The sums over labelled rows, as a day's performance has them."""
    products = ExpectedLosses(
        sum=float(expected.sum()),
        squares=float((expected**2).sum()),
        products=float((expected * loss).sum()),
        loss_squares=float((loss**2).sum()),
    )
    return BatchLosses(batch_id="b", rows=loss.size, loss_sum=float(loss.sum()), expected=products)


def seen(loss: Floats, expected: Floats) -> Iterator[EarlyLoss]:
    """Each look at a batch whose labels come in this order."""
    for labelled in range(LEAST_LABELS, int(LABELLED * loss.size) + 1, STEP):
        found = early_loss(float(expected.mean()), loss.size, [sums(loss[:labelled], expected[:labelled])])
        assert found is not None
        yield found


def looks(world: World, rows: int, calibration: Calibration, rng: np.random.Generator) -> Outcome:
    """Score a batch, and look while its labels come."""
    positive, scores = world.draw(rows, rng)
    loss = losses(Task.BINARY, positive, scores[:, np.newaxis])
    truth = loss.mean()
    corrected, alone = (list(seen(loss, guess)) for guess in (expected_losses(calibration, scores), np.zeros(rows)))
    held = (all(each.low <= truth <= each.high for each in found) for found in (corrected, alone))
    return Outcome(*held, (corrected[0].high - corrected[0].low) / (alone[0].high - alone[0].low))


def run_once(rng: np.random.Generator) -> list[Outcome]:
    """Calibrate once on the stable world, and once on that of the good model; then live through each case."""
    known = {world: fit_calibration(*world.draw(CALIBRATION_ROWS, rng), rng) for world in (STABLE, GOOD)}
    found = []
    for world, rows in CASES:
        calibration = known.get(world, known[STABLE])
        assert calibration is not None
        found.append(looks(world, rows, calibration, rng))
    return found


def table(runs: int, seed: int) -> str:
    """Coverage and width, by world and rows a batch."""
    by_run = [run_once(np.random.default_rng((seed, run))) for run in range(runs)]
    lines = []
    for number, (world, rows) in enumerate(CASES):
        outcomes = [run[number] for run in by_run]
        shares = [f"{np.mean([getattr(outcome, name) for outcome in outcomes]):.1%}" for name in ("covered", "alone")]
        lines.append([world.name, f"{rows:,}", *shares, f"{np.median([outcome.width for outcome in outcomes]):.2f}"])
    header = ["world", "rows a batch", "truth within every interval", "the same of labels alone", f"width at {LEAST_LABELS} labels"]
    return markdown_table(header, lines)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the table unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="5 runs, print only")
    options = parser.parse_args(arguments)
    runs = 5 if options.quick else options.runs
    text = table(runs, options.seed)
    print(text)
    if not options.quick:
        replace_measured(DOCUMENT, "early-labels", f"{runs:,} runs, seed {options.seed}.\n\n{text}")


if __name__ == "__main__":
    main(sys.argv[1:])
