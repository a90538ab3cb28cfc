"""Grafana's pages are what the catalogue makes them: nothing forgotten, nothing misspelt, nothing changed by hand."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from functions.shared.domain.metrics import CATALOGUE, ROWS_IN, WAIT, Kind
from infra.grafana.cloudwatch import NAMESPACE, OF_ALL
from infra.grafana.query import Query
from infra.grafana.written import FOLDER, files
from tests.contract.template import ROOT

FILES = files()
RUNBOOK = json.loads(FILES["pages/prometheus/runbook.json"])
PAGES = {name: json.loads(text) for name, text in FILES.items() if name.endswith(("fleet.json", "model.json"))}
RULES = yaml.safe_load(FILES["provisioning/alerting/everscore.yaml"])["groups"][0]["rules"]
BY_NAME = {metric.name: metric for metric in CATALOGUE}
VARIABLE = re.compile(r"\$(?:{(\w+)|(\w+))")


def panels(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in page["panels"] if panel["type"] != "row"]


def targets(name: str) -> list[dict[str, Any]]:
    return [target for panel in panels(PAGES[name]) for target in panel["targets"]]


def metric_of(series: str) -> str:
    """The catalogue's name of a Prometheus series; a histogram's are its buckets."""
    [found] = [metric.name for metric in CATALOGUE if series == metric.prometheus + ("_bucket" if metric.kind is Kind.HISTOGRAM else "")]
    return found


def metrics_asked(target: dict[str, Any]) -> set[str]:
    if "metricName" in target:
        return {target["metricName"]}
    return {metric_of(series) for series in re.findall(r"everscore_\w+", target["expr"])}


def test_the_files_are_those_that_make_dashboards_writes() -> None:
    written = {
        str(file.relative_to(FOLDER)): file.read_text() for part in ("pages", "provisioning") for file in (FOLDER / part).rglob("*.*")
    }
    by_hand = {"provisioning/datasources/everscore.yaml", "provisioning/dashboards/everscore.yaml"}
    assert {name: text for name, text in written.items() if name not in by_hand} == FILES, "run `make dashboards`"


@pytest.mark.parametrize("source", ["cloudwatch", "prometheus"])
def test_every_metric_of_the_catalogue_is_shown_somewhere(source: str) -> None:
    asked = set[str]().union(*(metrics_asked(target) for name in PAGES if source in name for target in targets(name)))
    assert asked == BY_NAME.keys()


@pytest.mark.parametrize("name", PAGES)
def test_every_query_names_one_metric_that_is_emitted(name: str) -> None:
    assert {len(metrics_asked(target)) for target in targets(name)} == {1}


@pytest.mark.parametrize("name", [name for name in PAGES if "cloudwatch" in name])
def test_cloudwatch_is_asked_by_all_dimensions_that_a_metric_has_and_no_other(name: str) -> None:
    for target in targets(name):
        assert target["namespace"] == NAMESPACE
        assert target["matchExact"]
        assert target["dimensions"].keys() == {*BY_NAME[target["metricName"]].dimensions, "stack", "service"}


@pytest.mark.parametrize("name", PAGES)
def test_every_query_of_a_page_is_about_one_stack(name: str) -> None:
    for target in targets(name):
        said = target["expr"] if "expr" in target else str(target["dimensions"])
        assert len(re.findall(r"\bstack\b", said)) >= max(1, len(re.findall(r"everscore_\w+", said)))
    listed = [variable["query"] for variable in PAGES[name]["templating"]["list"] if variable["type"] == "query"]
    assert len([query for query in listed if "$stack" in str(query)]) == len(listed) - 1, "all lists but that of stacks"


def test_the_namespace_and_service_are_those_that_the_function_emits_by() -> None:
    template = (ROOT / "template.yaml").read_text()
    assert f"POWERTOOLS_METRICS_NAMESPACE: {NAMESPACE}\n" in template
    assert f"POWERTOOLS_SERVICE_NAME: {OF_ALL['service']}" in template


@pytest.mark.parametrize("page", ["fleet", "model"])
def test_both_sources_show_the_same_panels_with_the_same_lines(page: str) -> None:
    def shown(source: str) -> list[tuple[str, list[set[str]]]]:
        return [(panel["title"], [metrics_asked(t) for t in panel["targets"]]) for panel in panels(PAGES[f"pages/{source}/{page}.json"])]

    assert shown("cloudwatch") == shown("prometheus")


def test_the_cost_that_a_gate_may_compare_is_shown_with_its_bounds_whichever_metric_a_reader_chose() -> None:
    [panel] = [panel for panel in panels(PAGES["pages/cloudwatch/model.json"]) if panel["title"] == "Cost per row"]
    asked = {(target["metricName"], target["dimensions"]["role"], target["dimensions"]["metric"]) for target in panel["targets"]}
    figures, roles = ("Performance", "PerformanceLow", "PerformanceHigh"), ("champion", "challenger")
    assert asked == {(figure, role, "cost") for figure in figures for role in roles}


@pytest.mark.parametrize("name", PAGES)
def test_every_variable_that_is_used_is_one_of_the_page(name: str) -> None:
    known = {variable["name"] for variable in PAGES[name]["templating"]["list"]}
    used = {first or second for first, second in VARIABLE.findall(json.dumps(PAGES[name])) if (first or second) != "PROP"}
    assert used == known


@pytest.mark.parametrize("name", PAGES)
def test_panels_lie_side_by_side_on_the_page_and_have_numbers_of_their_own(name: str) -> None:
    page = PAGES[name]
    cells = [
        {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        for at in (panel["gridPos"] for panel in page["panels"])
    ]
    assert all(not first & second for first, second in combinations(cells, 2))
    assert max(x for x, _ in set().union(*cells)) == 23
    assert len({panel["id"] for panel in page["panels"]}) == len(page["panels"])


@pytest.mark.parametrize("name", PAGES)
def test_every_panel_has_a_title_and_queries_with_letters_of_their_own(name: str) -> None:
    for panel in panels(PAGES[name]):
        assert panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == sorted(set(refs))


@pytest.mark.parametrize("name", PAGES)
def test_filled_bands_lie_between_lines_that_there_are(name: str) -> None:
    bands = 0
    for panel in panels(PAGES[name]):
        legends = {target.get("legendFormat", target.get("label")) for target in panel["targets"]}
        for override in panel["fieldConfig"]["overrides"]:
            fills = [found["value"] for found in override["properties"] if found["id"] == "custom.fillBelowTo"]
            assert {override["matcher"]["options"], *fills} <= legends
            bands += len(fills)
    assert bands == (6 if "model" in name else 0)


@pytest.mark.parametrize("name", PAGES)
def test_grafanas_own_model_reads_each_page(name: str) -> None:
    assert Dashboard.from_json(PAGES[name]).uid == PAGES[name]["uid"]
    assert len({page["uid"] for page in PAGES.values()}) == len(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_point_stands_for_hours_since_grafanas_cloudwatch_reads_durations_as_go_does(name: str) -> None:
    [steps] = [variable for variable in PAGES[name]["templating"]["list"] if variable["type"] == "interval"]
    assert steps["current"]["value"] in steps["query"].split(",")
    assert all(re.fullmatch(r"\d+[hms]", step) for step in steps["query"].split(","))


@pytest.mark.parametrize("page", ["model", "fleet"])
def test_releases_are_marked_where_prometheus_knows_of_them(page: str) -> None:
    [marks] = PAGES[f"pages/prometheus/{page}.json"]["annotations"]["list"]
    assert re.findall(r"everscore_\w+", marks["expr"]) == ["everscore_release_sequence"] * 2


@pytest.mark.parametrize(
    ("metric", "where", "legend", "quantile"),
    [(ROWS_IN, {"column": "x"}, "", None), (ROWS_IN, {}, "{reason}", None), (ROWS_IN, {}, "", 0.5), (WAIT, {}, "", None)],
)
def test_a_query_that_the_catalogue_cannot_answer_is_refused(
    metric: Any, where: dict[str, str], legend: str, quantile: float | None
) -> None:
    with pytest.raises(ValueError, match="not what the catalogue says"):
        Query(metric, legend, where, quantile)


def test_the_provisioned_data_sources_are_of_the_kinds_that_pages_ask() -> None:
    chosen = {variable["query"] for page in PAGES.values() for variable in page["templating"]["list"] if variable["type"] == "datasource"}
    assert {source["type"] for source in provisioned_sources()} == chosen


def test_each_section_of_the_runbook_is_a_panel() -> None:
    sections = re.findall(r"^### (.*)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    shown = {panel["title"]: panel["options"]["content"] for panel in RUNBOOK["panels"] if panel["type"] == "text"}
    assert set(sections) < set(shown)
    assert all(shown[section] for section in sections)
    assert {"Alerts", "Alarms"} <= set(shown)


def test_there_is_a_rule_for_whatever_prometheus_calls_people_for_and_it_is_the_same() -> None:
    in_prometheus = yaml.safe_load((ROOT / "infra/prometheus/rules/everscore.yml").read_text())["groups"][0]["rules"]
    reported = {rule["title"]: rule["data"][0]["model"]["expr"] for rule in RULES}
    assert reported == {rule["alert"]: rule["expr"] for rule in in_prometheus}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["title"])
def test_a_rule_leads_to_its_own_section_of_the_runbook(rule: dict[str, Any]) -> None:
    link = re.fullmatch(r"/d/(.*)\?viewPanel=(\d+)", rule["annotations"]["runbook_url"])
    assert link is not None
    assert link[1] == RUNBOOK["uid"]
    [panel] = [panel for panel in RUNBOOK["panels"] if panel["id"] == int(link[2])]
    assert panel["title"].removesuffix("Alarm").lower() == rule["title"].removeprefix("Everscore").lower()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["title"])
def test_a_rule_fires_on_any_result_and_no_result_is_peace(rule: dict[str, Any]) -> None:
    query, threshold = rule["data"]
    assert query["datasourceUid"] in {source["uid"] for source in provisioned_sources()}
    assert (query["refId"], threshold["model"]["expression"], rule["condition"]) == ("A", "A", threshold["refId"])
    assert threshold["model"]["conditions"] == [{"evaluator": {"type": "gt", "params": [0]}}]
    assert rule["noDataState"] == "OK"


def test_rules_have_names_of_their_own_that_grafana_takes() -> None:
    uids = [rule["uid"] for rule in RULES]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)
    assert "$" not in FILES["provisioning/alerting/everscore.yaml"], "Grafana would look it up in its environment"


def provisioned_sources() -> list[dict[str, Any]]:
    provisioned: list[dict[str, Any]] = yaml.safe_load((FOLDER / "provisioning/datasources/everscore.yaml").read_text())["datasources"]
    return provisioned
