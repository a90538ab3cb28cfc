"""Compare-and-swap.

Read, decide, and write if nobody wrote meanwhile; otherwise do all of it again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.ports import ObjectStore

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood at a key when it was read; no body and no ETag if nothing did."""

    body: bytes | None
    etag: str | None


def swap[T](store: ObjectStore, key: str, change: Callable[[bytes | None], tuple[bytes | None, T]], *, known: Standing | None = None) -> T:
    """Replace what stands at a key by what `change` makes of it.

    Args:
        store: where the key is.
        key: what several writers may change at once.
        change: from what stands there (None if nothing does) to what is to stand there (None to leave it), and an answer. It
            is called again whenever another writer came first.
        known: what was read earlier, for the first try.

    Returns:
        The answer that belongs to what stands now.

    Raises:
        ConflictError: if others came first at every try.
    """
    for number in range(_TRIES):
        before = known if known and number == 0 else standing(store, key)
        after, answer = change(before.body)
        if after is None or _written(store, key, after, before.etag):
            return answer
    message = f"{key} was changed by others {_TRIES} times in a row"
    raise ConflictError(message)


def standing(store: ObjectStore, key: str) -> Standing:
    """Return what stands at a key."""
    try:
        return Standing(*store.read_tagged(key))
    except NotFoundError:
        return Standing(None, None)


def _written(store: ObjectStore, key: str, body: bytes, etag: str | None) -> bool:
    """Return whether nobody came first."""
    if etag is None:
        return store.create(key, body)
    try:
        store.replace(key, body, etag=etag)
    except ConflictError:
        return False
    return True
