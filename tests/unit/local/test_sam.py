"""What is read from SAM's template and put into it."""

import copy

from infra.local.containers import ContainerFunction
from infra.local.sam import logical_id, with_environments

TEMPLATE = {
    "Globals": {"Function": {"Environment": {"Variables": {"EVERSCORE_STORE": {"Ref": "Store"}}}}},
    "Resources": {
        "Store": {"Type": "AWS::S3::Bucket", "Properties": {}},
        "Scoring": {
            "Properties": {"ImageConfig": {"Command": ["functions.scoring.handler.handler"]}, "Environment": {"Variables": {"A": "1"}}}
        },
        "Release": {"Properties": {"ImageConfig": {"Command": ["functions.release.handler.handler"]}}},
    },
}


def function(name: str, **environment: str) -> ContainerFunction:
    return ContainerFunction(command=f"functions.{name}.handler.handler", memory_mb=1, timeout_s=1, environment=environment)


def test_a_function_is_found_by_its_command() -> None:
    assert [logical_id(TEMPLATE, function(name)) for name in ("release", "scoring")] == ["Release", "Scoring"]


def test_each_function_gets_exactly_its_own_environment_and_the_template_stays_as_it_was() -> None:
    before = copy.deepcopy(TEMPLATE)
    changed = with_environments(TEMPLATE, {"scoring": function("scoring", EVERSCORE_STORE="s"), "release": function("release", B="2")})
    assert changed["Resources"]["Scoring"]["Properties"]["Environment"] == {"Variables": {"EVERSCORE_STORE": "s"}}
    assert changed["Resources"]["Release"]["Properties"]["Environment"] == {"Variables": {"B": "2"}}
    assert changed["Resources"]["Store"] == before["Resources"]["Store"]
    assert before == TEMPLATE
