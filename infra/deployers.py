"""What a role must be allowed that deploys stacks, as policies of IAM.

CloudFormation makes a stack's resources with the rights of whoever deploys it. So they are those that its handlers of these types of
resources ask for, on resources whose names begin with the stack's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from functions.cataloguing.names import database_name
from functions.shared.domain.layout import SNAPSHOT_FILES

LONGEST_POLICY = 6144
"""Characters of a managed policy without blanks."""
_SAM = "aws-sam-cli-managed-default"
"""The stack of SAM's own bucket, to which it uploads templates."""
_SERVICES = ("lambda", "states", "scheduler", "codedeploy", "grafana")
"""Those that the stack's roles are handed to."""

_CHANGE = "CreateChangeSet DescribeChangeSet ExecuteChangeSet DeleteChangeSet DeleteStack RollbackStack ContinueUpdateRollback"
_LOOK = "DescribeStacks DescribeStackEvents DescribeStackResources ListStackResources GetTemplate GetTemplateSummary"
_PUSH = "BatchCheckLayerAvailability InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage BatchGetImage GetDownloadUrlForLayer"
_KEEP = "CreateRepository DescribeRepositories GetRepositoryPolicy SetRepositoryPolicy PutLifecyclePolicy"
_BUCKET = (
    "CreateBucket DeleteBucket ListBucket ListTagsForResource TagResource UntagResource GetBucketAcl GetBucketPolicy PutBucketPolicy "
    "DeleteBucketPolicy GetBucketTagging PutBucketTagging GetBucketVersioning PutBucketVersioning GetBucketNotification "
    "PutBucketNotification GetBucketOwnershipControls PutBucketOwnershipControls GetBucketPublicAccessBlock PutBucketPublicAccessBlock "
    "GetEncryptionConfiguration PutEncryptionConfiguration GetLifecycleConfiguration PutLifecycleConfiguration"
)
_READ_OF_BUCKET = (
    "GetAccelerateConfiguration GetAnalyticsConfiguration GetBucketAbac GetBucketCORS GetBucketLogging "
    "GetBucketMetadataTableConfiguration GetBucketObjectLockConfiguration GetBucketWebsite GetIntelligentTieringConfiguration "
    "GetInventoryConfiguration GetMetricsConfiguration GetReplicationConfiguration"
)
_FUNCTION = (
    "CreateFunction DeleteFunction GetFunction GetFunctionConfiguration UpdateFunctionCode UpdateFunctionConfiguration PublishVersion "
    "ListVersionsByFunction PutFunctionConcurrency DeleteFunctionConcurrency CreateAlias DeleteAlias GetAlias UpdateAlias AddPermission "
    "RemovePermission GetPolicy PutFunctionEventInvokeConfig UpdateFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig "
    "GetFunctionEventInvokeConfig TagResource UntagResource ListTags GetFunctionCodeSigningConfig GetFunctionRecursionConfig "
    "GetFunctionScalingConfig GetProvisionedConcurrencyConfig GetRuntimeManagementConfig InvokeFunction"
)
_MAPPING = "CreateEventSourceMapping UpdateEventSourceMapping DeleteEventSourceMapping GetEventSourceMapping"
_ROLE = (
    "CreateRole DeleteRole GetRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy TagRole UntagRole PutRolePolicy GetRolePolicy "
    "DeleteRolePolicy AttachRolePolicy DetachRolePolicy ListRolePolicies ListAttachedRolePolicies"
)
_POLICY = (
    "CreatePolicy DeletePolicy GetPolicy GetPolicyVersion CreatePolicyVersion DeletePolicyVersion ListPolicyVersions ListEntitiesForPolicy"
)
_QUEUE = "CreateQueue DeleteQueue GetQueueUrl GetQueueAttributes SetQueueAttributes ListQueueTags TagQueue UntagQueue"
_RULE = "PutRule DeleteRule DescribeRule PutTargets RemoveTargets ListTargetsByRule ListTagsForResource TagResource UntagResource"
_MACHINE = "CreateStateMachine UpdateStateMachine DeleteStateMachine DescribeStateMachine ListTagsForResource TagResource UntagResource"
_TOPIC = (
    "CreateTopic DeleteTopic GetTopicAttributes SetTopicAttributes Subscribe Unsubscribe GetSubscriptionAttributes "
    "SetSubscriptionAttributes ListSubscriptionsByTopic ListTagsForResource TagResource UntagResource GetDataProtectionPolicy"
)
_ALARM = "PutMetricAlarm DeleteAlarms DescribeAlarms ListTagsForResource TagResource UntagResource"
_LOGS = (
    "CreateLogGroup DeleteLogGroup PutRetentionPolicy AssociateKmsKey DisassociateKmsKey ListTagsForResource TagResource UntagResource "
    "GetDataProtectionPolicy DeleteDataProtectionPolicy DescribeIndexPolicies"
)
_CODEDEPLOY = (
    "CreateApplication DeleteApplication GetApplication CreateDeploymentGroup UpdateDeploymentGroup DeleteDeploymentGroup "
    "GetDeploymentGroup CreateDeployment GetDeployment ListDeployments GetDeploymentConfig GetApplicationRevision "
    "RegisterApplicationRevision ListTagsForResource TagResource UntagResource"
)
_WITHOUT_RESOURCE = (
    "cloudformation:GetTemplateSummary cloudformation:ValidateTemplate ecr:GetAuthorizationToken logs:DescribeLogGroups "
    "logs:DescribeResourcePolicies cloudwatch:DescribeAlarms codedeploy:StopDeployment ec2:DescribeSecurityGroups ec2:DescribeSubnets "
    "ec2:DescribeVpcs ec2:DescribeNetworkInterfaces"
)
"""Actions that IAM compares with no resource, or that are asked before there is one."""


def deployer_policies(stack: str, *, partition: str, region: str, account: str) -> dict[str, dict[str, Any]]:
    """Return by name what a role needs to deploy, try and delete a stack.

    Optional parts are not among them: workspaces of Prometheus and Grafana, an MLflow app, a key of one's own.
    """

    def arn(service: str, resource: str) -> str:
        return f"arn:{partition}:{service}:{region}:{account}:{resource}"

    named, bucket = f"{stack}-*", f"arn:{partition}:s3:::{stack.lower()}-"
    buckets = [f"{bucket}inbox-*", f"{bucket}store-*"]
    database = database_name(stack)
    tried = [f"{name}/*/trial-*" for name in buckets]
    snapshots = f"{bucket}store-*/{SNAPSHOT_FILES}"
    functions = [arn("lambda", f"function:{named}"), arn("lambda", f"function:CodeDeployHook_{stack}*")]
    sam_bucket = f"arn:{partition}:s3:::{_SAM}-samclisourcebucket-*"
    roles = f"arn:{partition}:iam::{account}:role/{named}"
    transform = f"arn:{partition}:cloudformation:{region}:aws:transform/Serverless-2016-10-31"
    stacks = [arn("cloudformation", f"stack/{name}/*") for name in (stack, _SAM)]
    schedules = arn("scheduler", f"schedule/default/{named}")
    regional = f"codedeploy.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"
    handed = {"StringEquals": {"iam:PassedToService": [*(f"{service}.amazonaws.com" for service in _SERVICES), regional]}}
    deployments = [arn("codedeploy", f"{kind}:{named}") for kind in ("application", "deploymentgroup")]
    deploys = [
        _allow("Stacks", "cloudformation", f"{_CHANGE} {_LOOK}", stacks),
        _allow("Transform", "cloudformation", "CreateChangeSet", [transform]),
        _allow("SamsBucket", "s3", f"{_BUCKET} PutObject GetObject GetObjectVersion", [sam_bucket, f"{sam_bucket}/*"]),
        _allow("Image", "ecr", f"{_PUSH} {_KEEP}", [arn("ecr", f"repository/{stack.lower()}")]),
        {"Sid": "WithoutAResource", "Effect": "Allow", "Action": _WITHOUT_RESOURCE.split(), "Resource": "*"},
        _allow("Trial", "s3", "PutObject GetObject GetObjectVersion DeleteObject DeleteObjectVersion", tried),
        # Training sets are named by their content alone. Their listings hold no row.
        _allow("TrialsListing", "s3", "GetObject", [f"{snapshots}/*.dir"]),
        _allow("TrialsTrainingSet", "s3", "DeleteObject DeleteObjectVersion", [f"{snapshots}/*"]),
        _allow("TrialsVersions", "s3", "ListBucketVersions", buckets),
        _allow(
            "TrialsTables",
            "glue",
            "DeleteTable",
            [arn("glue", "catalog"), arn("glue", f"database/{database}"), arn("glue", f"table/{database}/trial_*")],
        ),
        _allow("Deployments", "codedeploy", _CODEDEPLOY, [*deployments, arn("codedeploy", "deploymentconfig:*")]),
    ]
    makes = [
        _allow("Buckets", "s3", f"{_BUCKET} {_READ_OF_BUCKET}", buckets),
        _allow("Functions", "lambda", _FUNCTION, functions),
        _allow("Queues", "sqs", _QUEUE, [arn("sqs", named)]),
    ]
    makes_more = [
        _allow("Sources", "lambda", _MAPPING, ["*"]) | {"Condition": {"ArnLike": {"lambda:FunctionArn": functions[:1]}}},
        _allow("SourcesTags", "lambda", "TagResource UntagResource ListTags", [arn("lambda", "event-source-mapping:*")]),
        _allow("Roles", "iam", _ROLE, [roles]),
        {"Sid": "HandRoles", "Effect": "Allow", "Action": "iam:PassRole", "Resource": roles, "Condition": handed},
        _allow("Policies", "iam", _POLICY, [f"arn:{partition}:iam::{account}:policy/{named}"]),
        _allow("Rules", "events", _RULE, [arn("events", f"rule/{named}")]),
        _allow("Schedules", "scheduler", "CreateSchedule UpdateSchedule DeleteSchedule GetSchedule", [schedules]),
        _allow("Machine", "states", _MACHINE, [arn("states", f"stateMachine:{named}")]),
        _allow("Topic", "sns", _TOPIC, [arn("sns", named)]),
        _allow("Alarms", "cloudwatch", _ALARM, [arn("cloudwatch", f"alarm:{named}")]),
        _allow("Logs", "logs", _LOGS, [arn("logs", f"log-group:{named}")]),
    ]
    return {
        f"{stack}-deployers-stack": _document(deploys),
        f"{stack}-deployers-data": _document(makes),
        f"{stack}-deployers-machinery": _document(makes_more),
    }


def _allow(sid: str, service: str, actions: str, resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": [f"{service}:{action}" for action in actions.split()], "Resource": [*resources]}


def _document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [*statements]}
