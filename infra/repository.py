"""The repository of a stack's image.

There is one for all functions; it forgets old images by itself.
"""

import json

KEPT_IMAGES = 5
"""How many images are kept, the newest: what runs, and what ran before it."""

_FORGET = {
    "rulePriority": 1,
    "description": "forget all but the newest images",
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
    "action": {"type": "expire"},
}
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
    own_functions = {"ArnLike": {"aws:SourceArn": f"{_functions(made['repositoryArn'])}:{stack}-*"}}
    hook = {"ArnLike": {"aws:SourceArn": f"{_functions(made['repositoryArn'])}:CodeDeployHook_{stack}"}}
    statements = [_PULL | {"Condition": own_functions}, _PULL | {"Sid": "LambdaPullsForTheCheck", "Condition": hook}]
    client.set_repository_policy(repositoryName=name, policyText=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps({"rules": [_FORGET]}))
    return str(made["repositoryUri"])


def _functions(repository_arn: str) -> str:
    """Return the ARN prefixes of functions in a repository's account and region.

    >>> _functions("arn:aws-cn:ecr:cn-north-1:123456789012:repository/everscore")
    'arn:aws-cn:lambda:cn-north-1:123456789012:function'
    """
    _, partition, _, region, account, _ = repository_arn.split(":", 5)
    return f"arn:{partition}:lambda:{region}:{account}:function"
