"""How often admission and gate decide rightly where the truth is known. Writes its table into docs/updating.md.

    python -m tests.bench.gate_characteristics --seeds 200 --jobs 2
    python -m tests.bench.gate_characteristics --quick      # two seeds, prints, writes nothing

Truth is the difference of expected log loss on 20,000 fresh rows of the coming month. Below half the minimum effect a
promotion is false, above twice it is missed if absent; between, either answer is right.
"""

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# Several processes share the cores: threads of the fit would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import binomtest
from sklearn.ensemble import HistGradientBoostingClassifier

from functions.shared.domain.gate.admission import LabelProbe, as_many, probe_folds, suspect_labels, suspect_units
from functions.shared.domain.gate.bootstrap import mean_over_days
from functions.shared.domain.gate.comparison import Holdout, judge
from functions.shared.domain.gate.harm import auc_by_row
from functions.shared.domain.performance.metrics import auc
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.spec import Task
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.shifting_world import (
    BASELINE_DAYS,
    BASELINE_ROWS,
    FIRST_DAY,
    NUMBERS,
    Floats,
    Rows,
    Scenario,
    World,
    expected_loss,
    fit,
    score,
    together,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "updating.md"
POLICY = GatePolicy()
TRUTH_ROWS = 20_000
OUT_OF_TIME = FIRST_DAY + np.timedelta64(BASELINE_DAYS - 14, "D")


@dataclass(frozen=True, slots=True)
class Trial:
    """One decision and the truth: the true gain and the minimum effect, both in log loss."""

    scenario: Scenario
    promoted: bool
    reason: str
    gain: float
    minimum_effect: float
    probe: float

    @property
    def in_zone(self) -> bool:
        """Either answer is right."""
        return self.minimum_effect / 2 <= self.gain <= 2 * self.minimum_effect

    @property
    def false_promotion(self) -> bool:
        """Promoted without a true gain."""
        return self.promoted and self.gain < self.minimum_effect / 2

    @property
    def missed_promotion(self) -> bool:
        """Kept in spite of a true gain."""
        return not self.promoted and self.gain > 2 * self.minimum_effect


def run_seed(seed: int) -> list[Trial]:
    """All scenarios of one world."""
    rng = np.random.default_rng(seed)
    world = World(rng)
    baseline = world.draw(rng, Scenario.STABLE, 0, BASELINE_ROWS)
    champion = fit(baseline.part(baseline.days < OUT_OF_TIME))
    return [
        run_trial(np.random.default_rng([seed, number]), world, baseline, champion, scenario) for number, scenario in enumerate(Scenario)
    ]


def run_trial(
    rng: np.random.Generator, world: World, baseline: Rows, champion: HistGradientBoostingClassifier, scenario: Scenario
) -> Trial:
    """Train a challenger, ask admission and gate, compare with the truth."""
    training, newest = (world.draw(rng, scenario, month) for month in (1, 2))
    coming = world.draw(rng, scenario, 3, TRUTH_ROWS)
    if scenario is Scenario.EQUAL:
        fresh = world.draw(rng, scenario, 0, BASELINE_ROWS)
        challenger = fit(fresh.part(fresh.days < OUT_OF_TIME))
    else:
        challenger = fit(together(baseline, training))
    reason, probe = admit(baseline, newest, champion, rng)
    if not reason:
        slices = {f"category 1 is {level}": newest.features[:, NUMBERS] == level for level in np.unique(newest.features[:, NUMBERS])}
        scores = score(champion, newest), score(challenger, newest)
        comparison = judge(Holdout(Task.BINARY, newest.days, newest.truth, *scores, slices), POLICY, retry=0, rng=rng)
        reason = comparison.reasons[0].code
    champion_loss = expected_loss(coming.probability, score(champion, coming))
    gain = champion_loss - expected_loss(coming.probability, score(challenger, coming))
    return Trial(scenario, reason == "better", reason, gain, POLICY.minimum_effect * champion_loss, probe)


def admit(baseline: Rows, newest: Rows, champion: HistGradientBoostingClassifier, rng: np.random.Generator) -> tuple[str, float]:
    """The code of admission's refusal, or nothing, and the probe's AUC."""
    known, new = ({str(number): rows.features[:, number] for number in range(NUMBERS)} for rows in (baseline, newest))
    probe = probe_auc(newest)
    if suspect_units(known, new):
        return "suspect_units", probe
    learnt = baseline.part(baseline.days < OUT_OF_TIME)
    before = probe_auc(learnt.part(as_many(learnt.days, newest.days, rng)))
    by_row = auc_by_row(newest.truth == 1, score(champion, newest)[:, 0])
    high = mean_over_days(newest.days, by_row, resamples=POLICY.resamples, rng=rng).high(POLICY.alpha)
    refusal = suspect_labels(Task.BINARY, LabelProbe(probe, before, high), POLICY)
    return refusal.code if refusal else "", probe


def probe_auc(newest: Rows) -> float:
    """Mean over both halves of the AUC of a model trained on the other."""
    half = probe_folds(newest.days)
    return float(np.mean([auc_of(newest.part(test), score(fit(newest.part(~test)), newest.part(test))) for test in (half, ~half)]))


def auc_of(rows: Rows, scores: Floats) -> float:
    """AUC where both classes occur."""
    area = auc(rows.truth == 1, scores[:, 0])
    assert area is not None
    return area


def share(count: int, total: int) -> str:
    """A share in percent with its 95 % interval (Wilson)."""
    interval = binomtest(count, total).proportion_ci(method="wilson")
    return f"{count / total:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def report(trials: Sequence[Trial]) -> str:
    """The table, a line a scenario."""
    lines = []
    for scenario in Scenario:
        of_one = [trial for trial in trials if trial.scenario is scenario]
        seeds = len(of_one)
        wrong = [sum(getattr(trial, kind) for trial in of_one) for kind in ("false_promotion", "missed_promotion")]
        reasons = [trial.reason for trial in of_one]
        common = sorted(set(reasons), key=reasons.count, reverse=True)
        lines.append(
            [
                scenario.value,
                f"{np.median([trial.gain / trial.minimum_effect for trial in of_one]):+.1f}",
                f"{np.mean([trial.in_zone for trial in of_one]):.0%}",
                f"{np.mean([trial.promoted for trial in of_one]):.0%}",
                share(wrong[0], seeds),
                share(wrong[1], seeds),
                share(seeds - sum(wrong), seeds),
                f"{np.quantile([t.probe for t in of_one], 0.01):.2f} to {np.quantile([t.probe for t in of_one], 0.99):.2f}",
                ", ".join(f"{reason} {reasons.count(reason) / seeds:.0%}" for reason in common),
            ]
        )
    header = [
        "scenario",
        "true gain / minimum effect",
        "in the zone",
        "promoted",
        "false promotions",
        "missed promotions",
        "right",
        "probe's AUC",
        "reasons",
    ]
    return f"{len(trials) // len(Scenario)} seeds.\n\n" + markdown_table(header, lines)


def main() -> None:
    """Run the seeds and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two seeds, written nowhere")
    arguments = parser.parse_args()
    seeds = range(2 if arguments.quick else arguments.seeds)
    trials: list[Trial] = []
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for done, results in enumerate(pool.map(run_seed, seeds), start=1):
            trials += results
            print(f"\r{done}/{len(seeds)} seeds", end="", flush=True)
    text = report(trials)
    print(f"\n{text}")
    if not arguments.quick:
        replace_measured(DOCUMENT, "gate", text)


if __name__ == "__main__":
    main()
