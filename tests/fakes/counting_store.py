"""A bucket in memory that counts what S3 would be asked."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence

from functions.shared.ports import ObjectInfo
from tests.fakes.memory_store import MemoryFile, MemoryStore, MemoryUpload

_PAGE = 1000
"""Entries of one answer to a listing."""
_AFTER_SLASH = chr(ord("/") + 1)


class CountingStore(MemoryStore):
    """`MemoryStore` with its keys in order, and the number of requests as the adapter makes them, by what S3 charges.

    `gets` read or describe an object; `puts` write one or list some. What is deleted is free.
    """

    def __init__(self, bucket: str = "store") -> None:
        super().__init__(bucket)
        self.gets = self.puts = self.deletes = 0
        self._order: list[str] = []

    @property
    def requests(self) -> int:
        """All of them."""
        return self.gets + self.puts + self.deletes

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:
        self._ask(gets=1)
        return super().info(key, version_id)

    def read(self, key: str, version_id: str | None = None) -> bytes:
        self._ask(gets=1)
        return super().read(key, version_id)

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        self._ask(gets=1)
        return super().read_tagged(key)

    def open(self, key: str, version_id: str | None = None) -> MemoryFile:
        """One request to describe the object; a small one is then read by one more."""
        self._ask(gets=1)
        return super().open(key, version_id)

    def write(self, key: str, body: bytes) -> ObjectInfo:
        """S3 does not say when it wrote, so the adapter asks; not after a conditional write."""
        self._ask(puts=1, gets=1)
        if key not in self._newest:
            insort(self._order, key)
        return super().write(key, body)

    def create(self, key: str, body: bytes) -> bool:
        created = super().create(key, body)
        self._ask(gets=-created, puts=not created)
        return created

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        super().replace(key, body, etag=etag)
        self._ask(gets=-1)

    def upload(self, key: str) -> MemoryUpload:
        self._ask(gets=-1)
        return super().upload(key)

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        below = self._below(prefix, after, most)
        self._ask(puts=not below)
        for number, key in enumerate(below):
            self._ask(puts=number % _PAGE == 0)
            found = self._newest[key].info
            yield ObjectInfo(key, found.bytes, found.etag, "", found.last_modified)

    def folders(self, prefix: str) -> Iterator[str]:
        """Each is found without a look at what lies in it, as S3 does."""
        self._ask(puts=1)
        place, found = bisect_left(self._order, prefix), list[str]()
        while place < len(self._order) and self._order[place].startswith(prefix):
            folder, slash, _ = self._order[place].removeprefix(prefix).partition("/")
            found += [folder] * bool(slash)
            place = bisect_left(self._order, f"{prefix}{folder}{_AFTER_SLASH}", lo=place) if slash else place + 1
        return iter(found)

    def delete(self, keys: Iterable[str]) -> None:
        gone = [*keys]
        self._ask(deletes=-(-len(gone) // _PAGE))
        for key in {*gone} & self._newest.keys():
            del self._order[bisect_left(self._order, key)]
        super().delete(gone)

    def _ask(self, *, gets: int = 0, puts: int = 0, deletes: int = 0) -> None:
        """Count, of whatever thread."""
        with self._lock:
            self.gets, self.puts, self.deletes = self.gets + gets, self.puts + puts, self.deletes + deletes

    def _below(self, prefix: str, after: str = "", most: int | None = None) -> Sequence[str]:
        first = max(bisect_left(self._order, prefix), bisect_right(self._order, after))
        last = bisect_left(self._order, prefix + chr(0x10FFFF), lo=first)
        return self._order[first : last if most is None else min(last, first + most)]
