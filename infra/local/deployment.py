"""Deploying the project's `template.yaml` to an embedded AWS."""

import json
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from functions.shared.domain.errors import EmbeddedAwsError
from infra.local.transformation import AsImage, AsZip, for_embedded_aws, read_template, with_definitions, zip_packages
from infra.places import code_of

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client

CODE_BUCKET, CODE_KEY, TEMPLATE_KEY = "everscore-code", "functions.zip", "template.json"
PACKAGES = ("functions",)
CREATION_S = 60
REQUIRED_OUTPUTS = {"InboxBucket", "StoreBucket", "ScoringFunction", "MetricEmissionFunction", "RetrainingFunction", "ReleaseFunction"}


@dataclass(frozen=True, slots=True)
class Containers:
    """Functions in containers of an image, and the endpoint by which they reach the embedded AWS."""

    image: str
    endpoint: str


def deploy(
    root: Path,
    stack_name: str,
    parameters: Mapping[str, str],
    *,
    containers: Containers | None,
    s3: "S3Client",
    cloudformation: "CloudFormationClient",
) -> dict[str, str]:
    """Create the stack from the template under `root`, with the functions there or in containers; return its outputs.

    Raises:
        EmbeddedAwsError: if a resource could not be created, with its reason.
    """
    s3.create_bucket(Bucket=CODE_BUCKET)
    packing: AsZip | AsImage
    if containers is None:
        packing, variables = _uploaded(root, s3), {"PYTHONPATH": sysconfig.get_path("purelib")}
    else:
        packing, variables = AsImage(containers.image), {"AWS_ENDPOINT_URL": containers.endpoint}
    source = with_definitions(read_template((root / "template.yaml").read_text()), code_of(root))
    template = for_embedded_aws(source, parameters, packing=packing, variables=variables)
    s3.put_object(Bucket=CODE_BUCKET, Key=TEMPLATE_KEY, Body=json.dumps(template).encode())
    try:
        cloudformation.create_stack(
            StackName=stack_name,
            TemplateURL=f"{s3.meta.endpoint_url}/{CODE_BUCKET}/{TEMPLATE_KEY}",  # a request holds no more than 51,200 bytes
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
    except ClientError as error:
        message = f"template.yaml was refused: {error}"
        raise EmbeddedAwsError(message) from error
    try:
        cloudformation.get_waiter("stack_create_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": CREATION_S})
    except WaiterError as error:
        message = f"the stack could not be created: {_reasons(stack_name, cloudformation) or error}"
        raise EmbeddedAwsError(message) from error
    [stack] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if missing := sorted(REQUIRED_OUTPUTS - set(outputs)):
        message = f"template.yaml lacks the outputs {', '.join(missing)}"
        raise EmbeddedAwsError(message)
    return outputs


def _uploaded(root: Path, s3: "S3Client") -> AsZip:
    s3.put_object(Bucket=CODE_BUCKET, Key=CODE_KEY, Body=zip_packages(code_of(root), PACKAGES))
    return AsZip(f"s3://{CODE_BUCKET}/{CODE_KEY}", f"python{sys.version_info.major}.{sys.version_info.minor}")


def _reasons(stack_name: str, cloudformation: "CloudFormationClient") -> str:
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    failed = [event for event in reversed(events) if event.get("ResourceStatus") == "CREATE_FAILED"]
    return "; ".join(f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason')}" for event in failed)
