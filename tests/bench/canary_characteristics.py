"""How often the canary's two nets err where the truth is known. Writes its tables into docs/updating.md.

    python -m tests.bench.canary_characteristics --seeds 500
    python -m tests.bench.canary_characteristics --quick      # few seeds, prints, writes nothing

Labels: loss differences with heavy tails and day shocks, looked at after each of 60 days. Guardrails: challengers as
the gate let them pass, and bundles broken in known ways, on one day (about 140 rows) and on one week of a rollout.
"""

import argparse
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

# The fits here are small: threads would only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline
from functions.shared.domain.drift.binning import Bins
from functions.shared.domain.performance.confidence import DaySums, confidence_sequence
from functions.shared.domain.policy import CanaryPolicy
from functions.shared.domain.rollout.agreement import compare_scores
from functions.shared.domain.rollout.guardrails import agreement_breaches
from functions.shared.domain.spec import FeatureKind
from tests.bench.document_table import markdown_table, replace_measured
from tests.bench.shifting_world import BASELINE_ROWS, Floats, Rows, Scenario, World, fit, score, together

DOCUMENT = Path(__file__).parents[2] / "docs" / "updating.md"
POLICY = CanaryPolicy()
DAYS = 60
ROW_DEVIATION = 0.25
MINIMUM_EFFECT = 0.01
NORMAL_95 = 1.645
CHANGES = (Scenario.STABLE, Scenario.COVARIATE, Scenario.ABRUPT, Scenario.PREVALENCE, Scenario.NEW_CATEGORY)


@dataclass(frozen=True, slots=True)
class Stream:
    """A rollout's paired loss differences: mean, rows a day, day shocks and how much of a shock stays the next day."""

    harm: float
    rows_a_day: int
    day_deviation: float
    persistence: float = 0.0


@dataclass(frozen=True, slots=True)
class Looks:
    """First day, if any, on which each rule spoke."""

    harmful: int | None
    safe: int | None
    repeated_test: int | None


STREAMS = (
    *(Stream(0.0, rows, deviation) for rows in (80, 500) for deviation in (0.0, 0.02, 0.05)),
    Stream(0.0, 500, 0.05, persistence=0.5),
    Stream(0.02, 140, 0.02),
    Stream(0.07, 140, 0.02),
    Stream(-0.03, 140, 0.02),
)


def draw_days(rng: np.random.Generator, stream: Stream) -> list[DaySums]:
    """Sums of each day's differences, which have the heavy tails of Student's t with 4 degrees of freedom."""
    shocks = rng.normal(0, stream.day_deviation, DAYS)
    for day in range(1, DAYS):
        shocks[day] = stream.persistence * shocks[day - 1] + math.sqrt(1 - stream.persistence**2) * shocks[day]
    sums = []
    for day, shock in enumerate(shocks):
        noise = rng.standard_t(4, 1 + rng.poisson(stream.rows_a_day)) * ROW_DEVIATION / math.sqrt(2)
        differences = np.clip(noise + stream.harm + shock, -2, 2)
        total, squares = float(differences.sum()), float(differences @ differences)
        sums.append(DaySums(day=date(2013, 1, 1) + timedelta(day), rows=differences.size, sum=total, sum_squares=squares))
    return sums


def look_daily(days: Sequence[DaySums]) -> Looks:
    """Apply the rules after each day from the first look on."""
    harmful, safe, repeated = None, None, None
    for seen in range(POLICY.min_days, len(days) + 1):
        bounds = confidence_sequence(days[:seen], POLICY.alpha)
        if bounds.rows >= POLICY.min_labels:
            harmful = harmful or (seen if bounds.low > 0 else None)
            safe = safe or (seen if bounds.high < MINIMUM_EFFECT else None)
            repeated = repeated or (seen if fixed_time_low(days[:seen]) > 0 else None)
    return Looks(harmful, safe, repeated)


def fixed_time_low(days: Sequence[DaySums]) -> float:
    """The ordinary one-sided 95 % bound over days as clusters, for comparison."""
    rows, sums = (np.array([getattr(day, name) for day in days], dtype=np.float64) for name in ("rows", "sum"))
    mean = sums.sum() / rows.sum()
    error = math.sqrt(len(days) / (len(days) - 1) * ((sums - mean * rows) ** 2).sum()) / rows.sum()
    return float(mean - NORMAL_95 * error)


def confidence_table(seeds: int) -> str:
    """How often and when each rule speaks, a line a stream."""
    lines = []
    for number, stream in enumerate(STREAMS):
        looks = [look_daily(draw_days(np.random.default_rng([seed, number]), stream)) for seed in range(seeds)]
        lines.append(
            [
                f"{stream.harm:+.2f}",
                str(stream.rows_a_day),
                f"{stream.day_deviation:.2f}" + (f", persisting by {stream.persistence}" if stream.persistence else ""),
                spoken([look.harmful for look in looks]),
                spoken([look.repeated_test for look in looks]),
                spoken([look.safe for look in looks]),
            ]
        )
    header = ["true extra loss", "rows a day", "sd of day shocks", "rolled back", "by a repeated 95 % test", "allowed to grow"]
    return f"{seeds} seeds, {DAYS} days, rows' sd {ROW_DEVIATION}, minimum effect {MINIMUM_EFFECT}.\n\n" + markdown_table(header, lines)


def spoken(days: Sequence[int | None]) -> str:
    """Share of seeds in which a rule spoke, and the median day."""
    found = [day for day in days if day]
    return f"{len(found) / len(days):.1%}" + (f" (day {np.median(found):.0f})" if found else "")


def broken(rng: np.random.Generator, training: Rows) -> dict[str, Callable[[Rows, Floats], Floats]]:
    """Ways in which a bundle can be wrong: from rows and the sound challenger's scores to what would be served."""
    shuffled = fit(Rows(training.features, rng.permutation(training.truth), training.probability, training.days))
    return {
        "sound": lambda _rows, scores: scores,
        "trained on shuffled labels": lambda rows, _scores: score(shuffled, rows),
        "classes swapped": lambda _rows, scores: 1 - scores,
        "one constant": lambda _rows, scores: np.full_like(scores, 0.3),
        "all scores halved": lambda _rows, scores: scores / 2,
    }


def guardrail_table(seeds: int) -> str:
    """How often the agreement guardrails speak, a line a state of the bundle and of the world."""
    spoke: dict[tuple[str, str, int], list[bool]] = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        world = World(rng)
        past = world.draw(rng, Scenario.STABLE, 0, BASELINE_ROWS)
        champion = fit(past)
        baseline = score_baseline(score(champion, past))
        for before, after in [(change, change) for change in CHANGES] + [(Scenario.STABLE, change) for change in CHANGES[1:]]:
            training = together(past, world.draw(rng, before, 1))
            challenger = fit(training)
            holdout, coming = world.draw(rng, before, 2), world.draw(rng, after, 3)
            gate = compare_scores(baseline, score(champion, holdout), score(challenger, holdout))
            when = before.value if before is after else f"{after.value}, begins after the gate"
            for name, serve in broken(rng, training).items():
                for length in (1, 7):
                    served = coming.part(coming.days < coming.days.min() + np.timedelta64(length, "D"))
                    now = compare_scores(baseline, score(champion, served), serve(served, score(challenger, served)))
                    breaches = list(agreement_breaches(gate, now, POLICY.guardrails))
                    spoke.setdefault((when, name, length), []).append(bool(breaches))
    states = list(dict.fromkeys(name for _, name, _ in spoke))
    worlds = list(dict.fromkeys(when for when, _, _ in spoke))
    lines = [[when, *(" / ".join(f"{np.mean(spoke[when, name, length]):.0%}" for length in (1, 7)) for name in states)] for when in worlds]
    intro = f"{seeds} seeds; share of rollouts ended after one day / after one week, by what is served.\n\n"
    return intro + markdown_table(["the world", *states], lines)


def score_baseline(scores: Floats) -> Baseline:
    """A baseline that holds nothing but the deciles of the champion's scores."""
    edges = tuple(np.unique(np.quantile(scores, np.arange(0.1, 0.95, 0.1))).tolist())
    column = ColumnBaseline(bins=Bins(name="score", kind=FeatureKind.NUMBER, edges=edges), counts=(0,) * (len(edges) + 2))
    return Baseline(model="simulated", version="1", rows=len(scores), days=0, features=(), scores=(column,))


def main() -> None:
    """Run both simulations and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="few seeds, written nowhere")
    arguments = parser.parse_args()
    seeds = 5 if arguments.quick else arguments.seeds
    tables = {"confidence": confidence_table(seeds), "guardrails": guardrail_table(max(2, seeds // 10))}
    for name, table in tables.items():
        print(f"{table}\n")
        if not arguments.quick:
            replace_measured(DOCUMENT, name, table)


if __name__ == "__main__":
    main()
