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


class Leases:
    """Lease documents in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @contextmanager
    def held(self, model: str, *, holder: str, now: Callable[[], datetime]) -> Iterator[None]:
        """Hold a model's lease for the length of a `with` block.

        Args:
            model: whose lease.
            holder: a name that no other attempt has.
            now: the time.

        Raises:
            RetrainingBusyError: if another one holds it.
        """
        key, lease = layout.lease_key(model), Lease(holder=holder, until=now() + LONGEST)
        if not self._store.create(key, lease.to_json()):
            self._take_over(model, lease, now())
        try:
            yield
        finally:
            with suppress(NotFoundError):
                if self._standing(key)[0].holder == holder:
                    self._store.delete([key])

    def running(self, now: datetime) -> set[str]:
        """Models whose lease is held."""
        found = {model: self._standing(layout.lease_key(model))[0] for model in self._models()}
        return {model for model, lease in found.items() if lease.until > now}

    def _models(self) -> Iterator[str]:
        for found in self._store.list("leases/"):
            yield found.key.removeprefix("leases/").removesuffix(".json")

    def _take_over(self, model: str, lease: Lease, now: datetime) -> None:
        """Succeed a holder that is dead, or find that we hold the lease already (a retried request)."""
        key = layout.lease_key(model)
        try:
            standing, etag = self._standing(key)
            if standing.holder == lease.holder:
                return
            if standing.until > now:
                message = f"a retraining or an erasure of {model!r} is running, until {standing.until:%H:%M} UTC at the latest"
                raise RetrainingBusyError(message)
            self._store.replace(key, lease.to_json(), etag=etag)
        except (ConflictError, NotFoundError) as error:
            message = f"a retraining or an erasure of {model!r} began or ended at this moment"
            raise RetrainingBusyError(message) from error

    def _standing(self, key: str) -> tuple[Lease, str]:
        body, etag = self._store.read_tagged(key)
        return Lease.from_json(body), etag
