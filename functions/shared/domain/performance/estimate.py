"""Performance before labels, estimated from a calibrated binary model.

It also decides when the model should say nothing of itself.

Confidence-based performance estimation takes it for granted that the probability of the truth given the features has not
changed. It therefore starts no retraining and no promotion; when labels come, it is held against them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from functions.shared.domain.decision import Reason
from functions.shared.domain.decision_rule import DecisionRule, RuleKind
from functions.shared.domain.document import Value
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.drift.profile import Profile
from functions.shared.domain.performance.calibration import PROBABILITY_FLOOR, Calibration, ScoreGroups
from functions.shared.domain.policy import EstimatePolicy
from functions.shared.domain.spec import FeatureKind
from functions.shared.foundation.counted import counted

type Floats = NDArray[np.float64]

GROUPS = 1000
DRAWS_A_CURVE = 5
MATURE_WINDOWS, MISSES = 3, 2
NEW_SHARE, OUTER_SHARE = 0.05, 0.9
MISSED_TRUTH = "missed_truth"
HELD = "log_loss"
"""The metric whose interval is held against the truth when labels come."""


class Estimated(Value):
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float


class HeldEstimate(Estimated):
    """An estimate of a batch's log loss and the truth that its labels gave then."""

    truth: float

    @property
    def borne_out(self) -> bool:
        """Whether the truth lies within the interval."""
        return self.low <= self.truth <= self.high


class Estimate(Value):
    """What is estimated of some rows without their labels.

    Either there are `metrics` or the `refusals` say why not.

    Metrics are `accuracy` (unless only the pipeline itself knows predictions), `auc`, `log_loss` and `brier`, as `measures.measure`
    would give them. Of `compared` earlier
    batches whose labels have come, in `borne_out` the truth lay within the interval; `newest` is the last of them.
    `expected_loss` is the mean log loss that the calibration expects, also where the estimate is refused: the first labels correct it.
    """

    rows: int
    expected_loss: float | None = None
    metrics: Mapping[str, Estimated] = Field(default_factory=dict)
    refusals: tuple[Reason, ...] = ()
    compared: int = 0
    borne_out: int = 0
    newest: HeldEstimate | None = None

    @property
    def missed_truth(self) -> bool:
        """Whether it refuses because labels did not bear out those before it."""
        return any(reason.code == MISSED_TRUTH for reason in self.refusals)


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How well a version's estimates did.

    It says for how many the labels came, how many these confirmed, and whether they ended the estimates.
    """

    compared: int = 0
    borne_out: int = 0
    newest: HeldEstimate | None = None
    missed: bool = False


def track_record(estimates: Sequence[HeldEstimate]) -> TrackRecord:
    """Return the record of estimates of mature batches, in order of time.

    Too many misses among any few successive ones end a version's estimates: a good one later mends nothing.

    >>> right, wrong = (HeldEstimate(value=0.5, low=0.4, high=0.6, truth=truth) for truth in (0.5, 0.7))
    >>> track_record([wrong, right, right, wrong]).missed, track_record([wrong, right, wrong, right]).missed
    (False, True)
    """
    held = [estimate.borne_out for estimate in estimates]
    missed = any(list(held[start : start + MATURE_WINDOWS]).count(False) >= MISSES for start in range(len(held)))
    return TrackRecord(len(held), sum(held), estimates[-1] if estimates else None, missed)


def estimate_performance(
    calibration: Calibration | None,
    scores: Floats,
    policy: EstimatePolicy,
    *,
    rule: DecisionRule,
    input_alerts: Sequence[str],
    record: TrackRecord,
    rng: np.random.Generator,
) -> Estimate:
    """Estimate a binary model's performance on rows without labels, or refuse.

    An estimate is the metric's expectation under calibrated probabilities; AUC ranks by the raw scores. The interval
    holds 95 % of the metrics of labels drawn from the calibration's bootstrap curves, so it has both the chance of the
    labels and the doubt about the calibration. Rows of like scores are taken together in at most 1,000 groups.

    Args:
        calibration: the version's; None if it has none (other tasks have none).
        scores: probability of the positive class, shape (rows,).
        policy: thresholds.
        rule: by which the version's scores become predictions.
        input_alerts: what is wrong with these rows (missing values, unseen categories, units), in words.
        record: how the version's estimates did so far.
        rng: source of the drawn labels.
    """
    if calibration is None:
        missing = Reason(code="no_calibration", message="this version was not calibrated, or is no binary classifier")
        return Estimate(rows=scores.size, refusals=(missing,))
    expected_loss = float(expected_losses(calibration, scores).mean()) if scores.size else None
    refusals = tuple(_refusals(calibration, scores, policy, input_alerts, record))
    so_far = Estimate(
        rows=scores.size, expected_loss=expected_loss, compared=record.compared, borne_out=record.borne_out, newest=record.newest
    )
    if refusals:
        return so_far.model_copy(update={"refusals": refusals})
    groups = ScoreGroups.of(scores, GROUPS)
    curves = np.array([np.interp(groups.scores, calibration.knots, curve) for curve in calibration.resampled])
    counts = groups.counts.astype(np.int64)
    labels = rng.binomial(counts, np.repeat(curves, DRAWS_A_CURVE, axis=0)).astype(np.float64)
    expected = groups.counts * _probabilities(calibration, groups.scores)
    drawn, central = _metrics(groups, labels, rule), _metrics(groups, expected, rule)
    metrics = {
        name: Estimated(value=float(value), low=float(np.quantile(drawn[name], 0.025)), high=float(np.quantile(drawn[name], 0.975)))
        for name, value in central.items()
    }
    return so_far.model_copy(update={"metrics": metrics})


def input_alerts(baseline: Baseline, profile: Profile) -> list[str]:
    """Return what is wrong with the inputs of some rows, in words.

    That is many more missing values, unseen categories, or another unit.

    Args:
        baseline: of the version that scored them.
        profile: theirs, with one row or more.
    """
    alerts = []
    for column in baseline.features:
        name, kind = column.bins.name, column.bins.kind
        now, then = np.array(profile.features[name]) / profile.rows, np.array(column.counts) / sum(column.counts)
        if now[0] > then[0] + NEW_SHARE:
            alerts.append(f"{name} is missing in {now[0]:.1%} of the rows, {then[0]:.1%} at training")
        if kind is FeatureKind.CATEGORY and now[-1] > NEW_SHARE:
            alerts.append(f"{name} has unseen categories in {now[-1]:.1%} of the rows")
        if kind is FeatureKind.NUMBER and max(now[1], now[-1]) > OUTER_SHARE > max(then[1], then[-1]):
            alerts.append(f"{name} lies in its outermost bin in {max(now[1], now[-1]):.1%} of the rows: another unit?")
    return alerts


def expected_losses(calibration: Calibration, scores: Floats) -> Floats:
    """Return the log loss that a calibration expects of each score, shape (rows,)."""
    probability, score = _probabilities(calibration, scores), np.clip(scores, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return -(probability * np.log(score) + (1 - probability) * np.log(1 - score))


def _probabilities(calibration: Calibration, scores: Floats) -> Floats:
    return np.interp(scores, calibration.knots, calibration.curve)


def _metrics(groups: ScoreGroups, positive: Floats, rule: DecisionRule) -> dict[str, Floats]:
    """Return metrics by the number of positive rows in each group, shape (…, groups)."""
    predicted = rule.decide(groups.scores[:, np.newaxis]) == 1
    score = np.clip(groups.scores, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    negative = groups.counts - positive
    rows = groups.counts.sum()
    below = np.cumsum(negative, axis=-1) - negative / 2
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    return {
        **({} if rule.kind is RuleKind.PIPELINE else {"accuracy": np.where(predicted, positive, negative).sum(axis=-1) / rows}),
        "auc": (positive * below).sum(axis=-1) / pairs,
        "log_loss": -(positive @ np.log(score) + negative @ np.log(1 - score)) / rows,
        "brier": (positive @ (1 - groups.scores) ** 2 + negative @ groups.scores**2) / rows,
    }


def _refusals(
    calibration: Calibration, scores: Floats, policy: EstimatePolicy, input_alerts: Iterable[str], record: TrackRecord
) -> Iterator[Reason]:
    if calibration.rows < policy.min_calibration_rows or calibration.rarer_class < policy.min_calibration_rarer_class:
        message = (
            f"calibrated on {counted(calibration.rows, 'rows')}, {calibration.rarer_class:,} of the rarer class; "
            f"{policy.min_calibration_rows:,} and {policy.min_calibration_rarer_class:,} are needed"
        )
        yield Reason(code="few_calibration_rows", message=message)
    if calibration.error_high > policy.max_calibration_error:
        message = (
            f"the calibration may be wrong by {calibration.error_high:.3f} on average, {policy.max_calibration_error:g} at most is allowed"
        )
        yield Reason(code="miscalibrated", message=message)
    if scores.size < policy.min_rows:
        yield Reason(code="few_rows", message=f"{counted(scores.size, 'rows')}, at least {policy.min_rows} are needed")
    else:
        yield from _unlike(calibration, scores, policy)
        yield from (Reason(code="input_alert", message=alert) for alert in input_alerts)
    if record.missed:
        yield Reason(code=MISSED_TRUTH, message="labels did not bear out earlier estimates; calibrate again")


def _unlike(calibration: Calibration, scores: Floats, policy: EstimatePolicy) -> Iterator[Reason]:
    """Yield what in the scores themselves forbids an estimate."""
    expected = float(_probabilities(calibration, scores).sum())
    rarer = min(expected, scores.size - expected)
    if rarer < policy.min_rarer_class:
        message = f"{counted(round(rarer), 'rows')} of the rarer class expected, at least {policy.min_rarer_class} are needed"
        yield Reason(code="few_of_rarer_class", message=message)
    outside = float(np.mean((scores < calibration.low) | (scores > calibration.high)))
    if outside > policy.max_share_outside:
        yield Reason(code="outside_range", message=f"{outside:.1%} of the scores lie beyond the calibration's central 99 %")
    effective = _effective_share(calibration, scores)
    if effective < policy.min_effective_share:
        message = f"only {effective:.1%} of the calibration's rows are in effect on scores like these"
        yield Reason(code="unlike_calibration", message=message)


def _effective_share(calibration: Calibration, scores: Floats) -> float:
    """Return Kish's effective sample size as a share of the rows, 0 to 1.

    The calibration's rows are weighted by density ratio to look like `scores`.
    """
    knots, there = np.array(calibration.knots), np.array(calibration.counts)
    nearest = np.searchsorted((knots[:-1] + knots[1:]) / 2, scores)
    here = np.bincount(nearest, minlength=knots.size) / scores.size
    return float(1 / np.sum(here**2 / (there / there.sum())))
