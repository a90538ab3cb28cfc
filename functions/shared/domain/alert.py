"""An alert: something about a model that a person should know, written once."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from functions.shared.domain import layout
from functions.shared.domain.document import Document
from functions.shared.domain.drift.detection import ColumnDrift


class AlertKind(StrEnum):
    """What an alert is about; each kind has an entry in docs/runbook.md."""

    DRIFT = "drift"
    PERFORMANCE = "performance"
    QUARANTINE = "quarantine"
    FAILED = "failed"
    SILENT = "silent"
    STALE = "stale"
    UNSCORED = "unscored"
    POLICY = "policy"
    APPROVAL = "approval"
    LABELS = "labels"


class Alert(Document):
    """What was seen, the evidence in figures, and what to do.

    `window` names the event days or the batch it is about.

    `why` holds, for drift and performance, the features whose change moves the scores most, the greatest first; `version` is, for drift,
    the champion whose training the batches are held against, and for an approval the version that waits for it.
    `calling_columns` names, for drift, the columns that call people; None in earlier alerts, where each column of the evidence does.
    `closed` marks the alert that says that an earlier one of the same window and kind is over.
    """

    model: str
    kind: AlertKind
    window: str
    message: str
    evidence: Mapping[str, float | str]
    why: tuple[ColumnDrift, ...] = ()
    version: str | None = None
    calling_columns: tuple[str, ...] | None = None
    runbook: str
    raised_at: datetime
    closed: bool = False

    @property
    def is_of_labels(self) -> bool:
        """Return whether a failure is, or was, that of a file of labels."""
        about = self.evidence.get("cause", "") if self.closed else self.evidence.get("key", "")
        beginning = f"{AlertKind.FAILED}-labels-" if self.closed else f"{layout.LABELS}/"
        return self.kind is AlertKind.FAILED and str(about).startswith(beginning)

    @property
    def batch(self) -> str | None:
        """Return the beginning of the batch's id, for an alert about a batch's rows.

        >>> about = dict(model="churn", kind=AlertKind.DRIFT, message="", evidence={}, runbook="", raised_at=datetime(2013, 4, 1))
        >>> [Alert(window=window, **about).batch for window in ("2013-04-01-0a1b2c3d", "2013-04-01-v7", "2013-04-01")]
        ['0a1b2c3d', None, None]
        """
        if self.kind not in {AlertKind.DRIFT, AlertKind.QUARANTINE}:
            return None
        found = re.match(r"\d{4}-\d\d-\d\d-([0-9a-f]{8})(?!\w)", self.window)
        return found and found[1]
