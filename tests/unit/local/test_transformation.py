"""The template as the embedded AWS takes it."""

import copy
import io
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.local.transformation import AsImage, AsZip, for_embedded_aws, read_template, with_definitions, zip_packages

IMAGE_FUNCTION = {
    "Type": "AWS::Serverless::Function",
    "Metadata": {"Dockerfile": "functions/Dockerfile", "DockerContext": "."},
    "Properties": {
        "PackageType": "Image",
        "ImageConfig": {"Command": ["functions.scoring.handler.handler"]},
        "Timeout": 300,
        "MemorySize": {"Ref": "MemoryMb"},
        "Environment": {"Variables": {"POWERTOOLS_SERVICE_NAME": "scoring"}},
    },
}
TEMPLATE: dict[str, Any] = {
    "Parameters": {"MemoryMb": {"Type": "Number", "Default": 1769}, "Email": {"Type": "String", "Default": ""}},
    "Resources": {"Scoring": IMAGE_FUNCTION, "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Email"}}}},
}

names = st.text("ABCDEFabcdef", min_size=1, max_size=5)
parts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | names.map(lambda name: {"Ref": name}),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(names, children, max_size=3),
    max_leaves=10,
)


def transformed(template: dict[str, Any], parameters: dict[str, str] | None = None) -> dict[str, Any]:
    packing = AsZip("s3://code/functions.zip", "python3.13")
    return for_embedded_aws(template, parameters or {}, packing=packing, variables={"PYTHONPATH": "/site"})


def test_an_image_function_becomes_a_zip_with_the_images_command_as_handler() -> None:
    scoring = transformed(TEMPLATE)["Resources"]["Scoring"]
    assert scoring == {
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Handler": "functions.scoring.handler.handler",
            "Runtime": "python3.13",
            "CodeUri": "s3://code/functions.zip",
            "Timeout": 300,
            "MemorySize": 1769,
            "Environment": {"Variables": {"POWERTOOLS_SERVICE_NAME": "scoring", "PYTHONPATH": "/site"}},
        },
    }


def test_an_image_function_may_stay_one_of_an_image_that_docker_has() -> None:
    template = for_embedded_aws(TEMPLATE, {}, packing=AsImage("scoring:everscore"), variables={"AWS_ENDPOINT_URL": "http://172.17.0.1:1"})
    scoring = template["Resources"]["Scoring"]
    assert "Metadata" not in scoring
    assert scoring["Properties"] == IMAGE_FUNCTION["Properties"] | {
        "ImageUri": "scoring:everscore",
        "MemorySize": 1769,
        "Environment": {"Variables": {"POWERTOOLS_SERVICE_NAME": "scoring", "AWS_ENDPOINT_URL": "http://172.17.0.1:1"}},
    }


def test_deployments_step_by_step_and_what_they_ask_are_left_out_and_their_alias_is_the_function() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["Resources"]["Scoring"]["Properties"] |= {
        "AutoPublishAlias": "live",
        "DeploymentPreference": {"Type": "AllAtOnce", "Hooks": {"PreTraffic": {"Ref": "Check"}}},
    }
    template["Resources"]["Check"] = copy.deepcopy(IMAGE_FUNCTION)
    template["Resources"]["Topic"]["Properties"]["Endpoint"] = {"Ref": "Scoring.Alias"}
    left = transformed(template)
    assert left["Resources"]["Topic"]["Properties"].pop("Endpoint") == {"Ref": "Scoring"}
    assert left == transformed(TEMPLATE)


def test_a_number_parameter_is_replaced_by_the_value_the_stack_is_created_with() -> None:
    assert transformed(TEMPLATE, {"MemoryMb": "512"})["Resources"]["Scoring"]["Properties"]["MemorySize"] == 512


def test_a_text_parameter_stays_a_reference() -> None:
    assert transformed(TEMPLATE)["Resources"]["Topic"]["Properties"]["DisplayName"] == {"Ref": "Email"}


def test_the_template_passed_in_stays_as_it_is() -> None:
    before = copy.deepcopy(TEMPLATE)
    transformed(TEMPLATE)
    assert before == TEMPLATE


@given(st.dictionaries(names, parts, max_size=4))
def test_what_is_no_image_function_and_no_number_stays_as_it_is(properties: dict[str, Any]) -> None:
    template = {"Parameters": {}, "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}}}
    assert transformed(template) == template


def test_short_tags_read_as_their_long_forms() -> None:
    text = """
    A: !Ref Inbox
    B: !GetAtt Inbox.Arn
    C: !Sub "${Inbox.Arn}/*"
    D: !Not [!Equals [!Ref Email, ""]]
    E: !GetAtt [Nested, Outputs.Name]
    F: !If [HasEmail, {X: !Ref Email}, !Ref AWS::NoValue]
    """
    assert read_template(text) == {
        "A": {"Ref": "Inbox"},
        "B": {"Fn::GetAtt": ["Inbox", "Arn"]},
        "C": {"Fn::Sub": "${Inbox.Arn}/*"},
        "D": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Email"}, ""]}]},
        "E": {"Fn::GetAtt": ["Nested", "Outputs.Name"]},
        "F": {"Fn::If": ["HasEmail", {"X": {"Ref": "Email"}}, {"Ref": "AWS::NoValue"}]},
    }


def test_a_zip_holds_the_code_of_the_packages_by_its_path(tmp_path: Path) -> None:
    for name, text in {
        "functions/__init__.py": "",
        "functions/scoring/handler.py": "x = 1\n",
        "functions/shared/loops.so": "compiled",
        "functions/Dockerfile": "",
        "infra/a.py": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with zipfile.ZipFile(io.BytesIO(zip_packages(tmp_path, ["functions"]))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "functions/__init__.py": b"",
            "functions/scoring/handler.py": b"x = 1\n",
            "functions/shared/loops.so": b"compiled",
        }


def test_the_same_files_give_the_same_zip(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.py").write_text("a = 1\n")
    first = zip_packages(tmp_path, ["p"])
    (tmp_path / "p" / "a.py").write_text("a = 1\n")
    assert zip_packages(tmp_path, ["p"]) == first


def test_numbers_in_a_functions_environment_are_written_out_as_a_process_needs_them() -> None:
    template = copy.deepcopy(TEMPLATE)
    template["Resources"]["Scoring"]["Properties"]["Environment"]["Variables"] = {"SIZE_MB": {"Ref": "MemoryMb"}}
    assert transformed(template)["Resources"]["Scoring"]["Properties"]["Environment"]["Variables"]["SIZE_MB"] == "1769"


def test_a_state_machines_definition_comes_into_the_template_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "machine.asl.yaml").write_text("StartAt: A\nStates: {A: {Type: Succeed}}\n")
    machine = {"Type": "AWS::Serverless::StateMachine", "Properties": {"Name": "n", "DefinitionUri": "machine.asl.yaml"}}
    template = {**TEMPLATE, "Resources": {**TEMPLATE["Resources"], "Machine": machine}}
    before = copy.deepcopy(template)
    found = with_definitions(template, tmp_path)
    assert found["Resources"]["Machine"]["Properties"] == {
        "Name": "n",
        "Definition": {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}},
    }
    assert found["Resources"]["Scoring"] == TEMPLATE["Resources"]["Scoring"]
    assert template == before


def test_an_alarm_on_a_sum_of_metrics_is_left_out_and_one_on_a_metric_is_not() -> None:
    alarms = {
        "Sum": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Id": "all", "Expression": "a + b"}]}},
        "One": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}},
    }
    assert transformed({**TEMPLATE, "Resources": alarms})["Resources"].keys() == {"One"}
