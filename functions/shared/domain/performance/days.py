"""What labels say about a model by event day, as it is stored and as days add up."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Self

from pydantic import Field

from functions.shared.domain.document import Document, Value
from functions.shared.domain.performance.confidence import DaySums
from functions.shared.domain.release import Role


class Interval(Value):
    """A two-sided 95 % interval."""

    low: float
    high: float


class GroupPerformance(Value):
    """One version in one role on one event day.

    It covers all labelled rows that the version scored, whichever version answered them.

    `metrics` has the names of `METRICS`, None where undefined, and of a binary model `predicted_positive`, and `cost` where people stated
    costs; `intervals` those that have one.
    `loss_sum` and `loss_sum_squares` are sums of `losses` and of their squares over the `rows`, so days add up; a regression's are
    cut at the `loss_ceiling` of the champion that scored the row.
    `prevalence` is the share of the positive class (binary only).
    """

    role: Role
    version: str
    rows: int
    metrics: Mapping[str, float | None] = Field(default_factory=dict)
    intervals: Mapping[str, Interval] = Field(default_factory=dict)
    loss_sum: float
    loss_sum_squares: float
    prevalence: float | None = None


class PairedLosses(Value):
    """A challenger against its champion on the rows of one event day.

    The rows are those that both scored and that are labelled.

    `sums` are over d = loss of challenger - loss of champion, one per row: positive means that the challenger did worse. For a log
    loss d is clipped to [-2, 2]; each squared error is cut at the champion's `loss_ceiling`. A row enters once, with the first label
    that came for it, and a later correction changes metrics but never these sums: the canary's bounds hold for sums that only grow.
    """

    champion: str
    challenger: str
    sums: DaySums


class ExpectedLosses(Value):
    """Sums over rows of the loss that a calibration expects.

    They are its own, of its squares, of its products with the loss, and of squared losses.
    """

    sum: float
    squares: float
    products: float
    loss_squares: float

    @classmethod
    def added(cls, parts: Iterable[Self]) -> Self:
        """Return the sums over all rows of some parts."""
        each = list(parts)
        return cls(**{name: math.fsum(getattr(part, name) for part in each) for name in cls.model_fields})


class BatchLosses(Value):
    """The champion's losses on labelled rows of one event day and batch.

    `expected` is what the calibration of version `expected_by` expects of the same rows, where there is one.
    """

    batch_id: str
    rows: int
    loss_sum: float
    expected: ExpectedLosses | None = None
    expected_by: str | None = None


class DayPerformance(Document):
    """All that labels say about one event day of a model.

    It is restated as a whole when labels come late.

    `rows_predicted` counts the day's scored rows and `rows_labelled` those whose label has come, each row once. `batches` are those that
    scored them, so that what was estimated of a batch can be held against its own labels.
    """

    model: str
    day: date
    rows_predicted: int
    rows_labelled: int
    groups: tuple[GroupPerformance, ...] = ()
    pairs: tuple[PairedLosses, ...] = ()
    batches: tuple[BatchLosses, ...] = ()


def paired_days(days: Sequence[DayPerformance], champion: str, challenger: str) -> list[DaySums]:
    """The sums of one pair of versions by day, in order of day."""
    pairs = [pair for day in days for pair in day.pairs if (pair.champion, pair.challenger) == (champion, challenger)]
    return sorted((pair.sums for pair in pairs), key=lambda sums: sums.day)
