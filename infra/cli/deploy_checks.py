"""What a deployment needs; each thing that lacks is refused with its remedy."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import NoRegionError

from functions.shared.domain.errors import InputError
from infra.local.image import base_image
from infra.local.sam import SAM

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


def docker() -> None:
    """Make sure that Docker answers.

    Raises:
        InputError: if it does not.
    """
    if shutil.which("docker") is None or _docker("info").returncode != 0:
        remedy = "install and start Docker, so that `docker info` answers"
        raise InputError("Docker does not answer, and the functions' image is built with it", remedy=remedy, code="no_docker")


def base_of_aws() -> None:
    """Make sure that AWS's own base image is here; fetch it if it is missing.

    Raises:
        InputError: if it cannot be fetched, or is the stand-in that tests make.
    """
    base = base_image()
    shown = _docker("image", "inspect", base)
    if shown.returncode == 0:
        if _STAND_IN in (json.loads(shown.stdout)[0]["Config"]["Labels"] or {}):
            remedy = f"remove it with `docker image rm {base}`, then try again where that registry can be reached"
            raise InputError(f"{base} is a stand-in here, which is for tests alone", remedy=remedy, code="stand_in")
        return
    pulled = _docker("pull", "--quiet", base)
    if pulled.returncode != 0:
        why = (pulled.stderr.strip().splitlines() or [""])[-1]
        remedy = "try again on a machine that reaches that registry"
        raise InputError(f"AWS's base image {base} cannot be fetched: {why}", remedy=remedy, code="no_base_image")


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
