"""What labels say of one batch, once they count as complete.

An estimate that was made before them is compared with it.
"""

from collections.abc import Iterable
from datetime import date

from functions.shared.domain.calendar import batch_watermark
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance.days import DayPerformance

LEAST_COVERAGE = 0.5
"""Of a batch's rows, what must have a label for there to be a truth."""


def true_loss(manifest: Manifest, days: Iterable[DayPerformance], mature: date | None) -> float | None:
    """Return the champion's mean loss over the labelled rows of a batch.

    None until the days that the batch has reached are mature and `LEAST_COVERAGE` of its rows have a label.

    Args:
        manifest: the batch's.
        days: performance of its event days, as far as there are labels.
        mature: the last event day whose labels count as complete, None if there is none yet.
    """
    reached = batch_watermark(manifest.event_days)
    if reached is None or mature is None or reached > mature:
        return None
    labelled = [batch for day in days for batch in day.batches if batch.batch_id == manifest.batch_id]
    rows = sum(batch.rows for batch in labelled)
    if rows < LEAST_COVERAGE * sum(manifest.event_days.values()):
        return None
    return sum(batch.loss_sum for batch in labelled) / rows
