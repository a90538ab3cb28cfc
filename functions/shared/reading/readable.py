"""Random access to the bytes of one file."""

from pathlib import Path
from typing import Protocol


class Readable(Protocol):
    """One version of one file, read by ranges."""

    @property
    def size(self) -> int:
        """Return the number of bytes in the file."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the `length` bytes from `offset` on; fewer only at the end of the file."""


class LocalFile:
    """A local file as a `Readable`. It is open only during a read: nothing to close."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the `length` bytes from `offset` on; fewer only at the end of the file."""
        with self._path.open("rb") as file:
            file.seek(offset)
            return file.read(length)
