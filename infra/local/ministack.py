"""ministack's own environment, `.ministack`: its pins conflict with ours."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from functions.shared.domain.errors import EmbeddedAwsError
from infra.places import ROOT, tools_folder

ENVIRONMENT = ".ministack"
REQUIREMENTS = ROOT / "requirements" / "ministack.txt"


def ministack_python(progress: Callable[[str], None]) -> Path:
    """Return ministack's interpreter; install the locked set if it is missing.

    Raises:
        EmbeddedAwsError: if it cannot be installed.
    """
    environment = tools_folder() / ENVIRONMENT
    if not environment.exists():
        progress(f"installing the embedded AWS into {environment} (once)")
        install(environment)
    return environment / "bin" / "python"


def install(environment: Path) -> None:
    """Make the environment with uv or pip, with checked hashes and all at once.

    Other processes may do the same at the same time.

    Raises:
        EmbeddedAwsError: if it cannot be installed.
    """
    making = environment.parent / ".tools" / f"{ENVIRONMENT}-{os.getpid()}"
    making.parent.mkdir(parents=True, exist_ok=True)
    try:
        for command in _commands(making, REQUIREMENTS):
            subprocess.run(command, check=True, capture_output=True, text=True)
        if not environment.exists():
            making.rename(environment)
    except subprocess.CalledProcessError as error:
        message = f"cannot install {REQUIREMENTS} into {environment}:\n{error.stderr.strip()}"
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
    ministack_python(print)
