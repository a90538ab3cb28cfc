"""Random access to the bytes of one file."""

import os
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self


class Source(Protocol):
    """One version of one file, read by ranges."""

    @property
    def size(self) -> int:
        """Bytes in the file."""

    def read_at(self, offset: int, length: int) -> bytes:
        """The `length` bytes from `offset` on; fewer only at the end of the file."""


class LocalFile:
    """A file on this machine as a `Source`. Close it, or use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """The `length` bytes from `offset` on; fewer only at the end of the file."""
        parts = []
        while length > 0 and (part := os.pread(self._descriptor, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
