"""What a batch was judged to be when it was measured, and what labels told of its estimate later."""

from datetime import datetime

from functions.shared.domain.document import Document
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.performance.estimate import Estimate, HeldEstimate


class BatchJudgement(Document):
    """The judgement of a batch. Whoever stores it is the one who prints the batch's metrics.

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
    """A batch's estimate and the truth that the labels of its rows tell."""

    held: HeldEstimate
