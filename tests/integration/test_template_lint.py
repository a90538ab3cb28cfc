"""The templates by other people's eyes: SAM's, CloudFormation's linter's and checkov's, and the locked packages' audit."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from functions.shared.domain import layout
from infra import deploy as settings
from infra.cli import deploy as deploy_command
from infra.cli import deploy_checks
from infra.deploy import LONGEST_NAME, overrides, write_parameters
from infra.deployers import LONGEST_POLICY
from infra.local.image import base_image
from infra.local.transformation import read_template
from infra.places import ROOT
from tests.unit.cli.terminal import ended

STATE_MACHINES = sorted((ROOT / "infra" / "state_machines").glob("*.asl.*"))
TRANSFORM = """
import json, sys
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

asked = json.load(sys.stdin)
print(json.dumps(Translator({}, Parser()).translate(asked["template"], asked["parameters"])))
"""
PARSE = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType

print(json.dumps(CfnParameterOverridesType().convert((sys.stdin.read(),), None, None)))
"""
ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
PARSE_LINE = """
import importlib, json, sys

name, *arguments = json.load(sys.stdin)
command = importlib.import_module(f"samcli.commands.{name}.command").cli
print(json.dumps(command.make_context(name, arguments).params, default=str))
"""
PHYSICAL = {
    *("AlarmName", "BucketName", "DashboardName", "DBName", "FunctionName", "GroupName", "LogGroupName", "ManagedPolicyName"),
    *("QueueName", "RepositoryName", "RoleName", "RuleName", "StateMachineName", "TopicName"),
}
"""Properties by which CloudFormation gives a resource a name of its own, besides `Name`."""
LONGEST_INLINE = 10_240
"""Characters without blanks of all the policies that stand in one role."""
NO_REGISTRY = {"AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    subprocess.run(["make", ".sam/installed", ".audit/installed"], cwd=ROOT, check=True, capture_output=True)


def run(*command: str | Path, code: int = 0, text: str | None = None) -> str:
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False, env={**os.environ, **NO_REGISTRY})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_sam_finds_the_template_valid() -> None:
    run(ROOT / ".sam/bin/sam", "validate", "--lint")


def transform(**parameters: str) -> dict[str, Any]:
    """What CloudFormation gets after SAM's transformation. Images are named, as `sam package` would."""
    template = read_template((ROOT / "template.yaml").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["ImageUri"] = "000000000000.dkr.ecr.us-east-1.amazonaws.com/everscore:latest"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            definition = ROOT / resource["Properties"].pop("DefinitionUri")
            resource["Properties"]["Definition"] = yaml.safe_load(definition.read_text())
    asked = json.dumps({"template": template, "parameters": parameters})
    content: dict[str, Any] = json.loads(run(ROOT / ".sam/bin/python", "-c", TRANSFORM, text=asked))
    return content


@pytest.fixture(scope="module")
def transformed() -> dict[str, Any]:
    return transform()


def test_each_revision_publishes_a_version_of_scoring_and_none_of_its_own_goes_by_the_image() -> None:
    def version(**parameters: str) -> str:
        [name] = [name for name, resource in transform(**parameters)["Resources"].items() if resource["Type"] == "AWS::Lambda::Version"]
        return name

    assert len({version(Revision="a" * 64), version(Revision="b" * 64), version(), version(Revision="")}) == 3


def test_cloudformations_linter_finds_nothing_in_what_sam_makes_of_them_nor_in_any_state_machine(
    transformed: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "transformed.json").write_text(json.dumps(transformed))
    for path in STATE_MACHINES:
        text = path.read_text().replace("${Partition}", "aws")
        definition = yaml.safe_load(re.sub(r"\$\{\w+\}", "arn:aws:lambda:us-east-1:000000000000:function:any", text))
        properties = {"RoleArn": "arn:aws:iam::000000000000:role/any", "Definition": definition}
        machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
        (tmp_path / f"{path.stem}.json").write_text(json.dumps({"Resources": {"Machine": machine}}))
    # SAM has put a parameter's value in its place, which then seems unused (W2001).
    ours = [ROOT / "infra/mlflow.yaml", *tmp_path.glob("*.json")]
    run(ROOT / ".sam/bin/cfn-lint", "--ignore-checks", "W2001", "--template", *ours)


def test_there_is_a_state_machine_to_look_at() -> None:
    assert STATE_MACHINES


# What no action may do after the transformation, when every role stands there in full


def policies(transformed: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What every role and managed policy of ours allows, with the resource's name."""
    found = []
    for name, resource in transformed["Resources"].items():
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", []) if isinstance(policy, dict)]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        found += [(name, statement) for document in documents for statement in document["Statement"] if statement["Effect"] == "Allow"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_role_may_do_any_action_or_act_on_anything_but_where_aws_has_no_resource(transformed: dict[str, Any]) -> None:
    without_resources = {"cloudwatch:GetMetricData", "cloudwatch:ListMetrics", "cloudwatch:DescribeAlarmsForMetric", "tag:GetResources"}
    statements = policies(transformed)
    assert {"ScoringRole", "RetrainingRole"} <= {name for name, _ in statements}
    for name, statement in statements:
        actions = set(as_list(statement["Action"]))
        assert not [action for action in actions if "*" in action], name
        assert "*" not in as_list(statement["Resource"]) or actions <= without_resources, name


def test_codedeploy_is_trusted_by_the_name_that_it_has_in_each_partition(transformed: dict[str, Any]) -> None:
    roles = {name: resource for name, resource in transformed["Resources"].items() if resource["Type"] == "AWS::IAM::Role"}
    assert "CodeDeployServiceRole" not in roles, "SAM's own trusts codedeploy.amazonaws.com, which CodeDeploy in China is not"
    [trusted] = roles["CodeDeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert transformed["Resources"]["ScoringDeploymentGroup"]["Properties"]["ServiceRoleArn"] == {"Fn::GetAtt": ["CodeDeployRole", "Arn"]}

    def named(region: str, suffix: str) -> str:
        text: str = trusted["Principal"]["Service"]["Fn::Sub"]
        return text.replace("${AWS::Region}", region).replace("${AWS::URLSuffix}", suffix)

    # As AWS's CDK has them, after corrections by people who deployed there (aws-cdk #18505).
    assert named("eu-central-1", "amazonaws.com") == "codedeploy.eu-central-1.amazonaws.com"
    assert named("cn-north-1", "amazonaws.com.cn") == "codedeploy.cn-north-1.amazonaws.com.cn"
    assert named("us-gov-west-1", "amazonaws.com") == "codedeploy.us-gov-west-1.amazonaws.com"


def test_no_role_or_policy_is_longer_than_iam_lets_it_be(transformed: dict[str, Any]) -> None:
    longest = {"Store": "s" * 63, "Inbox": "i" * 63, "AWS::StackName": "n" * LONGEST_NAME}

    def size(policy: Any) -> int:
        """Characters without blanks where each reference becomes an ARN as long as they come."""
        match policy:
            case {"Fn::Sub": str(text)}:
                return len(re.sub(r"\$\{([\w:]+)[^}]*\}", lambda found: longest.get(found[1], "x" * 24), text)) + 16
            case {"Fn::GetAtt": _} | {"Ref": _} | {"Fn::Sub": _} | {"Fn::If": _}:
                return 120
            case dict():
                return sum(len(name) + 4 + size(value) for name, value in policy.items())
            case list():
                return sum(1 + size(value) for value in policy)
            case _:
                return len(str(policy)) + 3

    inline, managed = {}, {}
    for name, resource in transformed["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::Role":
            inline[name] = sum(size(policy["PolicyDocument"]) for policy in properties.get("Policies", []))
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            managed[name] = size(properties["PolicyDocument"])
    assert max(inline.values()) > 4000, "the largest are seen"
    assert {name: characters for name, characters in inline.items() if characters > LONGEST_INLINE} == {}
    assert {name: characters for name, characters in managed.items() if characters > LONGEST_POLICY} == {}


def test_managed_policies_of_aws_are_those_that_sam_grants_for_logs_traces_and_queues(transformed: dict[str, Any]) -> None:
    roles = [resource for resource in transformed["Resources"].values() if resource["Type"] == "AWS::IAM::Role"]
    granted = {json.dumps(arn).split("/")[-1].rstrip('"}]') for role in roles for arn in role["Properties"].get("ManagedPolicyArns", [])}
    assert granted == {
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaSQSQueueExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSXrayWriteOnlyAccess",
        "AWSCodeDeployRoleForLambdaLimited",
    }


def test_an_operator_may_write_policies_and_what_people_say_about_alerts(transformed: dict[str, Any]) -> None:
    statements = transformed["Resources"]["Operators"]["Properties"]["PolicyDocument"]["Statement"]
    written = [
        pattern["Fn::Sub"]
        for statement in statements
        if "s3:PutObject" in as_list(statement["Action"])
        for pattern in as_list(statement["Resource"])
    ]
    for key in (layout.policy_key("sales", 1), layout.causes_key("sales")):
        assert any(fnmatchcase("${Store.Arn}/" + key, pattern) for pattern in written), key
    assert not any(fnmatchcase("${Store.Arn}/" + layout.release_key("sales"), pattern) for pattern in written)


def test_every_function_and_schedule_may_use_the_key_of_ones_own_and_functions_are_traced_and_log_to_the_group_that_forgets(
    transformed: dict[str, Any],
) -> None:
    functions = {
        name: resource["Properties"] for name, resource in transformed["Resources"].items() if resource["Type"] == "AWS::Lambda::Function"
    }
    may = {role["Ref"] for role in transformed["Resources"]["KeyUse"]["Properties"]["Roles"]}
    schedules = {
        resource["Properties"]["Target"]["RoleArn"]["Fn::GetAtt"][0]
        for resource in transformed["Resources"].values()
        if resource["Type"] == "AWS::Scheduler::Schedule"
    }
    assert len(schedules) == 6
    assert may == {*(f"{name}Role" for name in functions), "PartitionedScoringRole"} | schedules
    for name, properties in functions.items():
        assert properties["TracingConfig"] == {"Mode": "Active"}, name
        assert properties["LoggingConfig"] == {"LogGroup": {"Ref": "Logs"}}, name
    assert "RetentionInDays" in transformed["Resources"]["Logs"]["Properties"]


# Checks of others, left out only with a reason


NOTHING = {"Ref": "AWS::NoValue"}


def by_defaults(template: dict[str, Any]) -> dict[str, Any]:
    """A template without conditions: what stands in it where each parameter has its default."""
    defaults = {name: parameter["Default"] for name, parameter in template.get("Parameters", {}).items()}

    def holds(condition: Any) -> bool:
        [(operator, operands)] = condition.items()
        match operator:
            case "Fn::Equals":
                one, other = (defaults[value["Ref"]] if isinstance(value, dict) else value for value in operands)
                return str(one) == str(other)
            case "Fn::Not":
                return not holds(operands[0])
            case _:
                raise NotImplementedError(operator)

    conditions = {name: holds(condition) for name, condition in template.get("Conditions", {}).items()}

    def chosen(value: Any) -> Any:
        match value:
            case {"Fn::If": [condition, then, otherwise]}:
                return chosen(then if conditions[condition] else otherwise)
            case dict():
                return {name: part for name, inner in value.items() if (part := chosen(inner)) != NOTHING}
            case list():
                return [part for inner in value if (part := chosen(inner)) != NOTHING]
            case _:
                return value

    resources = {
        name: chosen({part: value for part, value in resource.items() if part != "Condition"})
        for name, resource in template["Resources"].items()
        if conditions.get(resource.get("Condition"), True)
    }
    kept = {part: chosen(value) for part, value in template.items() if part in {"AWSTemplateFormatVersion", "Transform", "Globals"}}
    return {**kept, "Parameters": template.get("Parameters", {}), "Resources": resources}


def test_the_defaults_choose_between_what_conditions_offer() -> None:
    template = {
        "Parameters": {"Key": {"Default": ""}, "Days": {"Default": 0}},
        "Conditions": {"HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Key"}, ""]}]}, "KeepsAll": {"Fn::Equals": [{"Ref": "Days"}, 0]}},
        "Resources": {
            "Sealed": {"Type": "T", "Condition": "HasKey"},
            "Kept": {"Type": "T", "Condition": "KeepsAll", "Properties": {"Rules": [1, {"Fn::If": ["HasKey", 2, NOTHING]}, 3]}},
            "Plain": {
                "Type": "T",
                "Properties": {"Key": {"Fn::If": ["HasKey", {"Ref": "Key"}, NOTHING]}, "Own": {"Fn::If": ["KeepsAll", 7, 8]}},
            },
        },
    }
    assert by_defaults(template)["Resources"] == {
        "Kept": {"Type": "T", "Properties": {"Rules": [1, 3]}},
        "Plain": {"Type": "T", "Properties": {"Own": 7}},
    }


def test_cloudformation_can_make_what_the_defaults_ask_for_in_china_and_for_the_government(
    transformed: dict[str, Any], tmp_path: Path
) -> None:
    """By what CloudFormation's linter knows of the types and properties that each region has."""
    file = tmp_path / "resolved.json"
    file.write_text(json.dumps(by_defaults(transformed)))
    regions = ("us-east-1", "eu-central-1", "cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1")
    run(ROOT / ".sam/bin/cfn-lint", "--ignore-checks", "W2001", "--regions", *regions, "--template", file)


def test_checkov_finds_nothing_but_what_is_left_out_for_a_reason() -> None:
    run(ROOT / ".audit/bin/checkov", "--config-file", "infra/checkov.yaml", "--file", "template.yaml", "infra/mlflow.yaml")


@pytest.mark.parametrize("template", ["template.yaml", "infra/mlflow.yaml"])
def test_checkov_finds_no_more_in_what_the_defaults_make_of_the_conditions(template: str, tmp_path: Path) -> None:
    file = tmp_path / "resolved.json"
    file.write_text(json.dumps(by_defaults(read_template((ROOT / template).read_text()))))
    run(ROOT / ".audit/bin/checkov", "--config-file", "infra/checkov-defaults.yaml", "--file", file)


def test_checkov_finds_nothing_in_the_dockerfile_but_what_is_left_out_for_a_reason() -> None:
    run(ROOT / ".audit/bin/checkov", "--config-file", "infra/checkov-dockerfile.yaml", "--file", "functions/Dockerfile")


def test_the_base_image_is_pinned_by_its_digest_and_is_of_the_python_that_is_locked() -> None:
    python = re.escape((ROOT / ".python-version").read_text().strip())
    assert re.fullmatch(rf"public\.ecr\.aws/lambda/python:{python}@sha256:[0-9a-f]{{64}}", base_image())
    assert read_template((ROOT / "template.yaml").read_text())["Parameters"]["Base"]["Default"] == base_image()


@pytest.mark.parametrize("config", sorted((ROOT / "infra").glob("checkov*.yaml")), ids=lambda config: config.name)
def test_each_check_that_is_left_out_says_why(config: Path) -> None:
    lines = [line for line in config.read_text().splitlines() if line.startswith("  - ")]
    assert lines
    assert all(re.fullmatch(r"  - CKV\w+  # .{20,}", line) for line in lines)


def test_the_audit_finds_no_known_vulnerability_or_says_that_it_could_not_look() -> None:
    done = subprocess.run(["infra/audit.sh"], cwd=ROOT, capture_output=True, text=True, check=False)
    looked = done.returncode == 0
    reported = done.returncode == 75 and "NOT audited" in done.stderr
    assert looked or reported, done.stdout + done.stderr


def test_the_audit_looks_at_every_lock_even_those_of_options(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "infra").mkdir()
    shutil.copy(ROOT / "infra/audit.sh", tmp_path / "infra")
    auditor = tmp_path / ".audit/bin/pip-audit"
    auditor.parent.mkdir(parents=True)
    auditor.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/asked"\necho PYSEC-2021-66\ncase "$*" in *catboost*) exit 1; esac\n')
    auditor.chmod(0o700)
    done = subprocess.run([tmp_path / "infra/audit.sh"], capture_output=True, text=True, check=False)
    asked = re.findall(r"requirements/(\S+)", (tmp_path / "asked").read_text())
    assert (done.returncode, asked) == (1, sorted(file.name for file in (ROOT / "requirements").glob("*.txt")))


@pytest.mark.parametrize("option", [None, "catboost"])
def test_the_bill_of_materials_lists_what_the_image_holds_with_its_hashes(option: str | None, tmp_path: Path) -> None:
    for name in ("Makefile", "requirements", ".audit", ".tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    subprocess.run(["make", "bill", f"WITH={option or ''}"], cwd=tmp_path, check=True, capture_output=True)
    components = json.loads((tmp_path / "build/everscore.cdx.json").read_text())["components"]
    listed = {component["name"].lower() for component in components}
    locks = [(ROOT / f"requirements/{name}.txt").read_text() for name in ("functions", option) if name]
    assert listed == {name.lower() for lock in locks for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    assert all(found["hashes"] for component in components for found in component["externalReferences"])


def test_environments_deploy_under_names_of_their_own_with_parameters_that_there_are() -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    parameters = read_template((ROOT / "template.yaml").read_text())["Parameters"]
    deployed = {name: configured[name]["deploy"]["parameters"] for name in ("dev", "prod")}
    assert len({options["stack_name"] for options in deployed.values()}) == 2
    for options in deployed.values():
        assert set(options["parameter_overrides"]) <= set(parameters)


@pytest.mark.parametrize(
    "odd", ["cron(0 4 * * ? *)", 'a "quoted" word', "a=b,c=d", "it's", "\\d+", "ParameterKey=A,ParameterValue=B", "é 中"]
)
def test_sams_own_parser_reads_each_parameter_as_it_was_written(odd: str, tmp_path: Path) -> None:
    values = overrides("prod", "x86_64", "sha256:1") | {"AlarmEmail": odd}
    file = tmp_path / "parameters.yaml"
    file.write_text(json.dumps(values))
    assert json.loads(run(ROOT / ".sam/bin/python", "-c", PARSE, text=f"file://{file}")) == values


# What is named when the stack is made


def test_no_resource_has_a_name_that_a_second_stack_in_the_account_would_want_too(transformed: dict[str, Any]) -> None:
    def names() -> Iterator[tuple[str, Any]]:
        for logical, resource in transformed["Resources"].items():
            named_in_itself = resource["Type"] == "AWS::Lambda::Alias"
            for key, value in () if named_in_itself else resource.get("Properties", {}).items():
                if (key == "Name" or key in PHYSICAL) and "Ref" not in value:
                    yield f"{logical}.{key}", value

    found = dict(names())
    assert found
    assert {name: value for name, value in found.items() if "AWS::StackName" not in json.dumps(value)} == {}


def test_no_event_source_has_tags_of_its_own_which_regions_of_china_and_the_government_refuse(transformed: dict[str, Any]) -> None:
    sources = [
        resource["Properties"] for resource in transformed["Resources"].values() if resource["Type"] == "AWS::Lambda::EventSourceMapping"
    ]
    assert len(sources) == 5
    assert not any("Tags" in source for source in sources)  # "extraneous key [Tags] is not permitted" (aws-cdk #31532, #31965)


def test_each_revision_changes_the_function_that_a_version_is_published_of() -> None:
    def scoring(revision: str) -> dict[str, Any]:
        resources = transform(Revision=revision)["Resources"]
        [version] = [resource for resource in resources.values() if resource["Type"] == "AWS::Lambda::Version"]
        properties: dict[str, Any] = resources[version["Properties"]["FunctionName"]["Ref"]]["Properties"]
        return properties

    assert scoring("a" * 64) != scoring("b" * 64)


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_every_arn_is_of_the_partition_that_the_stack_is_in(partition: str) -> None:
    files = [ROOT / "template.yaml", ROOT / "infra/mlflow.yaml", *STATE_MACHINES]
    text = "".join(file.read_text() for file in files).replace("${Partition}", partition).replace("${AWS::Partition}", partition)
    assert set(re.findall(r"\barn:([^:\s]+):", text)) == {partition}


@pytest.mark.parametrize("architecture", read_template((ROOT / "template.yaml").read_text())["Parameters"]["Architecture"]["AllowedValues"])
def test_each_locked_package_of_the_image_has_a_wheel_for_each_architecture(architecture: str, tmp_path: Path) -> None:
    platform = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}[architecture]
    options = [
        "--target",
        tmp_path,
        "--python-platform",
        platform,
        "--python-version",
        "3.13",
        "--only-binary",
        ":all:",
        "--require-hashes",
    ]
    run(ROOT / ".tools/bin/uv", "pip", "install", "--dry-run", *options, "--requirement", "requirements/functions.txt")


# What a deployment of scoring waits for, and who may send to the queues


def test_a_ringing_alarm_stops_a_deployment_unless_somebody_says_why_not(transformed: dict[str, Any]) -> None:
    group = transformed["Resources"]["ScoringDeploymentGroup"]["Properties"]["AlarmConfiguration"]
    guarded = {"Enabled": True, "Alarms": [{"Name": {"Ref": "ScoringErrorsAlarm"}}]}
    past: dict[str, Any] = {}  # CodeDeploy's default is not to look at alarms
    assert transformed["Conditions"]["GoesPastAlarm"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ScoringPastAlarm"}, ""]}]}
    assert group == {"Fn::If": ["GoesPastAlarm", past, guarded]}


def test_each_rule_and_no_other_sender_may_send_to_the_queues(transformed: dict[str, Any]) -> None:
    resources = transformed["Resources"]
    rules = {name for name, resource in resources.items() if resource["Type"] == "AWS::Events::Rule"}
    [statement] = resources["QueuesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    senders = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert {arn["Fn::GetAtt"][0] for arn in senders} == rules
    assert len(senders) == 9


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[dict[str, Any]]]:
    """What `everscore deploy` with some options asks of SAM, as SAM's own command line understands it."""
    asked: list[list[str]] = []
    monkeypatch.setattr(deploy_checks, "account_and_region", lambda: {"account": "0", "identity": "ann", "region": "us-east-1"})
    monkeypatch.setattr(deploy_checks, "docker", lambda: None)
    monkeypatch.setattr(deploy_checks, "base_of_aws", lambda _: None)
    monkeypatch.setattr(deploy_checks, "failed_at_first", lambda _: False)
    monkeypatch.setattr(settings, "image_id", lambda: "sha256:1")
    monkeypatch.setattr("infra.repository.image_repository", lambda stack: f"{ECR}/{stack}")
    monkeypatch.setattr("infra.repository.keep_running_image", lambda *_: True)
    monkeypatch.setattr(settings, "running_image", lambda _: "")
    monkeypatch.setattr(settings, "write_parameters", lambda values, _: write_parameters(values, tmp_path))
    monkeypatch.setattr(deploy_command, "_run", lambda _, *arguments, root: asked.append([*arguments]))
    outputs = [{"OutputKey": name, "OutputValue": f"made-{name}"} for name in ("MlflowTrackingUri", "MlflowArtifactBucket")]
    described = SimpleNamespace(describe_stacks=lambda **_: {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}]})
    monkeypatch.setattr("boto3.client", lambda _: described)
    monkeypatch.chdir(ROOT)

    def understood(options: str) -> list[dict[str, Any]]:
        assert ended(f"deploy {options} --yes --no-trial --json", monkeypatch) == 0
        return [json.loads(run(ROOT / ".sam/bin/python", "-c", PARSE_LINE, text=json.dumps(arguments))) for arguments in asked]

    return understood


def test_sams_own_command_line_understands_what_a_deployment_asks_of_it(typed: Callable[[str], list[dict[str, Any]]]) -> None:
    build, deploy = typed("prod --architecture arm64 --parameter With=catboost")
    assert (build["parameter_overrides"]["Architecture"], build["parameter_overrides"]["With"]) == ("arm64", "catboost")
    assert build["parameter_overrides"]["Base"] == base_image()
    assert (deploy["stack_name"], deploy["capabilities"], deploy["confirm_changeset"]) == ("everscore-prod", ["CAPABILITY_IAM"], False)
    assert (deploy["image_repository"], deploy["resolve_image_repos"]) == (f"{ECR}/everscore-prod", False)
    assert deploy["tags"] == {"application": "everscore", "environment": "prod"}
    assert (deploy["parameter_overrides"]["With"], deploy["parameter_overrides"]["LogRetentionDays"]) == ("catboost", "90")
    assert deploy["parameter_overrides"].keys() == read_template((ROOT / "template.yaml").read_text())["Parameters"].keys()


def test_a_deployment_with_mlflow_deploys_that_first_and_hands_over_what_it_made(typed: Callable[[str], list[dict[str, Any]]]) -> None:
    build, mlflow, deploy = typed("dev --mlflow --architecture x86_64")
    assert build["parameter_overrides"]["Architecture"] == "x86_64"
    assert (mlflow["stack_name"], mlflow["template_file"]) == ("everscore-dev-mlflow", str(ROOT / "infra/mlflow.yaml"))
    assert (mlflow["capabilities"], mlflow["fail_on_empty_changeset"]) == (["CAPABILITY_IAM"], False)
    assert deploy["stack_name"] == "everscore-dev"
    given = {name: deploy["parameter_overrides"][name] for name in ("MlflowTrackingUri", "MlflowArtifactBucket", "MlflowKmsKeyArn")}
    assert given == {
        "MlflowTrackingUri": "made-MlflowTrackingUri",
        "MlflowArtifactBucket": "made-MlflowArtifactBucket",
        "MlflowKmsKeyArn": "",
    }
