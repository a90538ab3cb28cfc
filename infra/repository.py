"""The repository of a stack's image.

There is one for all functions; it forgets old images by itself.
"""

import json
from contextlib import suppress

KEPT_IMAGES = 5
"""How many images are kept: the one that runs, and the newest."""

_RUNS = "runs"
"""The tag of the image that runs. Each attempt to deploy pushes one, and those that fail must not push out the one that serves."""
# ECR lets no rule expire what a rule before it counts.
_KEEP = {
    "rulePriority": 1,
    "description": "keep the image that runs",
    "selection": {"tagStatus": "tagged", "tagPrefixList": [_RUNS], "countType": "imageCountMoreThan", "countNumber": 1},
    "action": {"type": "expire"},
}
_FORGET = {
    "rulePriority": 2,
    "description": "forget all others but the newest",
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES - 1},
    "action": {"type": "expire"},
}
# What Lambda writes there itself where it is missing. Nine functions that are made at once would do so at once, each over the others.
_PULL = {
    "Sid": "LambdaPulls",
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
}


def image_repository(stack: str) -> str:
    """Return the URI of a stack's repository.

    The repository is made if it is missing, and its rules are brought up to date.
    """
    import boto3

    client, name = boto3.client("ecr"), stack.lower()
    try:
        made = client.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": True})["repository"]
    except client.exceptions.RepositoryAlreadyExistsException:
        [made] = client.describe_repositories(repositoryNames=[name])["repositories"]
    pull = _PULL | {"Condition": {"StringLike": {"aws:sourceArn": f"{_functions(made['repositoryArn'])}:*"}}}
    client.set_repository_policy(repositoryName=name, policyText=json.dumps({"Version": "2012-10-17", "Statement": [pull]}))
    client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps({"rules": [_KEEP, _FORGET]}))
    return str(made["repositoryUri"])


def keep_running_image(stack: str, uri: str) -> bool:
    """Keep the image that a stack's functions run, however many are pushed.

    Return whether it is in the stack's repository.
    """
    import boto3

    client, name = boto3.client("ecr"), stack.lower()
    images = client.batch_get_image(repositoryName=name, imageIds=[{"imageTag": uri.rpartition(":")[2]}])["images"]
    for found in images:
        with suppress(client.exceptions.ImageAlreadyExistsException):
            client.put_image(repositoryName=name, imageManifest=found["imageManifest"], imageTag=_RUNS)
    return bool(images)


def _functions(repository_arn: str) -> str:
    """Return the ARN prefixes of functions in a repository's account and region.

    >>> _functions("arn:aws-cn:ecr:cn-north-1:123456789012:repository/everscore")
    'arn:aws-cn:lambda:cn-north-1:123456789012:function'
    """
    _, partition, _, region, account, _ = repository_arn.split(":", 5)
    return f"arn:{partition}:lambda:{region}:{account}:function"
