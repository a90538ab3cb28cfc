"""How each batch begins and ends, scored at once or in partitions: its draft, the release that it is scored by, and its commit."""

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
    """The manifest of an upload that nothing is known of yet."""
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
    """What serves a batch's model now.

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
    """Commit how a batch ended, and delete the files that lost: of all attempts if it is this one's manifest that stands, else its own.

    They are listed before the commit, since files that come after it are named by a manifest that took its place, as erasure's does.

    Returns:
        The manifest that stands: this one, or another attempt's that was first.
    """
    folders = layout.scored_prefix(ended.model, ended.batch_id), layout.quarantine_prefix(ended.model, ended.batch_id)
    there = {info.key: f"{folder}{ended.attempt}/" for folder in folders for info in store.list(folder) if layout.is_of_attempt(info.key)}
    standing = Manifests(store).commit(ended)
    named = {file.key for file in (*standing.outputs, *standing.quarantine)}
    won = standing.attempt == ended.attempt
    store.delete(key for key, own in there.items() if key not in named and (won or key.startswith(own)))
    return standing


def batch_error(rejected: BatchRejectedError) -> BatchError:
    """A refusal as documents keep it."""
    return BatchError(code=rejected.code, message=rejected.message, remedy=rejected.remedy)
