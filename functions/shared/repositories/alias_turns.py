"""Whose turn it is to set a model's aliases in the registry.

The registry has no compare-and-swap.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, RegistryUnavailableError
from functions.shared.ports import ObjectStore
from functions.shared.repositories.leases import Lease, standing_lease, take_lease

LONGEST = timedelta(minutes=5)
"""A turn ends by itself after this: longer than `release` can run, so whoever had it is dead and sets nothing any more."""


class AliasTurns:
    """Lease documents next to the release documents.

    One that ended stays, so that no right to delete is needed.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @contextmanager
    def taken(self, model: str, *, holder: str, now: Callable[[], datetime]) -> Iterator[None]:
        """Have the turn for the length of a `with` block.

        Args:
            model: whose aliases.
            holder: a name that no other attempt has.
            now: the time.

        Raises:
            RegistryUnavailableError: if it is another one's turn.
        """
        key = layout.alias_turn_key(model)
        message = f"the aliases of {model!r} are being set by another run of release"
        try:
            until = take_lease(self._store, key, Lease(holder=holder, until=now() + LONGEST), now())
        except ConflictError as error:
            raise RegistryUnavailableError(message) from error
        if until is not None:
            raise RegistryUnavailableError(message)
        try:
            yield
        finally:
            standing, etag = standing_lease(self._store, key)
            if standing.holder == holder:
                with suppress(ConflictError):
                    self._store.replace(key, Lease(holder=holder, until=now()).to_json(), etag=etag)
