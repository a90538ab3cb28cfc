"""What each function asks of S3 is what the template lets it do: nothing less, and nothing that it never asks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from tests.contract.audited_story import Request, Story, play
from tests.contract.template import ALL_FUNCTION_PROPERTIES, as_list, folder_of, statements

FUNCTIONS = sorted(folder_of(name) for name in ALL_FUNCTION_PROPERTIES)
READ = {"s3:GetObject", "s3:GetObjectVersion"}


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """What a statement allows: an action below a pattern of a bucket."""

    bucket: str
    action: str
    pattern: str

    def covers(self, request: Request) -> bool:
        """Whether IAM would let a request pass by this right; its `*` stands for any text, slashes too."""
        return (self.bucket, self.action) == (request.bucket, request.action) and fnmatchcase(request.key, self.pattern)


def rights(function: str) -> Iterator[Right]:
    """All rights on the two buckets that a function has."""
    for name, statement in statements():
        if folder_of(name) != function:
            continue
        for action in as_list(statement["Action"]):
            if action in {"s3:ListBucket", "s3:ListBucketVersions"}:
                for prefix in as_list(statement["Condition"]["StringLikeIfExists"]["s3:prefix"]):
                    yield Right(statement["Resource"]["Fn::GetAtt"][0], action, prefix)
            elif action.startswith("s3:"):
                assert "Condition" not in statement, "this audit knows conditions of listings only"
                for resource in as_list(statement["Resource"]):
                    bucket, pattern = resource["Fn::Sub"].removeprefix("${").split(".Arn}/", 1)
                    yield Right(bucket, action, pattern)


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with pytest.MonkeyPatch.context() as patch:
        yield play(patch)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_all_that_it_asks_for(story: Story, function: str) -> None:
    assert story.requests[function]
    allowed = list(rights(function))
    refused = {request for request in story.requests[function] if not any(right.covers(request) for right in allowed)}
    assert refused == set()


def test_cataloguing_may_ask_of_glue_all_that_it_asks_and_nothing_else(story: Story) -> None:
    actions = {action for _, statement in statements() for action in as_list(statement["Action"]) if action.startswith("glue:")}
    assert {f"glue:{name}" for name in story.of_glue} == actions


UNASKED: Mapping[str, Mapping[Right, str]] = {
    "scoring": {
        Right("Store", "s3:AbortMultipartUpload", "scored/*"): "only what is above 8 MB is sent in parts, and only a failure drops them",
        Right("Store", "s3:AbortMultipartUpload", "quarantine/*"): "the same",
        Right("Store", "s3:AbortMultipartUpload", "partitions/*"): "the same",
    },
    "partitioning": {Right("Store", "s3:AbortMultipartUpload", "quarantine/*"): "the same"},
}


def is_asked_for(right: Right, requests: set[Request]) -> bool:
    """Whether anything needed a right. Versions and newest objects are read by one right in two actions, and whoever reads
    below a prefix must be able to list it: without it S3 calls an absent key forbidden."""
    actions = READ if right.action in READ or right.action == "s3:ListBucket" else set()
    return any(Right(right.bucket, action, right.pattern).covers(request) for action in {right.action, *actions} for request in requests)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_that_it_never_asks_for(story: Story, function: str) -> None:
    unasked = {right for right in rights(function) if not is_asked_for(right, story.requests[function])}
    assert unasked == set(UNASKED.get(function, {}))
