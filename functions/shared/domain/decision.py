"""The gate's decision on a challenger: what went in, what came out, and why."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from pydantic import ConfigDict, Field

from functions.shared.domain.document import Document, Value
from functions.shared.domain.performance.error_curve import COST
from functions.shared.domain.policy import GatePolicy
from functions.shared.domain.rollout.agreement import Agreement


class Verdict(StrEnum):
    """What happens to the challenger.

    `promote` starts a canary, `keep` leaves the champion.
    """

    PROMOTE = "promote"
    KEEP = "keep"


class Reason(Value):
    """One sentence of a decision, with a stable code.

    The code is a `GateCode`, or that of a remark.

    A `warning` decided nothing. It says what to look at before the version is trusted.
    """

    code: str
    message: str
    warning: bool = False


class Snapshot(Value):
    """The exact data of a version, fit and holdout.

    It is a DVC directory of Parquet files, one for each event month.

    `md5` is the directory's hash with its `.dir` suffix; `files` counts its files, `bytes` their sizes.
    """

    md5: str
    rows: int
    bytes: int
    files: int
    first_day: date | None = None
    last_day: date | None = None


class Origin(Value):
    """Where an imported version was made.

    It names the stack, the model and the version's number there.

    `account` is that of AWS, None for an embedded stack. `digest` is the version's own there. `was_first` says that it had no
    champion to beat, and `has_rows` that its snapshot came with it.
    """

    stack: str
    account: str | None = None
    model: str
    version: str
    digest: str
    was_first: bool
    has_rows: bool
    exported_at: datetime


class Fold(Value):
    """A stretch of days before the holdout, and what both models measured there.

    Both knew only what came before the stretch.
    """

    first_day: date
    last_day: date
    rows: int
    champion: Mapping[str, float | None]
    challenger: Mapping[str, float | None]


class Decision(Document):
    """The gate's record, stored once per challenger.

    `difference` is the champion's mean holdout loss, or cost, minus the challenger's: positive is an improvement. `ci_low` and
    `ci_high` are the one-sided bounds at `alpha` each. `champion` and `challenger` hold each side's holdout metrics.
    `digest` is the sha-256 of the version's `bundle.json`; `engine` serves it, for `engine_reason`. `library` made its model, with
    its version; earlier decisions do not say.
    The version was fitted on `trained_rows` rows of the event days `trained_first_day` to `trained_last_day`.
    `erased_rows` were removed from its snapshot since, at people's wish: it learnt from them all the same.
    `agreement` compares the two models' scores on the holdout and is what the canary's guardrails are held against.
    `cross_validation` says how both did on earlier days; it decides nothing.
    `origin` says where an imported version comes from, and its figures are those of its decision there.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    model: str
    champion_version: str | None
    challenger_version: str
    verdict: Verdict = Field(alias="decision")  # its stored name
    reasons: tuple[Reason, ...]
    metric: str
    champion: Mapping[str, float | None] = Field(default_factory=dict)
    challenger: Mapping[str, float | None] = Field(default_factory=dict)
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    minimum_effect: float | None = None
    alpha: float | None = None
    rows: int = 0
    days: int = 0
    holdout_first_day: date | None = None
    holdout_last_day: date | None = None
    snapshot: Snapshot
    erased_rows: int = 0
    digest: str
    engine: str
    engine_reason: str
    library: str | None = None
    trained_rows: int = 0
    trained_first_day: date | None = None
    trained_last_day: date | None = None
    agreement: Agreement | None = None
    cross_validation: tuple[Fold, ...] = ()
    thresholds: GatePolicy = GatePolicy()
    trigger: str
    run_id: str | None = None
    origin: Origin | None = None
    decided_at: datetime

    @property
    def compares_costs(self) -> bool:
        """Whether the gate compared what wrong answers cost, and not losses."""
        return self.thresholds.metric == COST and COST in self.challenger

    @property
    def compared_metric(self) -> str:
        """The metric whose figures of both versions say most of the decision."""
        return COST if self.compares_costs else self.metric

    @property
    def least_loss(self) -> float | None:
        """The smallest difference of the mean loss that counted at the gate.

        It is None if the gate compared nothing, or did so elsewhere: an imported version met another champion there.
        """
        if self.origin is not None:
            return None
        if not self.compares_costs:
            return self.minimum_effect
        loss = self.champion.get("log_loss")
        return None if loss is None else self.thresholds.minimum_effect * loss

    @property
    def was_first(self) -> bool:
        """Whether the version had no champion to beat where it was made."""
        return self.champion_version is None if self.origin is None else self.origin.was_first

    @property
    def has_rows(self) -> bool:
        """Whether the snapshot is in this stack's store."""
        return self.origin is None or self.origin.has_rows
