"""What each rule says of data whose answer is known."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from infra.prometheus.rules import RULES
from tests.integration.prometheus.server import ROOT, promtool

WRITTEN = {rule["alert"]: rule for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]}
STACK = {"stack": "shop"}
MODEL = STACK | {"model": "sales"}


def series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{', '.join(f'{label}="{value}"' for label, value in labels.items())}}}"


def queue(name: str) -> str:
    return series("everscore_queued_messages", STACK | {"queue": name})


def wait(name: str, **values: str) -> dict[str, str]:
    """A histogram's count and the bucket of an hour."""
    return {
        series(f"everscore_{name}_seconds_count", MODEL): values["count"],
        series(f"everscore_{name}_seconds_bucket", MODEL | {"le": "3600.0"}): values["within"],
    }


DEAD = "0 0 2 0 0"
"""A sample an hour. Two letters lie there at the tick of the third hour, and are gone at the next."""

# By alert: samples an hour by series; the hours at which it fires; its labels.
CASES: dict[str, tuple[dict[str, str], list[int], dict[str, str]]] = {
    "EverscoreScoringDeadLetters": ({queue("scoring_dead_letters"): DEAD}, [2], STACK | {"queue": "scoring_dead_letters"}),
    "EverscoreMetricDeadLetters": ({queue("metric_dead_letters"): DEAD}, [2], STACK | {"queue": "metric_dead_letters"}),
    "EverscoreNotificationDeadLetters": (
        {queue("notification_dead_letters"): DEAD},
        [2],
        STACK | {"queue": "notification_dead_letters"},
    ),
    "EverscoreCataloguingDeadLetters": (
        {queue("cataloguing_dead_letters"): DEAD},
        [2],
        STACK | {"queue": "cataloguing_dead_letters"},
    ),
    "EverscoreFailedEvents": ({queue("failed_events"): DEAD}, [2], STACK | {"queue": "failed_events"}),
    # Of four batches the third waited longer: reported for three hours.
    "EverscoreScoringQueueAge": (wait("wait", count="1 2 3 4 4 4 4 4", within="1 2 2 3 3 3 3 3"), [2, 3, 4], STACK),
    # The very first batch waited longer, and nothing came before it.
    "EverscoreMetricQueueAge": (wait("measuring_delay", count="_ 1 2 2 2 2 2", within="_ 0 1 1 1 1 1"), [1, 2, 3], STACK),
    # They lie there at each tick of three hours.
    **{
        f"Everscore{name.capitalize()}QueueAge": ({queue(name): "0 9 9 9 9 9 0 0"}, [4, 5], STACK)
        for name in ("notification", "cataloguing", "retraining")
    },
    "EverscoreUnscoredFiles": ({series("everscore_unscored_files", STACK): "0 3 3 0"}, [1, 2], STACK),
    "EverscoreSilence": ({series("everscore_silence_seconds", STACK): "601200 604800 608400 60"}, [2], STACK),
    # Heard for the last time in the third hour: silent for more than three hours from the seventh on.
    "EverscoreHeartbeat": ({series("everscore_models", STACK): "1 1 1 _ _ _ _ _ _"}, [6, 7], STACK),
    **{
        f"Everscore{kind.capitalize()}": (
            # Raised in the second hour, and a day old after the third: the tick reports it no more, and three hours later it ends.
            {series("everscore_alerts", MODEL | {"kind": kind}): "_ 1 1 _ _ _ _"},
            [1, 2, 3, 4, 5],
            MODEL | {"kind": kind},
        )
        for kind in ("drift", "performance", "quarantine", "failed", "silent", "stale", "unscored", "policy", "approval", "labels")
    },
}


def test_each_rule_has_a_case() -> None:
    assert set(CASES) == set(WRITTEN)


def expected(alert: str, labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    rule = WRITTEN[alert]
    annotations = {
        name: text.replace("{{ $labels.stack }}", labels.get("stack", "")).replace("{{ $labels.model }}", labels.get("model", ""))
        for name, text in rule["annotations"].items()
    }
    return {"exp_labels": {**labels, **rule["labels"]}, "exp_annotations": annotations}


def unit_test(alert: str, samples: Mapping[str, str], fires: list[int], labels: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": alert,
        "interval": "1h",
        "input_series": [{"series": name, "values": values} for name, values in samples.items()],
        "alert_rule_test": [
            {"eval_time": f"{hour}h", "alertname": alert, "exp_alerts": [expected(alert, labels)] if hour in fires else []}
            for hour in range(8)
        ],
    }


def run_promtool(folder: Path, tests: list[dict[str, object]]) -> None:
    file = folder / "tests.json"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1h", "tests": tests}))
    promtool("test", "rules", str(file))


def test_each_rule_fires_when_the_data_say_so_and_not_otherwise(tmp_path: Path) -> None:
    run_promtool(tmp_path, [unit_test(alert, *case) for alert, case in CASES.items()])


@pytest.mark.parametrize(("alert", "name"), [("EverscoreScoringQueueAge", "scoring"), ("EverscoreMetricQueueAge", "metric")])
@pytest.mark.parametrize(("waiting", "hours"), [("0 9 9 9 9 9 0 0", [4, 5]), ("9 9 9 0 0 0 0 0", [2]), ("0 9 9 0 9 9 9 0", [])])
def test_a_queue_that_is_stuck_is_called_before_a_single_wait_has_ended(
    alert: str, name: str, waiting: str, hours: list[int], tmp_path: Path
) -> None:
    run_promtool(tmp_path, [unit_test(alert, {queue(name): waiting}, hours, STACK)])


def test_a_fleet_that_was_never_heard_of_is_called_too(tmp_path: Path) -> None:
    run_promtool(tmp_path, [unit_test("EverscoreHeartbeat", {}, list(range(8)), {})])


def test_one_stack_that_falls_silent_is_called_though_another_is_heard(tmp_path: Path) -> None:
    samples = {series("everscore_models", {"stack": "shop"}): "1 _x8", series("everscore_models", {"stack": "bank"}): "1x9"}
    run_promtool(tmp_path, [unit_test("EverscoreHeartbeat", samples, [4, 5, 6, 7], STACK)])


def test_promtool_finds_a_rule_that_fires_when_it_should_not(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="FAILED"):
        run_promtool(tmp_path, [unit_test("EverscoreFailedEvents", {queue("failed_events"): DEAD}, [3], STACK)])


def test_the_configuration_is_one_that_prometheus_takes() -> None:
    promtool("check", "config", str(ROOT / "infra/prometheus/prometheus.yml"))
