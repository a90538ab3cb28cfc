import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _compilers() -> None:
    subprocess.run([Path(__file__).with_name("install-compilers.sh")], check=True)
