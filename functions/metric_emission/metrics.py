"""The catalogue of metrics, and what batches, drift and event days measure of it."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from functions.shared.domain.drift import DriftReport
from functions.shared.domain.estimate import Estimate
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.performance import DayPerformance


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue: name, CloudWatch unit, the dimensions its values have, and what it means."""

    name: str
    unit: str
    dimensions: tuple[str, ...]
    help: str


ROWS_IN = Metric("RowsIn", "Count", ("model",), "rows read in a batch")
ROWS_SCORED = Metric("RowsScored", "Count", ("model",), "rows scored in a batch")
ROWS_QUARANTINED = Metric("RowsQuarantined", "Count", ("model",), "rows set aside in a batch")
BATCHES = Metric("Batches", "Count", ("model", "status"), "batches that ended, by status")
PREDICTION_SECONDS = Metric("PredictionSeconds", "Seconds", ("model",), "time a batch spent predicting")
BATCH_SECONDS = Metric("BatchSeconds", "Seconds", ("model",), "time a batch took in all")
DRIFT = Metric("Drift", "None", ("model", "column"), "PSI of a drifting column over the pooled last batches")
DRIFTED_COLUMNS = Metric("DriftedColumns", "Count", ("model",), "columns that drifted over the pooled last batches")
LABEL_COVERAGE = Metric("LabelCoverage", "None", ("model",), "share of an event day's rows that have a label, 0 to 1")
LABELS = Metric("Labels", "Count", ("model",), "labels in a file")
LABELS_UNMATCHED = Metric("LabelsUnmatched", "Count", ("model",), "labels of a file that no scored row waited for")
PERFORMANCE = Metric("Performance", "None", ("model", "role", "metric"), "a metric of a restated event day")
ESTIMATED = Metric("EstimatedPerformance", "None", ("model", "metric"), "a metric of a batch as estimated before its labels")
MODELS = Metric("Models", "Count", (), "models that serve; also the heartbeat of metric_emission")
HOURS_SINCE_LAST_BATCH = Metric("HoursSinceLastBatch", "None", ("model",), "hours since a model's last batch was committed")
CHAMPION_AGE_DAYS = Metric("ChampionAgeDays", "None", ("model",), "days since the champion's training was decided on")
UNSCORED_FILES = Metric("UnscoredFiles", "Count", (), "uploads of the last two days that have no manifest after an hour")

CATALOGUE = (
    ROWS_IN,
    ROWS_SCORED,
    ROWS_QUARANTINED,
    BATCHES,
    PREDICTION_SECONDS,
    BATCH_SECONDS,
    DRIFT,
    DRIFTED_COLUMNS,
    LABEL_COVERAGE,
    LABELS,
    LABELS_UNMATCHED,
    PERFORMANCE,
    ESTIMATED,
    MODELS,
    HOURS_SINCE_LAST_BATCH,
    CHAMPION_AGE_DAYS,
    UNSCORED_FILES,
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value of a metric. Non-finite values cannot be made: they would print as invalid JSON."""

    metric: Metric
    value: float
    dimensions: Mapping[str, str]

    def __post_init__(self) -> None:
        """Check the value and the dimensions.

        Raises:
            ValueError: if the value is not finite or the dimensions are not the metric's.
        """
        if not math.isfinite(self.value) or tuple(self.dimensions) != self.metric.dimensions:
            message = f"{self.metric.name}: {self.value} with {dict(self.dimensions)} is no measurement"
            raise ValueError(message)


type Emit = Callable[[Iterable[Measurement]], None]


def batch_measurements(manifest: Manifest) -> list[Measurement]:
    """The operational metrics of one batch."""
    model = {"model": manifest.model}
    return [
        Measurement(ROWS_IN, manifest.rows_in, model),
        Measurement(ROWS_SCORED, manifest.rows_scored, model),
        Measurement(ROWS_QUARANTINED, manifest.rows_quarantined, model),
        Measurement(BATCHES, 1, {**model, "status": manifest.status.value}),
        Measurement(PREDICTION_SECONDS, manifest.timings.predict_s, model),
        Measurement(BATCH_SECONDS, manifest.timings.total_s, model),
    ]


def drift_measurements(model: str, report: DriftReport) -> list[Measurement]:
    """How many columns drifted, and by how much each of those."""
    drifted = [column for column in report.columns if column.drifted]
    return [
        Measurement(DRIFTED_COLUMNS, len(drifted), {"model": model}),
        *(Measurement(DRIFT, column.value, {"model": model, "column": column.feature}) for column in drifted),
    ]


def performance_measurements(day: DayPerformance) -> list[Measurement]:
    """Label coverage and metrics of one restated event day; a metric that is undefined there is left out."""
    coverage = day.rows_labelled / day.rows_predicted
    return [
        Measurement(LABEL_COVERAGE, coverage, {"model": day.model}),
        *(
            Measurement(PERFORMANCE, value, {"model": day.model, "role": group.role.value, "metric": name})
            for group in day.groups
            for name, value in group.metrics.items()
            if value is not None and math.isfinite(value)
        ),
    ]


def estimate_measurements(model: str, estimate: Estimate) -> list[Measurement]:
    """What was estimated, if anything."""
    return [Measurement(ESTIMATED, found.value, {"model": model, "metric": name}) for name, found in estimate.metrics.items()]


def label_measurements(model: str, labels: int, unmatched: int) -> list[Measurement]:
    """How many labels a file held, and how many of them belong to no scored row."""
    named = {"model": model}
    return [Measurement(LABELS, labels, named), Measurement(LABELS_UNMATCHED, unmatched, named)]
