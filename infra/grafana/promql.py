"""Queries in Prometheus' language.

Every value is sent again by each hourly tick, so one is looked for in the three hours before: Prometheus itself looks back
five minutes. Growth is a difference of totals, since `increase` extrapolates and leaves out what a new line begins with.
"""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from functions.shared.domain.metrics import MODELS, RELEASE_SEQUENCE, Kind, Metric
from infra.alarms import HELD
from infra.grafana.query import MODEL, STEP, Query

STACK = {"stack": "$stack"}
"""Several stacks may share a Prometheus; each series names its own."""

TYPE = "prometheus"


def expression(query: Query) -> str:
    """Return the query as PromQL, in which the page's variables stand as `$name`."""
    metric = query.metric
    match metric.kind:
        case Kind.GAUGE:
            return f"max{_by(query.by)}({_last(metric.prometheus, query)})"
        case Kind.COUNTER:
            return _growth(metric.prometheus, query, query.by)
        case Kind.HISTOGRAM:
            return f"histogram_quantile({query.quantile}, {_growth(f'{metric.prometheus}_bucket', query, (*query.by, 'le'))})"


def target(query: Query, ref: str, source: DataSourceRef) -> Dataquery:
    """Return what a panel sends."""
    legend = query.legend.replace("{", "{{").replace("}", "}}")
    return Dataquery().ref_id(ref).datasource(source).expr(expression(query)).legend_format(legend).interval(STEP).range()


def values_query(metric: Metric, dimension: str, *, of_model: bool) -> dict[str, object]:
    """Return the values of a dimension, for a variable's list."""
    matchers = ", ".join(f'{label}="{value}"' for label, value in (STACK | (MODEL if of_model else {})).items())
    return {"query": f"label_values({metric.prometheus}{{{matchers}}}, {dimension})", "refId": "values"}


def release_annotations(source: DataSourceRef, *, of_model: bool) -> build.AnnotationQuery:
    """Return a mark whenever another release of the model, or of any, began to serve."""
    serving = Query(RELEASE_SEQUENCE, "release", MODEL if of_model else {})
    now, before = (f"max by (model) ({_last(RELEASE_SEQUENCE.prometheus, serving, ago)})" for ago in ("", STEP))
    changed = f"{now} != {before}"
    return build.AnnotationQuery().name("Releases").datasource(source).icon_color("blue").expr(changed)


def _growth(name: str, query: Query, by: tuple[str, ...]) -> str:
    total, before = (f"sum{_by(by)}({_last(name, query, ago)})" for ago in ("", STEP))
    return f"{total} - ({before} or 0 * {total})"


def _last(name: str, query: Query, ago: str = "") -> str:
    matchers = ", ".join(f'{label}="{value}"' for label, value in {**STACK, **query.where}.items())
    return f"last_over_time({name}{{{matchers}}}[{HELD}]{f' offset {ago}' if ago else ''})"


def stacks_query() -> dict[str, object]:
    """Return the stacks that there are, for a variable's list."""
    return {"query": f"label_values({MODELS.prometheus}, stack)", "refId": "values"}


def _by(dimensions: tuple[str, ...]) -> str:
    return f" by ({', '.join(dimensions)}) " if dimensions else ""
