"""Score batches, each exactly once: find what was committed, or attempt it by the release that serves and commit one manifest."""

from collections.abc import Callable
from datetime import datetime

from functions.scoring.attempt import attempt_batch
from functions.shared.batches.drafts import batch_error, committed, drafted, pinned_release
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import BatchRejectedError, InputError, NotFoundError
from functions.shared.domain.manifest import Manifest, Source, Status
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.releases import Releases


def score_batch(
    created: StoredObject,
    *,
    inbox: ObjectStore,
    store: ObjectStore,
    bundles: Bundles,
    new_attempt: Callable[[], str],
    now: Callable[[], datetime],
) -> Manifest:
    """Score one version of one uploaded object, exactly once however often it is asked.

    Returns:
        The manifest that stands for the batch: this attempt's, or the one another attempt committed first.

    Raises:
        ConservationError: if rows were lost or made up; nothing is committed.
    """
    try:
        source = source_of(inbox.bucket, inbox.info(created.key, created.version_id))
    except NotFoundError:
        return _gone(created, store, attempt=new_attempt(), now=now())
    draft = drafted(source, attempt=new_attempt(), now=now())
    if standing := Manifests(store).find(draft.model, draft.batch_id, draft.source):
        return standing
    try:
        ended = attempt_batch(draft, pinned_release(store, draft), inbox=inbox, store=store, bundles=bundles)
    except BatchRejectedError as rejected:
        ended = draft.model_copy(update={"error": batch_error(rejected)})
    return committed(ended.model_copy(update={"created_at": now()}), store)


def _gone(created: StoredObject, store: ObjectStore, *, attempt: str, now: datetime) -> Manifest:
    """What stands for an upload that is gone: the manifest that it got while it was there, or one that says so."""
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
    gone = BatchRejectedError("upload_gone", f"{created.key} was deleted before it was scored", "upload it again")
    return committed(draft.model_copy(update={"error": batch_error(gone)}), store)


def rescore_batch(
    model: str,
    batch_id: str,
    *,
    inbox: ObjectStore,
    store: ObjectStore,
    bundles: Bundles,
    new_attempt: Callable[[], str],
    now: Callable[[], datetime],
) -> Manifest:
    """Score a batch again by what is served now. The new manifest supersedes the old one, whose files are kept.

    A batch that cannot be scored now keeps the manifest that it has.

    Returns:
        The manifest that stands for this batch and this release; asked again, the same one.

    Raises:
        BatchRejectedError: if the model serves nothing, or the batch as a whole cannot be scored by it.
        InputError: if rows of it were erased, or it was scored in partitions.
        NotFoundError: if there is no such batch, or the upload's version is gone.
    """
    batch = _scorable_again(Manifests(store).named(model, batch_id))
    release, source = pinned_release(store, batch), batch.source
    purpose = layout.rescoring(release.seq)
    draft = Manifest(
        batch_id=layout.batch_id(source.bucket, source.key, source.version_id, purpose),
        model=model,
        status=Status.FAILED,
        source=source,
        purpose=purpose,
        supersedes=batch_id,
        replays=batch.replays,
        attempt=new_attempt(),
        created_at=now(),
    )
    if standing := Manifests(store).find(model, draft.batch_id, source):
        return standing
    ended = attempt_batch(draft, release, inbox=inbox, store=store, bundles=bundles)
    return committed(ended.model_copy(update={"created_at": now()}), store)


def verify_batch(
    model: str, batch_id: str, *, inbox: ObjectStore, store: ObjectStore, bundles: Bundles, new_attempt: Callable[[], str]
) -> tuple[str, ...]:
    """Score a batch again by the release that scored it, and keep nothing.

    Returns:
        Keys of the standing files that came out with other bytes; none if the batch was reproduced.

    Raises:
        InputError: if the batch had failed, rows of it were erased, or it was scored in partitions.
        NotFoundError: if there is no such batch, or the upload's version, the release or a bundle is gone.
    """
    batch = _scorable_again(Manifests(store).named(model, batch_id))
    if batch.release is None:
        message = f"batch {batch.batch_id} failed, so there is nothing to compare with"
        raise InputError(message)
    draft = batch.model_copy(update={"attempt": new_attempt()})
    release = Releases(store).at(batch.model, batch.release.seq)
    again = attempt_batch(draft, release, inbox=inbox, store=store, bundles=bundles)
    store.delete(file.key for file in (*again.outputs, *again.quarantine))
    standing, made = ((*manifest.outputs, *manifest.quarantine) for manifest in (batch, again))
    digests = [file.sha256 for file in made]
    return tuple(file.key for place, file in enumerate(standing) if file.sha256 != (digests[place] if place < len(digests) else None))


def _scorable_again(batch: Manifest) -> Manifest:
    """The batch itself, if its upload was not taken away with somebody's rows, and one function can score it."""
    if batch.rows_erased:
        message = f"{batch.rows_erased:,} rows of batch {batch.batch_id} were erased, and its upload with them: it stays as it is"
        raise InputError(message)
    if batch.partitions is not None:
        message = f"batch {batch.batch_id} was scored in {batch.partitions} partitions; to have them scored again, upload the file again"
        raise InputError(message)
    return batch
