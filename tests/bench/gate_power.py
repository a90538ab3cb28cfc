"""What becomes of better challengers where the concept moves slowly, by rows a month. Writes its table into docs/updating.md.

    python -m tests.bench.gate_power --jobs 2
    python -m tests.bench.gate_power --quick      # two seeds of the smallest, prints, writes nothing

A champion learns ten weeks. Then the concept moves by equal steps, month by month, until it is another, and stays. After each month but the
first a challenger learns all that came before the newest 28 days, and admission and gate judge it on those, as a schedule does. Next to
it, another is judged on the newest 56 days and learns what came before these; its days overlap with those of the try before, so it must be
surer. Truth and zones are those of `gate_characteristics`. A life ends with a promotion, or two months after the change is whole.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Several processes share the cores: threads of the fit would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from functions.shared.domain.gate.comparison import Holdout, judge
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import Task
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.gate_characteristics import OUT_OF_TIME, TRUTH_ROWS, Trial, admit, share
from tests.bench.shifting_world import BASELINE_DAYS, MONTH_DAYS, NUMBERS, Rows, Scenario, World, expected_loss, fit, score, together

DOCUMENT = Path(__file__).parents[2] / "docs" / "updating.md"
POLICY = GatePolicy()
SEEDS = {1_000: 30, 3_000: 30, 10_000: 12, 30_000: 4}
"""Lives by rows a month: each takes as many seconds as it has thousands of rows, or more."""
MONTHS_OF_CHANGE = (0, 1, 4)
"""0 is none at all."""
WINDOWS = (1, 2)
"""Newest months that a challenger is judged on."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision in a life."""

    rows: int
    months: int
    window: int
    trial: Trial


def live(rows: int, months: int, seed: int) -> list[Decided]:
    """Return all decisions of one world's life."""
    rng = np.random.default_rng([seed, rows, months])
    world = World(rng)
    baseline = world.draw(rng, Scenario.STABLE, 0, rows * BASELINE_DAYS // MONTH_DAYS)
    champion = fit(baseline.part(baseline.days < OUT_OF_TIME))
    known = [_month(world, rng, number, months, rows) for number in range(1, max(months, 2) + 3)]
    return [
        Decided(rows, months, window, trial)
        for window in WINDOWS
        for trial in _decisions(world, rng, baseline, champion, known, months, window)
    ]


def _month(world: World, rng: np.random.Generator, number: int, months: int, rows: int) -> Rows:
    change = min(1.0, number / months) if months else 0.0
    return world.draw(rng, Scenario.ABRUPT, number, rows, change)


def _decisions(
    world: World,
    rng: np.random.Generator,
    baseline: Rows,
    champion: HistGradientBoostingClassifier,
    known: Sequence[Rows],
    months: int,
    window: int,
) -> Iterator[Trial]:
    for now in range(2, len(known) + 1):
        if now <= window:
            continue
        challenger = fit(together(baseline, *known[: now - window]))
        newest = together(*known[now - window : now])
        reason, probe = admit(baseline, newest, champion, rng)
        if not reason:
            first = newest.features[:, NUMBERS]
            slices = {f"category 1 is {level}": first == level for level in np.unique(first)}
            holdout = Holdout(Task.BINARY, newest.days, newest.truth, score(champion, newest), score(challenger, newest), slices)
            overlapping = int(window > 1 and now > window + 1)
            reason = judge(holdout, POLICY, retry=overlapping, rng=rng).reasons[0].code
        coming = _month(world, rng, now + 1, months, TRUTH_ROWS)
        loss = expected_loss(coming.probability, score(champion, coming))
        gain = loss - expected_loss(coming.probability, score(challenger, coming))
        yield Trial(Scenario.GRADUAL, reason == "better", reason, gain, POLICY.minimum_effect * loss, probe)
        if reason == "better":
            return


def report(found: Sequence[Decided]) -> str:
    """Return the table: a line for each number of rows, speed of change and window."""
    lines = []
    for rows in sorted({each.rows for each in found}):
        for months in MONTHS_OF_CHANGE:
            for window in WINDOWS:
                trials = [each.trial for each in found if (each.rows, each.months, each.window) == (rows, months, window)]
                if trials:
                    lines.append([f"{rows:,}", str(months or "no change"), f"{window * MONTH_DAYS}", *_line(trials)])
    header = [
        "rows a month",
        "months of change",
        "days judged on",
        "decisions",
        "of true gains above twice the minimum, promoted",
        "cannot_tell",
        "suspect_labels",
        "false promotions, of all decisions",
    ]
    return markdown_table(header, lines)


def _line(trials: Sequence[Trial]) -> Iterator[str]:
    great = [trial for trial in trials if trial.gain > 2 * trial.minimum_effect]
    yield str(len(trials))
    yield share(sum(trial.promoted for trial in great), len(great)) if great else "no such gain"
    for reason in ("cannot_tell", "suspect_labels"):
        yield f"{np.mean([trial.reason == reason for trial in great]):.0%}" if great else "n/a"
    yield share(sum(trial.false_promotion for trial in trials), len(trials))


def main() -> None:
    """Live all lives, and write the table unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two seeds of the fewest rows, written nowhere")
    arguments = parser.parse_args()
    seeds = {1_000: 2} if arguments.quick else SEEDS
    lives = [(rows, months, seed) for rows, count in seeds.items() for months in MONTHS_OF_CHANGE for seed in range(count)]
    found: list[Decided] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for done, decided in enumerate(pool.map(live, *zip(*lives, strict=True)), start=1):
            found += decided
            print(f"\r{done}/{len(lives)} lives", end="", flush=True)
    text = report(found)
    print(f"\n{text}")
    if not arguments.quick:
        lived = ", ".join(f"{count} lives of {rows:,} rows" for rows, count in seeds.items())
        replace_measured(DOCUMENT, "gate-power", f"{lived} a month, for each speed.\n\n{text}")


if __name__ == "__main__":
    main()
