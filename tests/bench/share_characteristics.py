"""How large a change of the share predicted positive must be to be called. Writes its table into docs/monitoring.md.

    python -m tests.bench.share_characteristics
    python -m tests.bench.share_characteristics --quick      # few weeks, prints, writes nothing

The worlds are those of `drift_characteristics`; the threshold lies where the held-out rows have the share that is named. A week is seven
batches, one a day, looked at after each with the two before it. Then the share rises and is looked at for three batches. A score whose days
differ moves the share as it moves each score; by how much, the version knows from its held-out days. Features and the score itself are taken to be as at training, so that the share stands
alone before the bound that all columns share.
"""

import argparse
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from functions.shared.domain.drift.baseline import Baseline, threshold_days
from functions.shared.domain.drift.detection import detect_drift
from functions.shared.domain.drift.positives import Positives
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.performance.error_curve import error_curve
from functions.shared.domain.policy import DriftPolicy
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.drift_characteristics import BATCH_ROWS, DAYS, DOCUMENT, FEATURES, Days, World

SHARES = (0.01, 0.02, 0.05, 0.1, 0.5)
HELD_OUT_ROWS, HELD_OUT_DAYS, WEEKS_A_BASELINE, POOLED = 10_000, 28, 20, DriftPolicy().pooled_batches
COLUMNS = FEATURES + 2
# Of the share and the score, which is as at training, the share has as small a p-value to reach as of all columns.
POLICY = DriftPolicy(false_discovery_rate=DriftPolicy().false_discovery_rate * 2 / COLUMNS)
RATIOS = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0)
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Shared:
    """A model whose threshold predicts a share of its rows positive."""

    baseline: Baseline
    share: float
    days: Days
    weekday: NDArray[np.float64]

    def positives(self, rows: int, rng: np.random.Generator, day: int, ratio: float = 1.0) -> int:
        """Rows of a day that are predicted positive, where the share has risen that many times."""
        moved = self.weekday[day % 7] + rng.normal(0, self.days.shock)
        return int(rng.binomial(rows, norm.cdf(norm.ppf(min(self.share * ratio, 1 - 1e-9)) + moved)))

    def called(self, positives: Sequence[int], rows: int) -> bool:
        """Whether the share of successive batches, each with those before it, is ever called."""
        score = self.baseline.scores[0]
        # Enough rows exactly as at training: the score neither moves nor decides whether there are rows enough.
        profile = Profile(rows=sum(score.counts), scores={score.bins.name: score.counts}, score_sums={score.bins.name: 0.0})
        pools = (positives[last - POOLED : last] for last in range(POOLED, len(positives) + 1))
        found = (Positives(rows=POOLED * rows, positives=sum(pool), threshold=1 - self.share, days=POOLED) for pool in pools)
        return any(detect_drift(self.baseline, profile, POLICY, days=POOLED, predicted=pool).alert for pool in found)


def draw(days: Days, share: float, rng: np.random.Generator) -> Shared:
    """Draw a model: how its weekdays differ, and the rows that it was measured on."""
    weekday = rng.normal(0, days.weekday, 7)
    day = np.repeat(np.arange(HELD_OUT_DAYS), HELD_OUT_ROWS // HELD_OUT_DAYS)
    latent = rng.normal(size=day.size) + (weekday[np.arange(HELD_OUT_DAYS) % 7] + rng.normal(0, days.shock, HELD_OUT_DAYS))[day]
    scores = np.asarray(norm.cdf(latent))
    measured = {
        "error_curve": error_curve(np.arange(day.size) % 2 == 0, scores),
        "threshold_days": threshold_days(scores, np.datetime64("2013-01-01") + day),
    }
    baseline = World(days, rng).baseline.model_copy(update={"features": (), **measured})
    return Shared(baseline=baseline, share=share, days=days, weekday=weekday)


def false_alarms(days: Days, share: float, rows: int, weeks: int, rng: np.random.Generator) -> float:
    """Return the share of weeks with a false alarm."""
    alarms = 0
    for week in range(weeks):
        if week % WEEKS_A_BASELINE == 0:
            model = draw(days, share, rng)
        alarms += model.called([model.positives(rows, rng, day % 7) for day in range(-2, 7)], rows)
    return alarms / weeks


def smallest_rise(days: Days, share: float, rows: int, weeks: int, rng: np.random.Generator) -> float | None:
    """Return the smallest rise that is found in at least `POWER` of weeks, larger ones being found more often."""
    weekly = [draw(days, share, rng) for _ in range(0, weeks, WEEKS_A_BASELINE)] * WEEKS_A_BASELINE

    def is_found(ratio: float) -> bool:
        found = [
            model.called([model.positives(rows, rng, day, ratio if day >= 0 else 1.0) for day in range(-2, 3)], rows) for model in weekly
        ]
        return sum(found) >= POWER * len(found)

    ratios = [ratio for ratio in RATIOS if ratio * share < 1]
    place = bisect_left(ratios, True, key=is_found)  # noqa: FBT003
    return ratios[place] if place < len(ratios) else None


def least_possible(share: float, rows: int) -> float:
    """Return the rise that a test of independent rows finds with `POWER` at the same chance of a false alarm.

    Arcsines of shares have the variance 1/(4 rows) (Cohen, Statistical power analysis, 1988, chapter 6).
    """
    reach = (norm.isf(POLICY.false_discovery_rate / 2 / 2) + norm.ppf(POWER)) * np.sqrt(1 / rows + 1 / HELD_OUT_ROWS)
    return float(np.sin(min(np.arcsin(np.sqrt(share)) + reach / 2, np.pi / 2)) ** 2 / share)


def table(weeks: int, seed: int) -> str:
    """Smallest rise that is found, and false alarms, by share, days and rows a batch."""
    lines = []
    for share in SHARES:
        possible = " / ".join(f"{least_possible(share, POOLED * rows):.2f}" for rows in BATCH_ROWS)
        for days in DAYS:
            found = [smallest_rise(days, share, rows, weeks, np.random.default_rng((seed, rows))) for rows in BATCH_ROWS]
            alarms = [false_alarms(days, share, rows, weeks, np.random.default_rng((seed, rows))) for rows in BATCH_ROWS]
            rises = " / ".join("none" if rise is None else f"{rise:.1f}" for rise in found)
            lines.append([f"{100 * share:.0f} %", days.name, rises, possible, " / ".join(f"{100 * alarm:.1f} %" for alarm in alarms)])
            print(*lines[-1], sep=" | ", flush=True)
    sizes = " / ".join(f"{rows:,}" for rows in BATCH_ROWS)
    header = ["share at training", "world", f"smallest factor found in 80 %, {sizes} rows a batch", "by theory, independent rows"]
    return markdown_table([*header, "weeks with a false alarm"], lines)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the table unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="20 weeks, print only")
    options = parser.parse_args(arguments)
    weeks = 20 if options.quick else options.weeks
    found = table(weeks, options.seed)
    if not options.quick:
        replace_measured(Path(DOCUMENT), "share", f"{weeks:,} weeks, seed {options.seed}.\n\n{found}")


if __name__ == "__main__":
    main(sys.argv[1:])
