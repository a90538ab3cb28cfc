"""What the state machine's definition promises, checked without AWS."""

import builtins
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
import yaml

from functions.shared.domain import errors
from tests.contract.template import FUNCTION_PROPERTIES, PAYLOADS, RESOURCES, ROOT, resources_of

[(NAME, MACHINE)] = resources_of("AWS::Serverless::StateMachine").items()
TEXT = (ROOT / MACHINE["DefinitionUri"]).read_text()
DEFINITION: dict[str, Any] = yaml.safe_load(TEXT)
STATES: dict[str, Any] = DEFINITION["States"]
WORKER: dict[str, Any] = STATES["Score"]["ItemProcessor"]["States"]["ScorePartition"]
TASKS = {**{name: state for name, state in STATES.items() if state["Type"] == "Task"}, "ScorePartition": WORKER}
OF_AWS = {
    *("States.ALL", "States.Timeout"),
    *("Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"),
    *("Lambda.ClientExecutionTimeoutException", "Lambda.Unknown", "Runtime.ExitError", "Sandbox.Timedout"),
}
"""Names that Step Functions and Lambda give errors that no code of ours raised."""


def substituted(values: Mapping[str, str]) -> str:
    text = TEXT
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    assert "${" not in text.replace("`${…}`", "")
    return text


@pytest.fixture
def deployed() -> dict[str, Any]:
    """The definition with names as they may be on AWS."""
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:f"
    values = dict.fromkeys(MACHINE["DefinitionSubstitutions"], arn) | {"Store": "store", "Partition": "aws"}
    definition: dict[str, Any] = yaml.safe_load(substituted(values))
    return definition


def checked(command: list[str], file: Path) -> None:
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_language_of_states_is_spoken_as_it_is_specified(deployed: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "definition.asl.json"
    file.write_text(json.dumps(deployed))
    checked([str(ROOT / ".asl/node_modules/.bin/asl-validator"), "--json-path"], file)


def test_cloudformation_takes_the_definition_as_a_resource_of_its_own(deployed: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/r", "Definition": deployed}
    file.write_text(json.dumps({"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}))
    checked([str(ROOT / ".sam/bin/cfn-lint"), "--template"], file)


def names(field: str) -> Iterator[str]:
    for state in [*STATES.values(), WORKER]:
        for rule in state.get(field, []):
            yield from rule["ErrorEquals"]


@pytest.mark.parametrize("name", sorted({*names("Retry"), *names("Catch")}))
def test_each_error_that_is_waited_for_is_one_that_exists(name: str) -> None:
    classes = [getattr(module, name, None) for module in (errors, botocore.exceptions, builtins)]
    assert name in OF_AWS or any(isinstance(found, type) and issubclass(found, Exception) for found in classes)


def test_what_cannot_help_is_not_tried_again() -> None:
    hopeless = {kind.__name__ for kind in (errors.PartitionsFailedError, errors.ConservationError, errors.InputError)}
    assert not hopeless & {*names("Retry")}
    assert "States.ALL" not in {*names("Retry")}


@pytest.mark.parametrize("name", TASKS)
def test_each_task_is_tried_again_alike_with_jitter_and_ends_after_its_function_would(name: str) -> None:
    task = TASKS[name]
    assert task["Retry"] == WORKER["Retry"]
    assert all(rule["JitterStrategy"] == "FULL" and rule["MaxAttempts"] >= 5 for rule in task["Retry"])
    called = task["Parameters"]["FunctionName"].strip("${}")
    assert task["TimeoutSeconds"] > FUNCTION_PROPERTIES[called]["Timeout"]


def test_each_function_is_called_by_its_own_name_and_one_whose_new_code_is_checked_by_its_alias() -> None:
    for task in TASKS.values():
        called = task["Parameters"]["FunctionName"].strip("${}")
        checked = "AutoPublishAlias" in FUNCTION_PROPERTIES[called]
        named = {"Ref": f"{called}.Alias"} if checked else {"Fn::GetAtt": [called, "Arn"]}
        assert MACHINE["DefinitionSubstitutions"][called] == named


def test_whatever_fails_for_good_ends_in_a_failed_manifest() -> None:
    for name in ("Plan", "Score", "Commit"):
        assert STATES[name]["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "GiveUp"}]
    assert "Catch" not in STATES["GiveUp"], "it must fail, so that the execution can be redriven"


def test_no_partition_may_fail_and_none_answers_what_grows_with_their_number() -> None:
    assert STATES["Score"]["ToleratedFailurePercentage"] == 0
    assert "ResultWriter" in STATES["Score"]
    assert STATES["Score"]["ResultPath"] is None


@pytest.mark.parametrize(("event", "state"), PAYLOADS.items())
def test_what_each_state_sends_has_a_sample_with_the_same_fields(event: str, state: str) -> None:
    payload = STATES[state]["ItemSelector"] if state == "Score" else STATES[state]["Parameters"]["Payload"]
    sample = json.loads((ROOT / "events" / f"{event}.json").read_text())
    assert {name.removesuffix(".$") for name in payload} == set(sample)
    assert payload.get("action") == sample.get("action")


def test_the_machine_is_called_by_its_fixed_name_since_it_calls_the_function_that_starts_it() -> None:
    arn = FUNCTION_PROPERTIES["Scoring"]["Environment"]["Variables"]["EVERSCORE_STATE_MACHINE"]["Fn::Sub"]
    assert arn.endswith(":stateMachine:" + MACHINE["Name"]["Fn::Sub"])
    assert NAME not in json.dumps(RESOURCES["Scoring"])
