"""ministack's own environment, `.ministack` in the repository: its pins and the project's do not mix."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from functions.shared.domain.errors import EmbeddedAwsError
from infra.local.servers import ROOT

ENVIRONMENT = ".ministack"
REQUIREMENTS = Path("requirements") / "ministack.txt"


def ministack_python(root: Path, progress: Callable[[str], None]) -> Path:
    """The interpreter that runs ministack; installs the locked set beside the project if it is not there yet.

    Raises:
        EmbeddedAwsError: if it cannot be installed.
    """
    environment = root / ENVIRONMENT
    if not environment.exists():
        progress(f"installing the embedded AWS into {ENVIRONMENT} (once)")
        install(root)
    return environment / "bin" / "python"


def install(root: Path) -> None:
    """Make the environment with uv or else with pip, hashes checked: whole or not at all, whoever else does the same.

    Raises:
        EmbeddedAwsError: if it cannot be installed.
    """
    making = root / ".tools" / f"{ENVIRONMENT}-{os.getpid()}"
    making.parent.mkdir(exist_ok=True)
    try:
        for command in _commands(making, root / REQUIREMENTS):
            subprocess.run(command, check=True, capture_output=True, text=True)
        if not (root / ENVIRONMENT).exists():
            making.rename(root / ENVIRONMENT)
    except subprocess.CalledProcessError as error:
        message = f"cannot install {REQUIREMENTS} into {ENVIRONMENT}:\n{error.stderr.strip()}"
        raise EmbeddedAwsError(message) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _commands(environment: Path, requirements: Path) -> list[list[str]]:
    python = str(environment / "bin" / "python")
    options = ["--require-hashes", "--requirement", str(requirements)]
    if uv := shutil.which("uv"):
        return [
            [uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(environment)],
            [uv, "pip", "install", "--quiet", "--python", python, *options],
        ]
    return [[sys.executable, "-m", "venv", str(environment)], [python, "-m", "pip", "install", "--quiet", *options]]


if __name__ == "__main__":
    ministack_python(ROOT, print)
