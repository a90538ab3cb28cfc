"""The policies for roles that deploy, held to what CloudFormation's handlers ask for and to what IAM knows."""

import json
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import permutations
from typing import Any

import pytest

from functions.shared.domain import layout
from infra.deploy import LONGEST_NAME
from infra.deployers import LONGEST_POLICY, deployer_policies
from infra.places import ROOT
from tests.integration.test_template_lint import as_list, run, transform

SCHEMAS = ROOT / ".sam/lib/python3.13/site-packages/cfnlint/data/schemas/resources"
"""CloudFormation's own schemas, as its linter ships them; `handlers` are the rights that it asks of who deploys."""
UNUSED = {
    "s3:*Acl": "buckets have owners only",
    "s3:*Abac s3:*Accelerate* s3:*Analytics* s3:*CORS s3:*Cors s3:*Inventory* s3:*IntelligentTiering* s3:*Logging": "no bucket has any",
    "s3:*MetadataTable* s3:*MetadataJournal* s3:*MetadataInventory* s3:*MetadataAnnotation* s3:*Metrics*": "the same",
    "s3:*ObjectLock* s3:*Replication* s3:*Website s3tables:*": "the same",
    "s3:DeleteBucketEncryption s3:DeleteBucketLifecycle": "the template never drops them",
    "s3:REST.PUT.OBJECT firehose:* logs:*Delivery logs:*ResourcePolicy logs:PutDataProtectionPolicy logs:*IndexPolicy": "none is made",
    "logs:DeleteRetentionPolicy logs:PutBearerTokenAuthentication logs:PutLogGroupDeletionProtection": "the template sets none or keeps it",
    "lambda:*ProvisionedConcurrencyConfig lambda:*ScalingConfig lambda:PutRuntimeManagementConfig lambda:*CodeSigningConfig": "no function has it",
    "lambda:PutFunctionRecursionConfig lambda:PassCapacityProvider lambda:AssociateRuntimeAlias lambda:GetLayerVersion": "the same",
    "elasticfilesystem:* s3files:*": "no function mounts a file system",
    "kms:*": "a key of one's own has a policy of its own, which must let the deployer use it",
    "sns:PutDataProtectionPolicy codedeploy:RegisterOnPremisesInstance": "there is none",
    "iam:*GroupPolicy iam:*UserPolicy iam:*PermissionsBoundary": "policies go to roles, which have no boundary",
}
"""Rights that a handler may ask for, and never does for what the template sets; with the reason."""
OWN = "everscore-dev"
ACCOUNT = "us-east-1:123456789012"
LONGEST_NAMES = {
    "AWS::IAM::Role": (64, "arn:aws:iam::123456789012:role/{}"),
    "AWS::Lambda::Function": (64, f"arn:aws:lambda:{ACCOUNT}:function:{{}}"),
    "AWS::Events::Rule": (64, f"arn:aws:events:{ACCOUNT}:rule/{{}}"),
    "AWS::Scheduler::Schedule": (64, f"arn:aws:scheduler:{ACCOUNT}:schedule/default/{{}}"),
    "AWS::S3::Bucket": (63, "arn:aws:s3:::{}"),
    "AWS::SQS::Queue": (80, f"arn:aws:sqs:{ACCOUNT}:{{}}"),
    "AWS::CodeDeploy::Application": (100, f"arn:aws:codedeploy:{ACCOUNT}:application:{{}}"),
}
"""How long names of each type may be, and what policies know them by."""


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    subprocess.run(["make", ".sam/installed"], cwd=ROOT, check=True, capture_output=True)


def policies(stack: str = OWN) -> dict[str, dict[str, Any]]:
    return deployer_policies(stack, partition="aws", region="us-east-1", account="123456789012")


def allowed() -> Iterator[tuple[str, str]]:
    for document in policies().values():
        for statement in document["Statement"]:
            yield from ((action, resource) for action in as_list(statement["Action"]) for resource in as_list(statement["Resource"]))


def stored(key: str) -> str:
    return f"arn:aws:s3:::{OWN}-store-1/{key}"


def rights(arn: str) -> set[str]:
    """What a deployer may do with one resource."""
    return {action for action, resource in allowed() if fnmatchcase(arn, resource)}


def handlers(kind: str) -> dict[str, Any]:
    for file in SCHEMAS.glob("*.json"):
        if f'"{kind}"' in (text := file.read_text()) and (schema := json.loads(text)).get("typeName") == kind:
            found: dict[str, Any] = schema["handlers"]
            return found
    raise AssertionError(kind)


def test_a_deployer_may_do_all_that_cloudformation_does_for_each_resource_of_the_template() -> None:
    resources = transform()["Resources"].values()
    kinds = {found["Type"] for found in resources if found.get("Condition") not in {"WantsManagedPrometheus", "WantsManagedGrafana"}}
    assert {"AWS::S3::Bucket", "AWS::CodeDeploy::DeploymentGroup", "AWS::Scheduler::Schedule"} <= kinds
    asked = {right for kind in kinds for name, handler in handlers(kind).items() if name != "list" for right in handler["permissions"]}
    may = {action for action, _ in allowed()}
    unused = [pattern for patterns in UNUSED for pattern in patterns.split()]
    assert {right for right in asked - may if not any(fnmatchcase(right, pattern) for pattern in unused)} == set()
    assert {pattern for pattern in unused if not any(fnmatchcase(right, pattern) for right in asked - may)} == set(), "no reason is stale"


def test_what_a_deployer_may_do_reaches_no_other_stack() -> None:
    strange = [
        "arn:aws:s3:::other-store-1/scored/a.parquet",
        "arn:aws:sqs:us-east-1:123456789012:other-ScoringQueue-1",
        "arn:aws:lambda:us-east-1:123456789012:function:other-Scoring-1",
        "arn:aws:iam::123456789012:role/Admin",
        "arn:aws:cloudformation:us-east-1:123456789012:stack/other/1",
    ]
    assert [(action, arn) for action, resource in allowed() for arn in strange if resource != "*" and fnmatchcase(arn, resource)] == []


@pytest.mark.parametrize(("stack", "other"), [*permutations(("everscore-dev", "everscore-prod"))])
def test_the_stacks_of_samconfig_do_not_reach_each_other(stack: str, other: str) -> None:
    """Those of the other are what its own deployer may reach by its name."""
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert {stack, other} == {configured[name]["deploy"]["parameters"]["stack_name"] for name in ("dev", "prod")}

    def reached(name: str) -> set[str]:
        statements = [found for document in policies(name).values() for found in document["Statement"]]
        return {resource for found in statements for resource in as_list(found["Resource"]) if resource != "*"}

    databases = (stack.replace("-", "_"), other.replace("-", "_"))
    named = {resource for resource in reached(other) if other in resource or databases[1] in resource}
    own = {resource for resource in reached(stack) if stack in resource or databases[0] in resource}
    assert len(named) > 20
    assert [(one, pattern) for pattern in own for one in named if fnmatchcase(one.replace("*", "1"), pattern)] == []


def named_by_cloudformation(stack: str, logical: str, longest: int) -> str:
    """A name as CloudFormation makes it: stack and resource share what the end of 13 characters leaves, if both do not fit."""
    room = longest - 13
    if len(f"{stack}-{logical}") > room:
        half = room // 2
        stack, logical = stack[:half], logical[: room - 1 - half]
    return f"{stack}-{logical}-{'0' * 12}"


@pytest.mark.parametrize(
    ("logical", "longest", "real"),
    [
        ("RainlyticsLogsBucket8DF4XXXX", 63, "chineseboostanalyticsstac-rainlyticslogsbucket8df4-hdst4ohfvdif"),
        ("RainlyticsSummariesJobFunctionXXXX", 64, "ChineseboostAnalyticsStac-RainlyticsSummariesJobFun-UjecjFhpdr1d"),
    ],
)
def test_names_are_cut_here_as_those_that_people_saw(logical: str, longest: int, real: str) -> None:
    made = named_by_cloudformation("ChineseboostAnalyticsStack", logical, longest)
    assert made.lower()[:-12] == real.lower()[:-12]


def test_policies_know_each_name_of_the_longest_stack_by_its_beginning() -> None:
    stack = "n" * LONGEST_NAME
    patterns = [
        resource for document in policies(stack).values() for found in document["Statement"] for resource in as_list(found["Resource"])
    ]
    for logical, resource in transform()["Resources"].items():
        if (kind := resource["Type"]) not in LONGEST_NAMES:
            continue
        longest, arn = LONGEST_NAMES[kind]
        name = named_by_cloudformation(stack, logical, longest)
        named = arn.format(name.lower() if kind == "AWS::S3::Bucket" else name)
        assert any(pattern != "*" and fnmatchcase(named, pattern) for pattern in patterns), named


def test_a_deployer_in_china_hands_a_role_to_codedeploy_by_its_name_there() -> None:
    documents = deployer_policies(OWN, partition="aws-cn", region="cn-north-1", account="123456789012")
    statements = [found for document in documents.values() for found in document["Statement"]]
    [handed] = [found for found in statements if found["Action"] == "iam:PassRole"]
    assert "codedeploy.cn-north-1.amazonaws.com.cn" in handed["Condition"]["StringEquals"]["iam:PassedToService"]


def test_a_deployer_reads_no_row_but_those_of_the_trial() -> None:
    row = stored("scored/sales/batch/0.parquet")
    reads = {"s3:GetObject", "s3:GetObjectVersion"}
    assert reads.isdisjoint(rights(row))
    assert reads.isdisjoint(rights(stored(layout.snapshot_key("0" * 32))))
    trial = row.replace("sales", "trial-1a2b3c4d")
    assert reads <= rights(trial)


def test_a_deployer_finds_and_removes_the_training_set_of_the_trial() -> None:
    files, listing = rights(stored(layout.snapshot_key("0" * 32))), rights(stored(layout.snapshot_key("0" * 32 + ".dir")))
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= files & listing
    assert listing - files == {"s3:GetObject"}


@pytest.mark.parametrize("stack", [OWN, "s" * LONGEST_NAME])
def test_each_policy_is_short_enough_for_iam(stack: str) -> None:
    assert all(len("".join(json.dumps(document).split())) <= LONGEST_POLICY for document in policies(stack).values())


def test_cloudformations_linter_knows_each_action_and_what_it_is_about(tmp_path: Any) -> None:
    resources = {
        f"Policy{number}": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
        for number, document in enumerate(policies().values())
    }
    (tmp_path / "policies.json").write_text(json.dumps({"Resources": resources}))
    run(ROOT / ".sam/bin/cfn-lint", "--template", tmp_path / "policies.json")
