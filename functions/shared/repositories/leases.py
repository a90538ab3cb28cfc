"""Leases: of several that want to change what a model learns from, one does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from functions.shared.domain import layout
from functions.shared.domain.document import Document
from functions.shared.domain.errors import ConflictError, NotFoundError, RetrainingBusyError
from functions.shared.ports import ObjectStore

LONGEST = timedelta(minutes=20)
"""A lease ends by itself after this: longer than a function can run, so its holder is dead."""


class Lease(Document):
    """Who holds it, and until when at the latest."""

    holder: str
    until: datetime


def take_lease(store: ObjectStore, key: str, lease: Lease, now: datetime) -> datetime | None:
    """Take a lease, also from a dead holder; one that is ours is extended.

    Returns:
        None, or until when another one holds it at the latest.

    Raises:
        ConflictError, NotFoundError: if it changed hands at this moment.
    """
    if store.create(key, lease.to_json()):
        return None
    standing, etag = standing_lease(store, key)
    if standing == lease:  # a retried request
        return None
    if standing.holder != lease.holder and standing.until > now:
        return standing.until
    try:
        store.replace(key, lease.to_json(), etag=etag)
    except ConflictError:
        if standing_lease(store, key)[0] != lease:  # else it was a retried request
            raise
    return None


def standing_lease(store: ObjectStore, key: str) -> tuple[Lease, str]:
    """Return the lease at a key and its ETag, or raise NotFoundError."""
    body, etag = store.read_tagged(key)
    return Lease.from_json(body), etag


class Leases:
    """Lease documents in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @contextmanager
    def held(self, model: str, *, holder: str, now: Callable[[], datetime]) -> Iterator[None]:
        """Hold a model's lease in a `with` block; arguments and errors as of `take`."""
        self.take(model, holder=holder, now=now)
        try:
            yield
        finally:
            self.give_back(model, holder=holder)

    def take(self, model: str, *, holder: str, now: Callable[[], datetime]) -> None:
        """Take a model's lease, or take it for longer.

        Args:
            model: whose lease.
            holder: a name that no other attempt has.
            now: the time.

        Raises:
            RetrainingBusyError: if another one holds it.
        """
        key = layout.lease_key(model)
        try:
            until = take_lease(self._store, key, Lease(holder=holder, until=now() + LONGEST), now())
        except (ConflictError, NotFoundError) as error:
            message = f"a retraining or an erasure of {model!r} began or ended at this moment"
            raise RetrainingBusyError(message, remedy="try again in a moment") from error
        if until is not None:
            message = f"a retraining or an erasure of {model!r} is running, until {until:%H:%M} UTC at the latest"
            raise RetrainingBusyError(message, remedy="try again when it has ended")

    def give_back(self, model: str, *, holder: str) -> None:
        """End a lease, unless it has another holder by now."""
        key = layout.lease_key(model)
        with suppress(NotFoundError):
            standing, etag = standing_lease(self._store, key)
            if standing.holder == holder:
                self._store.delete_unchanged(key, etag=etag)

    def running(self, now: datetime) -> set[str]:
        """Models whose lease is held."""
        found = {model: standing_lease(self._store, layout.lease_key(model))[0] for model in self._models()}
        return {model for model, lease in found.items() if lease.until > now}

    def _models(self) -> Iterator[str]:
        for found in self._store.list(layout.LEASES):
            yield found.key.removeprefix(layout.LEASES).removesuffix(".json")
