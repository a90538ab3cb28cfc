"""The repository of a stack's image."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from infra.repository import KEPT_IMAGES, image_repository, keep_running_image


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
    keep, forget = json.loads(boto3.client("ecr").get_lifecycle_policy(repositoryName="shop")["lifecyclePolicyText"])["rules"]
    assert forget["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES - 1}
    assert keep["rulePriority"] < forget["rulePriority"], "what a rule counts, none after it expires"
    assert keep["selection"] == {"tagStatus": "tagged", "tagPrefixList": ["runs"], "countType": "imageCountMoreThan", "countNumber": 1}
    assert KEPT_IMAGES - 1 > 1, "a deployment goes back to the one before"


def pushed(tag: str) -> str:
    """Push an image as Docker does, and return its digest."""
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"digest": tag}}
    )
    image = boto3.client("ecr").put_image(repositoryName="shop", imageManifest=manifest, imageTag=tag)["image"]
    return str(image["imageId"]["imageDigest"])


def test_the_image_that_runs_keeps_its_tag_while_failed_deployments_push_others() -> None:
    uri = image_repository("shop")
    digests = [pushed(f"scoring-{number}-everscore") for number in range(3)]

    def running() -> str:
        found = boto3.client("ecr").describe_images(repositoryName="shop", imageIds=[{"imageTag": "runs"}])["imageDetails"]
        return str(found[0]["imageDigest"])

    for number in (0, 0, 2):
        assert keep_running_image("shop", f"{uri}:scoring-{number}-everscore")
        assert running() == digests[number]
    assert not keep_running_image("shop", f"{uri}:scoring-3-everscore"), "it is in no repository, or in another"
    assert running() == digests[2]


def test_lambda_alone_may_pull_from_it_by_the_words_that_it_would_write_there_itself() -> None:
    """Else each of nine functions that are made at once writes them over the others' (aws-sam-cli #8190)."""
    image_repository("shop")
    [statement] = json.loads(boto3.client("ecr").get_repository_policy(repositoryName="shop")["policyText"])["Statement"]
    assert statement["Condition"] == {"StringLike": {"aws:sourceArn": "arn:aws:lambda:eu-central-1:123456789012:function:*"}}
    assert (statement["Effect"], statement["Principal"]) == ("Allow", {"Service": "lambda.amazonaws.com"})
    assert set(statement["Action"]) == {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
