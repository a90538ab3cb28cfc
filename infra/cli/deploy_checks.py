"""What a deployment needs; each thing that lacks is refused with its remedy."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, NoRegionError

from functions.shared.domain.errors import InputError
from infra.cli.operator import UNKNOWN_STACK
from infra.deploy import LONGEST_NAME
from infra.local.sam import SAM

FAILED_AT_FIRST = "ROLLBACK_COMPLETE"
"""The state of a stack whose first deployment failed and was taken back."""
_HALF_MADE = ("CREATE_FAILED", "ROLLBACK_FAILED")
"""States of a stack whose first deployment failed and was not taken back, so that it has no outputs."""
_EMPTY = ("", "REVIEW_IN_PROGRESS", FAILED_AT_FIRST)
"""States in which a stack holds nothing yet."""
_STAND_IN = "everscore.stand-in"
"""The label of what tests make where AWS's image cannot be fetched."""


def account_and_region() -> dict[str, str]:
    """Return whose credentials these are, and the region.

    What botocore raises is shown by the command.
    """
    session = boto3.Session()
    if session.region_name is None:
        raise NoRegionError
    who: dict[str, Any] = session.client("sts").get_caller_identity()
    return {"account": who["Account"], "identity": who["Arn"], "region": session.region_name}


def new_name(stack: str) -> None:
    """Make sure that a stack can be made by this name, unless it stands already.

    Raises:
        InputError: if the name is too long or has capitals.
    """
    if (len(stack) <= LONGEST_NAME and stack == stack.lower()) or stands(stack):
        return
    if len(stack) > LONGEST_NAME:
        message = f"{stack} has {len(stack)} characters, a new stack's name at most {LONGEST_NAME}"
        raise InputError(message, remedy="shorten stack_name in samconfig.toml", code="samconfig")
    message = f"{stack} has capitals, which names of databases in AWS Glue cannot have"
    raise InputError(message, remedy="write stack_name in small letters in samconfig.toml", code="samconfig")


def sam() -> Path:
    """Return SAM's command, the project's own or else the machine's.

    Raises:
        InputError: if there is none.
    """
    found = SAM if SAM.exists() else shutil.which("sam")
    if found is None:
        remedy = "install it with `make .sam/installed` in a checkout, or else with `pip install aws-sam-cli`"
        raise InputError("AWS SAM's command `sam` is not here", remedy=remedy, code="no_sam")
    return Path(found)


def status_of(stack: str) -> str:
    """Return CloudFormation's word for a stack's state, or none without a stack."""
    try:
        [found] = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"].get("Code") == UNKNOWN_STACK:
            return ""
        raise
    return str(found["StackStatus"])


def stands(stack: str) -> bool:
    """Return whether there is a stack of this name that holds something."""
    return status_of(stack) not in _EMPTY


def failed_at_first(stack: str) -> bool:
    """Return whether a stack is only what a failed first deployment left.

    CloudFormation took back all that it had made, and takes nothing for that stack but its deletion.

    Raises:
        InputError: if the stack is in a state from which it cannot be deployed.
    """
    status = status_of(stack)
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        remedy = "wait until it has ended, then type the same command again"
        raise InputError(f"CloudFormation is at work on {stack} ({status})", remedy=remedy, code="stack_busy")
    if remedy := _way_out(status, stack):
        raise InputError(f"{stack} cannot be deployed as it is ({status})", remedy=remedy, code="stack_stuck")
    return status == FAILED_AT_FIRST


def never_made(stack: str) -> bool:
    """Return whether a stack to delete is only what a failed first deployment left.

    Raises:
        InputError: if that deployment left things of which this machine knows nothing.
    """
    status = status_of(stack)
    if status in _HALF_MADE:
        raise InputError(f"{stack} was never whole ({status})", remedy=_way_out(status, stack), code="stack_stuck")
    return status == FAILED_AT_FIRST


def _way_out(status: str, stack: str) -> str:
    """Return what leads out of a state in which no update is taken, if it is one."""
    match status:
        case "CREATE_FAILED":
            return f"type `aws cloudformation delete-stack --stack-name {stack}`"
        case "ROLLBACK_FAILED" | "DELETE_FAILED":
            return f"look in its events for what could not be deleted, then type `aws cloudformation delete-stack --stack-name {stack}`"
        case "UPDATE_FAILED":
            return f"type `aws cloudformation rollback-stack --stack-name {stack}`"
        case "UPDATE_ROLLBACK_FAILED":
            return f"type `aws cloudformation continue-update-rollback --stack-name {stack}`"
        case _:
            return ""


def docker() -> None:
    """Make sure that Docker answers.

    Raises:
        InputError: if it does not.
    """
    if shutil.which("docker") is None or _docker("info").returncode != 0:
        remedy = "install and start Docker, so that `docker info` answers"
        raise InputError("Docker does not answer, and the functions' image is built with it", remedy=remedy, code="no_docker")


def base_of_aws(base: str) -> None:
    """Make sure that the base image is here; fetch it if it is missing.

    Raises:
        InputError: if it cannot be fetched, or is the stand-in that tests make.
    """
    shown = _docker("image", "inspect", base)
    if shown.returncode == 0:
        if _STAND_IN in (json.loads(shown.stdout)[0]["Config"]["Labels"] or {}):
            remedy = "take the parameter Base out of samconfig.toml, which then is AWS's own image"
            raise InputError(f"{base} is a stand-in, which is for tests alone", remedy=remedy, code="stand_in")
        return
    pulled = _docker("pull", "--quiet", base)
    if pulled.returncode != 0:
        why = (pulled.stderr.strip().splitlines() or [""])[-1]
        registry = base.partition("/")[0]
        remedy = (
            f"if Docker once signed in there, `docker logout {registry}`; else name a copy that you can reach by --parameter Base=…, "
            "or, in a checkout, `make base` chooses AWS's newest one"
        )
        raise InputError(f"the base image {base} cannot be fetched: {why}", remedy=remedy, code="no_base_image")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
