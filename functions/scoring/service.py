"""Score each batch exactly once, and commit one manifest."""

from datetime import datetime

from functions.scoring.attempt import attempt_batch
from functions.scoring.ports import Ports
from functions.shared.batches.lifecycle import batch_error, committed, drafted, pinned_release
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import BatchRejectedError, NotFoundError
from functions.shared.domain.manifest import Manifest, Source
from functions.shared.domain.rejections import FileCode
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests, source_of


def score_batch(created: StoredObject, ports: Ports) -> Manifest:
    """Score one version of an uploaded object exactly once, even if called again.

    Returns:
        The committed manifest of the batch: this attempt's, or that of an earlier attempt.

    Raises:
        ConservationError: if rows were lost or duplicated; nothing is committed.
    """
    try:
        source = source_of(ports.inbox.bucket, ports.inbox.info(created.key, created.version_id))
    except NotFoundError:
        return _gone(created, ports.store, attempt=ports.new_attempt(), now=ports.now())
    draft = drafted(source, attempt=ports.new_attempt(), now=ports.now())
    if standing := Manifests(ports.store).find(draft.model, draft.batch_id, draft.source):
        return standing
    try:
        ended = attempt_batch(draft, pinned_release(ports.store, draft), ports)
    except BatchRejectedError as rejected:
        ended = draft.model_copy(update={"error": batch_error(rejected)})
    return committed(ended.model_copy(update={"created_at": ports.now()}), ports.store)


def _gone(created: StoredObject, store: ObjectStore, *, attempt: str, now: datetime) -> Manifest:
    """Return the manifest of a deleted upload; if it has none, one with that reason."""
    source = Source(
        bucket=created.bucket,
        key=created.key,
        version_id=created.version_id,
        etag=created.etag,
        bytes=created.size_bytes,
        last_modified=created.created_at or now,
    )
    draft = drafted(source, attempt=attempt, now=now)
    manifests = Manifests(store)
    if standing := manifests.keys(draft.model).get(draft.batch_id):
        return manifests.read(standing)
    gone = BatchRejectedError(FileCode.UPLOAD_GONE, f"{created.key} was deleted before it was scored")
    return committed(draft.model_copy(update={"error": batch_error(gone)}), store)
