"""Releases: what is served, written by compare-and-swap, and every one before it."""

from collections.abc import Iterator
from dataclasses import dataclass

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.release import Refusal, Release
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document


@dataclass(frozen=True, slots=True)
class StandingRelease:
    """The release document as it was read, with what a compare-and-swap needs."""

    release: Release
    etag: str


class Releases:
    """Release documents in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def models(self) -> Iterator[str]:
        """Names of all models that have, or are about to have, something to serve."""
        return self._store.folders(layout.RELEASES)

    def current(self, model: str) -> Release | None:
        """What is served, or None."""
        standing = self.standing(model)
        return standing.release if standing else None

    def at(self, model: str, seq: int) -> Release:
        """A release as it was decided, or raise NotFoundError."""
        return Release.from_json(self._store.read(layout.release_history_key(model, seq)))

    def standing(self, model: str) -> StandingRelease | None:
        """What is served and its ETag, or None."""
        try:
            body, etag = self._store.read_tagged(layout.release_key(model))
        except NotFoundError:
            return None
        return StandingRelease(Release.from_json(body), etag)

    def finished(self, model: str) -> StandingRelease | None:
        """Return `standing`, after publishing a decision that a crash kept back.

        Raises:
            ConflictError: if its decider is at work all the same; look again.
        """
        standing = self.standing(model)
        following = standing.release.seq + 1 if standing else 1
        decided = read_document(self._store, Release, layout.release_history_key(model, following))
        if decided is None:
            return standing
        self.publish(decided, over=standing)
        return self.standing(model)

    def history(self, model: str) -> list[Release]:
        """All releases decided so far, oldest first; the last may not be published yet."""
        prefix = f"{layout.release_prefix(model)}history/"
        return [Release.from_json(self._store.read(found.key)) for found in self._store.list(prefix)]

    def rollout(self, release: Release) -> list[Release]:
        """Return the releases of a release's rollout up to it, oldest first.

        No other rollout has their salt.
        """
        found = [release]
        while found[-1].seq > 1 and _same_rollout(before := self.at(release.model, found[-1].seq - 1), release):
            found.append(before)
        return found[::-1]

    def refuse(self, refusal: Refusal) -> None:
        """Record a wish that is not granted."""
        self._store.write(layout.refusal_key(refusal.model), refusal.to_json())

    def refusal(self, release: Release) -> Refusal | None:
        """The last wish that was refused in favour of this release, or None."""
        last = read_document(self._store, Refusal, layout.refusal_key(release.model))
        return last if last is not None and last.seq == release.seq else None

    def publish(self, release: Release, *, over: StandingRelease | None) -> Release:
        """Record a release in the history, then serve it.

        The history's key is the lock: whoever created it first has decided this `seq`, and any later caller publishes
        *that* decision, so that a crash between the two writes is finished by whoever comes next.

        Returns:
            The release that now stands under this `seq`, which another decider may have written.

        Raises:
            ConflictError: if another document is served meanwhile; look again.
        """
        key = layout.release_history_key(release.model, release.seq)
        if not self._store.create(key, release.to_json()):
            release = Release.from_json(self._store.read(key))
        served = layout.release_key(release.model)
        if over is not None:
            self._replace(served, release, over.etag)
        else:
            self._store.create(served, release.to_json())
        return release

    def _replace(self, key: str, release: Release, etag: str) -> None:
        """Serve a release, unless a repeated request or another decider has done so."""
        try:
            self._store.replace(key, release.to_json(), etag=etag)
        except ConflictError:
            if self.current(release.model) != release:
                raise


def _same_rollout(one: Release, other: Release) -> bool:
    return one.challenger is not None and other.challenger is not None and one.challenger.salt == other.challenger.salt
