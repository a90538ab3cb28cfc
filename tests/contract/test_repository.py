"""The repository of a stack's image."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from infra.repository import KEPT_IMAGES, image_repository


@pytest.fixture(autouse=True)
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def test_it_is_made_once_for_a_stack_and_found_from_then_on() -> None:
    uri = image_repository("Everscore-Dev")
    assert uri == "123456789012.dkr.ecr.eu-central-1.amazonaws.com/everscore-dev"
    assert image_repository("Everscore-Dev") == uri
    [made] = boto3.client("ecr").describe_repositories()["repositories"]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}


def test_it_forgets_all_but_the_newest_images() -> None:
    image_repository("shop")
    [rule] = json.loads(boto3.client("ecr").get_lifecycle_policy(repositoryName="shop")["lifecyclePolicyText"])["rules"]
    assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES}
    assert rule["action"] == {"type": "expire"}
    assert KEPT_IMAGES > 1, "a deployment goes back to the one before"


def test_only_lambda_for_functions_of_the_stack_may_pull_from_it() -> None:
    image_repository("shop")
    statements = json.loads(boto3.client("ecr").get_repository_policy(repositoryName="shop")["policyText"])["Statement"]
    functions = "arn:aws:lambda:eu-central-1:123456789012:function"
    assert [statement["Condition"]["ArnLike"]["aws:SourceArn"] for statement in statements] == [
        f"{functions}:shop-*",
        f"{functions}:CodeDeployHook_shop",
    ]
    for statement in statements:
        assert (statement["Effect"], statement["Principal"]) == ("Allow", {"Service": "lambda.amazonaws.com"})
        assert set(statement["Action"]) == {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
