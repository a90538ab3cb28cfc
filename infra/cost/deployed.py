"""Read from the template what costs money at its defaults.

This is memory, schedules, queues with a consumer, and alarms.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infra.local.transformation import Template, read_template
from infra.places import ROOT

HOURS_A_MONTH = 730
_PER_HOUR = {"minute": 60.0, "hour": 1.0, "day": 1 / 24}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_DAILY = re.compile(r"cron\(\d+ \d+ \* \* \? \*\)")


@dataclass(frozen=True, slots=True)
class Function:
    """A function's memory in MB, and its scheduled starts per month."""

    memory_mb: int
    starts: float


@dataclass(frozen=True, slots=True)
class Deployed:
    """Everything that runs while nothing is scored; `functions` are by package name.

    CloudWatch charges an alarm by the metrics that it looks at, in all `alarm_metrics`. `traced`: X-Ray records calls.
    """

    functions: Mapping[str, Function]
    architecture: str
    polled_queues: int
    alarms: int
    alarm_metrics: int
    traced: bool


@cache
def deployed(template: Path = ROOT / "template.yaml") -> Deployed:
    """Read the deployment from the template."""
    content = read_template(template.read_text())
    found = {name: resource["Properties"] for name, resource in content["Resources"].items() if _is(resource, "Serverless::Function")}
    functions = {_package(properties): _function(content, properties) for properties in found.values()}
    sources = [event for properties in found.values() for event in properties.get("Events", {}).values()]
    alarms = [resource["Properties"] for resource in content["Resources"].values() if _is(resource, "CloudWatch::Alarm")]
    return Deployed(
        functions=functions,
        architecture=_default(content, content["Globals"]["Function"]["Architectures"][0]),
        polled_queues=sum(event["Type"] == "SQS" for event in sources),
        alarms=len(alarms),
        alarm_metrics=sum(sum("MetricStat" in metric for metric in alarm.get("Metrics", ())) or 1 for alarm in alarms),
        traced=content["Globals"]["Function"]["Tracing"] == "Active",
    )


def starts_a_month(schedule: str) -> float:
    """Return how often a `rate(…)` or daily `cron(…)` starts in a month.

    A month has 730 hours.

    Raises:
        ValueError: for any other expression.

    >>> starts_a_month("rate(15 minutes)"), round(starts_a_month("cron(0 2 * * ? *)"), 1)
    (2920.0, 30.4)
    """
    if match := _RATE.fullmatch(schedule):
        return HOURS_A_MONTH * _PER_HOUR[match[2]] / int(match[1])
    if _DAILY.fullmatch(schedule):
        return HOURS_A_MONTH / 24
    message = f"{schedule!r} is neither a rate nor once a day"
    raise ValueError(message)


def _function(template: Template, properties: Mapping[str, Any]) -> Function:
    schedules = [event["Properties"] for event in properties.get("Events", {}).values() if event["Type"] == "ScheduleV2"]
    starts = sum(starts_a_month(_default(template, schedule["ScheduleExpression"])) for schedule in schedules)
    return Function(int(_default(template, properties["MemorySize"])), starts)


def _package(properties: Mapping[str, Any]) -> str:
    [command] = properties["ImageConfig"]["Command"]
    return str(command).split(".")[1]


def _default(template: Template, value: Any) -> Any:
    """Return a value of the template, or its parameter's default."""
    return template["Parameters"][value["Ref"]]["Default"] if isinstance(value, dict) else value


def _is(resource: Mapping[str, Any], kind: str) -> bool:
    return bool(resource["Type"] == f"AWS::{kind}")
