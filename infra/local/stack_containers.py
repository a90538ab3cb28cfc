"""Remove the containers of a stack's functions, which outlive other processes."""

import subprocess
from pathlib import Path

LABEL = "everscore.stack"
"""Label of each such container; its value is the stack's folder."""
MARK = "containers"


def expect_containers(folder: Path) -> None:
    """Note that the stack in a folder starts containers."""
    (folder / MARK).touch()


def starts_containers(folder: Path) -> bool:
    """Return whether the stack in a folder starts containers."""
    return (folder / MARK).exists()


def remove_containers(folder: Path) -> None:
    """Remove the containers of the stack in a folder, running or not."""
    if not starts_containers(folder):
        return
    find = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={folder}"]
    found = subprocess.run(find, check=False, capture_output=True, text=True).stdout.split()
    if found:
        subprocess.run(["docker", "rm", "--force", "--volumes", *found], check=False, capture_output=True)
