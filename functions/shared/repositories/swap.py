"""Compare-and-swap.

Read, decide, and write if nobody wrote meanwhile; otherwise do all of it again.
"""

from collections.abc import Callable

from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.ports import ObjectStore

_TRIES = 20


def swap[T](store: ObjectStore, key: str, change: Callable[[bytes | None], tuple[bytes | None, T]]) -> T:
    """Replace what stands at a key by what `change` makes of it.

    Args:
        store: where the key is.
        key: what several writers may change at once.
        change: from what stands there (None if nothing does) to what is to stand there (None to leave it), and an answer. It
            is called again whenever another writer came first.

    Returns:
        The answer that belongs to what stands now.

    Raises:
        ConflictError: if others came first at every try.
    """
    for _ in range(_TRIES):
        before, etag = _standing(store, key)
        after, answer = change(before)
        if after is None or _written(store, key, after, etag):
            return answer
    message = f"{key} was changed by others {_TRIES} times in a row"
    raise ConflictError(message)


def _standing(store: ObjectStore, key: str) -> tuple[bytes | None, str | None]:
    try:
        return store.read_tagged(key)
    except NotFoundError:
        return None, None


def _written(store: ObjectStore, key: str, body: bytes, etag: str | None) -> bool:
    """Return whether nobody came first."""
    if etag is None:
        return store.create(key, body)
    try:
        store.replace(key, body, etag=etag)
    except ConflictError:
        return False
    return True
