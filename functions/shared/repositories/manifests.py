"""Manifests: the commit of a batch, and a model's batches from the newest on."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime

from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival, standing
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.manifest import Manifest, Source
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.batch_index import BatchIndex


def source_of(bucket: str, upload: ObjectInfo) -> Source:
    """Return one version of an uploaded object as manifests name it."""
    return Source(
        bucket=bucket,
        key=upload.key,
        version_id=upload.version_id,
        etag=upload.etag,
        bytes=upload.bytes,
        last_modified=upload.last_modified,
    )


class Manifests:
    """Manifests in the store bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._index = BatchIndex(store)

    def read(self, key: str) -> Manifest:
        """Return the manifest at a key, or raise NotFoundError."""
        return Manifest.from_json(self._store.read(key))

    def find(self, model: str, batch: str, source: Source) -> Manifest | None:
        """Return the commit of a batch, if there is one."""
        try:
            return self.read(_key(model, batch, source))
        except NotFoundError:
            return None

    def keys(self, model: str) -> dict[str, str]:
        """Key of each manifest of a model, by batch."""
        found = (info.key for info in self._store.list(layout.manifest_prefix(model)))
        return {key.rsplit("/", 1)[-1].removesuffix(".json"): key for key in found}

    def days(self, model: str) -> list[date]:
        """The UTC days on which uploads arrived that have manifests."""
        return [date.fromisoformat(folder.removeprefix("dt=")) for folder in self._store.folders(layout.manifest_prefix(model))]

    def on(self, model: str, day: date) -> Iterator[tuple[str, ObjectInfo]]:
        """Return the batches that arrived on a UTC day, each with its manifest."""
        prefix = layout.manifest_day_prefix(model, day)
        return ((found.key.removeprefix(prefix).removesuffix(".json"), found) for found in self._store.list(prefix))

    def named(self, model: str, batch: str) -> Manifest:
        """Return the manifest of a batch, or raise NotFoundError."""
        key = self.keys(model).get(batch)
        if key is None:
            message = f"model {model!r} has no batch {batch!r}"
            raise NotFoundError(message)
        return self.read(key)

    def commit(self, manifest: Manifest) -> Manifest:
        """Write a manifest if its batch has none, or only one that stopped half-way.

        Returns:
            The manifest that stands: this one, or another attempt's that was first. A retried request of ours that had
            succeeded is recognised by its attempt.
        """
        stands = self._commit(manifest)
        self._index.add(stands)
        return stands

    def _commit(self, manifest: Manifest) -> Manifest:
        key = _key(manifest.model, manifest.batch_id, manifest.source)
        if self._store.create(key, manifest.to_json()):
            return manifest
        try:
            body, etag = self._store.read_tagged(key)
        except NotFoundError as error:
            message = f"the manifest of batch {manifest.batch_id} was refused as present, then not found"
            raise ConflictError(message) from error
        before = Manifest.from_json(body)
        if not before.resumable or manifest.resumable:
            return before
        self._store.replace(key, manifest.to_json(), etag=etag)
        return manifest

    def at(self, model: str, arrival: Arrival) -> Manifest:
        """Return the manifest of a batch that the index names."""
        return self.read(layout.manifest_key(model, arrival.day, arrival.batch))

    def entries(self, model: str) -> Iterator[Arrival]:
        """Return all batches, the newest first.

        They are ordered by the UTC day of arrival and, within a day, by when they were committed.
        """
        return self._index.entries(model) if self._index.is_complete(model) else self._walk(model)

    def arrivals(self, model: str) -> Iterator[Arrival]:
        """Return batches that nothing supersedes, the newest first."""
        return standing(self.entries(model))

    def newest(self, model: str, *, since: date | None = None) -> Iterator[Manifest]:
        """Yield standing manifests, newest first, that arrived on or after a UTC day."""
        for arrival in self.arrivals(model):
            if since is not None and arrival.day < since:
                return
            yield self.at(model, arrival)

    def of_days(self, model: str, days: Collection[date], *, since: date = date.min) -> Iterator[Manifest]:
        """Yield standing manifests, newest first, with rows on one of some event days.

        Args:
            since: the UTC day on which batches arrived, or later.
        """
        found = self._index.of_days(model, days) if self._index.is_complete(model) else self.arrivals(model)
        manifests = (self.at(model, arrival) for arrival in found if arrival.day >= since)
        return (manifest for manifest in manifests if not manifest.event_days.keys().isdisjoint(days))

    def _walk(self, model: str) -> Iterator[Arrival]:
        """Yield the batches of a model that is not indexed yet, from their manifests."""
        prefix = layout.manifest_prefix(model)
        for folder in sorted(self._store.folders(prefix), reverse=True):
            day = [Arrival.of(self.read(found.key)) for found in self._store.list(f"{prefix}{folder}/")]
            yield from sorted(day, key=lambda arrival: arrival.name)

    def written_since(self, model: str, moment: datetime) -> list[Manifest]:
        """Yield standing manifests, newest first, written since a time of the store."""
        recent = [self.read(info.key) for info in self._store.list(layout.manifest_prefix(model)) if info.last_modified >= moment]
        return list(_standing(sorted(recent, key=lambda manifest: manifest.created_at, reverse=True)))


def _standing(newest_first: Iterable[Manifest]) -> Iterator[Manifest]:
    by_batch = {manifest.batch_id: manifest for manifest in newest_first}
    return (by_batch[arrival.batch] for arrival in standing(map(Arrival.of, by_batch.values())))


def _key(model: str, batch: str, source: Source) -> str:
    return layout.manifest_key(model, source.last_modified.astimezone(UTC).date(), batch)


def file_of(manifest: Manifest, key: str, store: ObjectStore) -> bytes | None:
    """Return a file that a manifest names, or None if it has expired.

    Scored and quarantined rows expire where a bucket's rules say so.

    Raises:
        NotFoundError: if the manifest was changed since it was read, and names other files now.
    """
    try:
        return store.read(key)
    except NotFoundError:
        standing = Manifests(store).find(manifest.model, manifest.batch_id, manifest.source)
        if standing is None or key not in {file.key for file in (*standing.outputs, *standing.quarantine)}:
            raise
        return None
