"""What a model's metrics add up to, as Prometheus wants them.

They are totals that only grow, and gauges as they were last emitted.
"""

from collections.abc import Mapping
from datetime import date, datetime

from functions.shared.domain.document import Document, Value


class Series(Value):
    """One metric of the catalogue with one set of dimensions.

    `value` is a counter's total, a gauge's last value, or the sum of a histogram's values, and `counts` how many of
    these lie in each bucket, with the infinite one. `day` is the event day that a gauge is about, where there is one, and `at`
    when the batch was committed that it is about.
    """

    metric: str
    dimensions: Mapping[str, str]
    value: float
    counts: tuple[int, ...] = ()
    day: date | None = None
    at: datetime | None = None


class Totals(Document):
    """All series of one model, or of the fleet.

    `folded` names the batches and label files that were counted last, the newest at the end, so that a second delivery counts
    nothing. `told_at` grows with every change, so that of two readers the later one never has less.
    """

    series: tuple[Series, ...] = ()
    folded: tuple[str, ...] = ()
    told_at: datetime
