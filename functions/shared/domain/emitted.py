"""The claim on a batch's metrics, which are printed once."""

from datetime import datetime

from functions.shared.domain.document import Document
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.performance.estimate import Estimate


class EmittedBatch(Document):
    """Who wrote it prints the batch's metrics.

    `version` is the champion's; `drift` that of the batches pooled up to it; `estimate` that of the batch itself, where
    its version is calibrated.
    """

    batch_id: str
    model: str
    version: str | None
    drift: DriftReport | None
    estimate: Estimate | None = None
    emitted_at: datetime
