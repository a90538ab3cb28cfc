"""The alarms that call people, defined once.

CloudWatch's alarms in template.yaml are compared with it; Prometheus' and Grafana's rules are made from it.

An alarm is about the machinery and has a section of its name in docs/runbook.md. What is called of a single model `metric_emission`
decides, by the model's policy; it alerts people itself, and the rules of Prometheus and Grafana say the same by kind.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from functions.shared.domain.advice import ADVICE
from functions.shared.domain.alert import AlertKind
from functions.shared.domain.metrics import (
    ALERTS,
    MEASURING_DELAY,
    MODELS,
    QUEUED_MESSAGES,
    SILENCE,
    UNSCORED_FILES,
    WAIT,
    Metric,
)

HELD = "3h"
"""How far back a value is looked for: each hourly tick sends it again, and two may fail."""

_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class CloudWatchCondition:
    """When CloudWatch alarms.

    `statistic` over `period_s` is beyond the threshold in each of `periods`, or in `beyond_in` of them.

    `watched` is the template's resource whose metric it is, None for one of ours. `also` are metrics that are added to it, and
    `also_watched` resources whose metric of the same name is. A
    `threshold` that is a name is the template's parameter of that name. `missing_is_bad`: no data breaches too.
    """

    namespace: str
    metric: str
    threshold: float | str
    watched: str | None = None
    also: tuple[str, ...] = ()
    also_watched: tuple[str, ...] = ()
    statistic: Literal["Maximum", "Sum", "SampleCount"] = "Maximum"
    period_s: int = 300
    periods: int = 1
    beyond_in: int | None = None
    beyond: Literal["above", "below"] = "above"
    missing_is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """One reason to call a person about the machinery.

    `prometheus` is the condition in PromQL, whose result has the label `stack`; None for errors of a function or the state machine,
    since none lives to count its own crash: what it leaves undone shows in the dead letters, or as an unscored file.
    """

    name: str
    summary: str
    cloudwatch: CloudWatchCondition
    prometheus: str | None

    @property
    def section(self) -> str:
        """Return its section in the runbook, as links name it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ModelAlert:
    """One kind of alert about a model, as a rule that fires for a day."""

    kind: AlertKind

    @property
    def summary(self) -> str:
        """What people read first."""
        return ADVICE[self.kind].summary

    @property
    def prometheus(self) -> str:
        """The condition in PromQL, whose result has the labels `stack` and `model`."""
        return f"{_last(ALERTS, kind=self.kind.value)} > 0"

    @property
    def section(self) -> str:
        """Return its section in the runbook, as links name it."""
        return self.kind.value


def _last(metric: Metric, **labels: str) -> str:
    matchers = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    return f"last_over_time({metric.prometheus}{f'{{{matchers}}}' if matchers else ''}[{HELD}])"


def _dead_letters(queue: str, name: str, summary: str) -> Alarm:
    condition = CloudWatchCondition("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, watched=name)
    return Alarm(f"{name}Alarm", summary, condition, f"{_last(QUEUED_MESSAGES, queue=queue)} > 0")


def _late(delay: Metric, queued: str, queue: str, summary: str) -> Alarm:
    """Alert if more waited over an hour than three hours ago, or some waited three.

    A wait is known only by its end.
    """
    condition = CloudWatchCondition("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueAgeAlarmSeconds", watched=queue)
    within = f'bucket{{le="{_HOUR_S}"}}'
    late = " - ".join(f"sum by (stack) (last_over_time({delay.prometheus}_{series}[{HELD}]))" for series in ("count", within))
    before = late.replace(f"[{HELD}]", f"[{HELD}] offset {HELD}")
    return Alarm(f"{queue}AgeAlarm", summary, condition, f"({late}) > (({before}) or 0 * ({late})) or {_stuck(queued)}")


def _waiting(queued: str, queue: str, summary: str, threshold: str = "QueueAgeAlarmSeconds") -> Alarm:
    """Messages lie there; of these queues no wait is measured by its end."""
    condition = CloudWatchCondition("AWS/SQS", "ApproximateAgeOfOldestMessage", threshold, watched=queue)
    return Alarm(f"{queue}AgeAlarm", summary, condition, _stuck(queued))


def _stuck(queued: str) -> str:
    waiting = f'{QUEUED_MESSAGES.prometheus}{{queue="{queued}"}}[{HELD}]'
    return f"(min by (stack) (min_over_time({waiting})) > 0 and min by (stack) (last_over_time({waiting} offset 2h)) > 0)"


def _errors(function: str, summary: str) -> Alarm:
    condition = CloudWatchCondition("AWS/Lambda", "Errors", 0, watched=function, statistic="Sum")
    return Alarm(f"{function}ErrorsAlarm", summary, condition, None)


def _repeated_errors(function: str, summary: str) -> Alarm:
    """Alert on errors in two of three periods, for work that a queue repeats.

    One error is mended by the next delivery.
    """
    condition = CloudWatchCondition("AWS/Lambda", "Errors", 0, watched=function, statistic="Sum", periods=3, beyond_in=2)
    return Alarm(f"{function}ErrorsAlarm", summary, condition, None)


ALARMS = (
    _dead_letters(
        "scoring_dead_letters", "ScoringDeadLetters", "Files that could not be scored five times over lie in the dead letter queue."
    ),
    _dead_letters(
        "metric_dead_letters",
        "MetricDeadLetters",
        "Manifests or labels that could not be measured five times over lie in the dead letter queue.",
    ),
    _dead_letters(
        "notification_dead_letters",
        "NotificationDeadLetters",
        "Messages that could not be sent to everybody five times over lie in the dead letter queue.",
    ),
    _dead_letters(
        "cataloguing_dead_letters",
        "CataloguingDeadLetters",
        "Manifests that could not be brought into tables five times over lie in the dead letter queue.",
    ),
    _dead_letters(
        "failed_events",
        "FailedEvents",
        "An event could not be delivered, or a retraining, release, tick or sweep failed in every try.",
    ),
    _late(WAIT, "scoring", "ScoringQueue", "A file has been waiting to be scored for too long."),
    _late(MEASURING_DELAY, "metric", "MetricQueue", "A manifest or a file of labels has been waiting to be measured for too long."),
    _waiting("notification", "NotificationQueue", "A message to people has been waiting for too long; `everscore status` shows alerts."),
    _waiting("cataloguing", "CataloguingQueue", "A batch has been waiting to be brought into tables for too long."),
    _waiting(
        "retraining", "RetrainingQueue", "A model has been waiting to be retrained for too long.", threshold="RetrainingAgeAlarmSeconds"
    ),
    _repeated_errors("Scoring", "Scoring fails. Batches that cannot be scored are no errors; this is the function or what it reads."),
    _errors("Partitioning", "A large upload could not be scored in partitions; its manifest says why, and its execution can be redriven."),
    _repeated_errors("MetricEmission", "metric_emission fails, so drift and performance are not watched."),
    _errors("Retraining", "Retraining fails, so no challenger is made."),
    _errors("Release", "Release fails, so canaries neither advance nor retreat; what is served stays as it is."),
    _repeated_errors("Notification", "notification fails, so people are not sent what alerts say; `everscore status` shows them."),
    _errors("Erasure", "An erasure was broken off, so people who asked to be forgotten may still be stored."),
    _repeated_errors("Cataloguing", "cataloguing fails, so tables lack what was scored since. Predictions are not affected."),
    Alarm(
        "PartitionedScoringAlarm",
        "Scoring a large upload in partitions was broken off; its execution can be redriven.",
        CloudWatchCondition(
            "AWS/States",
            "ExecutionsFailed",
            0,
            watched="PartitionedScoring",
            also=("ExecutionsAborted", "ExecutionsTimedOut"),
            statistic="Sum",
        ),
        None,
    ),
    Alarm(
        "ThrottlesAlarm",
        "AWS refuses to run functions of this stack: the account has no more places at once, so work waits.",
        CloudWatchCondition(
            "AWS/Lambda",
            "Throttles",
            0,
            watched="Scoring",
            also_watched=("Partitioning", "MetricEmission", "Retraining", "Release", "Notification", "Erasure", "Cataloguing", "CodeCheck"),
            statistic="Sum",
            periods=3,
            beyond_in=3,
        ),
        None,
    ),
    Alarm(
        "FailedInvocationsAlarm",
        "EventBridge could not deliver an event: an upload is not scored, labels or a batch are not measured, "
        "a table lacks it, nobody gets an alert, or a model is not retrained.",
        CloudWatchCondition(
            "AWS/Events",
            "FailedInvocations",
            0,
            watched="BatchArrived",
            also_watched=(
                "LabelsArrived",
                "BatchCommitted",
                "BatchForTables",
                "AlertRaised",
                "VersionDecided",
                "RetrainingRequested",
                "RetrainingAlert",
            ),
            statistic="Sum",
        ),
        None,
    ),
    Alarm(
        "UnscoredFilesAlarm",
        "The daily sweep found files that nothing came of; alerts/<model>/ names them.",
        CloudWatchCondition("Everscore", UNSCORED_FILES.name, 0, period_s=86400),
        f"{_last(UNSCORED_FILES)} > 0",
    ),
    Alarm(
        "SilenceAlarm",
        "No batch of any model has come for longer than this stack is ever without one.",
        CloudWatchCondition("Everscore", SILENCE.name, "SilenceAlarmSeconds", period_s=3600),
        f"{_last(SILENCE)} > 604800",
    ),
    Alarm(
        "HeartbeatAlarm",
        "metric_emission's tick has not been heard for three hours, so nobody watches the models.",
        CloudWatchCondition(
            "Everscore", MODELS.name, 1, statistic="SampleCount", period_s=3600, periods=3, beyond="below", missing_is_bad=True
        ),
        f"(present_over_time({MODELS.prometheus}[7d]) unless present_over_time({MODELS.prometheus}[{HELD}])) "
        f"or absent_over_time({MODELS.prometheus}[7d])",
    ),
)

MODEL_ALERTS = tuple(ModelAlert(kind) for kind in AlertKind)


def with_rules() -> Iterator[Alarm | ModelAlert]:
    """Anything that Prometheus and Grafana have a rule for."""
    yield from (alarm for alarm in ALARMS if alarm.prometheus)
    yield from MODEL_ALERTS
