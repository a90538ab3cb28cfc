"""Builds of the kernels for tests: as the package builds them, with sanitizers, for other processors."""

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def flags_and_source() -> tuple[list[str], Path]:
    """What the package's own build compiles, and how."""
    (extension,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    (source,) = extension["sources"]
    return extension["extra-compile-args"], ROOT / source


def build(compiler: str, *flags: str, source: Path | None = None, out: Path) -> Path:
    """Compile; a warning is an error.

    Raises:
        CalledProcessError: if the compiler refuses.
    """
    usual, kernels = flags_and_source()
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    subprocess.run([compiler, *usual, *strict, *flags, str(source or kernels), "-o", str(out)], check=True)
    return out
