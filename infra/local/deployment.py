"""Deploy the project's `template.yaml` to an embedded AWS."""

import hashlib
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

CODE_BUCKET, TEMPLATE_KEY = "everscore-code", "template.json"
PACKAGES = ("functions",)
CREATION_S = 60
NOTHING_NEW = "No updates are to be performed"
REQUIRED_OUTPUTS = {"InboxBucket", "StoreBucket", "ScoringFunction", "MetricEmissionFunction", "RetrainingFunction", "ReleaseFunction"}


@dataclass(frozen=True, slots=True)
class Containers:
    """Functions in containers of an image, and their endpoint of the embedded AWS."""

    image: str
    endpoint: str


def deploy(
    root: Path,
    stack_name: str,
    parameters: Mapping[str, str],
    *,
    containers: Containers | None,
    again: bool,
    s3: "S3Client",
    cloudformation: "CloudFormationClient",
) -> dict[str, str]:
    """Create the stack from the template under `root`, or `again` update it.

    Return its outputs.

    The functions are those under `root`, or in containers.

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
    url = f"{s3.meta.endpoint_url}/{CODE_BUCKET}/{TEMPLATE_KEY}"  # a request holds no more than 51,200 bytes
    _change(stack_name, url, parameters, again=again, cloudformation=cloudformation)
    return _outputs(stack_name, cloudformation)


def _change(
    stack_name: str, template_url: str, parameters: Mapping[str, str], *, again: bool, cloudformation: "CloudFormationClient"
) -> None:
    """Create or update the stack, and wait until that is done."""
    change, changed = (
        (cloudformation.update_stack, "stack_update_complete") if again else (cloudformation.create_stack, "stack_create_complete")
    )
    try:
        change(
            StackName=stack_name,
            TemplateURL=template_url,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        cloudformation.get_waiter(changed).wait(StackName=stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": CREATION_S})  # type: ignore[call-overload]
    except ClientError as error:
        if NOTHING_NEW not in str(error):
            message = f"template.yaml was refused: {error}"
            raise EmbeddedAwsError(message) from error
    except WaiterError as error:
        message = f"the stack could not be deployed: {_reasons(stack_name, cloudformation) or error}"
        raise EmbeddedAwsError(message) from error


def _outputs(stack_name: str, cloudformation: "CloudFormationClient") -> dict[str, str]:
    """Return the stack's outputs, which must be all that are needed."""
    [stack] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    if missing := sorted(REQUIRED_OUTPUTS - set(outputs)):
        message = f"template.yaml lacks the outputs {', '.join(missing)}"
        raise EmbeddedAwsError(message)
    return outputs


def _uploaded(root: Path, s3: "S3Client") -> AsZip:
    code = zip_packages(code_of(root), PACKAGES)
    key = (
        f"functions-{hashlib.sha256(code).hexdigest()[:16]}.zip"  # another name for other code, or an update would not see that it is other
    )
    s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=code)
    return AsZip(f"s3://{CODE_BUCKET}/{key}", f"python{sys.version_info.major}.{sys.version_info.minor}")


def _reasons(stack_name: str, cloudformation: "CloudFormationClient") -> str:
    events = cloudformation.describe_stack_events(StackName=stack_name)["StackEvents"]
    failed = [event for event in reversed(events) if str(event.get("ResourceStatus")).endswith("_FAILED")]
    return "; ".join(f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason')}" for event in failed)
