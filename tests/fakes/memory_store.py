"""A versioned bucket in memory."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import RLock
from types import TracebackType
from typing import Self

from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import ObjectInfo, StoredVersion

EPOCH = datetime(2013, 4, 1, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Version:
    info: ObjectInfo
    body: bytes


class MemoryStore:
    """`ObjectStore` in memory. Each write happens a second after the one before; a deleted object keeps its versions."""

    def __init__(self, bucket: str = "store") -> None:
        self._bucket = bucket
        self._newest: dict[str, _Version] = {}
        self._versions: dict[tuple[str, str], _Version] = {}
        self._deleted: dict[str, datetime] = {}
        self._written = 0
        self._lock = RLock()

    @property
    def bucket(self) -> str:
        return self._bucket

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:
        return self._find(key, version_id).info

    def read(self, key: str, version_id: str | None = None) -> bytes:
        return self._find(key, version_id).body

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        found = self._find(key, None)
        return found.body, found.info.etag

    def open(self, key: str, version_id: str | None = None) -> "MemoryFile":
        return MemoryFile(self.read(key, version_id))

    def write(self, key: str, body: bytes) -> ObjectInfo:
        with self._lock:
            number = self._written = self._written + 1
            info = ObjectInfo(
                key=key,
                bytes=len(body),
                etag=hashlib.md5(body, usedforsecurity=False).hexdigest(),
                version_id=f"v{number:04d}",
                last_modified=EPOCH + timedelta(seconds=number),
            )
            self._newest[key] = self._versions[key, info.version_id] = _Version(info, bytes(body))
            return info

    def create(self, key: str, body: bytes) -> bool:
        with self._lock:
            if key in self._newest:
                return False
            self.write(key, body)
            return True

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        with self._lock:
            if key not in self._newest or self._newest[key].info.etag != etag:
                raise ConflictError(f"{key} was changed by another writer")
            self.write(key, body)

    def upload(self, key: str) -> "MemoryUpload":
        return MemoryUpload(self, key)

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        below = (key for key in sorted(self._newest, key=str.encode) if key.startswith(prefix) and key.encode() > after.encode())
        for key in islice(below, most):
            found = self._newest[key].info
            yield ObjectInfo(key, found.bytes, found.etag, "", found.last_modified)

    def folders(self, prefix: str) -> Iterator[str]:
        below = (info.key.removeprefix(prefix) for info in self.list(prefix))
        yield from dict.fromkeys(rest.split("/", 1)[0] for rest in below if "/" in rest)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            if gone := self._newest.pop(key, None):
                self._deleted[key] = gone.info.last_modified

    def delete_unchanged(self, key: str, *, etag: str) -> bool:
        with self._lock:
            if key not in self._newest or self._newest[key].info.etag != etag:
                return False
            self.delete([key])
            return True

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        for (key, _), version in sorted(self._versions.items(), key=lambda found: found[0][0].encode()):
            if key.startswith(prefix):
                yield StoredVersion(version.info, newest=self._newest.get(key) is version)

    def forget(self, versions: Iterable[ObjectInfo]) -> None:
        with self._lock:
            for info in [*versions]:
                gone = self._versions.pop((info.key, info.version_id), None)
                if gone is not None and self._newest.get(info.key) is gone:
                    self._bring_back(info.key)

    def _bring_back(self, key: str) -> None:
        """Have the version before the newest be the newest, unless the object was deleted between the two."""
        del self._newest[key]
        older = [version for (name, _), version in self._versions.items() if name == key]
        if older and older[-1].info.last_modified > self._deleted.get(key, EPOCH):
            self._newest[key] = older[-1]

    def copy(self) -> "MemoryStore":
        """Another bucket with the same objects, from which each goes its own way."""
        other = MemoryStore(self._bucket)
        other._newest, other._versions = dict(self._newest), dict(self._versions)
        other._deleted, other._written = dict(self._deleted), self._written
        return other

    def keys(self) -> set[str]:
        """What a listing of the whole bucket shows."""
        return set(self._newest)

    def writes(self, key: str) -> int:
        """How often a key was written."""
        return sum(name == key for name, _ in self._versions)

    def _find(self, key: str, version_id: str | None) -> _Version:
        found = self._newest.get(key) if version_id is None else self._versions.get((key, version_id))
        if found is None:
            raise NotFoundError(f"{self._bucket}/{key} does not exist")
        return found


class MemoryFile:
    """Bytes as a `Source`."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.size = len(body)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._body[offset : offset + length]


class MemoryUpload:
    """`Upload` into a `MemoryStore`: one write, when it is finished."""

    def __init__(self, store: MemoryStore, key: str) -> None:
        self._store = store
        self._key = key
        self._body = bytearray()

    def write(self, data: bytes) -> int:
        self._body += data
        return len(data)

    def finish(self, *, rows: int) -> StoredFile:
        body = bytes(self._body)
        self._store.write(self._key, body)
        return StoredFile(key=self._key, rows=rows, bytes=len(body), sha256=hashlib.sha256(body).hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing was visible, so nothing is to be dropped."""
