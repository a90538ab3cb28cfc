"""Score a batch again on request: by the current release, or its own to compare."""

from functions.scoring.attempt import attempt_batch
from functions.scoring.event import Verification
from functions.scoring.ports import Ports
from functions.shared.batches.lifecycle import committed, pinned_release
from functions.shared.domain import layout
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.foundation.counted import counted
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases


def rescore_batch(model: str, batch_id: str, ports: Ports) -> Manifest:
    """Score a batch again with the current release.

    The new manifest supersedes the old one, whose files are kept. A batch that cannot be scored now keeps its manifest.

    Returns:
        The manifest of this batch and this release; the same one for a repeated request.

    Raises:
        BatchRejectedError: if no version serves, or the batch as a whole cannot be scored.
        InputError: if rows of it were erased, or it was scored in partitions.
        NotFoundError: if there is no such batch, or the upload's version is gone.
    """
    batch = _scorable_again(Manifests(ports.store).named(model, batch_id))
    release, source = pinned_release(ports.store, batch), batch.source
    purpose = layout.rescoring(release.seq)
    draft = Manifest(
        batch_id=layout.batch_id(source.bucket, source.key, source.version_id, purpose),
        model=model,
        status=Status.FAILED,
        source=source,
        purpose=purpose,
        supersedes=batch_id,
        replays=batch.replays,
        attempt=ports.new_attempt(),
        created_at=ports.now(),
    )
    if standing := Manifests(ports.store).find(model, draft.batch_id, source):
        return standing
    ended = attempt_batch(draft, release, ports)
    return committed(ended.model_copy(update={"created_at": ports.now()}), ports.store)


def verify_batch(model: str, batch_id: str, ports: Ports) -> Verification:
    """Score a batch again with the release that scored it, without storing anything.

    Raises:
        InputError: if the batch had failed, rows of it were erased, or it was scored in partitions.
        NotFoundError: if there is no such batch, or the upload's version, the release or a bundle is gone.
    """
    batch = _scorable_again(Manifests(ports.store).named(model, batch_id))
    if batch.release is None:
        message = f"batch {batch.batch_id} failed, so there is nothing to compare with"
        raise InputError(message)
    draft = batch.model_copy(update={"attempt": ports.new_attempt()})
    release = Releases(ports.store).at(batch.model, batch.release.seq)
    again = attempt_batch(draft, release, ports)
    ports.store.delete(file.key for file in (*again.outputs, *again.quarantine))
    standing, made = ((*manifest.outputs, *manifest.quarantine) for manifest in (batch, again))
    digests = [file.sha256 for file in made]
    different = tuple(file.key for place, file in enumerate(standing) if file.sha256 != (digests[place] if place < len(digests) else None))
    return Verification(model=model, batch_id=batch_id, identical=not different, different=different)


def _scorable_again(batch: Manifest) -> Manifest:
    """Return the batch if its upload was not erased and one function can score it."""
    if batch.rows_erased:
        message = (
            f"an erasure took {counted(batch.rows_erased, 'rows')} of batch {batch.batch_id}, and its upload with them: it stays as it is"
        )
        raise InputError(message)
    if batch.partitions is not None:
        message = f"batch {batch.batch_id} was scored in {batch.partitions} partitions; to have them scored again, upload the file again"
        raise InputError(message)
    return batch
