"""The kernels' own tests with every access and every shift watched: AddressSanitizer and UndefinedBehaviorSanitizer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from functions.shared.kernels.library import SETTING
from tests.integration.kernels.building import ROOT, build

TESTS = (
    "tests/unit/shared/engines/test_forest.py",
    "tests/integration/engines/test_kernel_bits.py",
    "tests/unit/shared/kernels",
    "tests/unit/shared/reading/test_delimited.py",
    "tests/unit/shared/reading/test_jsonlines.py",
)
BEYOND_THE_LAST_NODE = """
import numpy as np
from functions.shared.kernels.library import kernel_library
from functions.shared.kernels.trees import ForestKernel
nothing = np.zeros(1, np.int64)
kernel = ForestKernel(kernel_library(), np.array([4096 << 32]), nothing, nothing, np.zeros((1, 1)))
kernel.add_leaves(np.zeros((1, 1), np.uint16), np.zeros((1, 1)))
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that works with a watched build."""
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    library = build("gcc", *flags, out=tmp_path_factory.mktemp("kernels") / "libkernels.so")
    # libstdc++ with it, or the sanitizer does not find what other extensions throw.
    preloaded = [subprocess.check_output(["gcc", f"-print-file-name={name}"], text=True).strip() for name in ("libasan.so", "libstdc++.so")]
    preloaded[1] = preloaded[1] if Path(preloaded[1]).is_absolute() else "libstdc++.so.6"
    return os.environ | {SETTING: str(library), "LD_PRELOAD": " ".join(preloaded), "ASAN_OPTIONS": "detect_leaks=0"}


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False)


def test_no_kernel_reads_or_writes_beyond_its_arrays(watched: dict[str, str]) -> None:
    ran = python(watched, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped" not in ran.stdout


def test_the_watch_would_notice(watched: dict[str, str]) -> None:
    ran = python(watched, "-c", BEYOND_THE_LAST_NODE)
    assert ran.returncode != 0
    assert "AddressSanitizer" in ran.stderr
