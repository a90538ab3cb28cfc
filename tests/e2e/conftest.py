"""What several e2e tests need and take minutes to make, and which of them may run at once."""

import subprocess

import pytest

from infra.places import ROOT


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave each file's tests to one process, since they share a stack, and all that need the image to the same one: it has one tag."""
    of_image = {item.path for item in items if "image" in getattr(item, "fixturenames", ())}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("image" if item.path in of_image else item.path.name))


@pytest.fixture(scope="session")
def image() -> str:
    """The functions' image, built once for all tests: from the commit that is returned or, if others commit meanwhile, a later one."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    built = subprocess.run(["make", "build"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr)[-4000:]
    return commit
