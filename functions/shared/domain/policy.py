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
    """When labels count as complete: `delay_days` of event time after the row."""

    delay_days: float = Field(default=7, ge=0)


class DriftPolicy(Written):
    """PSI of the pooled last batches against the version's baseline; characteristics in docs/monitoring.md."""

    pooled_batches: int = Field(default=3, ge=1)
    min_rows: int = Field(default=300, ge=1)
    false_discovery_rate: Annotated[float, Field(gt=0, lt=1)] = 0.0005
    floor: float = Field(default=0.05, ge=0)


class Window(Written):
    """Event days, both inclusive, that a training set may use."""

    start: date
    end: date


class RetrainingPolicy(Written):
    """What a challenger is trained on and how often one may be made."""

    window: Literal["all"] | Window = "all"
    last_days: int | None = Field(default=None, ge=1)
    min_new_labels: int = Field(default=500, ge=1)
    cool_down_hours: float = Field(default=24, ge=0)
    max_rows: int = Field(default=5_000_000, ge=100)


class GatePolicy(Written):
    """When a challenger counts as better. `minimum_effect` is relative to the champion's holdout loss."""

    holdout_days: int = Field(default=28, ge=1)
    min_holdout_days: int = Field(default=14, ge=1)
    min_rows: int = Field(default=1000, ge=1)
    min_rarer_class: int = Field(default=100, ge=1)
    minimum_effect: Share = 0.02
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    resamples: int = Field(default=2000, ge=200)
    label_probe_margin: float = Field(default=0.10, ge=0)


class CanaryPolicy(Written):
    """How a challenger is rolled out. `steps` are the shares of entities it answers, the last being all of them."""

    steps: tuple[Share, ...] = (0.05, 0.25, 0.50, 1.0)
    mode: Literal["canary", "shadow"] = "canary"
    min_batches: int = Field(default=1, ge=1)
    min_days: int = Field(default=7, ge=1)
    min_labels: int = Field(default=500, ge=1)
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

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
    retraining: RetrainingPolicy = RetrainingPolicy()
    gate: GatePolicy = GatePolicy()
    canary: CanaryPolicy = CanaryPolicy()
