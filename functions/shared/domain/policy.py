"""The thresholds a person may set, with their measured defaults.

The measurements are in docs/monitoring.md and docs/updating.md.

A field's description is what people are shown of it, on screens and in docs/policy.md.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from functions.shared.domain.document import Document, Value, Written


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of a threshold, and the values between which it makes sense.

    They are far beyond any use, and short of what overflows.

    Reading does not ask for the latter, since decisions and releases keep the thresholds of their time. `takes` says what is
    possible where that is no number or one of some words.
    """

    name: str
    least: float = -math.inf
    most: float = math.inf
    takes: str = ""


def _opened(value: object) -> object:
    """Return a range with its open ends as infinities."""
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = value
        return (-math.inf if low is None else low, math.inf if high is None else high)
    return value


def _in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if not low <= high or low == math.inf or high == -math.inf:
        message = f"{low} to {high} is empty: write the smaller bound first"
        raise ValueError(message)
    return bounds


def _closed(bounds: tuple[float, float]) -> tuple[float | None, float | None]:
    """Return a range as JSON has it: an open end is null, since JSON has no infinity."""
    low, high = bounds
    return (None if math.isinf(low) else low, None if math.isinf(high) else high)


_Bound = Annotated[float, Field(allow_inf_nan=True)]
Range = Annotated[tuple[_Bound, _Bound], BeforeValidator(_opened), AfterValidator(_in_order), PlainSerializer(_closed, when_used="json")]
"""Lowest and highest possible value, both included; either may be infinite, which is null in JSON."""

Share = Annotated[float, Field(ge=0, le=1), Unit("share")]
Chance = Annotated[float, Field(gt=0, lt=0.5), Unit("probability", least=1e-9)]
Days = Annotated[float, Field(ge=0), Unit("days", most=36_500)]
WholeDays = Annotated[int, Field(ge=1), Unit("days", most=36_500)]
Rows = Annotated[int, Field(ge=1), Unit("rows", most=10**12)]
Labels = Annotated[int, Field(ge=1), Unit("labels", most=10**12)]
Margin = Annotated[float, Field(ge=0), Unit("", most=1_000_000)]


class RowContract(Written):
    """The rules that a scored row must meet, and what is stored with its score."""

    error_budget: Share = Field(default=0.10, description="Share of quarantined rows above which a batch is suspect.")
    ranges: Annotated[Mapping[str, Range], Unit("", takes="[lowest, highest] by number feature, null where there is no limit")] = Field(
        default_factory=dict,
        description="By number feature, the lowest and highest possible value; rows outside are quarantined.",
    )
    carry: Annotated[Literal["all", "id"] | tuple[str, ...], Unit("", takes='all, id or a list of columns, e.g. ["city"]')] = Field(
        default="all", description="Input columns that are stored with the scores. Labels need none but id and time."
    )


def _spelled(value: object) -> object:
    """Read costs as a person types them: `false_positive=1,false_negative=20`."""
    if not isinstance(value, str):
        return value
    return dict(part.split("=", 1) for part in value.replace(" ", "").split(",") if "=" in part)


class Costs(Value):
    """The cost of a wrong answer, by kind.

    `false_positive` is where the positive class was predicted wrongly, `false_negative` where it was missed.
    """

    false_positive: Annotated[float, Field(ge=0, le=1e12)]
    false_negative: Annotated[float, Field(ge=0, le=1e12)]

    @model_validator(mode="after")
    def _something_costs(self) -> Self:
        if not self.false_positive and not self.false_negative:
            message = "both costs are 0: one of them must be more"
            raise ValueError(message)
        return self


class DecisionPolicy(Written):
    """How a binary model's score becomes its prediction, for every version.

    Without a threshold and costs, each version keeps its own rule.
    """

    threshold: Annotated[float | None, Unit("score")] = Field(
        default=None, ge=0, le=1, description="Score from which the positive class is predicted; null for each version's own rule."
    )
    costs: Annotated[Costs | None, BeforeValidator(_spelled), Unit("", takes="false_positive=NUMBER,false_negative=NUMBER or null")] = (
        Field(
            default=None,
            description="What a wrong answer costs: chooses each version's threshold, if none is set, and is measured per row.",
        )
    )


class LabelPolicy(Written):
    """When labels count as complete, and which batches they may belong to."""

    delay_days: Days = Field(default=7, description="Event time after a row until its labels count as complete.")
    look_back_days: Days = Field(default=120, gt=0, description="Labels are joined with batches that arrived within this time.")


class DriftPolicy(Written):
    """When drift counts: PSI of the last batches against the version's baseline.

    Characteristics are in docs/monitoring.md.
    """

    pooled_batches: Annotated[int, Unit("batches", most=1000)] = Field(default=3, ge=1, description="Last batches that are pooled.")
    min_rows: Rows = Field(default=300, description="Pooled rows below which drift is not judged.")
    false_discovery_rate: Annotated[float, Unit("probability", least=1e-9)] = Field(
        default=0.0005, gt=0, lt=1, description="Share of false alarms that is expected among the columns said to drift."
    )
    floor: Margin = Field(default=0.05, description="How far the PSI must exceed what chance gives to count as drift.")
    least_effect: Share = Field(
        default=0.02,
        description=(
            "Average move of the scores, as a share of their central 80 % at training, below which a feature's drift notifies nobody."
        ),
    )


class PerformancePolicy(Written):
    """When a champion counts as decayed: its recent loss against that at training.

    The loss at training is measured out of time.
    """

    look_back_days: Annotated[int, Unit("days", most=36_500)] = Field(default=28, ge=2, description="Labelled event days that are judged.")
    min_days: Annotated[int, Unit("days", most=36_500)] = Field(
        default=7, ge=2, description="Labelled days below which decay is not judged."
    )
    min_labels: Labels = Field(default=500, description="Labels below which decay is not judged.")
    minimum_effect: Share = Field(default=0.02, description="Smallest rise of the loss that counts, relative to its loss at training.")
    alpha: Chance = Field(default=0.05, description="Chance of a false alarm in one run of look_back_days.")


class WatchPolicy(Written):
    """A model's rhythm: the time after which silence or age raises an alert.

    Times are of the clock on the wall. Models without a rhythm have none.
    """

    max_hours_between_batches: Annotated[float | None, Unit("hours", most=876_000)] = Field(
        default=None, gt=0, description="Time without a batch that raises an alert; null for none."
    )
    max_champion_age_days: Annotated[float | None, Unit("days", most=36_500)] = Field(
        default=None, gt=0, description="Age of the champion's training that raises an alert; null for none."
    )


class EstimatePolicy(Written):
    """When performance is estimated before labels; short of these it is not.

    The first three are about the rows that the calibration was fitted on, the others about the rows estimated.
    """

    min_calibration_rows: Rows = Field(default=1000, description="Fewest rows that the calibration was fitted on.")
    min_calibration_rarer_class: Rows = Field(default=100, description="Fewest of these rows in the rarer class.")
    max_calibration_error: Share = Field(default=0.03, description="Largest upper bound of the calibration's error.")
    min_rows: Rows = Field(default=300, description="Fewest rows of a batch that is estimated.")
    min_rarer_class: Rows = Field(default=30, description="Fewest rows of such a batch that are expected in the rarer class.")
    max_share_outside: Share = Field(default=0.05, description="Largest share of its scores beyond the central 99 % of the calibration's.")
    min_effective_share: Share = Field(
        default=0.30, description="Smallest share of calibration rows that remain in effect when weighted to look like the batch."
    )


class Window(Written):
    """Event days, both inclusive, that a training set may use."""

    start: date
    end: date

    @model_validator(mode="after")
    def _days_are_in_order(self) -> Self:
        if self.end < self.start:
            message = f"{self.start} to {self.end} is empty: write the earlier day first"
            raise ValueError(message)
        return self


class RetrainingPolicy(Written):
    """What a challenger is trained on and how often one may be made."""

    window: Annotated[Literal["all"] | Window, Unit("", takes='all or {"start": "2024-01-01", "end": "2024-06-30"}')] = Field(
        default="all", description="Event days that a challenger may learn from, both included."
    )
    last_days: Annotated[int | None, Unit("days", most=36_500)] = Field(
        default=None, ge=1, description="Newest event days before the holdout that a challenger learns from; null for all."
    )
    min_new_labels: Labels = Field(
        default=500, description="Mature labels that the champion has not learnt from, below which none is made."
    )
    cool_down_hours: Annotated[float, Unit("hours", most=876_000)] = Field(
        default=24, ge=0, description="Age of the last version below which an alert makes no challenger."
    )
    rest_days: Annotated[int, Unit("days", most=36_500)] = Field(
        default=14,
        ge=0,
        description="Newer mature event days that the schedule waits for: each try on overlapping days must be surer.",
    )
    max_rows: Annotated[int, Unit("rows", most=10**12)] = Field(
        default=1_000_000, ge=100, description="Newest rows that are learnt, which keeps a retraining within its function's memory."
    )
    max_values: Annotated[int, Unit("values", most=10**15)] = Field(
        default=15_000_000, ge=100, description="The same, as rows times features."
    )

    def most_rows(self, features: int) -> int:
        """Return how many rows with this many features may be learnt."""
        return min(self.max_rows, self.max_values // features)


class VetoPolicy(Written):
    """Harm that forbids a promotion although the loss improves.

    It counts where it is *significantly* above these margins.
    """

    auc: Share = Field(default=0.01, description="Fall of the AUC that is allowed, absolute.")
    brier: Share = Field(default=0.02, description="Rise of the Brier score that is allowed, relative to the champion's.")
    ece: Share = Field(default=0.02, description="Rise of the calibration error that is allowed, absolute.")
    slices: Share = Field(default=0.05, description="Rise of a slice's loss that is allowed, relative to the champion's there.")
    min_slice_rows: Rows = Field(default=200, description="Held-out rows below which a slice is not looked at.")


class GatePolicy(Written):
    """When a challenger counts as better than the champion."""

    holdout_days: Annotated[int, Unit("days", most=1000)] = Field(
        default=28, ge=1, description="Newest event days on which both models are compared, which neither has learnt from."
    )
    min_holdout_days: WholeDays = Field(default=14, description="Held-out days below which the gate cannot decide.")
    min_rows: Rows = Field(default=1000, description="Held-out rows below which the gate cannot decide.")
    min_rarer_class: Rows = Field(default=100, description="Held-out rows outside the commonest class below which the gate cannot decide.")
    metric: Literal["loss", "cost"] = Field(
        default="loss", description="What is compared: the loss, or a binary model's cost per row by decision.costs."
    )
    minimum_effect: Share = Field(default=0.02, description="Smallest gain that counts, relative to the champion's loss or cost.")
    alpha: Chance = Field(default=0.05, description="Chance that a challenger which is no better wins.")
    resamples: Annotated[int, Unit("resamples", most=100_000)] = Field(
        default=2000, ge=200, description="Resamples of days for the gate's bounds."
    )
    label_probe_margin: Margin = Field(
        default=0.10,
        description="AUC by which models of the newest labels may lie below those of as many training rows.",
    )
    label_probe_margin_r2: Margin = Field(default=0.15, description="The same for a regression's R².")
    folds: Annotated[int, Unit("folds", most=100)] = Field(
        default=3, ge=0, description="Stretches of earlier days on which both are cross-validated besides; below 2 there is none."
    )
    fold_rows: Annotated[int, Unit("rows", most=10**12)] = Field(
        default=100_000, ge=100, description="Newest rows that each fit of the cross-validation learns."
    )
    vetoes: VetoPolicy = VetoPolicy()


class GuardrailPolicy(Written):
    """When a rollout ends at once, before any label.

    Margins are what real days may differ; noise is added to them.
    """

    rank_correlation: Margin = Field(default=0.5, description="Fall of the rank correlation below the gate's, on Fisher's z scale.")
    mean_difference: Margin = Field(
        default=1.0, description="Move of the mean difference away from the gate's, in standard deviations of the difference there."
    )
    quarantine: Share = Field(default=0.05, description="Rise of the quarantined share of rows.")
    failures: Share = Field(default=0.25, description="Rise of the share of failed batches.")
    slowdown: Annotated[float, Unit("times", most=1_000_000)] = Field(
        default=10.0,
        ge=1,
        description="How many times longer a row's prediction may take with two models than with one, beyond 0.2 seconds a batch.",
    )
    deviations: Annotated[float, Unit("standard errors", most=1_000_000)] = Field(
        default=4.0, ge=0, description="Noise that is allowed on top of each margin."
    )


class CanaryPolicy(Written):
    """How a challenger is rolled out, and when its share may grow."""

    steps: Annotated[
        tuple[Share, ...], Unit("shares", most=100, takes="up to 100 shares that rise from above 0 to 1, e.g. [0.05, 0.25, 1]")
    ] = Field(default=(0.05, 0.25, 0.50, 1.0), description="Shares of entities that a challenger answers; the last makes it champion.")
    mode: Literal["canary", "shadow"] = Field(default="canary", description="Whether it answers its share, or none and is only watched.")
    labels: Literal["decide", "ignore"] = Field(
        default="decide",
        description="Whether labels end a rollout and let it grow. Ignore those that predictions shape: then a person approves each step.",
    )
    min_batches: Annotated[int, Unit("batches", most=1_000_000)] = Field(default=1, ge=1, description="Batches at a share before it grows.")
    min_days: WholeDays = Field(default=7, description="Labelled event days of the rollout before its share grows.")
    min_labels: Labels = Field(default=500, description="Labels of the rollout before its share grows.")
    alpha: Chance = Field(default=0.05, description="Chance that a challenger which is worse passes, or one which is not is sent back.")
    guardrails: GuardrailPolicy = GuardrailPolicy()

    @model_validator(mode="after")
    def _steps_rise_to_all(self) -> Self:
        if not self.steps or self.steps[-1] != 1.0 or list(self.steps) != sorted(set(self.steps)) or self.steps[0] <= 0:
            message = "canary.steps must rise from above 0 to 1"
            raise ValueError(message)
        return self


class ReleasePolicy(Written):
    """Whether a person has a say before a challenger that won may answer rows."""

    approval: Literal["none", "required", "every_step"] = Field(
        default="none", description="What waits for a person's approval: nothing, a canary's beginning, or each of its steps."
    )
    approval_days: Annotated[float | None, Unit("days", most=36_500)] = Field(
        default=30, gt=0, description="Time after which what nobody approved counts as rejected; null for never."
    )
    approval_by_alias: Annotated[bool, Unit("", takes="true or false")] = Field(
        default=False, description="Whether an alias that is set in MLflow counts as approval of its version."
    )


class NotificationPolicy(Written):
    """Who is sent which messages."""

    kinds: Annotated[Mapping[str, tuple[str, ...]], Unit("", takes='kinds of messages by target, e.g. {"topic": ["failed", "silent"]}')] = (
        Field(
            default_factory=dict,
            description="By target (topic, or a name in the secret), the kinds of messages it is sent; one that is not named is sent all.",
        )
    )


class Policy(Document):
    """One numbered version of a model's thresholds.

    Number 0 is the defaults, which nobody wrote.
    """

    number: int = Field(default=0, ge=0)
    who: str = ""
    why: str = ""
    written_at: datetime | None = None
    row_contract: RowContract = RowContract()
    decision: DecisionPolicy = DecisionPolicy()
    labels: LabelPolicy = LabelPolicy()
    drift: DriftPolicy = DriftPolicy()
    performance: PerformancePolicy = PerformancePolicy()
    watch: WatchPolicy = WatchPolicy()
    estimate: EstimatePolicy = EstimatePolicy()
    retraining: RetrainingPolicy = RetrainingPolicy()
    gate: GatePolicy = GatePolicy()
    canary: CanaryPolicy = CanaryPolicy()
    release: ReleasePolicy = ReleasePolicy()
    notifications: NotificationPolicy = NotificationPolicy()

    @model_validator(mode="after")
    def _somebody_decides(self) -> Self:
        if self.canary.labels == "ignore" and self.release.approval != "every_step":
            message = "canary.labels=ignore leaves nobody to decide: set release.approval=every_step too"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _costs_are_known(self) -> Self:
        if self.gate.metric == "cost" and self.decision.costs is None:
            message = "gate.metric=cost compares what wrong answers cost: set decision.costs too"
            raise ValueError(message)
        return self
