"""The functions' image from `sam build`, and its size."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.shared.domain.errors import NoImageError
from infra.places import ROOT

IMAGE = "scoring:everscore"
"""Name that `sam build` gives the image of all functions: the first function's name, and the template's DockerTag."""
LARGEST_MB = 700
"""Largest size of the unpacked image in addition to its base."""


def base_image(root: Path = ROOT) -> str:
    """Return AWS's image that ours is built from, by its digest."""
    [base] = re.findall(r"^ARG BASE=(\S+)$", (root / "functions" / "Dockerfile").read_text(), re.MULTILINE)
    return str(base)


def built_from(image: str) -> str:
    """Return what an image was built from: AWS's base image, or the stand-in for it."""
    return str(described(image)["Config"]["Labels"]["org.opencontainers.image.base.name"])


def described(image: str) -> Mapping[str, Any]:
    """Return what Docker knows of an image."""
    shown = subprocess.run(["docker", "image", "inspect", image], check=True, capture_output=True, text=True).stdout
    [found] = json.loads(shown)
    return dict(found)


def size_mb(image: str) -> float:
    """Return the megabytes (1e6 bytes) of an image's unpacked layers."""
    inspect = ["docker", "image", "inspect", "--format", "{{.Size}}", image]
    return int(subprocess.run(inspect, check=True, capture_output=True, text=True).stdout) / 1e6


def require_image() -> None:
    """Check that the image is built.

    Raises:
        NoImageError: if Docker does not answer or does not have it.
    """
    if shutil.which("docker") is None or not _succeeds("docker", "info"):
        raise NoImageError("Docker does not answer", remedy="install and start Docker, so that `docker info` answers", code="no_docker")
    if not _succeeds("docker", "image", "inspect", IMAGE):
        raise NoImageError("the functions' image is not built on this machine", remedy="`make build` builds it, in a checkout of Everscore")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def main() -> None:
    """Print sizes."""
    base, size = built_from(IMAGE), size_mb(IMAGE)
    print(f"{IMAGE}: {size:.0f} MB, {size - size_mb(base):.0f} MB beyond {base}")


if __name__ == "__main__":
    main()
