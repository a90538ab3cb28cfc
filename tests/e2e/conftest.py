"""What several e2e tests need and take minutes to make."""

import subprocess

import pytest

from infra.places import ROOT


@pytest.fixture(scope="session")
def image() -> str:
    """The functions' image, built once for all tests: from the commit that is returned or, if others commit meanwhile, a later one."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    built = subprocess.run(["make", "build"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr)[-4000:]
    return commit
