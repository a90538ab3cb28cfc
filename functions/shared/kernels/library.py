"""The shared library of all kernels, where one was built: it needs nothing but C.

ctypes lets go of the interpreter during a call, so that several threads work at once.
"""

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

SETTING = "EVERSCORE_KERNELS"
"""`off`: Python, NumPy and Arrow do it all; otherwise the path of a build to use instead of the package's own."""
INTERFACE = 4
"""What `everscore_interface` of a build must answer."""


@cache
def kernel_library() -> ctypes.CDLL | None:
    """The library, or None where none was built, it was built elsewhere or from other sources, or none is wanted."""
    wanted = os.environ.get(SETTING, "")
    if wanted == "off":
        return None
    here = Path(__file__).parent
    built = [Path(wanted)] if wanted else [here / f"libkernels{suffix}" for suffix in EXTENSION_SUFFIXES]
    found = next((path for path in built if path.exists()), None)
    return None if found is None else open_library(found)


def open_library(path: Path) -> ctypes.CDLL | None:
    """A build of the kernels; None if it is for another machine, or of other sources than these modules were written for."""
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        return None
    return library if library.everscore_interface() == INTERFACE else None
