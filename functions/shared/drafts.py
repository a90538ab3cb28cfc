"""How each batch begins, scored at once or in partitions: its draft, and the release that it is scored by."""

from datetime import datetime

from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import BatchError, Manifest, Source, Status
from functions.shared.domain.release import Release
from functions.shared.ports import ObjectStore
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
        raise BatchRejectedError("no_model", layout_error, "upload to batches/<model>/<file>")
    release = Releases(store).current(draft.model)
    if release is None:
        message = f"model {draft.model!r} serves nothing yet"
        raise BatchRejectedError("no_release", message, f"everscore train {draft.model} …, then upload the file again")
    if release.retired:
        message = f"model {draft.model!r} was retired: {release.reason}"
        raise BatchRejectedError("retired", message, f"everscore promote {draft.model} VERSION, then upload the file again")
    return release


def batch_error(rejected: BatchRejectedError) -> BatchError:
    """A refusal as documents keep it."""
    return BatchError(code=rejected.code, message=str(rejected), remedy=rejected.remedy)
