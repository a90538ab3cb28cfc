"""Manifests: the commit of a batch, and the batches of a model from the newest on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.manifest import Manifest, Source
from functions.shared.ports import ObjectInfo, ObjectStore


def source_of(bucket: str, upload: ObjectInfo) -> Source:
    """One version of an uploaded object as manifests name it."""
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

    def read(self, key: str) -> Manifest:
        """The manifest at a key, or raise NotFoundError."""
        return Manifest.from_json(self._store.read(key))

    def find(self, model: str, batch: str, source: Source) -> Manifest | None:
        """The commit of a batch, if there is one."""
        try:
            return self.read(_key(model, batch, source))
        except NotFoundError:
            return None

    def keys(self, model: str) -> dict[str, str]:
        """Key of each manifest of a model, by batch."""
        found = (info.key for info in self._store.list(layout.manifest_prefix(model)))
        return {key.rsplit("/", 1)[-1].removesuffix(".json"): key for key in found}

    def named(self, model: str, batch: str) -> Manifest:
        """The manifest of a batch, or raise NotFoundError."""
        key = self.keys(model).get(batch)
        if key is None:
            message = f"model {model!r} has no batch {batch!r}"
            raise NotFoundError(message)
        return self.read(key)

    def commit(self, manifest: Manifest) -> Manifest:
        """Write a manifest if its batch has none yet, or one of work that stopped half-way.

        Returns:
            The manifest that stands: this one, or another attempt's that was first. A retried request of ours that had
            succeeded is recognised by its attempt.
        """
        key = _key(manifest.model, manifest.batch_id, manifest.source)
        if self._store.create(key, manifest.to_json()):
            return manifest
        try:
            body, etag = self._store.read_tagged(key)
        except NotFoundError as error:
            message = f"the manifest of batch {manifest.batch_id} was refused as present, then not found"
            raise ConflictError(message) from error
        standing = Manifest.from_json(body)
        if not standing.resumable or manifest.resumable:
            return standing
        self._store.replace(key, manifest.to_json(), etag=etag)
        return manifest

    def newest(self, model: str, *, since: date | None = None) -> Iterator[Manifest]:
        """Manifests that nothing supersedes, newest first, of batches that arrived on or after a UTC day."""
        superseded: set[str] = set()
        prefix = layout.manifest_prefix(model)
        for folder in sorted(self._store.folders(prefix), reverse=True):
            if since is not None and date.fromisoformat(folder.removeprefix("dt=")) < since:
                return
            day = [self.read(found.key) for found in self._store.list(f"{prefix}{folder}/")]
            superseded.update(manifest.supersedes for manifest in day if manifest.supersedes)
            day.sort(key=lambda manifest: manifest.created_at, reverse=True)
            yield from (manifest for manifest in day if manifest.batch_id not in superseded)

    def written_since(self, model: str, moment: datetime) -> list[Manifest]:
        """Manifests that nothing supersedes, newest first, of those written since a moment of the store's clock."""
        recent = [self.read(info.key) for info in self._store.list(layout.manifest_prefix(model)) if info.last_modified >= moment]
        superseded = {manifest.supersedes for manifest in recent}
        standing = [manifest for manifest in recent if manifest.batch_id not in superseded]
        return sorted(standing, key=lambda manifest: manifest.created_at, reverse=True)


def _key(model: str, batch: str, source: Source) -> str:
    return layout.manifest_key(model, source.last_modified.astimezone(UTC).date(), batch)
