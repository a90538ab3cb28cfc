"""Documents under one prefix of a model: read one, read all."""

from collections.abc import Iterator

from functions.shared.domain.document import Document
from functions.shared.domain.errors import NotFoundError
from functions.shared.ports import ObjectStore


def read_document[D: Document](store: ObjectStore, kind: type[D], key: str) -> D | None:
    """Return the document at a key, or None if nothing stands there."""
    try:
        return kind.from_json(store.read(key))
    except NotFoundError:
        return None


def read_documents[D: Document](store: ObjectStore, kind: type[D], prefix: str) -> Iterator[D]:
    """Yield all documents below a prefix, in order of key."""
    for found in store.list(prefix):
        yield kind.from_json(store.read(found.key))
