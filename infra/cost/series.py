"""Count the series of the metric catalogue: one per set of dimension values.

CloudWatch charges for each metric that has a value in an hour, and Prometheus keeps each series in memory. Neither counts a column
any more after it has left the largest ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from functions.shared.domain.metrics import (
    CATALOGUE,
    ESTIMATED,
    OF_BINARY,
    PERFORMANCE,
    PERFORMANCE_HIGH,
    PERFORMANCE_LOW,
    TOP_COLUMNS,
    Kind,
    Metric,
    Occasion,
)
from functions.shared.domain.performance.metrics import METRICS
from functions.shared.domain.spec import Task

SEEN: Mapping[str, int] = {"status": 2, "role": 2, "reason": 2, "code": 1, "queue": 2, "kind": 1, "version": 1}
"""How many values of a dimension are taken to be seen, where the catalogue does not say: a challenger runs, some rows and batches fail, and
a version waits for approval."""

_ESTIMATED_METRICS = 4
"""Accuracy, AUC, log loss and Brier score."""

_OF_A_HISTOGRAM = 3
"""Series of a histogram in addition to its finite buckets: the infinite bucket, the sum and the count."""


@dataclass(frozen=True, slots=True)
class SeriesCount:
    """Numbers of CloudWatch metrics and of Prometheus series.

    Prometheus counts each bucket of a histogram.
    """

    cloudwatch: int
    prometheus: int


def series_of_a_model(columns: int, task: Task = Task.BINARY) -> SeriesCount:
    """Return the series of one model with this many columns, outputs included."""
    named = {"model": 1, "column": min(columns, TOP_COLUMNS), **SEEN}
    emitted = [metric for metric in CATALOGUE if "model" in metric.dimensions and (task is Task.BINARY or metric not in OF_BINARY)]
    return _counted({metric: named | {"metric": _metrics_emitted(metric, task)} for metric in emitted})


def series_of_a_stack() -> SeriesCount:
    """Return the series of a stack without a model."""
    return _counted({metric: SEEN for metric in CATALOGUE if "model" not in metric.dimensions})


def ticked_series(models: int) -> int:
    """Return the number of CloudWatch metrics per hour, even if nothing was scored."""
    ticked = [metric for metric in CATALOGUE if metric.occasion is Occasion.TICK]
    return sum(_counted({metric: {"model": models, **SEEN}}).cloudwatch for metric in ticked)


def all_series(models: int, columns: int) -> int:
    """Return the number of CloudWatch metrics of models with these columns."""
    return series_of_a_stack().cloudwatch + models * series_of_a_model(columns).cloudwatch


def _counted(values: Mapping[Metric, Mapping[str, int]]) -> SeriesCount:
    """Count over metrics, given the number of values of each dimension."""
    counts = {metric: prod(seen[dimension] for dimension in metric.dimensions) for metric, seen in values.items()}
    return SeriesCount(sum(counts.values()), sum(count * _in_prometheus(metric) for metric, count in counts.items()))


def _in_prometheus(metric: Metric) -> int:
    return len(metric.buckets) + _OF_A_HISTOGRAM if metric.kind is Kind.HISTOGRAM else 1


def _metrics_emitted(metric: Metric, task: Task) -> int:
    """Return how many metrics of a task the dimension `metric` has.

    People are taken to have stated costs for a binary model. It also has the share predicted positive and the cost per row. Bounds are
    emitted for the model's own metric and for that cost.
    """
    is_binary = task is Task.BINARY
    bounded = 1 + is_binary
    emitted = {
        PERFORMANCE: len(METRICS[task]) + 2 * is_binary,
        PERFORMANCE_LOW: bounded,
        PERFORMANCE_HIGH: bounded,
        ESTIMATED: _ESTIMATED_METRICS,
    }
    return emitted.get(metric, 1)
