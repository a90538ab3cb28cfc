"""The claim on a batch's metrics, which are printed once."""

from datetime import datetime

from functions.shared.domain.document import Document
from functions.shared.domain.drift import DriftReport


class EmittedBatch(Document):
    """Who wrote it prints the batch's metrics. `drift` is that of the batches pooled up to it; `version` the champion's."""

    batch_id: str
    model: str
    version: str | None
    drift: DriftReport | None
    emitted_at: datetime
