"""Queries in CloudWatch's terms.

Grafana makes a search of a dimension whose value is `*`, and a line of each metric found.
"""

from collections.abc import Mapping

from grafana_foundation_sdk.builders.cloudwatch import CloudWatchMetricsQuery
from grafana_foundation_sdk.models.cloudwatch import CloudWatchQueryMode, Dimensions, MetricEditorMode, MetricQueryType
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from functions.shared.domain.metrics import MODELS, Kind, Metric
from infra.grafana.query import MODEL, STEP, Query

NAMESPACE = "Everscore"
OF_STACK = {"stack": "$stack"}
"""Several stacks of an account share the namespace; each metric names its own."""

OF_ALL = {**OF_STACK, "service": "metric_emission"}
"""Every metric has these dimensions too (docs/decisions/0008-metrics-carry-the-service.md)."""

TYPE = "cloudwatch"
REGION = "default"


def statistic(query: Query) -> str:
    """Return how the values of one step become a point."""
    match query.metric.kind:
        case Kind.GAUGE:
            return "Average"
        case Kind.COUNTER:
            return "Sum"
        case Kind.HISTOGRAM:
            return f"p{100 * (query.quantile or 0):g}"


def dimensions(query: Query) -> Dimensions:
    """Return all dimensions of the metric, `*` for those that keep lines apart."""
    asked: Dimensions = {dimension: query.where.get(dimension, "*") for dimension in query.metric.dimensions}
    return asked | OF_ALL


def target(query: Query, ref: str, source: DataSourceRef) -> CloudWatchMetricsQuery:
    """Return what a panel sends."""
    legend = query.legend.replace("{", "${PROP('Dim.").replace("}", "')}")
    return (
        CloudWatchMetricsQuery()
        .ref_id(ref)
        .datasource(source)
        .query_mode(CloudWatchQueryMode.METRICS)
        .metric_query_type(MetricQueryType.SEARCH)
        .metric_editor_mode(MetricEditorMode.BUILDER)
        .region(REGION)
        .namespace(NAMESPACE)
        .metric_name(query.metric.name)
        .dimensions(dimensions(query))
        .match_exact(match_exact=True)
        .statistic(statistic(query))
        .period(STEP)
        .label(legend)
    )


def values_query(metric: Metric, dimension: str, *, of_model: bool) -> dict[str, object]:
    """Return the values of a dimension within a stack, for a variable's list."""
    return _values(metric, dimension, OF_STACK | (MODEL if of_model else {}))


def stacks_query() -> dict[str, object]:
    """Return the stacks that there are, for a variable's list."""
    return _values(MODELS, "stack", {})


def _values(metric: Metric, dimension: str, where: Mapping[str, str]) -> dict[str, object]:
    return {
        "queryType": "dimensionValues",
        "region": REGION,
        "namespace": NAMESPACE,
        "metricName": metric.name,
        "dimensionKey": dimension,
        "dimensionFilters": dict(where),
        "refId": "values",
    }
