"""What the pages ask of Prometheus is answered, by a real one, with what was sent."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from functions.metric_emission.measurements import Measurement
from functions.metric_emission.prometheus import families
from functions.metric_emission.totals import folded
from functions.shared.adapters.remote_write import RemoteWrite
from functions.shared.domain.metrics import CATALOGUE, Kind, Metric
from functions.shared.domain.totals import Totals
from infra.grafana.written import FOLDER
from tests.integration.page_data import CHOSEN, combinations
from tests.integration.prometheus.server import Labels, Prometheus, running_prometheus

NOW = datetime.now(UTC).replace(microsecond=0)
FIRST, SECOND = NOW - timedelta(minutes=100), NOW - timedelta(minutes=20)
"""Two ticks. A point of the pages stands for one hour here, so the second lies within the last point and the first does not."""

BUCKET = 4
"""All values of a histogram lie in this one of its buckets."""

PAGES = [json.loads((FOLDER / f"pages/prometheus/{name}.json").read_text()) for name in ("fleet", "model")]


def measured(seed: int) -> list[Measurement]:
    """Two values of every metric in every combination of its dimensions, no two series alike."""
    numbers = count(seed)

    def value(metric: Metric) -> float:
        return metric.buckets[BUCKET] if metric.kind is Kind.HISTOGRAM else float(next(numbers))

    return [Measurement(metric, value(metric), dimensions) for metric in CATALOGUE for dimensions in combinations(metric) for _ in range(2)]


EARLIER, LATER, ELSEWHERE = measured(1), measured(10_000), measured(50_000)
KNOWN_LATE = {"code": "no_header"}
"""What the first tick knows nothing of: the first batch that failed so came after it."""


def sent(prometheus: Prometheus) -> None:
    """Totals as two ticks send them, and those of another stack."""
    write = RemoteWrite(prometheus.write_url)
    first = [found for found in EARLIER if not KNOWN_LATE.items() <= found.dimensions.items()]
    totals = reported(Totals(told_at=FIRST), first, FIRST)
    write.send(families([totals], stack="everscore"), FIRST)
    write.send(families([reported(totals, LATER, SECOND)], stack="everscore"), SECOND)
    write.send(families([reported(Totals(told_at=SECOND), ELSEWHERE, SECOND)], stack="elsewhere"), SECOND)


def reported(totals: Totals, measurements: list[Measurement], at: datetime) -> Totals:
    for occasion in {found.metric.occasion for found in measurements}:
        totals = folded(totals, occasion, [found for found in measurements if found.metric.occasion is occasion], now=at)
    return totals


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        sent(running)
        yield running


def last(values: list[float]) -> float:
    return values[-1]


def quantile(metric: Metric, share: float) -> Callable[[list[float]], float]:
    """Values of one bucket are taken to lie evenly in it (Prometheus documentation, `histogram_quantile`)."""
    lower, upper = metric.buckets[BUCKET - 1], metric.buckets[BUCKET]
    return lambda _: lower + share * (upper - lower)


def meaning(metric: Metric, promql: str) -> Callable[[list[float]], float]:
    """What a point of this kind of metric should say of the values that its hour brought."""
    if metric.kind is Kind.HISTOGRAM:
        [share] = re.findall(r"histogram_quantile\(([\d.]+),", promql)
        return quantile(metric, float(share))
    return {Kind.COUNTER: sum, Kind.GAUGE: last}[metric.kind]  # type: ignore[return-value]


def expected(target: dict[str, Any]) -> dict[Labels, Any]:
    """By the dimensions that the query does not fix."""
    series = re.findall(r"(everscore_\w+){(.*?)}", target["expr"])
    [name] = {name for name, _ in series}
    [metric] = [metric for metric in CATALOGUE if name in {metric.prometheus, f"{metric.prometheus}_bucket"}]
    fixed = {label: resolved(value) for label, value in re.findall(r'(\w+)="([^"]+)"', series[0][1]) if label != "stack"}
    values: dict[Labels, list[float]] = {}
    for measurement in LATER:
        if measurement.metric is metric and fixed.items() <= measurement.dimensions.items():
            values.setdefault(frozenset(measurement.dimensions.items() - fixed.items()), []).append(measurement.value)
    return {labels: pytest.approx(meaning(metric, target["expr"])(reported)) for labels, reported in values.items()}


def resolved(text: str) -> str:
    """With the page's variables as a reader chose them."""
    chosen = {**CHOSEN, "step": "1h"}
    return re.sub(r"\$(\w+)", lambda variable: chosen[variable[1]], text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page["uid"])
def test_every_query_of_the_page_is_answered_with_what_was_sent(prometheus: Prometheus, page: dict[str, Any]) -> None:
    targets = [target for panel in page["panels"] for target in panel.get("targets", ())]
    assert targets
    for target in targets:
        found = prometheus.query(resolved(target["expr"]), NOW)
        assert found == expected(target), target["expr"]
        assert found, target["expr"]


@pytest.mark.parametrize(("name", "models"), [("model", 1), ("fleet", 2)])
def test_a_release_is_marked_in_the_hour_that_brought_it(prometheus: Prometheus, name: str, models: int) -> None:
    [marks] = [page["annotations"]["list"][0]["expr"] for page in PAGES if page["uid"] == f"everscore-{name}-prometheus"]
    assert len(prometheus.query(resolved(marks), NOW)) == models
    assert prometheus.query(resolved(marks), SECOND + timedelta(minutes=90)) == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page["uid"])
def test_a_readers_choices_are_the_values_that_there_are(prometheus: Prometheus, page: dict[str, Any]) -> None:
    listed = {variable["name"]: variable["query"]["query"] for variable in page["templating"]["list"] if variable["type"] == "query"}
    for name, query in listed.items():
        match = re.fullmatch(r"label_values\((.*), (\w+)\)", resolved(query))
        assert match is not None
        found = {dict(labels)[match[2]] for labels in prometheus.query(f"last_over_time({match[1]}[3h])", NOW)}
        assert found == {"stack": {"everscore", "elsewhere"}, "model": {"sales", "loans"}, "metric": {"log_loss", "auc", "cost"}}[name]
