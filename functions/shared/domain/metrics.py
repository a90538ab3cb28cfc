"""The catalogue of metrics.

CloudWatch's lines, Prometheus' series, dashboards, alarms and documents are made from it or held to it.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "everscore"
TOP_COLUMNS = 10
"""The most columns whose drift is a metric; the stored report has all columns."""


class Kind(StrEnum):
    """How values of a metric add up.

    A counter's values are summed, a gauge's last value stands, and a histogram's are counted by size.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Occasion(StrEnum):
    """When values of a metric are emitted.

    They come with a batch, with a file of labels, by the hourly tick, or by the daily sweep.
    """

    BATCH = "batch"
    LABELS = "labels"
    TICK = "tick"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue.

    `name` and `unit` are CloudWatch's; values are in base units (seconds, bytes, shares of one). `dimensions` are Prometheus'
    labels too. `buckets` are a histogram's upper bounds, in order, without the infinite one.
    """

    name: str
    unit: str
    kind: Kind
    occasion: Occasion
    dimensions: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """The conventional name in Prometheus.

        A histogram's series add `_bucket`, `_sum` and `_count`.

        >>> ROWS_IN.prometheus, PREDICTION_SECONDS.prometheus
        ('everscore_rows_in_total', 'everscore_prediction_seconds')
        """
        words = "_".join(re.findall(r"[A-Z][a-z]*", self.name)).lower()
        return f"{PREFIX}_{words}{'_total' if self.kind is Kind.COUNTER else ''}"


STAGE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
WAIT_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)

_MODEL = ("model",)


def _counter(name: str, unit: str, occasion: Occasion, dimensions: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, unit, Kind.COUNTER, occasion, dimensions, meaning)


def _gauge(name: str, unit: str, occasion: Occasion, dimensions: tuple[str, ...], meaning: str) -> Metric:
    return Metric(name, unit, Kind.GAUGE, occasion, dimensions, meaning)


def _seconds(name: str, buckets: tuple[float, ...], meaning: str) -> Metric:
    return Metric(name, "Seconds", Kind.HISTOGRAM, Occasion.BATCH, _MODEL, meaning, buckets)


ROWS_IN = _counter("RowsIn", "Count", Occasion.BATCH, _MODEL, "rows read in a batch")
ROWS_SCORED = _counter("RowsScored", "Count", Occasion.BATCH, _MODEL, "rows scored in a batch")
ROWS_QUARANTINED = _counter("RowsQuarantined", "Count", Occasion.BATCH, ("model", "reason"), "rows set aside in a batch, by reason")
BATCHES = _counter("Batches", "Count", Occasion.BATCH, ("model", "status"), "batches that ended, by status")
BATCH_ERRORS = _counter("BatchErrors", "Count", Occasion.BATCH, ("model", "code"), "batches that failed, by the error's code")
BYTES_IN = _counter("BytesIn", "Bytes", Occasion.BATCH, _MODEL, "bytes of a batch's file")
BYTES_OUT = _counter("BytesOut", "Bytes", Occasion.BATCH, _MODEL, "bytes that a batch wrote, scored and quarantined")
GIGABYTE_SECONDS = _counter("GigabyteSeconds", "None", Occasion.BATCH, _MODEL, "what Lambda charges a batch's scoring by")
READ_SECONDS = _seconds("ReadSeconds", STAGE_SECONDS, "time a batch waited for its reader")
PREDICTION_SECONDS = _seconds("PredictionSeconds", STAGE_SECONDS, "time a batch spent predicting, added up over threads")
WRITE_SECONDS = _seconds("WriteSeconds", STAGE_SECONDS, "time a batch spent writing")
BATCH_SECONDS = _seconds("BatchSeconds", STAGE_SECONDS, "time a batch took in all")
WAIT = _seconds("WaitSeconds", WAIT_SECONDS, "time from a file's upload to its manifest, beyond what its scoring took")
MEASURING_DELAY = _seconds("MeasuringDelaySeconds", WAIT_SECONDS, "time from a batch's manifest to its measurement")
DRIFT = _gauge(
    "Drift", "None", Occasion.BATCH, ("model", "column"), f"PSI of a column over the pooled last batches, of the {TOP_COLUMNS} largest"
)
DRIFTED_COLUMNS = _gauge("DriftedColumns", "Count", Occasion.BATCH, _MODEL, "columns that drifted over the pooled last batches")
PREDICTED_POSITIVE = _gauge(
    "PredictedPositive", "None", Occasion.BATCH, _MODEL, "share of a batch's rows that the champion predicts positive, 0 to 1"
)
PREDICTED_POSITIVE_EXPECTED = _gauge(
    "PredictedPositiveExpected",
    "None",
    Occasion.BATCH,
    _MODEL,
    "the same share of the rows that the champion was measured on at training, by the threshold in force",
)
ESTIMATED = _gauge(
    "EstimatedPerformance", "None", Occasion.BATCH, ("model", "metric"), "a metric of a batch as estimated before its labels"
)
ESTIMATED_LOW = _gauge("EstimatedPerformanceLow", "None", Occasion.BATCH, ("model", "metric"), "lower 95 % bound of the estimated log loss")
ESTIMATED_HIGH = _gauge(
    "EstimatedPerformanceHigh", "None", Occasion.BATCH, ("model", "metric"), "upper 95 % bound of the estimated log loss"
)
HELD_ESTIMATE = _gauge(
    "HeldEstimate", "None", Occasion.BATCH, _MODEL, "estimated log loss of the newest batch whose labels count as complete"
)
HELD_ESTIMATE_LOW = _gauge("HeldEstimateLow", "None", Occasion.BATCH, _MODEL, "its lower 95 % bound")
HELD_ESTIMATE_HIGH = _gauge("HeldEstimateHigh", "None", Occasion.BATCH, _MODEL, "its upper 95 % bound")
HELD_TRUTH = _gauge("HeldTruth", "None", Occasion.BATCH, _MODEL, "log loss of the same batch by its labels")
ESTIMATES_COMPARED = _gauge(
    "EstimatesCompared", "Count", Occasion.BATCH, _MODEL, "of the last mature batches, those with an estimate and a truth"
)
ESTIMATES_BORNE_OUT = _gauge(
    "EstimatesBorneOut", "Count", Occasion.BATCH, _MODEL, "those of them whose truth lay within the estimate's interval"
)
ESTIMATES_REFUSED = _counter("EstimatesRefused", "Count", Occasion.BATCH, _MODEL, "batches of which no estimate was given")
LABELS = _counter("Labels", "Count", Occasion.LABELS, _MODEL, "labels in a file")
LABELS_UNMATCHED = _counter(
    "LabelsUnmatched", "Count", Occasion.SWEEP, _MODEL, "labels that were given up, as no row came for them in two days"
)
LABELS_REFUSED = _counter(
    "LabelsRefused",
    "Count",
    Occasion.LABELS,
    _MODEL,
    "labels of a file that measure nothing: in rows that cannot be read, or no number for a regression",
)
LABEL_COVERAGE = _gauge(
    "LabelCoverage", "None", Occasion.LABELS, _MODEL, "share of the newest labelled event day's rows that have a label, 0 to 1"
)
PERFORMANCE = _gauge(
    "Performance", "None", Occasion.LABELS, ("model", "role", "metric"), "a metric of the newest event day that has labels"
)
PERFORMANCE_LOW = _gauge(
    "PerformanceLow",
    "None",
    Occasion.LABELS,
    ("model", "role", "metric"),
    "lower 95 % bound of the model's own metric and of its cost per row on that day",
)
PERFORMANCE_HIGH = _gauge(
    "PerformanceHigh",
    "None",
    Occasion.LABELS,
    ("model", "role", "metric"),
    "upper 95 % bound of the model's own metric and of its cost per row on that day",
)
MODELS = _gauge("Models", "Count", Occasion.TICK, (), "models that serve; also the heartbeat of metric_emission")
SILENCE = _gauge("SilenceSeconds", "Seconds", Occasion.TICK, (), "time since the last batch of any model that serves")
QUEUED_MESSAGES = _gauge("QueuedMessages", "Count", Occasion.TICK, ("queue",), "messages that wait in a queue of the stack")
LAST_BATCH_AGE = _gauge(
    "LastBatchAgeSeconds",
    "Seconds",
    Occasion.TICK,
    _MODEL,
    "time since a model's last batch was committed, before the first since its release",
)
CHAMPION_AGE = _gauge("ChampionAgeSeconds", "Seconds", Occasion.TICK, _MODEL, "time since the champion's training was decided on")
RELEASE_SEQUENCE = _gauge("ReleaseSequence", "None", Occasion.TICK, _MODEL, "number of the release that serves; it grows with each release")
CHALLENGER_SHARE = _gauge("ChallengerShare", "None", Occasion.TICK, _MODEL, "share of the rows that a challenger answers, 0 to 1")
APPROVAL_AGE = _gauge(
    "ApprovalAgeSeconds", "Seconds", Occasion.TICK, ("model", "version"), "time for which a version has waited for a person's approval"
)
ALERTS = _gauge("Alerts", "Count", Occasion.TICK, ("model", "kind"), "alerts that are open or were raised in the last day, by kind")
UNSCORED_FILES = _gauge("UnscoredFiles", "Count", Occasion.SWEEP, (), "uploads of the last two days that have no manifest after an hour")

_OF_BINARY = (
    PREDICTED_POSITIVE,
    PREDICTED_POSITIVE_EXPECTED,
    ESTIMATED,
    ESTIMATED_LOW,
    ESTIMATED_HIGH,
    HELD_ESTIMATE,
    HELD_ESTIMATE_LOW,
    HELD_ESTIMATE_HIGH,
    HELD_TRUTH,
    ESTIMATES_COMPARED,
    ESTIMATES_BORNE_OUT,
    ESTIMATES_REFUSED,
)
OF_BINARY = frozenset(_OF_BINARY)
"""What is measured of binary models alone: no other has a threshold, or an estimate before labels."""

CATALOGUE = (
    ROWS_IN,
    ROWS_SCORED,
    ROWS_QUARANTINED,
    BATCHES,
    BATCH_ERRORS,
    BYTES_IN,
    BYTES_OUT,
    GIGABYTE_SECONDS,
    READ_SECONDS,
    PREDICTION_SECONDS,
    WRITE_SECONDS,
    BATCH_SECONDS,
    WAIT,
    MEASURING_DELAY,
    DRIFT,
    DRIFTED_COLUMNS,
    *_OF_BINARY,
    LABELS,
    LABELS_UNMATCHED,
    LABELS_REFUSED,
    LABEL_COVERAGE,
    PERFORMANCE,
    PERFORMANCE_LOW,
    PERFORMANCE_HIGH,
    MODELS,
    SILENCE,
    QUEUED_MESSAGES,
    LAST_BATCH_AGE,
    CHAMPION_AGE,
    RELEASE_SEQUENCE,
    CHALLENGER_SHARE,
    APPROVAL_AGE,
    ALERTS,
    UNSCORED_FILES,
)
