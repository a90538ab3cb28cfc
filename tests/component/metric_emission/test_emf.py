"""What CloudWatch reads from the log."""

import json
import math
from ast import literal_eval
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.metric_emission.emf import print_measurements
from functions.metric_emission.measurements import Measurement, performance_measurements
from functions.shared.domain.metrics import CATALOGUE, PERFORMANCE, ROWS_IN, Metric
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.release import Role
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import DAY, World, rows
from tests.fakes.versions import MODEL


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "Everscore")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "metric_emission")


def refuse(constant: str) -> float:
    message = f"{constant} is no JSON"
    raise ValueError(message)


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines as strict JSON; Python's reader lets NaN pass unless asked not to."""
    return [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().out.splitlines()]


def measurement_of(line: dict[str, Any]) -> tuple[Metric, float, dict[str, str]]:
    """What CloudWatch makes of a line, by the format's specification: one metric, its value, and its dimensions."""
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert line["stack"] == "shop"
    assert {"service", "stack"} <= set(*directive["Dimensions"])
    assert directive["Namespace"] == "Everscore"
    [definition], [dimensions] = directive["Metrics"], directive["Dimensions"]
    [metric] = [metric for metric in CATALOGUE if metric.name == definition["Name"]]
    assert definition["Unit"] == metric.unit
    values = line[metric.name]
    [value] = values if isinstance(values, list) else [values]
    return metric, value, {name: line[name] for name in dimensions if name not in {"service", "stack"}}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    metric=st.sampled_from(CATALOGUE),
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=3),
    text=st.text(st.characters(codec="utf-8", exclude_characters="'"), min_size=1, max_size=20).filter(str.strip),
)
def test_each_measurement_is_a_line_that_says_it_whole(
    capsys: pytest.CaptureFixture[str], metric: Metric, values: list[float], text: str
) -> None:
    dimensions = dict.fromkeys(metric.dimensions, text)
    print_measurements((Measurement(metric, value, dimensions) for value in values), stack="shop")
    read = [measurement_of(line) for line in printed(capsys)]
    assert [(metric, value) for metric, value, _ in read] == [(metric, value) for value in values]
    for _, _, named in read:
        assert all(said.isascii() and said.isprintable() for said in named.values()), "or CloudWatch drops the line"
        assert {name: literal_eval(f"'{said}'") for name, said in named.items()} == dimensions


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_json_cannot_hold_is_no_measurement(value: float) -> None:
    with pytest.raises(ValueError, match="no measurement"):
        Measurement(ROWS_IN, value, {"model": MODEL})


@pytest.mark.parametrize("dimensions", [{}, {"version": "1"}, {"model": MODEL, "version": "1"}])
def test_a_value_without_its_metrics_own_dimensions_is_no_measurement(dimensions: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no measurement"):
        Measurement(ROWS_IN, 1, dimensions)


def test_metrics_that_a_day_leaves_undefined_are_not_emitted() -> None:
    metrics = {"auc": None, "r2": math.nan, "accuracy": 0.5}
    group = GroupPerformance(role=Role.CHAMPION, version="1", rows=1, metrics=metrics, loss_sum=1, loss_sum_squares=1)
    day = DayPerformance(model=MODEL, day=DAY, rows_predicted=1, rows_labelled=1, groups=(group,))
    emitted = [
        measurement.dimensions["metric"]
        for measurement in performance_measurements(day, metric="log_loss")
        if measurement.metric is PERFORMANCE
    ]
    assert emitted == ["accuracy"]


def test_a_days_work_prints_lines_that_cloudwatch_takes(capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    world.set_policy(drift={"min_rows": 100})
    world.record(world.profiled("a.csv", like_training(world.baseline, "price")))
    world.scored("b.csv", rows(0.9, 0.2))
    world.label("id,at,bought\nr0,2013-04-01T10:00:00Z,yes\n")
    print_measurements(world.emitted, stack="shop")
    assert [measurement_of(line) for line in printed(capsys)] == [
        (measurement.metric, measurement.value, measurement.dimensions) for measurement in world.emitted
    ]
