"""A local folder as a bucket, for scoring without AWS.

It keeps one version per key, written whole or not at all.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import ObjectInfo
from functions.shared.reading.readable import LocalFile

ONLY_VERSION = "null"
"""What S3 calls the version of an object in a bucket that keeps one."""

_UNFINISHED = ".unfinished-"


class LocalFolder:
    """`ObjectStore` over a folder. An object's ETag is the time and size of its file."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def bucket(self) -> str:
        """The folder's path."""
        return str(self._root)

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:  # noqa: ARG002 - there is one version
        """Describe an object, or raise NotFoundError."""
        found = self._present(key).stat()
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        return ObjectInfo(key, found.st_size, f"{found.st_mtime_ns:x}-{found.st_size:x}", ONLY_VERSION, modified)

    def read(self, key: str, version_id: str | None = None) -> bytes:  # noqa: ARG002 - there is one version
        """Return the whole of a small object, or raise NotFoundError."""
        return self._present(key).read_bytes()

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """Return an object's bytes and its ETag, or raise NotFoundError."""
        return self.read(key), self.info(key).etag

    def open(self, key: str, version_id: str | None = None) -> LocalFile:  # noqa: ARG002 - there is one version
        """Random access to an object, or raise NotFoundError."""
        return LocalFile(self._present(key))

    def write(self, key: str, body: bytes) -> ObjectInfo:
        """Write, whatever stands there."""
        self._unfinished(key, body).replace(self._root / key)
        return self.info(key)

    def create(self, key: str, body: bytes) -> bool:
        """Write if nothing stands there; False if something does."""
        unfinished = self._unfinished(key, body)
        try:
            os.link(unfinished, self._root / key)
        except FileExistsError:
            return False
        finally:
            unfinished.unlink()
        return True

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        """Write if the object still has this ETag, or raise ConflictError."""
        if not (self._root / key).is_file() or self.info(key).etag != etag:
            message = f"{self._root / key} was changed by another writer"
            raise ConflictError(message)
        self.write(key, body)

    def upload(self, key: str) -> "LocalUpload":
        """Begin a large file."""
        return LocalUpload(self._unfinished(key), self._root / key, key)

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        """Objects below a prefix, in order of key."""
        above = self._root / prefix.rpartition("/")[0]
        keys = sorted(path.relative_to(self._root).as_posix() for path in above.rglob("*") if path.is_file())
        below = (key for key in keys if key.startswith(prefix) and key > after and _UNFINISHED not in key)
        return (self.info(key) for key in islice(below, most))

    def folders(self, prefix: str) -> Iterator[str]:
        """Return names one level below a prefix that ends in a slash."""
        above = self._root / prefix
        return iter(sorted(path.name for path in above.iterdir() if path.is_dir()) if above.is_dir() else [])

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; absent ones are no error."""
        for key in keys:
            (self._root / key).unlink(missing_ok=True)

    def delete_unchanged(self, key: str, *, etag: str) -> bool:
        """Delete an object if it still has this ETag; return whether it was deleted."""
        if not (self._root / key).is_file() or self.info(key).etag != etag:
            return False
        self.delete([key])
        return True

    def _present(self, key: str) -> Path:
        path = self._root / key
        if not path.is_file():
            message = f"{path} does not exist"
            raise NotFoundError(message)
        return path

    def _unfinished(self, key: str, body: bytes = b"") -> Path:
        """Return a new file next to the key's own, to take its place."""
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{_UNFINISHED}{uuid.uuid4().hex}")
        unfinished.write_bytes(body)
        return unfinished


class LocalUpload:
    """`Upload` into a file that gets its name when it is whole."""

    def __init__(self, unfinished: Path, path: Path, key: str) -> None:
        self._file = unfinished.open("wb", buffering=0)
        self._unfinished, self._path, self._key = unfinished, path, key
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> int:
        """Append bytes."""
        self._digest.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def finish(self, *, rows: int) -> StoredFile:
        """Make the file visible and describe it."""
        self._file.close()
        self._unfinished.replace(self._path)
        return StoredFile(key=self._key, rows=rows, bytes=self._bytes, sha256=self._digest.hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Drop what was written, unless `finish` was reached."""
        self._file.close()
        self._unfinished.unlink(missing_ok=True)
