"""Start and end a batch, partitioned or not: its draft, its release, its commit."""

from datetime import datetime

from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import BatchError, Manifest, Source, Status
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Release
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases


def drafted(source: Source, *, attempt: str, now: datetime) -> Manifest:
    """Return the manifest of an upload that has not been read yet."""
    return Manifest(
        batch_id=layout.batch_id(source.bucket, source.key, source.version_id),
        model=layout.model_or_unnamed(source.key),
        status=Status.FAILED,
        source=source,
        replays=layout.replayed_batch(source.key),
        attempt=attempt,
        created_at=now,
    )


def pinned_release(store: ObjectStore, draft: Manifest) -> Release:
    """Return the release that serves a batch's model now.

    Raises:
        BatchRejectedError: `no_model`, `no_release` or `retired`.
    """
    if draft.model == layout.UNNAMED_MODEL:
        layout_error = f"the key {draft.source.key!r} names no model"
        raise BatchRejectedError(FileCode.NO_MODEL, layout_error)
    release = Releases(store).current(draft.model)
    if release is None:
        message = f"model {draft.model!r} serves nothing yet"
        raise BatchRejectedError(FileCode.NO_RELEASE, message, f"everscore train {draft.model} …, then upload the file again")
    if release.retired:
        message = f"model {draft.model!r} was retired: {release.reason}"
        raise BatchRejectedError(FileCode.RETIRED, message, f"everscore promote {draft.model} VERSION, then upload the file again")
    return release


def committed(ended: Manifest, store: ObjectStore) -> Manifest:
    """Commit a batch's manifest, and delete the files that are no longer needed.

    If this manifest wins, the files of all other attempts are deleted, otherwise its own. They are listed before the commit: later
    files belong to a manifest that replaced this one, as erasure does.

    Returns:
        The committed manifest: this one, or that of another attempt that came first.
    """
    folders = layout.scored_prefix(ended.model, ended.batch_id), layout.quarantine_prefix(ended.model, ended.batch_id)
    there = {info.key: f"{folder}{ended.attempt}/" for folder in folders for info in store.list(folder) if layout.is_of_attempt(info.key)}
    standing = Manifests(store).commit(ended)
    named = {file.key for file in (*standing.outputs, *standing.quarantine)}
    won = standing.attempt == ended.attempt
    store.delete(key for key, own in there.items() if key not in named and (won or key.startswith(own)))
    return standing


def batch_error(rejected: BatchRejectedError) -> BatchError:
    """Return a refusal in the form that documents store."""
    return BatchError(code=rejected.code, message=rejected.message, remedy=rejected.remedy)
