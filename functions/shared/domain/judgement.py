"""The judgement of a batch, and what labels said of its estimate later."""

from datetime import datetime

from functions.shared.domain.document import Document
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.performance.estimate import Estimate, HeldEstimate


class BatchJudgement(Document):
    """The judgement of a batch.

    The delivery that stores it also emits the batch's metrics.

    `version` is the champion's; `drift` that of the batches pooled up to it; `estimate` that of the batch itself, where
    its version is calibrated.
    """

    batch_id: str
    model: str
    version: str | None
    drift: DriftReport | None
    estimate: Estimate | None = None
    emitted_at: datetime


class HeldBatch(Document):
    """A batch's estimate and the truth by the labels of its rows."""

    held: HeldEstimate
