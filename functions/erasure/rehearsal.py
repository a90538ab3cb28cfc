"""A read-only bucket for dry runs: writes and deletions change nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from functions.shared.ports import ObjectInfo, StoredVersion, Upload, VersionedStore
from functions.shared.reading.readable import Readable


@dataclass(frozen=True, slots=True)
class Unchanged:
    """`VersionedStore` over another one; its changes have no effect."""

    inner: VersionedStore

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self.inner.bucket

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:
        return self.inner.info(key, version_id)

    def read(self, key: str, version_id: str | None = None) -> bytes:
        return self.inner.read(key, version_id)

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        return self.inner.read_tagged(key)

    def open(self, key: str, version_id: str | None = None) -> Readable:
        return self.inner.open(key, version_id)

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        return self.inner.list(prefix, after=after, most=most)

    def folders(self, prefix: str) -> Iterator[str]:
        return self.inner.folders(prefix)

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        return self.inner.versions(prefix)

    def write(self, key: str, body: bytes) -> ObjectInfo:
        return ObjectInfo(key, len(body), "", "", datetime.now(UTC))

    def create(self, key: str, body: bytes) -> bool:  # noqa: ARG002 - nothing is written
        return True

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        """Leave what stands."""

    def upload(self, key: str) -> Upload:
        """Refuse: erasure writes small files only."""
        raise NotImplementedError(key)

    def delete(self, keys: Iterable[str]) -> None:
        """Leave what stands."""

    def delete_unchanged(self, key: str, *, etag: str) -> bool:  # noqa: ARG002 - nothing is deleted
        return True

    def forget(self, versions: Iterable[ObjectInfo]) -> None:
        """Leave what stands."""
