"""Doctests are looked for only where there are some: importing all other modules takes seconds."""

from pathlib import Path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out a module without tests of its own and without a doctest."""
    if collection_path.suffix != ".py" or collection_path.name.startswith("test_"):
        return None
    return True if b">>>" not in collection_path.read_bytes() else None
