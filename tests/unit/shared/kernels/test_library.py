"""Code and build of the kernels agree on one interface."""

import hashlib
import re
from pathlib import Path

from functions.shared.kernels import library
from functions.shared.kernels.library import INTERFACE

SOURCES = Path(library.__file__).parent
RECORDED = (5, "d43749d62793c9f2")
"""The number of the interface, and a digest of what the sources declare to export."""


def declared() -> str:
    """The declarations of all exported functions, in the order of their names."""
    found = [text for file in SOURCES.glob("*.c") for text in re.findall(r"EXPORT ([^;]+);", file.read_text())]
    return "\n".join(sorted(" ".join(text.split()) for text in found))


def test_a_new_function_or_signature_raises_the_number_of_the_interface() -> None:
    digest = hashlib.sha256(declared().encode()).hexdigest()[:16]
    assert (INTERFACE, digest) == RECORDED, "raise INTERFACE in kernels.h and library.py if functions changed, then record both here"


def test_the_sources_and_the_code_that_calls_them_have_the_same_number() -> None:
    assert re.findall(r"INTERFACE = (\d+)", (SOURCES / "kernels.h").read_text()) == [str(INTERFACE)]
