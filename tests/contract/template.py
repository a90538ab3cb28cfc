"""template.yaml as the contract tests read it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.local.transformation import read_template

ROOT = Path(__file__).parents[2]
TEMPLATE = read_template((ROOT / "template.yaml").read_text())
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def resources_of(kind: str) -> dict[str, dict[str, Any]]:
    """Properties by logical id."""
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


HOOK = "CodeCheck"
"""The function that CodeDeploy calls and nothing else; the others are woken by events and people."""
ALL_FUNCTION_PROPERTIES = resources_of("AWS::Serverless::Function")
FUNCTION_PROPERTIES = {name: properties for name, properties in ALL_FUNCTION_PROPERTIES.items() if name != HOOK}
QUEUES = resources_of("AWS::SQS::Queue")
SOURCES = [(name, event) for name, function in FUNCTION_PROPERTIES.items() for event in function["Events"].values()]


PAYLOADS = {"partitioning/plan": "Plan", "partitioning/commit": "Commit", "partitioning/give-up": "GiveUp", "scoring/partition": "Score"}
"""Sample events that the state machine sends, with the state that does."""


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """What every function's policies allow, with the function's logical id."""
    yield from ((name, statement) for name, statement in _of_policies() if statement["Effect"] == "Allow")


def denials() -> Iterator[tuple[str, dict[str, Any]]]:
    """What they deny, of what SAM allows it by policies of AWS's that name no resource."""
    yield from ((name, statement) for name, statement in _of_policies() if statement["Effect"] == "Deny")


def _of_policies() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, function in ALL_FUNCTION_PROPERTIES.items():
        for policy in function["Policies"]:
            yield from ((name, statement) for statement in policy["Statement"])


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def folder_of(function: str) -> str:
    """The package under functions/ that a function of the template runs."""
    [command] = ALL_FUNCTION_PROPERTIES[function]["ImageConfig"]["Command"]
    return command.split(".")[1]
