"""Score a batch again on request: by the current release, or its own to compare."""

from functions.scoring.attempt import attempt_batch
from functions.scoring.event import Verification
from functions.scoring.ports import Ports
from functions.shared.batches.lifecycle import committed, pinned_release
from functions.shared.domain import layout
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.release import Release
from functions.shared.foundation.counted import counted
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases


def rescore_batch(model: str, batch_id: str, ports: Ports) -> Manifest:
    """Score a batch again with the current release.

    The new manifest supersedes the old one, whose files are kept. A batch that cannot be scored now keeps its manifest.

    Possible ranges stay those by which the batch was scored. Else rows that were set aside and came back in a replay would count twice
    when a wider range lets them in.

    Returns:
        The manifest of this batch and this release; the same one for a repeated request.

    Raises:
        BatchRejectedError: if no version serves, or the batch as a whole cannot be scored.
        InputError: if rows of it were erased, also meanwhile; if it was scored in partitions; or if it has replays, and other rows
            would be set aside than before.
        NotFoundError: if there is no such batch, or the upload's version is gone.
    """
    batch = _scorable_again(Manifests(ports.store).named(model, batch_id))
    release, source = pinned_release(ports.store, batch), batch.source
    ranges_seq = _ranges_seq(batch)
    purpose = layout.rescoring(release.seq)
    draft = Manifest(
        batch_id=layout.batch_id(source.bucket, source.key, source.version_id, purpose),
        model=model,
        status=Status.FAILED,
        source=source,
        purpose=purpose,
        supersedes=batch_id,
        replays=batch.replays,
        ranges_seq=None if ranges_seq == release.seq else ranges_seq,
        attempt=ports.new_attempt(),
        created_at=ports.now(),
    )
    if standing := Manifests(ports.store).find(model, draft.batch_id, source):
        return standing
    ended = attempt_batch(draft, _with_ranges(release, ranges_seq, ports.store), ports)
    try:
        _refuse_rows_twice(batch, ended, release, ports.inbox)
        _scorable_again(Manifests(ports.store).find(model, batch_id, source) or batch)
    except InputError:
        ports.store.delete(file.key for file in (*ended.outputs, *ended.quarantine))
        raise
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
    again = attempt_batch(draft, _with_ranges(release, _ranges_seq(batch), ports.store), ports)
    ports.store.delete(file.key for file in (*again.outputs, *again.quarantine))
    standing, made = ((*manifest.outputs, *manifest.quarantine) for manifest in (batch, again))
    digests = [file.sha256 for file in made]
    different = tuple(file.key for place, file in enumerate(standing) if file.sha256 != (digests[place] if place < len(digests) else None))
    return Verification(model=model, batch_id=batch_id, identical=not different, different=different)


def _ranges_seq(batch: Manifest) -> int | None:
    """Return the release whose possible ranges set rows of a batch aside.

    It is None if the batch was never scored.
    """
    return batch.ranges_seq or (batch.release.seq if batch.release else None)


def _with_ranges(release: Release, seq: int | None, store: ObjectStore) -> Release:
    """Return a release with the possible ranges of another one."""
    if seq is None or seq == release.seq:
        return release
    ranges = Releases(store).at(release.model, seq).policy.row_contract.ranges
    contract = release.policy.row_contract.model_copy(update={"ranges": ranges})
    return release.model_copy(update={"policy": release.policy.model_copy(update={"row_contract": contract})})


def _refuse_rows_twice(batch: Manifest, again: Manifest, release: Release, inbox: ObjectStore) -> None:
    """Refuse to set other rows aside than before, if mended ones were replayed.

    Versions that read other columns may.
    """
    before, now = ([file.sha256 for file in manifest.quarantine] for manifest in (batch, again))
    if not batch.quarantine or before == now:
        return
    source, purposes = batch.source, ("score", *map(layout.rescoring, range(1, release.seq + 1)))
    scorings = {layout.batch_id(source.bucket, source.key, source.version_id, purpose) for purpose in purposes}
    if not scorings.isdisjoint(inbox.folders(layout.replays_prefix(batch.model))):
        message = (
            f"mended rows of batch {batch.batch_id} were replayed, and version {release.champion.version} would set other rows aside: "
            "some would count twice, so the batch stays as it is"
        )
        raise InputError(message)


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
