"""Load the shared library of all kernels, if it was built.

Building it needs only a C compiler.

ctypes releases the interpreter lock during a call, so that several threads work at once.
"""

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

SETTING = "EVERSCORE_KERNELS"
"""`off` for no kernels (Python, NumPy and Arrow instead), or the path of a build to use instead of the package's own."""
INTERFACE = 5
"""The value that `everscore_interface` of a build must return."""


@cache
def kernel_library() -> ctypes.CDLL | None:
    """Return the library; None if it is absent, does not fit this machine, or is off."""
    wanted = os.environ.get(SETTING, "")
    if wanted == "off":
        return None
    here = Path(__file__).parent
    built = [Path(wanted)] if wanted else [here / f"libkernels{suffix}" for suffix in EXTENSION_SUFFIXES]
    found = next((path for path in built if path.exists()), None)
    return None if found is None else open_library(found)


def open_library(path: Path) -> ctypes.CDLL | None:
    """Open a build of the kernels; None if for another machine or from other sources."""
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return None
    return library if library.everscore_interface() == INTERFACE else None
