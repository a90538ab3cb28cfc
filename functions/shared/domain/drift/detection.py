"""Find out whether a model's features or scores have drifted.

PSI is compared with what chance and ordinary days would give.

What this was measured to do stands in docs/monitoring.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from functions.shared.domain.document import Value
from functions.shared.domain.drift.baseline import Baseline, ColumnBaseline
from functions.shared.domain.drift.divergence import jensen_shannon, psi, sampling_noise
from functions.shared.domain.drift.effect import Effect, effect_of_drift
from functions.shared.domain.drift.nulls import Null, day_null, row_null
from functions.shared.domain.drift.positives import Positives, PositiveShare, expected_positives, smallest_change
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import DriftPolicy

type ColumnRole = Literal["feature", "score", "prediction"]


class ColumnDrift(Value):
    """One column's distance from the baseline.

    `value` is its PSI; `jensen_shannon`, the Jensen-Shannon distance (0 to 1), is shown and not tested. `p_value` is
    the chance of a PSI at least as large where nothing has changed. `threshold` is the PSI from which on this column
    would have been called drifted, the others being what they are. Both are None if there were too few rows to judge.
    `effect` is what the column's change does to the scores; None for scores themselves and for the share predicted positive.
    """

    feature: str
    column: ColumnRole
    statistic: Literal["psi"] = "psi"
    value: float
    jensen_shannon: float
    threshold: float | None = None
    p_value: float | None = None
    drifted: bool = False
    effect: Effect | None = None


class DriftReport(Value):
    """What pooled batches say about drift.

    `too_few`: below the policy's `min_rows`, so nothing was judged.

    `columns` holds all features, then all scores, in the baseline's order, and last the share predicted positive, where a threshold
    decides, which `positive` has in figures; without rows it is empty.
    """

    alert: bool
    rows: int
    too_few: bool
    columns: tuple[ColumnDrift, ...]
    positive: PositiveShare | None = None

    def by_effect(self) -> tuple[ColumnDrift, ...]:
        """Return the features by what their change does to the scores.

        The greatest effect comes first; features whose effect is unknown are left out.
        """
        known = [(column.effect.moved, column) for column in self.columns if column.effect is not None]
        return tuple(column for _, column in sorted(known, key=lambda pair: -pair[0]))


def calling(report: DriftReport, baseline: Baseline, least: float) -> set[str]:
    """Return the drifted columns that call people.

    These are scores and shares themselves, and features that carry a score far enough, or of which that is unknown.

    Args:
        report: what drifted.
        baseline: of the version that scored.
        least: the least average move of a score, as a share of the distance between its 10 % and 90 % quantiles at training.
    """
    edges = {score.bins.name: score.bins.edges for score in baseline.scores}
    spread = {name: inner[-1] - inner[0] for name, inner in edges.items() if inner}
    return {
        column.feature
        for column in report.columns
        if column.drifted and (column.effect is None or column.effect.moved >= least * spread.get(column.effect.output, 0.0))
    }


def detect_drift(
    baseline: Baseline, profile: Profile, policy: DriftPolicy, *, days: int, predicted: Positives | None = None
) -> DriftReport:
    """Judge all features and scores of pooled batches at once.

    A column has drifted if Benjamini and Hochberg's procedure over all columns rejects it (rate
    `policy.false_discovery_rate`) *and* its PSI is above what chance gives (`sampling_noise`) by `policy.floor` or more, for the share
    predicted positive by `smallest_change`.
    Its p-value is the larger of that under draws of rows and, where the baseline knows its days, under draws of days.

    Args:
        baseline: of the version that scored the batches.
        profile: the merged profiles of the last `policy.pooled_batches` batches.
        policy: thresholds.
        days: number of event days that the batches' rows lie on. A few days differ more from the baseline than many do.
        predicted: how many rows of those batches that the threshold in force decided are predicted positive; not judged below
            `policy.min_rows` of them.

    Raises:
        InputError: if the profile was not counted in this baseline's bins.
    """
    if not profile.rows:
        return DriftReport(alert=False, rows=0, too_few=True, columns=())
    columns = [
        *_comparisons(baseline.features, profile.features, "feature", days),
        *_comparisons(baseline.scores, profile.scores, "score", days),
    ]
    expected = expected_positives(baseline, predicted) if predicted is not None and predicted.rows else None
    if predicted is not None and expected is not None:
        columns.append(_Comparison(expected, predicted.counts, "prediction", predicted.days))
    outputs = [score.bins.name for score in baseline.scores]
    enough = [column for column in columns if column.rows >= policy.min_rows]
    shown = [column.shown(outputs) for column in columns]
    judged = (*_judge(enough, shown[: len(enough)], policy), *shown[len(enough) :])
    return DriftReport(
        alert=any(column.drifted for column in judged),
        rows=profile.rows,
        too_few=profile.rows < policy.min_rows,
        columns=judged,
        positive=predicted.shared(expected) if predicted is not None and expected is not None else None,
    )


def rejection_cutoff(p_values: Sequence[float], rate: float) -> float:
    """Return the p-value up to which Benjamini and Hochberg reject.

    That is rate · k/m for the largest k with the k-th smallest p-value below it.

    If none is rejected, the cutoff that the smallest would have had to reach, rate/m.

    >>> rejection_cutoff([0.04, 0.9, 0.01, 0.02], rate=0.05)
    0.025
    """
    ordered = np.sort(p_values)
    steps = rate * np.arange(1, ordered.size + 1) / ordered.size
    rejected = np.flatnonzero(ordered <= steps)
    return float(steps[rejected[-1] if rejected.size else 0])


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One column's counts and its baseline, not yet judged."""

    baseline: ColumnBaseline
    counts: tuple[int, ...]
    role: ColumnRole
    days: int

    @property
    def rows(self) -> int:
        return sum(self.counts)

    def shown(self, outputs: Sequence[str]) -> ColumnDrift:
        expected, counts = np.array(self.baseline.counts), np.array(self.counts)
        return ColumnDrift(
            feature=self.baseline.bins.name,
            column=self.role,
            value=float(psi(expected, counts)),
            jensen_shannon=float(jensen_shannon(expected, counts)),
            effect=effect_of_drift(expected, counts, self.baseline.means, outputs),
        )

    def nulls(self) -> tuple[Null, ...]:
        """Draws of rows, and of the longest runs of days that are no longer than its own."""
        excesses = [excess for excess in self.baseline.excess if excess.days <= self.days]
        return (
            row_null(self.baseline.counts, self.rows),
            *(day_null(self.baseline.counts, self.rows, excess) for excess in excesses[-1:]),
        )

    def smallest(self, floor: float) -> float:
        """The PSI from which on a change is large enough to matter."""
        noise = float(sampling_noise(np.array(self.baseline.counts), np.array(self.counts)))
        return noise + (smallest_change(self.baseline, self.counts, floor) if self.role == "prediction" else floor)


def _comparisons(
    baselines: Iterable[ColumnBaseline], counts: Mapping[str, tuple[int, ...]], role: ColumnRole, days: int
) -> Iterable[_Comparison]:
    for baseline in baselines:
        name = baseline.bins.name
        if len(counts.get(name, ())) != len(baseline.counts):
            message = f"the profile has no counts of {role} {name!r} in this baseline's bins: it belongs to another version"
            raise InputError(message)
        yield _Comparison(baseline, counts[name], role, days)


def _judge(columns: Sequence[_Comparison], shown: Sequence[ColumnDrift], policy: DriftPolicy) -> tuple[ColumnDrift, ...]:
    if not columns:
        return ()
    nulls = [column.nulls() for column in columns]
    p_values = [max(null.tail(column.value) for null in column_nulls) for column, column_nulls in zip(shown, nulls, strict=True)]
    cutoff = rejection_cutoff(p_values, policy.false_discovery_rate)
    return tuple(
        _judged(column, p_value, cutoff=cutoff, nulls=column_nulls, smallest=compared.smallest(policy.floor))
        for column, p_value, column_nulls, compared in zip(shown, p_values, nulls, columns, strict=True)
    )


def _judged(column: ColumnDrift, p_value: float, *, cutoff: float, nulls: tuple[Null, ...], smallest: float) -> ColumnDrift:
    return column.model_copy(
        update={
            "p_value": p_value,
            "threshold": max(smallest, *(null.value_at(cutoff) for null in nulls)),
            "drifted": p_value <= cutoff and column.value >= smallest,
        }
    )
