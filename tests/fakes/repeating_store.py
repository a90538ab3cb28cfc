"""A store behind a bad line: the first answer to a replacement is lost, and the client asks again."""

from functions.shared.domain.errors import ConflictError
from tests.fakes.memory_store import MemoryStore


class RepeatingStore(MemoryStore):
    """`ObjectStore` whose replacements are done at the first request and refused at the second, as S3 does it."""

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        super().replace(key, body, etag=etag)
        raise ConflictError(f"{key} was changed by another writer")
