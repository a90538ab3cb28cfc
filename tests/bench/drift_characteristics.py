"""How often drift and decay are called where the truth is known. Writes its tables into docs/monitoring.md.

    python -m tests.bench.drift_characteristics --weeks 1000
    python -m tests.bench.drift_characteristics --quick      # few weeks, prints, writes nothing

Drift: 8 numbers and 4 categories are independent standard normals (a category is a normal cut into six unequal parts),
the score a weighted sum of the twelve. The baseline has 10,000 rows over 56 days and is drawn again every 25 weeks. A
week is seven batches, one a day, looked at after each with the two before it. A day moves every feature by its own shock
and by the weekday's. Bins are counted from their exact shares: given its shift, a column's counts are multinomial.

Decay: labels follow the score's probability on the logit scale, moved by a shock of each day (sd .3); the baseline's
loss comes from 28 such days. Then the labels change and the features do not.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline, build_column_baseline
from functions.shared.domain.drift.detection import detect_drift
from functions.shared.domain.drift.divergence import psi
from functions.shared.domain.drift.profile import Profile, merge_profiles
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.performance.decay import detect_decay
from functions.shared.domain.performance.losses import losses
from functions.shared.domain.policy import DriftPolicy, PerformancePolicy
from functions.shared.domain.release import Role
from functions.shared.domain.spec import FeatureKind, Task
from tests.bench.document_table import markdown_table, replace_measured

type Floats = NDArray[np.float64]

DOCUMENT = Path(__file__).parents[2] / "docs" / "monitoring.md"
POLICY = DriftPolicy()
BATCH_ROWS = (100, 1_000, 10_000)
NUMBERS, CATEGORIES = 8, 4
FEATURES = NUMBERS + CATEGORIES
# Upper ends of the six categories on the normal's scale: 40, 25, 15, 10, 7 and 3 % of the rows.
CUTS = (-0.2533, 0.3853, 0.8416, 1.2816, 1.8808)
BASELINE_ROWS, BASELINE_DAYS, WEEKS_A_BASELINE = 10_000, 56, 25
SHIFT = 0.5
PLAIN_THRESHOLD = 0.1
FIRST_DAY = np.datetime64("2024-01-01")


@dataclass(frozen=True, slots=True)
class Days:
    """By how many standard deviations days differ: each day by its own shock, and each weekday by a lasting one."""

    name: str
    shock: float
    weekday: float


DAYS = (Days("independent rows", 0, 0), Days("days .05 + .05", 0.05, 0.05), Days("days .1 + .1", 0.1, 0.1))


class World:
    """Twelve features and a score whose days differ, and a baseline drawn from it."""

    def __init__(self, days: Days, rng: np.random.Generator) -> None:
        """Draw weekday effects, the score's weights and a baseline."""
        self._days, self._rng = days, rng
        self._weekday_effects: Floats = rng.normal(0, days.weekday, (7, FEATURES))
        weights = rng.normal(size=FEATURES)
        self._weights = weights / np.linalg.norm(weights)
        self.baseline = self._draw_baseline()

    def day_shift(self, day: int) -> Floats:
        """The twelve features' shifts on a day, drawn again at each call."""
        shift: Floats = self._weekday_effects[day % 7] + self._rng.normal(0, self._days.shock, FEATURES)
        return shift

    def batch(self, rows: int, shift: Floats) -> Profile:
        """The profile of a batch whose features are shifted by `shift`."""
        shifts = [*shift, float(self._weights @ shift)]
        columns = [*self.baseline.features, *self.baseline.scores]
        counts = [self._counts(rows, column, moved) for column, moved in zip(columns, shifts, strict=True)]
        names = [column.bins.name for column in self.baseline.features]
        return Profile(
            rows=rows,
            features=dict(zip(names, counts, strict=False)),
            scores={"score": counts[-1]},
            score_sums={"score": 0.0},
        )

    def _counts(self, rows: int, column: ColumnBaseline, shift: float) -> tuple[int, ...]:
        edges = CUTS if column.bins.kind is FeatureKind.CATEGORY else column.bins.edges
        below = np.array([0.0, *(0.5 * math.erfc((shift - edge) / math.sqrt(2)) for edge in edges), 1.0])
        counts = self._rng.multinomial(rows, np.diff(below)).tolist()
        if column.bins.kind is FeatureKind.CATEGORY:
            by_name = dict(zip("abcdef", counts, strict=True))
            return (0, *(by_name[name] for name in column.bins.categories), 0, 0)
        return (0, *counts)

    def _draw_baseline(self) -> Baseline:
        rng = self._rng
        day = np.sort(rng.integers(0, BASELINE_DAYS, BASELINE_ROWS))
        shifts = np.array([self.day_shift(number) for number in range(BASELINE_DAYS)])
        latent = rng.normal(size=(BASELINE_ROWS, FEATURES)) + shifts[day]
        when = FIRST_DAY + day
        names = np.array(list("abcdef"))
        numbers = [
            build_column_baseline(f"number{index}", FeatureKind.NUMBER, pa.array(latent[:, index]), when) for index in range(NUMBERS)
        ]
        categories = [
            build_column_baseline(
                f"category{index}", FeatureKind.CATEGORY, pa.array(names[np.searchsorted(CUTS, latent[:, index])].tolist()), when
            )
            for index in range(NUMBERS, FEATURES)
        ]
        score = build_column_baseline("score", FeatureKind.NUMBER, pa.array(latent @ self._weights), when)
        return Baseline(model="m", version="1", rows=BASELINE_ROWS, days=BASELINE_DAYS, features=(*numbers, *categories), scores=(score,))


def without_days(baseline: Baseline) -> Baseline:
    """The baseline as it would be had it no time column."""

    def forgetful(columns: Sequence[ColumnBaseline]) -> tuple[ColumnBaseline, ...]:
        return tuple(column.model_copy(update={"excess": ()}) for column in columns)

    return baseline.model_copy(update={"features": forgetful(baseline.features), "scores": forgetful(baseline.scores)})


def pooled(batches: Sequence[Profile]) -> Iterator[Profile]:
    """Each batch from the third on, with the two before it."""
    for last in range(POLICY.pooled_batches, len(batches) + 1):
        yield merge_profiles(batches[last - POLICY.pooled_batches : last])


def plainly_drifted(baseline: Baseline, batch: Profile) -> bool:
    """The usual rule: the PSI of any feature of one batch above 0.1."""
    return any(
        float(psi(np.array(column.counts), np.array(batch.features[column.bins.name]))) > PLAIN_THRESHOLD for column in baseline.features
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of weeks with a false alarm, and of shifts found within three batches, by rule."""

    false_alarms: dict[str, float]
    power: dict[str, float]


def drift_rates(days: Days, rows: int, weeks: int, rng: np.random.Generator) -> Rates:
    """Watch `weeks` weeks without drift, and after each begin one shift of a random feature."""
    rules = ("as deployed", "rows only", "plain PSI > 0.1")
    false_alarms, found = dict.fromkeys(rules, 0), dict.fromkeys(rules, 0)
    for week in range(weeks):
        if week % WEEKS_A_BASELINE == 0:
            world = World(days, rng)
            rows_only = without_days(world.baseline)
            batches = [world.batch(rows, world.day_shift(day)) for day in (-2, -1)]
        batches = [*batches[-2:], *(world.batch(rows, world.day_shift(day)) for day in range(7))]
        moved = np.where(np.arange(FEATURES) == rng.integers(FEATURES), SHIFT, 0.0)
        shifted = [*batches[-2:], *(world.batch(rows, world.day_shift(day) + moved) for day in range(3))]
        for alarms, seen in ((false_alarms, batches), (found, shifted)):
            alarms["as deployed"] += any(
                detect_drift(world.baseline, profile, POLICY, days=POLICY.pooled_batches).alert for profile in pooled(seen)
            )
            alarms["rows only"] += any(
                detect_drift(rows_only, profile, POLICY, days=POLICY.pooled_batches).alert for profile in pooled(seen)
            )
            alarms["plain PSI > 0.1"] += any(plainly_drifted(world.baseline, batch) for batch in seen[2:])
    return Rates({rule: count / weeks for rule, count in false_alarms.items()}, {rule: count / weeks for rule, count in found.items()})


def drift_table(weeks: int, seed: int) -> str:
    """False alarms and power by rule, kind of days and rows a batch."""
    lines = []
    for days in DAYS:
        rates = [drift_rates(days, rows, weeks, np.random.default_rng((seed, rows))) for rows in BATCH_ROWS]
        lines += [
            [
                days.name,
                rule,
                " / ".join(f"{100 * rate.false_alarms[rule]:.1f} %" for rate in rates),
                " / ".join(f"{100 * rate.power[rule]:.1f} %" for rate in rates),
            ]
            for rule in rates[0].power
        ]
    sizes = " / ".join(f"{rows:,}" for rows in BATCH_ROWS)
    header = ["world", "rule", f"weeks with a false alarm, {sizes} rows a batch", "0.5 sd in one feature found within 3 batches"]
    return markdown_table(header, lines)


@dataclass(frozen=True, slots=True)
class Labels:
    """How labels follow the score on the logit scale: its slope, and a constant."""

    name: str
    slope: float = 1.0
    constant: float = 0.0


LABELS = (
    Labels("as at training"),
    Labels("more positives (+1 logit), features unchanged", constant=1.0),
    Labels("the score means half as much, features unchanged", slope=0.5),
    Labels("labels unrelated to the score, features unchanged", slope=0.0),
)
DAY_SHOCK, SCORE_SPREAD, SCORE_CENTRE, RUN_DAYS = 0.3, 1.5, -1.5, 28


def labelled_day(rng: np.random.Generator, labels: Labels, rows: int, day: date) -> DayPerformance:
    """Scores of one day, their labels, and the sums of their losses."""
    logit = SCORE_CENTRE + SCORE_SPREAD * rng.normal(size=rows)
    true = labels.constant + SCORE_CENTRE + labels.slope * (logit - SCORE_CENTRE) + rng.normal(0, DAY_SHOCK)
    truth = rng.random(rows) < 1 / (1 + np.exp(-true))
    loss = losses(Task.BINARY, truth, 1 / (1 + np.exp(-logit))[:, np.newaxis])
    group = GroupPerformance(role=Role.CHAMPION, version="1", rows=rows, loss_sum=float(loss.sum()), loss_sum_squares=float(loss @ loss))
    return DayPerformance(model="m", day=day, rows_predicted=rows, rows_labelled=rows, groups=(group,))


def days_until_decay(rng: np.random.Generator, labels: Labels, rows: int) -> int | None:
    """The first day of a run on which decay is called, looking after each; the baseline's loss is drawn again."""
    start = date(2024, 1, 1)
    before = [labelled_day(rng, LABELS[0], rows, start).groups[0] for _ in range(RUN_DAYS)]
    loss = sum(group.loss_sum for group in before) / sum(group.rows for group in before)
    baseline = Baseline(model="m", version="1", rows=rows, days=RUN_DAYS, features=(), scores=(), loss=loss)
    days = [labelled_day(rng, labels, rows, start + timedelta(day)) for day in range(RUN_DAYS)]
    policy = PerformancePolicy()
    alarms = (day for day in range(1, RUN_DAYS + 1) if detect_decay(days[:day], baseline, policy).alert)
    return next(alarms, None)


def drift_alarms_without_shift(rng: np.random.Generator, rows: int, runs: int) -> float:
    """Share of runs of as many days with a drift alarm where only labels changed: the features' world stays as it was."""
    alarms = 0
    for _ in range(runs):
        world = World(DAYS[1], rng)
        batches = [world.batch(rows, world.day_shift(day)) for day in range(RUN_DAYS)]
        alarms += any(detect_drift(world.baseline, profile, POLICY, days=POLICY.pooled_batches).alert for profile in pooled(batches))
    return alarms / runs


def decay_table(runs: int, seed: int) -> str:
    """Runs of 28 days on which decay was called, by what became of the labels and labels a day."""
    drifted = [drift_alarms_without_shift(np.random.default_rng((seed, rows)), rows, max(1, runs // 5)) for rows in BATCH_ROWS]
    lines = []
    for labels in LABELS:
        found = [[days_until_decay(np.random.default_rng((seed, rows, run)), labels, rows) for run in range(runs)] for rows in BATCH_ROWS]
        called = [[day for day in days if day is not None] for days in found]
        lines.append(
            [
                labels.name,
                " / ".join(f"{100 * len(days) / runs:.1f} %" for days in called),
                " / ".join(f"{np.median(days):.0f}" if days else "none" for days in called),
                " / ".join(f"{100 * share:.1f} %" for share in drifted),
            ]
        )
    sizes = " / ".join(f"{rows:,}" for rows in BATCH_ROWS)
    header = ["labels", f"runs of 28 days with a decay alarm, {sizes} labels a day", "day of the alarm, median", "with a drift alarm"]
    return markdown_table(header, lines)


def main(arguments: Sequence[str]) -> None:
    """Measure, and write the tables unless the run is a quick one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="3 weeks and runs, print only")
    options = parser.parse_args(arguments)
    weeks, runs = (3, 3) if options.quick else (options.weeks, options.runs)
    drift, decay = drift_table(weeks, options.seed), decay_table(runs, options.seed)
    print(drift, decay, sep="\n\n")
    if not options.quick:
        replace_measured(DOCUMENT, "drift", f"{weeks:,} weeks, seed {options.seed}.\n\n{drift}")
        replace_measured(DOCUMENT, "decay", f"{runs:,} runs, seed {options.seed}.\n\n{decay}")


if __name__ == "__main__":
    main(sys.argv[1:])
