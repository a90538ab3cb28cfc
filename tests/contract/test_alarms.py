"""One definition of what calls people, and CloudWatch's alarms, Prometheus' rules and the queues that are watched held to it."""

import re
from typing import Any

import pytest
import yaml

from functions.shared.domain.alert import AlertKind
from infra.alarms import ALARMS, MODEL_ALERTS, Alarm, CloudWatchCondition
from infra.prometheus.rules import RULES, rules_text
from tests.contract.template import ALL_FUNCTION_PROPERTIES, FUNCTION_PROPERTIES, QUEUES, RESOURCES, SOURCES, TEMPLATE, resources_of
from tests.integration.prometheus.server import promtool

TEMPLATE_ALARMS = resources_of("AWS::CloudWatch::Alarm")
DIMENSIONS: dict[str, Any] = {
    "AWS/SQS": lambda queue: [{"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}}],
    "AWS/Lambda": lambda function: [{"Name": "FunctionName", "Value": {"Ref": function}}],
    "AWS/Events": lambda rule: [{"Name": "RuleName", "Value": {"Ref": rule}}],
    "AWS/States": lambda machine: [{"Name": "StateMachineArn", "Value": {"Ref": machine}}],
    "Everscore": lambda _: [{"Name": "stack", "Value": {"Ref": "AWS::StackName"}}, {"Name": "service", "Value": "metric_emission"}],
}


def test_the_template_has_each_alarm_and_no_other() -> None:
    assert set(TEMPLATE_ALARMS) == {alarm.name for alarm in ALARMS}


def watched(condition: CloudWatchCondition) -> dict[str, Any]:
    """What an alarm looks at, as the template says it: a metric, or the sum of several, none of which need have been emitted."""

    def of(name: str, watched: str | None = condition.watched) -> dict[str, Any]:
        return {"Namespace": condition.namespace, "MetricName": name, "Dimensions": DIMENSIONS[condition.namespace](watched)}

    if not condition.also and not condition.also_watched:
        return of(condition.metric) | {"Statistic": condition.statistic, "Period": condition.period_s}
    metrics = {name.lower(): of(name) for name in (condition.metric, *condition.also)}
    if condition.also_watched:
        resources = (condition.watched or "", *condition.also_watched)
        metrics = {resource.lower(): of(condition.metric, resource) for resource in resources}
    stats = {name: {"Metric": metric, "Period": condition.period_s, "Stat": condition.statistic} for name, metric in metrics.items()}
    total = {"Id": "all", "Expression": " + ".join(f"FILL({name}, 0)" for name in stats)}
    return {"Metrics": [total, *({"Id": name, "ReturnData": False, "MetricStat": stat} for name, stat in stats.items())]}


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.name)
def test_an_alarm_of_the_template_is_the_one_that_is_defined(alarm: Alarm) -> None:
    condition = alarm.cloudwatch
    assert TEMPLATE_ALARMS[alarm.name] == {
        "AlarmDescription": alarm.summary,
        **watched(condition),
        "EvaluationPeriods": condition.periods,
        **({"DatapointsToAlarm": condition.beyond_in} if condition.beyond_in else {}),
        "Threshold": {"Ref": condition.threshold} if isinstance(condition.threshold, str) else condition.threshold,
        "ComparisonOperator": {"above": "GreaterThanThreshold", "below": "LessThanThreshold"}[condition.beyond],
        "TreatMissingData": "breaching" if condition.missing_is_bad else "notBreaching",
        "AlarmActions": [{"Ref": "Alarms"}],
    }


@pytest.mark.parametrize("name", TEMPLATE_ALARMS)
def test_an_alarm_watches_its_own_stack_and_no_other_of_the_account(name: str) -> None:
    alarm = TEMPLATE_ALARMS[name]
    watched = [metric["MetricStat"]["Metric"] for metric in alarm.get("Metrics", ()) if "MetricStat" in metric] or [alarm]
    for metric in watched:
        named = [dimension["Value"] for dimension in metric["Dimensions"] if isinstance(dimension["Value"], dict)]
        own = {value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0] for value in named}
        assert own, "a fixed value is any stack's"
        assert own <= {"AWS::StackName", *RESOURCES}


def test_throttles_of_every_function_ring_and_one_alarm_looks_at_no_more_metrics_than_cloudwatch_lets_it() -> None:
    metrics = [metric for metric in TEMPLATE_ALARMS["ThrottlesAlarm"]["Metrics"] if "MetricStat" in metric]
    watched = {metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Ref"] for metric in metrics}
    assert watched == set(ALL_FUNCTION_PROPERTIES)
    assert all(len(alarm.get("Metrics", ())) <= 10 for alarm in TEMPLATE_ALARMS.values()), "PutMetricAlarm takes ten with the sum"


def test_only_the_heartbeat_takes_missing_data_for_a_breach_and_is_not_there_where_no_schedule_runs() -> None:
    assert [alarm.name for alarm in ALARMS if alarm.cloudwatch.missing_is_bad] == ["HeartbeatAlarm"]
    conditional = {name: RESOURCES[name]["Condition"] for name in TEMPLATE_ALARMS if "Condition" in RESOURCES[name]}
    assert conditional == {"HeartbeatAlarm": "SchedulesRun"}
    assert TEMPLATE["Conditions"]["SchedulesRun"] == {"Fn::Equals": [{"Ref": "ScheduleState"}, "ENABLED"]}


def test_thresholds_that_prometheus_cannot_look_up_are_the_templates_defaults() -> None:
    parameters = TEMPLATE["Parameters"]
    named = {
        alarm.name: parameters[alarm.cloudwatch.threshold]["Default"] for alarm in ALARMS if isinstance(alarm.cloudwatch.threshold, str)
    }
    aged = {f"{queue}AgeAlarm": 3600 for queue in ("ScoringQueue", "MetricQueue", "NotificationQueue", "CataloguingQueue")}
    assert named == {**aged, "RetrainingQueueAgeAlarm": 21600, "SilenceAlarm": 604800}
    written = {alarm.name: alarm.prometheus for alarm in ALARMS}
    for name in ("ScoringQueueAgeAlarm", "MetricQueueAgeAlarm", "SilenceAlarm"):
        assert str(named[name]) in str(written[name])


def test_each_queue_calls_people_if_its_messages_lie_too_long_or_at_all_where_nothing_takes_them() -> None:
    taken = {event["Properties"]["Queue"]["Fn::GetAtt"][0] for _, event in SOURCES if event["Type"] == "SQS"}
    looked_at = {
        (alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0], alarm["MetricName"])
        for alarm in TEMPLATE_ALARMS.values()
        if alarm.get("Namespace") == "AWS/SQS"
    }
    wanted = {queue: "ApproximateAgeOfOldestMessage" if queue in taken else "ApproximateNumberOfMessagesVisible" for queue in QUEUES}
    assert looked_at == set(wanted.items())
    assert len(taken) == 5


def test_only_errors_of_functions_and_of_the_state_machine_have_no_rule_in_prometheus() -> None:
    own = {
        *(f"{function}ErrorsAlarm" for function in FUNCTION_PROPERTIES),
        "PartitionedScoringAlarm",
        "ThrottlesAlarm",
        "FailedInvocationsAlarm",
    }
    assert {alarm.name for alarm in ALARMS if alarm.prometheus is None} == own


def test_each_kind_of_alert_has_its_rule() -> None:
    assert [alert.kind for alert in MODEL_ALERTS] == list(AlertKind)


def test_the_rule_file_is_what_the_definition_makes() -> None:
    written = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    [runbook] = {rule["annotations"]["runbook_url"].partition("#")[0] for rule in written}
    assert RULES.read_text() == rules_text(runbook), "make rules"
    promtool("check", "rules", str(RULES))


def test_rules_link_to_the_runbook_where_it_is_said_to_be() -> None:
    rules = yaml.safe_load(rules_text("https://git.example.com/everscore/docs/runbook.md"))["groups"][0]["rules"]
    links = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules}
    assert links["EverscoreHeartbeat"] == "https://git.example.com/everscore/docs/runbook.md#heartbeatalarm"
    assert links["EverscoreDrift"] == "https://git.example.com/everscore/docs/runbook.md#drift"


def test_each_queue_of_the_stack_is_counted_by_the_tick() -> None:
    text = FUNCTION_PROPERTIES["MetricEmission"]["Environment"]["Variables"]["EVERSCORE_QUEUES"]["Fn::Sub"]
    counted = dict(pair.split("=") for pair in text.split())
    assert sorted(counted.values()) == sorted(f"${{{queue}}}" for queue in QUEUES)
    assert all(f'queue="{name}"' in str([alarm.prometheus for alarm in ALARMS]) for name in counted if "dead" in name or "failed" in name)


def lasts_minutes(deployment: str) -> int:
    """How long a way of AWS CodeDeploy takes, by what its documentation says of its name.

    A canary shifts the rest after its minutes; a linear way shifts a tenth at once, and then another tenth at each interval.
    """
    [minutes] = map(int, re.findall(r"(\d+)Minutes?$", deployment))
    return minutes if deployment.startswith("Canary10Percent") else 9 * minutes


def test_a_slow_deployment_lasts_until_the_alarm_that_ends_it_can_ring() -> None:
    [_, [guard]] = FUNCTION_PROPERTIES["Scoring"]["DeploymentPreference"]["Alarms"]["Fn::If"][1:]
    alarm = TEMPLATE_ALARMS[guard["Ref"]]
    rings_minutes = (alarm["DatapointsToAlarm"] + 1) * alarm["Period"] / 60  # the first period may have begun before the deployment
    slow = [way for way in TEMPLATE["Parameters"]["ScoringDeployment"]["AllowedValues"] if way != "AllAtOnce"]
    assert lasts_minutes("Linear10PercentEvery1Minute") == 9
    assert len(slow) == 2
    assert [way for way in slow if lasts_minutes(way) <= rings_minutes] == []
