"""What several e2e tests need and take minutes to make, and which of them may run at once."""

import subprocess

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from infra.places import ROOT

OF_IMAGE = {"tests/e2e/test_containers.py", "tests/e2e/test_image.py"}


class ByStack(LoadScopeScheduling):
    """Leave the tests of a file to one process, since they share a stack, and all of the image to the same one: it has one tag."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "image" if file in OF_IMAGE else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByStack:
    return ByStack(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hold `OF_IMAGE` to the tests that ask for the image."""
    asking = {item.nodeid.partition("::")[0] for item in items if "image" in getattr(item, "fixturenames", ())}
    assert asking <= OF_IMAGE, f"they need the image and are not in OF_IMAGE: {asking - OF_IMAGE}"


@pytest.fixture(scope="session")
def image() -> str:
    """The functions' image, built once for all tests: from the commit that is returned or, if others commit meanwhile, a later one."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    built = subprocess.run(["make", "build"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr)[-4000:]
    return commit
