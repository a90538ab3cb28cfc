"""What was deployed, as AWS itself describes it: buckets, alarms, the alias, and what each function's role may do."""

import json
import re
from contextlib import suppress
from typing import Any

import pytest

from tests.aws.conftest import Account

FUNCTION_NAME = re.compile(r":live$")
FUNCTIONS = ("Scoring", "Partitioning", "MetricEmission", "Retraining", "Release", "Notification", "Erasure", "Cataloguing")
EXPIRES = {"quarantine/", "emitted/", "answers/", "partitions/"}
"""Prefixes of the store whose objects S3 deletes after days, in every deployment."""
NEVER = {
    "everything": ("iam:CreateUser", "*"),
    "change a function": ("lambda:UpdateFunctionCode", "*"),
    "write to the inbox": ("s3:PutObject", "inbox/batches/any.csv"),
    "change a policy": ("s3:PutObject", "store/policies/any/000001.json"),
    "delete a bucket": ("s3:DeleteBucket", "store"),
}
"""What no function may do; erasure alone rewrites uploads."""


@pytest.mark.parametrize("output", ["InboxBucket", "StoreBucket"])
def test_buckets_are_versioned_private_encrypted_and_refuse_plain_http(account: Account, output: str) -> None:
    s3, bucket = account.operator.client("s3"), account.operator.outputs[output]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    assert any(statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}} for statement in policy["Statement"])


def test_s3_deletes_what_need_not_be_kept(account: Account) -> None:
    s3, bucket = account.operator.client("s3"), account.operator.outputs["StoreBucket"]
    rules = []
    with suppress(s3.exceptions.from_code("NoSuchLifecycleConfiguration")):
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    expiring = {rule.get("Filter", {}).get("Prefix") or rule.get("Prefix") for rule in rules if "Days" in rule.get("Expiration", {})}
    assert expiring >= EXPIRES or (account.embedded and not rules), "an embedded AWS alone keeps no such rules"
    assert all(rule["Status"] == "Enabled" for rule in rules)


def test_each_alarm_is_there_and_reaches_the_topic(account: Account, record_property: Any) -> None:
    names = account.resources("AWS::CloudWatch::Alarm")
    cloudwatch = account.operator.client("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNames=names)
    found = {alarm["AlarmName"]: alarm for page in pages for alarm in page["MetricAlarms"]}
    assert set(found) == set(names)
    assert {action for alarm in found.values() for action in alarm["AlarmActions"]} == {account.operator.outputs["TopicArn"]}
    ringing = sorted(name for name, alarm in found.items() if alarm["StateValue"] == "ALARM")
    record_property("alarms", len(found))
    record_property("ringing", ", ".join(ringing) or "none")


def test_scorings_alias_names_one_published_version_and_no_deployment_is_under_way(account: Account, record_property: Any) -> None:
    name = FUNCTION_NAME.sub("", account.operator.outputs["ScoringFunction"])
    found = account.operator.client("lambda").list_aliases(FunctionName=name)["Aliases"]
    assert [alias["Name"] for alias in found] == ([] if account.embedded else ["live"]), "an embedded stack alone has no alias"
    for alias in found:
        assert alias["FunctionVersion"].isdigit()
        assert not (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"), "wait until the deployment has ended, and try again"
    record_property("version", ", ".join(alias["FunctionVersion"] for alias in found) or "none, since this is an embedded AWS")


def role_of(account: Account, function: str) -> str:
    configuration = account.operator.client("lambda").get_function_configuration(
        FunctionName=account.operator.outputs[f"{function}Function"]
    )
    role: str = configuration["Role"]
    return role


def test_each_function_has_a_role_of_its_own(account: Account) -> None:
    assert len({role_of(account, function) for function in FUNCTIONS}) == len(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_functions_role_may_do_none_of_what_no_function_needs(account: Account, function: str) -> None:
    assert allowed(account, function, NEVER if function != "Erasure" else {"change a function": NEVER["change a function"]}) == []


def test_what_iam_answers_here_can_be_believed(account: Account) -> None:
    assert allowed(account, "Scoring", {"read a batch": ("s3:GetObject", "inbox/batches/any.csv")}) == ["read a batch"]


def allowed(account: Account, function: str, asked: dict[str, tuple[str, str]]) -> list[str]:
    """Return which of these IAM would let a function's role do."""
    role, iam = role_of(account, function), account.operator.client("iam")
    partition = role.split(":")[1]
    buckets = {"inbox": account.operator.inbox.bucket, "store": account.operator.store.bucket}
    found = []
    for what, (action, place) in asked.items():
        bucket, slash, key = place.partition("/")
        resource = place if place == "*" else f"arn:{partition}:s3:::{buckets[bucket]}{slash}{key}"
        answer = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource])
        found += [what for result in answer["EvaluationResults"] if result["EvalDecision"] == "allowed"]
    return found
