"""Whose turn it is to set a model's aliases in the registry, which knows no compare-and-swap."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, RegistryUnavailableError
from functions.shared.ports import ObjectStore
from functions.shared.repositories.leases import Lease

LONGEST = timedelta(minutes=5)
"""A turn ends by itself after this: longer than `release` can run, so whoever had it is dead and sets nothing any more."""


class AliasTurns:
    """Lease documents beside the release documents. One that ended stays, so that no right to delete is needed."""

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
        key, lease = layout.alias_turn_key(model), Lease(holder=holder, until=now() + LONGEST)
        if not self._store.create(key, lease.to_json()):
            self._succeed(model, lease, now())
        try:
            yield
        finally:
            standing, etag = self._standing(key)
            if standing.holder == holder:
                with suppress(ConflictError):
                    self._store.replace(key, Lease(holder=holder, until=now()).to_json(), etag=etag)

    def _succeed(self, model: str, lease: Lease, now: datetime) -> None:
        """Take the turn after one that ended or died, or find that we have it already (a retried request)."""
        key = layout.alias_turn_key(model)
        standing, etag = self._standing(key)
        if standing.holder == lease.holder:
            return
        message = f"the aliases of {model!r} are being set by another run of release"
        if standing.until > now:
            raise RegistryUnavailableError(message)
        try:
            self._store.replace(key, lease.to_json(), etag=etag)
        except ConflictError as error:
            raise RegistryUnavailableError(message) from error

    def _standing(self, key: str) -> tuple[Lease, str]:
        body, etag = self._store.read_tagged(key)
        return Lease.from_json(body), etag
