"""`everscore deploy` and `undeploy`: put a stack on AWS, and remove it again."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions.cataloguing.names import database_name
from functions.shared.domain.errors import InputError
from infra.cli.options import AsJson, confirmed, console, pairs, show
from infra.places import code_of, own_project
from infra.words import _, counted

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

app = typer.Typer()

Environment = Annotated[str, typer.Argument(help="Section of samconfig.toml.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking; required without a terminal.")]
_BUILT = "With", "Base"
"""Parameters that SAM's build needs too."""
_REGISTRY = "MlflowTrackingUri", "MlflowArtifactBucket", "MlflowKmsKeyArn"


class DeploymentFailedError(InputError):
    """SAM ended with an error, which it printed."""


@app.command()
def deploy(
    environment: Environment = "dev",
    architecture: Annotated[str | None, typer.Option(help="x86_64 or arm64 (default: this machine's).")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", help="NAME=VALUE of the template, before samconfig.toml's; repeatable.")
    ] = None,
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Deploy SageMaker's MLflow first, and use it as the registry.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Check what a deployment needs, and change nothing.")] = False,
    policies: Annotated[
        bool, typer.Option("--policies", help="Print the policies that a role needs for this, and change nothing.")
    ] = False,
    trial: Annotated[
        bool, typer.Option("--trial/--no-trial", help="Try the stack afterwards with made-up rows, which are removed.")
    ] = True,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Build the functions' image, deploy the stack to your AWS account, and try it."""
    from infra import deploy as settings
    from infra.cli import deploy_checks as needed
    from infra.deployers import deployer_policies
    from infra.local.image import base_image
    from infra.repository import image_repository, keep_running_image

    root = own_project()
    if code_of(root) != root:
        remedy = "make a project with `everscore init FOLDER`, and type this in that folder"
        raise InputError("the functions' code to deploy is not here", remedy=remedy, code="no_project")
    architecture = architecture or {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    more = {name: str(value) for name, value in pairs(parameter, example="LogRetentionDays=30").items()}
    stack = settings.stack_name(environment, root)
    chosen = settings.overrides(environment, architecture, "", root, more)  # refuses what is wrong with them before anything is made
    place = needed.account_and_region()
    needed.new_name(stack)
    if policies:
        partition = place["identity"].split(":")[1]
        show(deployer_policies(stack, partition=partition, region=place["region"], account=place["account"]), str, as_json=True)
        return
    sam = needed.sam()
    needed.docker()
    needed.base_of_aws(chosen.get("Base") or base_image(root))
    failed = [name for name in ([f"{stack}-mlflow"] if mlflow else []) + [stack] if needed.failed_at_first(name)]
    found = {"stack": stack, **place, "architecture": architecture}
    if check:
        show({**found, "ready": True}, _ready_screen, as_json=as_json)
        return
    if not yes:
        question = _("Deploy {stack} to account {account} in {region}?", **found)
        refusal = InputError("there is no terminal to confirm the deployment on", remedy="add --yes", code="no_terminal")
        confirmed(question, refusal)
    built = [f"Architecture={architecture}", f"Commit={_commit(root)}", *(f"{name}={chosen[name]}" for name in _BUILT if chosen.get(name))]
    _run(sam, "build", "--parameter-overrides", *built, root=root)
    for name in failed:
        _delete(name)
    if mlflow:
        more |= _registry(f"{stack}-mlflow", sam, root)
    file = settings.write_parameters(settings.overrides(environment, architecture, settings.image_id(), root, more), root)
    images = [] if settings.names_repositories(environment, root) else ["--image-repository", image_repository(stack)]
    asked = "--config-env", environment, "--no-confirm-changeset", *images, "--parameter-overrides", f"file://{file}"
    if images and needed.stands(stack) and (running := settings.running_image(stack)):
        keep_running_image(stack, running)  # else each attempt that fails brings it nearer to its end
    _run(sam, "deploy", *asked, root=root)
    if images and not keep_running_image(stack, running := settings.running_image(stack)):
        message = f"{stack} is deployed, but its image {running} is not in its repository"
        raise InputError(message, remedy="type the same command again, which pushes it", code="no_image")
    show({**found, "trial": _tried(stack) if trial else None}, _deployed_screen, as_json=as_json)


def _registry(name: str, sam: Path, root: Path) -> dict[str, str]:
    """Deploy MLflow's stack, and return what it hands over."""
    import boto3

    template = code_of(root) / "infra" / "mlflow.yaml"
    quietly = "--no-confirm-changeset", "--no-fail-on-empty-changeset"
    _run(sam, "deploy", "--template", str(template), "--stack-name", name, "--capabilities", "CAPABILITY_IAM", *quietly, root=root)
    [described] = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    return {name: outputs[name] for name in _REGISTRY if name in outputs}


def _tried(stack: str) -> dict[str, int]:
    from infra.cli.operator import connect_on_aws
    from infra.trial.smoke import try_out

    with console.status(_("trying it with made-up rows")):
        return try_out(connect_on_aws(stack))


def _run(command: Path, *arguments: str, root: Path) -> None:
    """Run SAM, which prints its progress where people read.

    Raises:
        DeploymentFailedError: if it ends with an error.
    """
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
    done = subprocess.run([command, *arguments], cwd=root, env=environment, stdout=sys.__stderr__, check=False)
    if done.returncode != 0:
        remedy = "what it printed above says why; after a mend type the same command again"
        raise DeploymentFailedError(f"`sam {arguments[0]}` ended with {done.returncode}", remedy=remedy, code="sam_failed")


def _commit(root: Path) -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], cwd=root, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or "unknown"


def _ready_screen(answer: Mapping[str, Any]) -> str:
    return _("{stack} can be deployed to account {account} in {region}, for {architecture}.", **answer)


def _deployed_screen(answer: Mapping[str, Any]) -> str:
    tried = answer["trial"]
    lines = [_("{stack} is deployed to account {account} in {region}.", **answer)]
    lines += [_("Tried: {rows_scored} rows scored and measured; {objects_removed} objects removed again.", **tried)] if tried else []
    lines += [
        _("Next:"),
        f"  export EVERSCORE_STACK={answer['stack']}",
        "  everscore train MODEL FILE.csv --target TARGET --id ID",
        "  everscore status",
    ]
    return "\n".join(lines)


@app.command()
def undeploy(environment: Environment = "dev", yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a deployed stack. Its buckets and what they hold are kept.

    The command shows what keeping them costs.
    """
    from infra import deploy as settings
    from infra.cli import deploy_checks as needed
    from infra.cli.operator import connect_on_aws

    stack = settings.stack_name(environment, own_project())
    place = needed.account_and_region()
    operator = None if needed.never_made(stack) else connect_on_aws(stack)
    kept = [_kept(bucket.bucket, operator.client("s3")) for bucket in (operator.inbox, operator.store)] if operator else []
    if not yes:
        if operator:
            question = _("Delete {stack} in account {account}, {region}? Its two buckets are kept", stack=stack, **place)
        else:
            question = _("Delete what the failed deployment of {stack} left in account {account}, {region}?", stack=stack, **place)
        refusal = InputError("there is no terminal to confirm the deletion on", remedy="add --yes", code="no_terminal")
        confirmed(question, refusal)
    _delete(stack)
    show({"stack": stack, "kept": kept}, _kept_screen, as_json=as_json)


def _delete(stack: str) -> None:
    import boto3
    from botocore.exceptions import WaiterError

    client: CloudFormationClient = boto3.client("cloudformation")
    with console.status(_("deleting {stack}", stack=stack)):
        client.delete_stack(StackName=stack)
        try:
            client.get_waiter("stack_delete_complete").wait(StackName=stack)
        except WaiterError as error:
            raise _not_deleted(stack, client) from error


def _not_deleted(stack: str, client: "CloudFormationClient") -> DeploymentFailedError:
    """Return the error that a stack was not deleted, and what stayed, and why."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = (event for page in pages for event in page["StackEvents"])  # the newest first
    since = takewhile(lambda event: not _begins_deletion(event), events)
    failed = [event for event in since if event.get("ResourceStatus") == "DELETE_FAILED" and not _is_of_stack(event)]
    stayed = [f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', '')}" for event in failed]
    message = f"{stack} could not be deleted: {'; '.join(stayed) or 'CloudFormation has not ended'}"
    remedy = "mend what it says, then type the same command again; detach the policies for operators and analysts from every role"
    return DeploymentFailedError(message, remedy=remedy, code="delete_failed")


def _begins_deletion(event: "StackEventTypeDef") -> bool:
    return _is_of_stack(event) and event.get("ResourceStatus") == "DELETE_IN_PROGRESS"


def _is_of_stack(event: "StackEventTypeDef") -> bool:
    return event.get("PhysicalResourceId") == event["StackId"]


def _kept(bucket: str, s3: Any) -> dict[str, Any]:
    """Return what a bucket holds, old versions too, and what that costs in a month."""
    from infra.cost.prices import listed_prices

    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    sizes = [found["Size"] for page in pages for found in page.get("Versions", [])]
    dollars = sum(sizes) / 2**30 * listed_prices().s3_gb_month.dollars
    return {"bucket": bucket, "objects": len(sizes), "bytes": sum(sizes), "dollars_a_month": round(dollars, 2)}


def _kept_screen(answer: Mapping[str, Any]) -> str:
    buckets: Sequence[Mapping[str, Any]] = answer["kept"]
    if not buckets:
        done = _("{stack} is deleted; its deployment had failed and left no bucket.", stack=answer["stack"])
        return f"{done}\n{_('Kept: the repository of its image, and the stack of MLflow, if you deployed it.')}"
    database = database_name(answer["stack"])
    line = _("  s3://{bucket}: {some_objects} with old versions, about ${dollars_a_month:.2f} a month")
    return "\n".join(
        [
            _("{stack} is deleted. Kept:", stack=answer["stack"]),
            *(line.format(**bucket, some_objects=counted(bucket["objects"], "objects")) for bucket in buckets),
            _(
                "Kept too: the repository of its image; and if you had them, the database {database} of its tables in AWS Glue,",
                database=database,
            ),
            _("its workspace of Amazon Managed Prometheus, and the stack of MLflow."),
        ]
    )
