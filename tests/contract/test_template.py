"""What template.yaml promises, checked without AWS."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from functions.shared.domain.envelopes import LAST_DELIVERY
from infra.local.embedded import FUNCTIONS
from infra.local.transformation import read_template
from tests.contract.template import (
    ALL_FUNCTION_PROPERTIES,
    FUNCTION_PROPERTIES,
    PAYLOADS,
    QUEUES,
    RESOURCES,
    ROOT,
    SOURCES,
    TEMPLATE,
    as_list,
    denials,
    folder_of,
    resources_of,
    statements,
)

EVENTS = sorted((ROOT / "events").glob("*/*.json"))


def name_of(event: Path) -> str:
    """Function and case of a sample event."""
    return f"{event.parent.name}/{event.stem}"


# Functions


@pytest.mark.parametrize("function", FUNCTION_PROPERTIES)
def test_each_command_names_a_handler_of_the_repository(function: str) -> None:
    [command] = FUNCTION_PROPERTIES[function]["ImageConfig"]["Command"]
    module, name = command.rsplit(".", 1)
    assert callable(getattr(import_module(module), name))


def test_all_functions_are_the_same_image_so_that_it_is_built_once() -> None:
    images = [resource["Metadata"] for resource in RESOURCES.values() if resource["Type"] == "AWS::Serverless::Function"]
    assert all(image == images[0] for image in images)
    assert all(function["PackageType"] == "Image" for function in FUNCTION_PROPERTIES.values())


def test_a_new_account_can_deploy_the_defaults() -> None:
    for function in FUNCTION_PROPERTIES.values():
        assert TEMPLATE["Parameters"][function["MemorySize"]["Ref"]]["Default"] <= 3008
        assert function["Timeout"] <= 900
    concurrency = sum(TEMPLATE["Parameters"][f"{name}Concurrency"]["Default"] for name in ("Scoring", "MetricEmission", "Partition"))
    assert concurrency <= 8, "ten at once is what a new account has; retraining and release need theirs"


def test_all_models_are_retrained_at_night_through_a_queue_that_leaves_room_in_an_account_of_ten_places() -> None:
    """What would call retraining itself, once a model, would take all places of the account from scoring."""
    events = ALL_FUNCTION_PROPERTIES["Retraining"]["Events"]
    assert {name: event["Type"] for name, event in events.items()} == {"Nightly": "ScheduleV2", "Requests": "SQS"}
    queue, at_once = events["Requests"]["Properties"], {"Ref": "RetrainingConcurrency"}
    assert (queue["Queue"], queue["ScalingConfig"]) == ({"Fn::GetAtt": ["RetrainingQueue", "Arn"]}, {"MaximumConcurrency": at_once})
    targets = {name: rule["Targets"][0]["Arn"] for name, rule in resources_of("AWS::Events::Rule").items() if name.startswith("Retraining")}
    assert targets == dict.fromkeys(("RetrainingRequested", "RetrainingAlert"), queue["Queue"])
    long = ("Scoring", "MetricEmission", "Partition", "Retraining")
    assert sum(TEMPLATE["Parameters"][f"{name}Concurrency"]["Default"] for name in long) <= 10


def test_what_the_command_needs_of_the_stack_is_an_output() -> None:
    assert set(FUNCTIONS) == {folder_of(name) for name in FUNCTION_PROPERTIES}
    assert {*FUNCTIONS.values(), "InboxBucket", "StoreBucket", "TopicArn"} <= TEMPLATE["Outputs"].keys()


def test_each_parameter_is_used_and_has_a_default() -> None:
    text = json.dumps([TEMPLATE["Resources"], TEMPLATE["Conditions"], TEMPLATE["Globals"]])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert f'{{"Ref": "{name}"}}' in text, name
        assert "Default" in parameter, name
    grouped = [name for group in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])


# Nothing is lost


def test_a_queue_with_a_consumer_gives_up_on_a_message_only_after_five_tries_and_keeps_it_then() -> None:
    for function, event in SOURCES:
        if event["Type"] != "SQS":
            continue
        queue = QUEUES[event["Properties"]["Queue"]["Fn::GetAtt"][0]]
        assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
        assert function != "ScoringFunction" or queue["RedrivePolicy"]["maxReceiveCount"] == LAST_DELIVERY
        assert queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0] in QUEUES
        assert queue["VisibilityTimeout"] == 6 * FUNCTION_PROPERTIES[function]["Timeout"]
        assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert "MaximumConcurrency" in event["Properties"]["ScalingConfig"]


def test_an_event_that_reaches_no_one_is_kept() -> None:
    kept = {"Arn": {"Fn::GetAtt": ["FailedEvents", "Arn"]}}
    for _, event in SOURCES:
        if event["Type"] != "SQS":
            assert event["Properties"]["DeadLetterConfig"] == kept
    for rule in resources_of("AWS::Events::Rule").values():
        assert all(target["DeadLetterConfig"] == kept for target in rule["Targets"])
    on_failure = TEMPLATE["Globals"]["Function"]["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
    assert on_failure["Destination"] == kept["Arn"]


def test_queues_that_keep_what_failed_keep_it_for_two_weeks_and_raise_an_alarm() -> None:
    watched = {
        alarm["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for alarm in resources_of("AWS::CloudWatch::Alarm").values()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    consumed = {event["Properties"]["Queue"]["Fn::GetAtt"][0] for _, event in SOURCES if event["Type"] == "SQS"}
    assert watched == set(QUEUES) - consumed
    assert all(queue["MessageRetentionPeriod"] == 14 * 24 * 3600 for queue in QUEUES.values())


def test_each_functions_errors_raise_an_alarm_that_reaches_the_topic() -> None:
    alarms = resources_of("AWS::CloudWatch::Alarm").values()
    watched = {alarm["Dimensions"][0]["Value"]["Ref"] for alarm in alarms if alarm.get("MetricName") == "Errors"}
    assert watched == set(FUNCTION_PROPERTIES)
    assert all(alarm["AlarmActions"] == [{"Ref": "Alarms"}] for alarm in alarms)


def test_only_notification_and_this_accounts_alarms_may_message_people() -> None:
    [policy] = resources_of("AWS::SNS::TopicPolicy").values()
    conditions = {statement["Principal"]["Service"]: statement.get("Condition") for statement in policy["PolicyDocument"]["Statement"]}
    assert conditions == {"cloudwatch.amazonaws.com": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}}
    publishing = {folder_of(name) for name, statement in statements() if "sns:Publish" in as_list(statement["Action"])}
    assert publishing == {"notification"}


# Buckets and rights


def test_buckets_are_versioned_private_encrypted_announced_and_outlive_the_stack() -> None:
    for name, bucket in resources_of("AWS::S3::Bucket").items():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4
        assert bucket["BucketEncryption"]
        assert bucket["NotificationConfiguration"]["EventBridgeConfiguration"]["EventBridgeEnabled"] is True
        assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
        assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate", "a first deployment that fails leaves no bucket behind"


def test_buckets_refuse_unencrypted_connections() -> None:
    denied = {
        policy["Bucket"]["Ref"]: policy["PolicyDocument"]["Statement"][0] for policy in resources_of("AWS::S3::BucketPolicy").values()
    }
    assert set(denied) == set(resources_of("AWS::S3::Bucket"))
    for statement in denied.values():
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_no_function_may_do_everything_or_act_on_everything() -> None:
    for function, statement in statements():
        assert not [action for action in as_list(statement["Action"]) if "*" in action], function
        for resource in as_list(statement["Resource"]):
            assert resource != "*", function
            assert "Fn::Sub" in resource or "Fn::GetAtt" in resource, function


def test_a_function_logs_to_the_stacks_group_alone_and_takes_messages_from_its_own_queue_alone() -> None:
    denied: dict[str, dict[str, Any]] = {name: {} for name in ALL_FUNCTION_PROPERTIES}
    for function, statement in denials():
        if "NotResource" in statement:
            denied[function] |= dict.fromkeys(statement["Action"], statement["NotResource"])
    queues = {function: event["Properties"]["Queue"] for function, event in SOURCES if event["Type"] == "SQS"}
    for function, not_resource in denied.items():
        logs = {"Fn::GetAtt": ["Logs", "Arn"]}
        expected = {"logs:CreateLogGroup": logs, "logs:CreateLogStream": logs, "logs:PutLogEvents": logs}
        if function in queues:
            expected |= {"sqs:ReceiveMessage": queues[function], "sqs:DeleteMessage": queues[function]}
        assert not_resource == expected, function


def test_analysts_may_read_tables_and_scored_files_and_nothing_else() -> None:
    *allowed, sealed = resources_of("AWS::IAM::ManagedPolicy")["Analysts"]["PolicyDocument"]["Statement"]
    may = {action for statement in allowed for action in as_list(statement["Action"])}
    assert {action for action in may if not action.startswith("glue:Get")} == {"s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"}
    [files] = [statement["Resource"] for statement in allowed if statement["Action"] == "s3:GetObject"]
    assert files == [{"Fn::Sub": "${Store.Arn}/tables/*"}, {"Fn::Sub": "${Store.Arn}/scored/*"}]
    [listed] = [statement["Condition"] for statement in allowed if statement["Action"] == "s3:ListBucket"]
    assert listed == {"StringLike": {"s3:prefix": ["tables/*", "scored/*"]}}
    [glue] = [statement["Resource"] for name, statement in statements() if "glue:GetTable" in as_list(statement["Action"])]
    assert [statement["Resource"] for statement in allowed if "glue:GetTable" in as_list(statement["Action"])] == [glue]
    assert sealed["Action"] == "kms:Decrypt"
    assert sealed["Resource"]["Fn::If"][:2] == ["HasKmsKey", {"Ref": "KmsKeyArn"}]


def test_buckets_to_import_are_those_of_the_stack_and_are_retained() -> None:
    """CloudFormation matches them by logical id, imports only what has a policy for deletion, and gives back no name of a bucket."""
    existing = read_template((ROOT / "infra/existing-buckets.yaml").read_text())["Resources"]
    assert {name: resource["Type"] for name, resource in existing.items()} == dict.fromkeys(
        resources_of("AWS::S3::Bucket"), "AWS::S3::Bucket"
    )
    assert {resource["DeletionPolicy"] for resource in existing.values()} == {"Retain"}
    assert all("BucketName" not in properties for properties in resources_of("AWS::S3::Bucket").values()), "a name that goes replaces it"
    page = (ROOT / "docs/deploying.md").read_text()
    assert all(f"LogicalResourceId={name}," in page for name in existing)


def test_the_code_of_a_function_that_may_be_in_a_vpc_touches_no_network_interface() -> None:
    """SAM lets its role make and delete any, since Lambda acts by that role; a call of the code itself names its function."""
    near = {name for name, function in ALL_FUNCTION_PROPERTIES.items() if "VpcConfig" in function}
    denying = {
        function
        for function, statement in denials()
        if (statement["Action"], statement.get("Resource")) == ("ec2:*", "*")
        and statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}
    }
    assert near == denying == {"Retraining", "Release"}
    for name in near:
        condition, inside, otherwise = ALL_FUNCTION_PROPERTIES[name]["VpcConfig"]["Fn::If"]
        assert (condition, otherwise) == ("HasMlflowSubnets", {"Ref": "AWS::NoValue"})
        groups = {"Fn::If": ["HasMlflowSecurityGroups", each("MlflowSecurityGroups"), {"Ref": "AWS::NoValue"}]}
        assert inside == {"SubnetIds": each("MlflowSubnets"), "SecurityGroupIds": groups}


def each(parameter: str) -> dict[str, Any]:
    """The parts between a parameter's commas."""
    return {"Fn::Split": [",", {"Ref": parameter}]}


def test_listing_is_limited_to_prefixes_the_function_works_on() -> None:
    for function, statement in statements():
        if "s3:ListBucket" in as_list(statement["Action"]):
            prefixes = as_list(statement["Condition"]["StringLikeIfExists"]["s3:prefix"])
            assert all(prefix.endswith("/*") and prefix != "/*" for prefix in prefixes), function


def test_who_may_read_a_prefix_may_list_it_so_that_a_missing_key_is_not_a_refusal() -> None:
    for function in FUNCTION_PROPERTIES:
        readable, listable = set(), set()
        for name, statement in statements():
            if name == function and "s3:GetObject" in as_list(statement["Action"]):
                readable |= {tuple(resource["Fn::Sub"].removeprefix("${").split(".Arn}/")) for resource in as_list(statement["Resource"])}
                assert "s3:GetObjectVersion" in statement["Action"]
            if name == function and "s3:ListBucket" in as_list(statement["Action"]):
                bucket = statement["Resource"]["Fn::GetAtt"][0]
                listable |= {(bucket, prefix) for prefix in as_list(statement["Condition"]["StringLikeIfExists"]["s3:prefix"])}
        assert readable <= listable, function


def test_no_function_may_write_to_the_inbox_or_change_a_policy() -> None:
    for function, statement in statements():
        changes = {"s3:PutObject"} if function == "Erasure" else {"s3:PutObject", "s3:DeleteObject"}  # it takes uploads away
        if changes & set(as_list(statement["Action"])):
            for resource in as_list(statement["Resource"]):
                assert resource["Fn::Sub"].startswith("${Store.Arn}/"), function
                assert "/policies/" not in resource["Fn::Sub"], function


# Events


def patterns() -> Iterator[tuple[str, dict[str, Any]]]:
    """What receives what: the package of a function, with the pattern that reaches it."""
    for name, event in SOURCES:
        if event["Type"] == "EventBridgeRule":
            yield folder_of(name), event["Properties"]["Pattern"]
    consumers = {event["Properties"]["Queue"]["Fn::GetAtt"][0]: folder_of(name) for name, event in SOURCES if event["Type"] == "SQS"}
    for rule in resources_of("AWS::Events::Rule").values():
        for target in rule["Targets"]:
            yield consumers[target["Arn"]["Fn::GetAtt"][0]], rule["EventPattern"]


def value_of(choice: Any, event: dict[str, Any]) -> Any:
    """What a reference in a pattern stands for in the stack that the sample events are of."""
    match choice:
        case {"Ref": "AWS::StackName"}:
            return "everscore"
        case {"Ref": "Inbox" | "Store" as bucket}:
            name = event["detail"]["bucket"]["name"]
            return name if name.startswith(f"everscore-{bucket.lower()}-") else None
        case _:
            return choice


def matches(pattern: Any, value: Any, event: dict[str, Any]) -> bool:
    """EventBridge's rule for the operators used here: objects by field, lists of values, prefixes or wildcards."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(field in value and matches(part, value[field], event) for field, part in pattern.items())
    return any(is_chosen(choice, value, event) for choice in pattern)


def is_chosen(choice: Any, value: Any, event: dict[str, Any]) -> bool:
    match choice:
        case {"prefix": str(prefix)}:
            return isinstance(value, str) and value.startswith(prefix)
        case {"wildcard": str(wildcard)}:
            return isinstance(value, str) and fnmatchcase(value, wildcard)
    return bool(value_of(choice, event) == value)


def receivers(event: dict[str, Any]) -> set[str]:
    return {receiver for receiver, pattern in patterns() if matches(pattern, event, event)}


def test_rules_choose_what_people_upload_by_prefix_only_so_that_no_file_is_overlooked() -> None:
    for _, pattern in patterns():
        if pattern["source"] == ["aws.s3"]:
            assert pattern.keys() == {"source", "detail-type", "detail"}
            assert pattern["detail"].keys() == {"bucket", "object"}
            operators = {operator for choice in pattern["detail"]["object"]["key"] for operator in choice}
            assert operators == {"prefix"} or pattern["detail"]["bucket"]["name"] == [{"Ref": "Store"}]


def deliveries(event: dict[str, Any]) -> list[dict[str, Any]]:
    """What the template's rules and schedules see of a sample event: the bodies, where it came through a queue."""
    return [json.loads(record["body"]) for record in event["Records"]] if "Records" in event else [event]


HOOKS = {
    folder_of(hook["Ref"])
    for function in FUNCTION_PROPERTIES.values()
    for hook in function.get("DeploymentPreference", {}).get("Hooks", {}).values()
}
"""Functions that CodeDeploy asks."""


@pytest.mark.parametrize(
    "path",
    [path for path in EVENTS if not path.stem.endswith("-by-hand") and name_of(path) not in PAYLOADS and path.parent.name not in HOOKS],
    ids=lambda path: f"{path.parent.name}/{path.stem}",
)
def test_each_sample_event_that_no_person_sent_is_one_that_the_template_delivers_to_its_function(path: Path) -> None:
    inputs = [
        json.loads(source["Properties"]["Input"])
        for name, source in SOURCES
        if source["Type"] == "ScheduleV2" and folder_of(name) == path.parent.name
    ]
    alert, decision, manifest = {"retraining", "notification"}, {"release", "notification"}, {"metric_emission", "cataloguing"}
    said = {"alert": alert, "alert-raised": alert, "decision-created": decision, "decision-made": decision}
    said |= {"manifest-created": manifest, "several-manifests": manifest}
    expected = said.get(path.stem, {path.parent.name})
    for event in deliveries(json.loads(path.read_text())):
        assert event.get("Event") == "s3:TestEvent" or event in inputs or receivers(event) == expected


def test_each_way_into_a_function_has_a_sample_event() -> None:
    shown = [(path.parent.name, event) for path in EVENTS for event in deliveries(json.loads(path.read_text()))]
    for name, source in SOURCES:
        if source["Type"] == "ScheduleV2":
            assert (folder_of(name), json.loads(source["Properties"]["Input"])) in shown
    for receiver, pattern in patterns():
        assert any(matches(pattern, event, event) for folder, event in shown if receiver == folder), receiver


def test_an_event_of_another_stack_in_the_account_wakes_nobody() -> None:
    [event] = deliveries(json.loads((ROOT / "events/retraining/requested.json").read_text()))
    assert receivers(event) == {"retraining"}
    assert receivers({**event, "detail": {"stack": "staging", "model": "flights"}}) == set()
