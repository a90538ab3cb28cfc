"""What the pages ask of CloudWatch is answered, on the embedded AWS, with what was emitted."""

import contextlib
import io
import json
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import boto3
import numpy as np
import pytest

from functions.metric_emission.emf import print_measurements
from functions.metric_emission.measurements import Measurement
from functions.shared.domain.metrics import CATALOGUE, Kind, Metric
from infra.grafana.cloudwatch import OF_ALL
from infra.grafana.written import FOLDER
from infra.local.ministack import ministack_python
from infra.local.servers import REGION, listening_socket, ministack_server, url_of
from tests.integration.page_data import CHOSEN, combinations

STEP_S = 86400
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
PAGES = [json.loads(file.read_text()) for file in sorted((FOLDER / "pages/cloudwatch").iterdir())]


def emitted() -> list[Measurement]:
    """Seven values of every metric in every combination of its dimensions, no two series alike."""
    rng = np.random.default_rng(4)
    return [
        Measurement(metric, float(value), dimensions)
        for metric in CATALOGUE
        for dimensions in combinations(metric)
        for value in rng.integers(1, 1000, 7) / 8
    ]


def lines_of(measurements: list[Measurement], stack: str) -> list[dict[str, Any]]:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        print_measurements(measurements, stack=stack)
    return [json.loads(line) for line in printed.getvalue().splitlines()]


def chosen(value: str) -> str:
    """A dimension's value as the page's variables have it."""
    return CHOSEN[value.removeprefix("$")] if value.startswith("$") else value


def put(cloudwatch: Any, lines: list[dict[str, Any]]) -> None:
    """What CloudWatch itself does with the function's log, by the embedded metric format's specification."""
    data = []
    for line in lines:
        [directive] = line["_aws"]["CloudWatchMetrics"]
        [definition], [names] = directive["Metrics"], directive["Dimensions"]
        dimensions = [{"Name": name, "Value": line[name]} for name in names]
        [value] = line[definition["Name"]]
        data.append(
            {"MetricName": definition["Name"], "Unit": definition["Unit"], "Dimensions": dimensions, "Value": value, "Timestamp": HOUR}
        )
    for start in range(0, len(data), 500):
        cloudwatch.put_metric_data(Namespace="Everscore", MetricData=data[start : start + 500])


@pytest.fixture(scope="module")
def measurements() -> list[Measurement]:
    return emitted()


@pytest.fixture(scope="module")
def cloudwatch(tmp_path_factory: pytest.TempPathFactory, measurements: list[Measurement]) -> Iterator[Any]:
    """The embedded AWS's CloudWatch, with all of it, and with other values of another stack."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "tmp").mkdir()
    with listening_socket() as listener, (folder / "log").open("wb") as log, pytest.MonkeyPatch.context() as environment:
        environment.setenv("POWERTOOLS_METRICS_NAMESPACE", "Everscore")
        environment.setenv("POWERTOOLS_SERVICE_NAME", "metric_emission")
        server = ministack_server(folder, ministack_python(print), listener)
        process = subprocess.Popen(server.command, stdin=listener, stdout=log, stderr=log, env=dict(server.environment), cwd=folder)
        try:
            session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
            client = session.client("cloudwatch", endpoint_url=url_of(listener))
            put(client, lines_of(measurements, CHOSEN["stack"]))
            put(client, lines_of([replace(found, value=found.value + 1000) for found in measurements], "another"))
            yield client
        finally:
            process.terminate()
            process.wait(10)


def answers(cloudwatch: Any, target: Mapping[str, Any]) -> dict[tuple[tuple[str, str], ...], list[float]]:
    """The lines that Grafana would draw: a search for every `*`, and one metric's statistic for each that it finds."""
    asked = {name: chosen(value) for name, value in target["dimensions"].items()}
    filters = [{"Name": name} if value == "*" else {"Name": name, "Value": value} for name, value in asked.items()]
    pages = cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=target["namespace"], MetricName=target["metricName"], Dimensions=filters
    )
    found = [metric for page in pages for metric in page["Metrics"] if {named["Name"] for named in metric["Dimensions"]} == asked.keys()]
    assert target["period"] == "$step"
    queries = [
        {"Id": f"q{number}", "MetricStat": {"Metric": metric, "Period": STEP_S, "Stat": target["statistic"]}}
        for number, metric in enumerate(found)
    ]
    assert queries, f"{target['metricName']} {asked} finds nothing"
    reported = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=HOUR - timedelta(days=1), EndTime=HOUR + timedelta(days=1))
    values = {result["Id"]: result["Values"] for result in reported["MetricDataResults"]}
    return {
        tuple(sorted((named["Name"], named["Value"]) for named in metric["Dimensions"] if named["Name"] not in OF_ALL)): values[
            f"q{number}"
        ]
        for number, metric in enumerate(found)
    }


def percentile(share: float) -> Callable[[list[float]], float]:
    return lambda values: float(np.percentile(values, share))


def meaning(metric: Metric, target: Mapping[str, Any]) -> Callable[[list[float]], float]:
    """What a point of this kind of metric should say."""
    if metric.kind is Kind.HISTOGRAM:
        return percentile(float(target["statistic"].removeprefix("p")))
    return {Kind.COUNTER: sum, Kind.GAUGE: fmean}[metric.kind]  # type: ignore[return-value]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page["uid"])
def test_every_query_of_the_page_is_answered_with_what_was_emitted(
    cloudwatch: Any, measurements: list[Measurement], page: dict[str, Any]
) -> None:
    targets = [target for panel in page["panels"] for target in panel.get("targets", ())]
    assert targets
    for target in targets:
        [metric] = [metric for metric in CATALOGUE if metric.name == target["metricName"]]
        fixed = {name: chosen(value) for name, value in target["dimensions"].items() if value != "*" and name not in OF_ALL}
        reported = defaultdict(list)
        for measurement in measurements:
            if measurement.metric is metric and fixed.items() <= measurement.dimensions.items():
                reported[tuple(sorted(measurement.dimensions.items()))].append(measurement.value)
        expected = {dimensions: [pytest.approx(meaning(metric, target)(values))] for dimensions, values in reported.items()}
        assert answers(cloudwatch, target) == expected, target["metricName"]
