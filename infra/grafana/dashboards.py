"""From a page to the JSON that Grafana reads."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, dashboard, stat, statushistory, timeseries
from grafana_foundation_sdk.builders.cloudwatch import CloudWatchMetricsQuery
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from functions.shared.domain.metrics import CHAMPION_AGE, PERFORMANCE, Metric
from infra.grafana import cloudwatch, promql
from infra.grafana.page import Look, Page, Panel
from infra.grafana.query import STEP, Query

STEPS = ("1h", "6h", "24h", "168h")
"""In hours: what asks CloudWatch for Grafana knows no days."""

USUAL_STEP, USUAL_RANGE = "24h", "now-30d"
USUAL_METRIC = "log_loss"
TAG = "everscore"
_COLOURS = ("green", "orange", "red")

type AnyPanel = stat.Panel | statushistory.Panel | timeseries.Panel


@dataclass(frozen=True, slots=True)
class SourceKind:
    """A kind of data source.

    It says how Grafana calls it, how it is asked, and how it lists stacks and a dimension's values.
    """

    type: str
    target: Callable[[Query, str, DataSourceRef], Dataquery | CloudWatchMetricsQuery]
    values_query: Callable[..., dict[str, object]]
    stacks_query: Callable[[], dict[str, object]]

    @property
    def chosen(self) -> DataSourceRef:
        """The data source that the page's reader chose."""
        return DataSourceRef(type_val=self.type, uid="${source}")


PROMETHEUS = SourceKind(promql.TYPE, promql.target, promql.values_query, promql.stacks_query)
CLOUDWATCH = SourceKind(cloudwatch.TYPE, cloudwatch.target, cloudwatch.values_query, cloudwatch.stacks_query)
SOURCES = (CLOUDWATCH, PROMETHEUS)


def page_json(page: Page, source: SourceKind) -> str:
    """Return the page on one kind of data source."""
    return dashboard_json(_dashboard(page, source))


def dashboard_json(made: dashboard.Dashboard) -> str:
    """Return a dashboard's text, its panels numbered, since links name them so."""
    built = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    panels = [{**panel, "id": number} for number, panel in enumerate(built["panels"], start=1)]
    return json.dumps({**built, "panels": panels}, indent=1) + "\n"


def uid(page: Page, source: SourceKind) -> str:
    """Return the dashboard's name in links."""
    return f"everscore-{page.name}-{source.type}"


def _dashboard(page: Page, source: SourceKind) -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard(page.title)
        .uid(uid(page, source))
        .tags([TAG, source.type])
        .time(USUAL_RANGE, "now")
        .timezone("utc")
        .refresh("5m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_to_other_pages(source))
        .with_variable(dashboard.DatasourceVariable("source").label("Data source").type(source.type))
        .with_variable(_steps())
        .with_variable(_listed("stack", "Stack", source.stacks_query(), source))
    )
    if source is PROMETHEUS:
        made = made.annotation(promql.release_annotations(source.chosen, of_model=page.of_model))
    if page.of_model:
        made = made.with_variable(_values("model", "Model", CHAMPION_AGE, source, of_model=False))
    made = made.with_variable(_values("metric", "Metric", PERFORMANCE, source, of_model=page.of_model))
    for section in page.sections:
        made = made.with_row(dashboard.Row(section.title))
        for panel in section.panels:
            made = made.with_panel(_panel(panel, source))
    return made


def _to_other_pages(source: SourceKind) -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Everscore").type(DashboardLinkType.DASHBOARDS).tags([TAG, source.type])
    return link.keep_time(keep_time=True).include_vars(include_vars=True)


def _steps() -> dashboard.IntervalVariable:
    chosen = VariableOption(selected=True, text=USUAL_STEP, value=USUAL_STEP)
    return dashboard.IntervalVariable(STEP.removeprefix("$")).label("A point is").values(",".join(STEPS)).current(chosen)


def _values(name: str, label: str, metric: Metric, source: SourceKind, *, of_model: bool) -> dashboard.QueryVariable:
    variable = _listed(name, label, source.values_query(metric, name, of_model=of_model), source)
    if metric is PERFORMANCE:
        variable = variable.current(VariableOption(selected=True, text=USUAL_METRIC, value=USUAL_METRIC))
    return variable


def _listed(name: str, label: str, query: dict[str, object], source: SourceKind) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).label(label).datasource(source.chosen).query(query)
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)


def _panel(panel: Panel, source: SourceKind) -> AnyPanel:
    made = _looking(panel).title(panel.title).description(panel.help).datasource(source.chosen)
    made = made.unit(panel.unit).span(panel.width).height(4 if panel.look is Look.FIGURES else 8).interval(STEP)
    made = made.thresholds(_levels(panel.levels))
    for ref, query in zip(ascii_uppercase, panel.queries, strict=False):
        made = made.with_target(source.target(query, ref, source.chosen))
    for upper, lower in panel.bands:
        made = made.override_by_name(upper, [*_thin(), DynamicConfigValue("custom.fillBelowTo", lower)])
        made = made.override_by_name(lower, _thin())
    return made


def _looking(panel: Panel) -> AnyPanel:
    match panel.look:
        case Look.LINES:
            return timeseries.Panel().line_width(2).show_points(VisibilityMode.ALWAYS).span_nulls(span_nulls=True)
        case Look.BARS:
            stacked = common.StackingConfig().mode(StackingMode.NORMAL).group("A")
            return timeseries.Panel().draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(stacked).min(0)
        case Look.FIGURES:
            return stat.Panel().color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        case Look.CELLS:
            cells = statushistory.Panel().show_value(VisibilityMode.NEVER).row_height(0.9)
            return cells.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))


def _levels(levels: tuple[float, ...]) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value, colour) for value, colour in zip((None, *levels), _COLOURS, strict=False)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _thin() -> list[DynamicConfigValue]:
    return [DynamicConfigValue("custom.lineWidth", 0), DynamicConfigValue("custom.showPoints", "never")]
