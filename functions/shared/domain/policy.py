"""The thresholds a person may set, with the defaults that were measured (docs/monitoring.md, docs/updating.md)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from functions.shared.domain.document import Document, Written

Share = Annotated[float, Field(ge=0, le=1)]


class RowContract(Written):
    """What a row must satisfy to be scored, and what of it is stored beside its score.

    `ranges` maps a number feature to its inclusive possible values; a row outside is quarantined as `out_of_range`.
    `error_budget` is the share of quarantined rows above which a batch is `suspect`.
    `carry` says which input columns are stored with the scores; labels need none beyond id and time.
    """

    error_budget: Share = 0.10
    ranges: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    carry: Literal["all", "id"] | tuple[str, ...] = "all"

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> Self:
        for name, (low, high) in self.ranges.items():
            if not low <= high:
                message = f"row_contract.ranges.{name}: {low} to {high} is empty; write the smaller bound first"
                raise ValueError(message)
        return self


class LabelPolicy(Written):
    """When labels count as complete: `delay_days` of event time after the row.

    Labels are joined with batches that arrived within the last `look_back_days`.
    """

    delay_days: float = Field(default=7, ge=0)
    look_back_days: float = Field(default=120, gt=0)


class DriftPolicy(Written):
    """PSI of the pooled last batches against the version's baseline; characteristics in docs/monitoring.md."""

    pooled_batches: int = Field(default=3, ge=1)
    min_rows: int = Field(default=300, ge=1)
    false_discovery_rate: Annotated[float, Field(gt=0, lt=1)] = 0.0005
    floor: float = Field(default=0.05, ge=0)


class PerformancePolicy(Written):
    """When a champion counts as decayed: its loss over the last days against its out-of-time loss at training.

    `minimum_effect`, relative to that loss, is the smallest excess that counts; `alpha` the chance of a false alarm in one
    run of `look_back_days`.
    """

    look_back_days: int = Field(default=28, ge=2)
    min_days: int = Field(default=7, ge=2)
    min_labels: int = Field(default=500, ge=1)
    minimum_effect: Share = 0.02
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


class WatchPolicy(Written):
    """A model's rhythm, for those that have one: wall-clock time after which a missing batch or an old champion is told."""

    max_hours_between_batches: float | None = Field(default=None, gt=0)
    max_champion_age_days: float | None = Field(default=None, gt=0)


class EstimatePolicy(Written):
    """When performance is estimated before labels; short of any of these the estimate refuses.

    The first three are about the rows that the calibration was fitted on: how many, how many of their rarer class, and
    the upper bound of its calibration error. The others are about the rows estimated: how many, how many of the rarer
    class are expected, the share of scores beyond the calibration's central 99 %, and the share of calibration rows that
    remains in effect when they are weighted to look like these.
    """

    min_calibration_rows: int = Field(default=1000, ge=1)
    min_calibration_rarer_class: int = Field(default=100, ge=1)
    max_calibration_error: Share = 0.03
    min_rows: int = Field(default=300, ge=1)
    min_rarer_class: int = Field(default=30, ge=1)
    max_share_outside: Share = 0.05
    min_effective_share: Share = 0.30


class Window(Written):
    """Event days, both inclusive, that a training set may use."""

    start: date
    end: date


class RetrainingPolicy(Written):
    """What a challenger is trained on and how often one may be made.

    An alert retrains when the last version is `cool_down_hours` old. The schedule does when `rest_days` newer days are
    mature than those that the champion's last challenger was judged on: each try on overlapping days must be surer.
    `max_rows`, and `max_values` (rows times features), keep a retraining within its function's memory.
    """

    window: Literal["all"] | Window = "all"
    last_days: int | None = Field(default=None, ge=1)
    min_new_labels: int = Field(default=500, ge=1)
    cool_down_hours: float = Field(default=24, ge=0)
    rest_days: int = Field(default=14, ge=0)
    max_rows: int = Field(default=1_000_000, ge=100)
    max_values: int = Field(default=15_000_000, ge=100)

    def most_rows(self, features: int) -> int:
        """How many rows of so many features may be learnt."""
        return min(self.max_rows, self.max_values // features)


class VetoPolicy(Written):
    """Harm that forbids a promotion although the loss improves, where it is *significantly* above these margins.

    `auc` and `ece` are absolute, `brier` and `slices` relative to the champion's Brier score and slice loss.
    """

    auc: Share = 0.01
    brier: Share = 0.02
    ece: Share = 0.02
    slices: Share = 0.05
    min_slice_rows: int = Field(default=200, ge=1)


class GatePolicy(Written):
    """When a challenger counts as better. `minimum_effect` is relative to the champion's holdout loss.

    Beside it both models are cross-validated on `folds` stretches of earlier days (below 2: not at all), each fit learning at
    most `fold_rows` rows.
    """

    holdout_days: int = Field(default=28, ge=1)
    min_holdout_days: int = Field(default=14, ge=1)
    min_rows: int = Field(default=1000, ge=1)
    min_rarer_class: int = Field(default=100, ge=1)
    minimum_effect: Share = 0.02
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    resamples: int = Field(default=2000, ge=200)
    label_probe_margin: float = Field(default=0.10, ge=0)
    label_probe_margin_r2: float = Field(default=0.15, ge=0)
    folds: int = Field(default=3, ge=0)
    fold_rows: int = Field(default=100_000, ge=100)
    vetoes: VetoPolicy = VetoPolicy()


class GuardrailPolicy(Written):
    """When a rollout ends at once, before any label. Margins are what real days may differ; noise is added to them.

    `rank_correlation` is a fall below the gate's, on Fisher's z scale; `mean_difference` a move away from the gate's, in
    standard deviations of the two models' difference there; `quarantine` a rise of the quarantined share; `failures` a
    rise of the share of failed batches; `slowdown` how many times longer a row's prediction may take with two models
    than before with one, and a batch's predictions 0.2 seconds more. `deviations` is how many standard errors of noise are allowed on top.
    """

    rank_correlation: float = Field(default=0.5, ge=0)
    mean_difference: float = Field(default=1.0, ge=0)
    quarantine: Share = 0.05
    failures: Share = 0.25
    slowdown: float = Field(default=10.0, ge=1)
    deviations: float = Field(default=4.0, ge=0)


class CanaryPolicy(Written):
    """How a challenger is rolled out. `steps` are the shares of entities it answers; the last, all of them, makes it champion."""

    steps: tuple[Share, ...] = (0.05, 0.25, 0.50, 1.0)
    mode: Literal["canary", "shadow"] = "canary"
    min_batches: int = Field(default=1, ge=1)
    min_days: int = Field(default=7, ge=1)
    min_labels: int = Field(default=500, ge=1)
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    guardrails: GuardrailPolicy = GuardrailPolicy()

    @model_validator(mode="after")
    def _steps_rise_to_all(self) -> Self:
        if not self.steps or self.steps[-1] != 1.0 or list(self.steps) != sorted(set(self.steps)) or self.steps[0] <= 0:
            message = f"canary.steps must rise from above 0 to 1.0, got {self.steps}"
            raise ValueError(message)
        return self


class Policy(Document):
    """One numbered version of a model's thresholds. Number 0 is the defaults, which nobody wrote."""

    number: int = Field(default=0, ge=0)
    who: str = ""
    why: str = ""
    written_at: datetime | None = None
    row_contract: RowContract = RowContract()
    labels: LabelPolicy = LabelPolicy()
    drift: DriftPolicy = DriftPolicy()
    performance: PerformancePolicy = PerformancePolicy()
    watch: WatchPolicy = WatchPolicy()
    estimate: EstimatePolicy = EstimatePolicy()
    retraining: RetrainingPolicy = RetrainingPolicy()
    gate: GatePolicy = GatePolicy()
    canary: CanaryPolicy = CanaryPolicy()
