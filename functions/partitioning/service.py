"""Cut a large upload, check the cuts after scoring, and commit one manifest.

Every step may be repeated at any time, after a crash, a retry or a redrive: earlier decisions are found and kept.
"""

from functions.partitioning.commit import commit_whole
from functions.partitioning.event import Failure
from functions.partitioning.failed import explained
from functions.partitioning.ports import Ports
from functions.partitioning.proof import Cuts, judge_cuts
from functions.partitioning.splitting import cut_again, cut_file
from functions.shared.batches.lifecycle import batch_error, drafted, pinned_release
from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError, NotFoundError, PartitionsFailedError
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.partition import Partition, Portion
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Release
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.partitions import Partitions


def plan_batch(key: str, version_id: str, ports: Ports) -> int | None:
    """Cut an upload into partitions, to be scored by the release that serves now.

    Returns:
        The turn whose plan is to be scored, or None if the batch has ended or cannot be scored.

    Raises:
        NotFoundError: if the version is gone.
    """
    draft = _draft(key, version_id, ports)
    partitions = Partitions(ports.store)
    if _ended(draft, ports):
        return None
    if partitions.plan(draft.model, draft.batch_id, 1):
        return 1
    try:
        release = pinned_release(ports.store, draft)
        data = ports.inbox.open(key, version_id)
        wanted = layout.wanted_partition_bytes(key) or ports.partition_bytes
        encoding = _encoding(release, ports)
        portions = cut_file(data, key=key, portion_bytes=wanted, whole_bytes=ports.whole_bytes, encoding=encoding)
    except BatchRejectedError as rejected:
        _fail(draft, rejected, ports)
        return None
    partitions.keep_plan(_plan(draft, portions, release.seq), 1)
    return 1


def commit_batch(key: str, version_id: str, turn: int, ports: Ports) -> int | None:
    """Commit a batch whose partitions were all scored, if they were cut between rows.

    Returns:
        None if the batch has ended; or, after wrong cuts, the turn whose plan is to be scored next.

    Raises:
        ConservationError: if rows were lost or duplicated; nothing is committed.
        NotFoundError: if there is no such plan, or one of its partitions was not scored.
    """
    draft = _draft(key, version_id, ports)
    if _ended(draft, ports):
        return None
    partitions = Partitions(ports.store)
    plan = partitions.plan(draft.model, draft.batch_id, turn)
    if plan is None:
        message = f"batch {draft.batch_id} has no plan of turn {turn}"
        raise NotFoundError(message)
    results = partitions.results(plan)
    try:
        if judge_cuts(results, turn=turn) is Cuts.PROVED:
            commit_whole(draft, plan, results, inbox=ports.inbox, store=ports.store, now=ports.now)
            return None
    except BatchRejectedError as rejected:
        _fail(draft, rejected, ports)
        return None
    data = ports.inbox.open(key, version_id)
    portions = cut_again(data, [partition.portion for partition in plan], [result.odd_quotes for result in results])
    partitions.keep_plan(_plan(draft, portions, plan[0].release_seq), turn + 1)
    return turn + 1


def give_up(key: str, version_id: str, failure: Failure, *, execution: str, redrives: int, asked_at: str, ports: Ports) -> None:
    """Commit that a batch failed; after a person's redrive, let the work continue.

    A redriven execution returns to the state in which it failed, which is the one that calls this.

    Args:
        key: the upload's key.
        version_id: the upload's version.
        failure: the error and its cause.
        execution: the ARN of the execution.
        redrives: how often it was redriven.
        asked_at: when the execution entered the calling state, to recognise a retry.
        ports: stores and clock.

    Raises:
        PartitionsFailedError: after the commit, so that the execution fails too and can be redriven.
    """
    draft = _draft(key, version_id, ports)
    if _ended(draft, ports):
        return
    if redrives and Partitions(ports.store).resume(draft.model, draft.batch_id, redrives, asked_at=asked_at):
        return
    why = explained(failure, layout.partitions_prefix(draft.model, draft.batch_id), ports.store)
    remedy = (
        f"mend what failed, then `aws stepfunctions redrive-execution --execution-arn {execution}`: it scores only what is missing. "
        "What ran out of time needs more ScoringMemoryMb, or the rows in smaller files. "
        "A file that kills its function is damaged: write it again"
    )
    _fail(draft, BatchRejectedError(FileCode.PARTITIONS_FAILED, f"scoring in partitions failed: {why}", remedy), ports)
    message = f"batch {draft.batch_id}: {why}"
    raise PartitionsFailedError(message)


def _draft(key: str, version_id: str, ports: Ports) -> Manifest:
    """Return the draft of an upload's batch.

    Raises:
        NotFoundError: if the version is gone, and no plan has it.
    """
    try:
        source = source_of(ports.inbox.bucket, ports.inbox.info(key, version_id))
    except NotFoundError:
        batch = layout.batch_id(ports.inbox.bucket, key, version_id)
        if (plan := Partitions(ports.store).plan(layout.model_or_unnamed(key), batch, 1)) is None:
            raise
        source = plan[0].source
    return drafted(source, attempt=ports.new_attempt(), now=ports.now())


def _ended(draft: Manifest, ports: Ports) -> bool:
    """Return whether a manifest has ended the batch."""
    found = Manifests(ports.store).find(draft.model, draft.batch_id, draft.source)
    return found is not None and not found.resumable


def _fail(draft: Manifest, rejected: BatchRejectedError, ports: Ports) -> None:
    """Commit that the batch failed."""
    Manifests(ports.store).commit(draft.model_copy(update={"error": batch_error(rejected), "created_at": ports.now()}))


def _encoding(release: Release, ports: Ports) -> str | None:
    """Return the encoding of the champion's files, by which scoring reads."""
    return ModelSpec.from_json(ports.store.read(release.champion.prefix + SPEC)).formats.encoding


def _plan(draft: Manifest, portions: list[Portion], release_seq: int) -> list[Partition]:
    return [
        Partition(
            number=number,
            model=draft.model,
            batch_id=draft.batch_id,
            source=draft.source,
            portion=portion,
            release_seq=release_seq,
            planned_at=draft.created_at,
        )
        for number, portion in enumerate(portions)
    ]
