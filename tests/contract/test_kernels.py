"""The kernels are built in two places: by the package's build and in the image. They must be the same."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
KERNELS = ROOT / "functions" / "shared" / "kernels"


def test_the_image_compiles_what_the_package_compiles_and_by_the_same_flags() -> None:
    (extension,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    dockerfile = (ROOT / "functions" / "Dockerfile").read_text()
    compiled = re.search(r"^RUN gcc (.*) -shared -fPIC (.*)$", dockerfile, re.MULTILINE)
    assert compiled is not None
    assert compiled[1].split() == extension["extra-compile-args"]
    assert extension["name"] == "functions.shared.kernels.libkernels"
    assert sorted(extension["sources"]) == sorted(path.relative_to(ROOT).as_posix() for path in KERNELS.glob("*.c"))
    assert "COPY functions/shared/kernels/*.c functions/shared/kernels/*.h /kernels/" in dockerfile
    assert compiled[2].split() == ["/kernels/*.c", "-o", "/kernels/libkernels.so", "&&", "rm", "/kernels/*.[ch]"]
    assert "${LAMBDA_TASK_ROOT}/functions/shared/kernels/" in dockerfile


def test_a_machine_without_a_compiler_still_installs() -> None:
    (extension,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    assert extension["optional"] is True
