"""Builds of the kernels for tests: as the package builds them, with sanitizers, for other processors."""

import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def flags_and_sources() -> tuple[list[str], list[Path]]:
    """What the package's own build compiles, and how."""
    (extension,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
    return extension["extra-compile-args"], [ROOT / source for source in extension["sources"]]


def build(compiler: str, *flags: str, source: Path | None = None, out: Path) -> Path:
    """Compile; a warning is an error.

    Raises:
        CalledProcessError: if the compiler refuses.
    """
    usual, kernels = flags_and_sources()
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    subprocess.run([compiler, *usual, *strict, *flags, *([source] if source else kernels), "-o", str(out)], check=True)
    return out
