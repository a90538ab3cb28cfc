"""A full disk, a pipe and a poor terminal are named with what to do, without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def everscore(arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell's command line in which `everscore` is the command."""
    command = f"{Path(sys.executable).with_name('everscore')} {arguments}"
    return subprocess.run(
        command,
        shell=True,
        executable="/bin/bash",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "error", "remedy"),
    [
        ("policy --help > /dev/full", {}, "there is no space left to write to", "make room"),
        ("--help", {"PYTHONIOENCODING": "ascii", "EVERSCORE_LANG": "zh"}, "ascii", "PYTHONIOENCODING=utf-8"),
    ],
)
def test_a_stream_that_takes_no_more_is_named_with_what_to_do(arguments: str, environment: dict[str, str], error: str, remedy: str) -> None:
    run = everscore(arguments, **environment)
    assert run.returncode == 2
    assert error in run.stderr
    assert remedy in run.stderr
    assert "Traceback" not in run.stderr
