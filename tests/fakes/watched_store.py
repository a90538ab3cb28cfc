"""A store whose every call is announced, so that a test can let the world change, or end, at any of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from functions.shared.domain.manifest import StoredFile
from functions.shared.ports import ObjectInfo, StoredVersion, Upload, VersionedStore
from functions.shared.reading.readable import Readable


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Just before or just after the n-th call (from 1) on a bucket, whatever the thread and whatever is called."""

    bucket: str
    number: int
    side: Literal["before", "after"]
    call: str = field(compare=False)


PART_BYTES = 256

type Watcher = Callable[[Moment], None]


class Crash(BaseException):
    """The process ends. No `except Exception` may stop it, and nothing that follows reaches the store."""


class CrashAt:
    """A watcher that ends the process at one moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self.crashed = False

    def __call__(self, moment: Moment) -> None:
        if self.crashed or moment == self._moment:
            self.crashed = True
            raise Crash(moment)


class WatchedStore:
    """`ObjectStore` that calls a watcher before and after each call that reaches the store behind it."""

    def __init__(self, inner: VersionedStore, watcher: Watcher) -> None:
        self._inner = inner
        self._watcher = watcher
        self._calls = 0

    def watched[T](self, call: str, action: Callable[[], T]) -> T:
        """Take an action between its two moments; the second comes even if the action fails."""
        self._calls += 1
        number = self._calls
        self._watcher(Moment(self._inner.bucket, number, "before", call))
        try:
            return action()
        finally:
            self._watcher(Moment(self._inner.bucket, number, "after", call))

    @property
    def bucket(self) -> str:
        return self._inner.bucket

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:
        return self.watched(f"info {key}", lambda: self._inner.info(key, version_id))

    def read(self, key: str, version_id: str | None = None) -> bytes:
        return self.watched(f"read {key}", lambda: self._inner.read(key, version_id))

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        return self.watched(f"read {key}", lambda: self._inner.read_tagged(key))

    def open(self, key: str, version_id: str | None = None) -> "WatchedSource":
        return WatchedSource(self, self.watched(f"open {key}", lambda: self._inner.open(key, version_id)))

    def write(self, key: str, body: bytes) -> ObjectInfo:
        return self.watched(f"write {key}", lambda: self._inner.write(key, body))

    def create(self, key: str, body: bytes) -> bool:
        return self.watched(f"create {key}", lambda: self._inner.create(key, body))

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        self.watched(f"replace {key}", lambda: self._inner.replace(key, body, etag=etag))

    def upload(self, key: str) -> "WatchedUpload":
        return WatchedUpload(self, key, self.watched(f"upload {key}", lambda: self._inner.upload(key)))

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        yield from self.watched(f"list {prefix}", lambda: [*self._inner.list(prefix, after=after, most=most)])

    def folders(self, prefix: str) -> Iterator[str]:
        yield from self.watched(f"list {prefix}", lambda: [*self._inner.folders(prefix)])

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        yield from self.watched(f"versions {prefix}", lambda: [*self._inner.versions(prefix)])

    def forget(self, versions: Iterable[ObjectInfo]) -> None:
        for info in versions:
            self.watched(f"forget {info.key}", lambda info=info: self._inner.forget([info]))  # type: ignore[misc]

    def delete_unchanged(self, key: str, *, etag: str) -> bool:
        return self.watched(f"delete {key}", lambda: self._inner.delete_unchanged(key, etag=etag))

    def delete(self, keys: Iterable[str]) -> None:
        # One request deletes many objects, but not at once: a crash may come between any two.
        for key in keys:
            self.watched(f"delete {key}", lambda key=key: self._inner.delete([key]))  # type: ignore[misc]


class WatchedSource:
    """`Readable` whose reads are announced."""

    def __init__(self, store: WatchedStore, inner: Readable) -> None:
        self._store = store
        self._inner = inner
        self.size = inner.size

    def read_at(self, offset: int, length: int) -> bytes:
        return self._store.watched(f"read at {offset}", lambda: self._inner.read_at(offset, length))


class WatchedUpload:
    """`Upload` whose calls are announced; of its writes those that fill a part, which is what reaches S3."""

    def __init__(self, store: WatchedStore, key: str, inner: Upload) -> None:
        self._store = store
        self._key = key
        self._inner = inner
        self._waiting = 0

    def write(self, data: bytes) -> int:
        self._waiting += len(data)
        if self._waiting < PART_BYTES:
            return self._inner.write(data)
        self._waiting = 0
        return self._store.watched(f"part {self._key}", lambda: self._inner.write(data))

    def finish(self, *, rows: int) -> StoredFile:
        return self._store.watched(f"finish {self._key}", lambda: self._inner.finish(rows=rows))

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inner.__exit__(kind, error, trace)
