"""What batches, drift, labels and event days measure of the catalogue's metrics."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from operator import attrgetter

from functions.shared.domain import layout
from functions.shared.domain.drift.detection import DriftReport
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.metrics import (
    BATCH_ERRORS,
    BATCH_SECONDS,
    BATCHES,
    BYTES_IN,
    BYTES_OUT,
    DRIFT,
    DRIFTED_COLUMNS,
    ESTIMATED,
    ESTIMATED_HIGH,
    ESTIMATED_LOW,
    ESTIMATES_BORNE_OUT,
    ESTIMATES_COMPARED,
    ESTIMATES_REFUSED,
    GIGABYTE_SECONDS,
    HELD_ESTIMATE,
    HELD_ESTIMATE_HIGH,
    HELD_ESTIMATE_LOW,
    HELD_TRUTH,
    LABEL_COVERAGE,
    LABELS,
    LABELS_REFUSED,
    MEASURING_DELAY,
    PERFORMANCE,
    PERFORMANCE_HIGH,
    PERFORMANCE_LOW,
    PREDICTED_POSITIVE,
    PREDICTED_POSITIVE_EXPECTED,
    PREDICTION_SECONDS,
    READ_SECONDS,
    ROWS_IN,
    ROWS_QUARANTINED,
    ROWS_SCORED,
    TOP_COLUMNS,
    WAIT,
    WRITE_SECONDS,
    Metric,
)
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.performance.error_curve import COST
from functions.shared.domain.performance.estimate import HELD, Estimate
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Role

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value of a metric.

    `day` is the event day it is about, where there is one. `at` is when the batch it is about was committed.

    Non-finite values cannot be made: they would print as invalid JSON.
    """

    metric: Metric
    value: float
    dimensions: Mapping[str, str]
    day: date | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        """Check the value and the dimensions.

        Raises:
            ValueError: if the value is not finite or the dimensions are not the metric's.
        """
        if not math.isfinite(self.value) or tuple(self.dimensions) != self.metric.dimensions:
            message = f"{self.metric.name}: {self.value} with {dict(self.dimensions)} is no measurement"
            raise ValueError(message)


type Emit = Callable[[Iterable[Measurement]], None]


def counted_model(manifest: Manifest) -> str:
    """Whose metrics and alerts a batch's are.

    A slip in a key makes no model: batches of a model that serves nothing count for none.
    """
    is_unknown = manifest.error is not None and manifest.error.code == FileCode.NO_RELEASE
    return layout.UNNAMED_MODEL if is_unknown else manifest.model


def judged_measurements(manifest: Manifest, judgement: BatchJudgement, *, memory_gb: float) -> list[Measurement]:
    """Return all measurements of one batch; each delivery of it measures the same."""
    return [
        *batch_measurements(manifest, memory_gb=memory_gb),
        Measurement(MEASURING_DELAY, max((judgement.emitted_at - manifest.created_at) / _SECOND, 0.0), {"model": counted_model(manifest)}),
        *(replace(found, at=manifest.created_at) for found in _predicted_measurements(manifest)),
        *(replace(found, at=manifest.created_at) for found in _judgement_measurements(manifest.model, judgement)),
    ]


def _predicted_measurements(manifest: Manifest) -> Iterator[Measurement]:
    """Yield the share of rows predicted positive, where a threshold decides."""
    if manifest.predicted_positive is not None:
        yield Measurement(PREDICTED_POSITIVE, manifest.predicted_positive, {"model": manifest.model})


def _judgement_measurements(model: str, judgement: BatchJudgement) -> Iterator[Measurement]:
    if judgement.drift:
        yield from drift_measurements(model, judgement.drift)
    if judgement.estimate:
        yield from estimate_measurements(model, judgement.estimate)


def batch_measurements(manifest: Manifest, *, memory_gb: float) -> Iterator[Measurement]:
    """Yield the operational metrics of one batch.

    The function that scored it had so much memory.
    """
    model, timings = {"model": counted_model(manifest)}, manifest.timings
    yield Measurement(ROWS_IN, manifest.rows_in, model)
    yield Measurement(ROWS_SCORED, manifest.rows_scored, model)
    for reason, rows in manifest.quarantined_by_reason.items():
        yield Measurement(ROWS_QUARANTINED, rows, {**model, "reason": reason})
    yield Measurement(BATCHES, 1, {**model, "status": manifest.status.value})
    if manifest.error:
        yield Measurement(BATCH_ERRORS, 1, {**model, "code": manifest.error.code})
    yield Measurement(BYTES_IN, manifest.source.bytes, model)
    yield Measurement(BYTES_OUT, sum(file.bytes for file in (*manifest.outputs, *manifest.quarantine)), model)
    functions_s = timings.total_s if timings.functions_s is None else timings.functions_s
    yield Measurement(GIGABYTE_SECONDS, functions_s * memory_gb, model)
    yield Measurement(READ_SECONDS, timings.read_s, model)
    yield Measurement(PREDICTION_SECONDS, timings.predict_s, model)
    yield Measurement(WRITE_SECONDS, timings.write_s, model)
    yield Measurement(BATCH_SECONDS, timings.total_s, model)
    if manifest.supersedes is None:
        waited_s = (manifest.created_at - manifest.source.last_modified) / _SECOND - timings.total_s
        yield Measurement(WAIT, max(waited_s, 0.0), model)


def drift_measurements(model: str, report: DriftReport) -> Iterator[Measurement]:
    """Yield how many columns drifted, and the largest distances."""
    yield Measurement(DRIFTED_COLUMNS, sum(column.drifted for column in report.columns), {"model": model})
    if report.positive:
        yield Measurement(PREDICTED_POSITIVE_EXPECTED, report.positive.expected, {"model": model})
    largest = sorted(report.columns, key=lambda column: column.value, reverse=True)[:TOP_COLUMNS]
    for column in largest:
        yield Measurement(DRIFT, column.value, {"model": model, "column": column.feature})


def estimate_measurements(model: str, estimate: Estimate) -> Iterator[Measurement]:
    """Yield what was estimated, and how earlier estimates did.

    That is the estimate, if there is one, and the bounds of what is compared with the truth.
    """
    for name, found in estimate.metrics.items():
        yield Measurement(ESTIMATED, found.value, {"model": model, "metric": name})
    if held := estimate.metrics.get(HELD):
        yield Measurement(ESTIMATED_LOW, held.low, {"model": model, "metric": HELD})
        yield Measurement(ESTIMATED_HIGH, held.high, {"model": model, "metric": HELD})
    named = {"model": model}
    yield Measurement(ESTIMATES_REFUSED, int(bool(estimate.refusals)), named)
    yield Measurement(ESTIMATES_COMPARED, estimate.compared, named)
    yield Measurement(ESTIMATES_BORNE_OUT, estimate.borne_out, named)
    if newest := estimate.newest:
        values = {HELD_ESTIMATE: newest.value, HELD_ESTIMATE_LOW: newest.low, HELD_ESTIMATE_HIGH: newest.high, HELD_TRUTH: newest.truth}
        for metric, value in values.items():
            yield Measurement(metric, value, named)


def performance_measurements(day: DayPerformance, *, metric: str) -> Iterator[Measurement]:
    """Yield label coverage, metrics and an interval for a restated event day.

    Intervals are those of the model's own metric and, where people stated costs, of the cost per row. Undefined values are left out.
    """
    if day.rows_predicted:
        yield Measurement(LABEL_COVERAGE, day.rows_labelled / day.rows_predicted, {"model": day.model}, day.day)
    for group in _most_rows_by_role(day.groups):
        named = {"model": day.model, "role": group.role.value}
        for name, value in group.metrics.items():
            if value is not None and math.isfinite(value):
                yield Measurement(PERFORMANCE, value, {**named, "metric": name}, day.day)
        for name in (metric, COST):
            if bounds := group.intervals.get(name):
                yield Measurement(PERFORMANCE_LOW, bounds.low, {**named, "metric": name}, day.day)
                yield Measurement(PERFORMANCE_HIGH, bounds.high, {**named, "metric": name}, day.day)


def _most_rows_by_role(groups: Sequence[GroupPerformance]) -> Iterator[GroupPerformance]:
    """Yield one version per role: of two champions, the one that scored more rows."""
    for role in Role:
        if several := [group for group in groups if group.role is role]:
            yield max(several, key=attrgetter("rows"))


def label_measurements(model: str, labels: int, refused: int) -> list[Measurement]:
    """Return how many labels a file held, and how many more say nothing."""
    return [Measurement(LABELS, labels, {"model": model}), Measurement(LABELS_REFUSED, refused, {"model": model})]
