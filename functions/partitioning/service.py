"""An upload too large for one function: cut it, judge the cuts when all partitions are scored, commit one manifest.

Every step may be asked for again at any time, after a crash, a retry or a redrive: what was decided stands, and is found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.partitioning.commit import commit_whole
from functions.partitioning.event import Failure
from functions.partitioning.failed import explained
from functions.partitioning.proof import Verdict, judge_cuts
from functions.partitioning.splitting import cut_again, cut_file
from functions.shared.batches.drafts import batch_error, drafted, pinned_release
from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError, NotFoundError, PartitionsFailedError
from functions.shared.domain.manifest import PARTITIONS_FAILED, Manifest
from functions.shared.domain.partition import Partition, Portion
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.partitions import Partitions


@dataclass(frozen=True, slots=True)
class Site:
    """Where the work is done: the buckets, what names attempts, the clock, and sizes in bytes.

    `partition_bytes` is the size of a partition where the upload asks for none; up to `whole_bytes` an upload that cannot be cut
    is one partition. `concurrency` partitions are scored at once.
    """

    inbox: ObjectStore
    store: ObjectStore
    new_attempt: Callable[[], str]
    now: Callable[[], datetime]
    partition_bytes: int
    whole_bytes: int
    concurrency: int

    def draft(self, key: str, version_id: str) -> Manifest:
        """The draft of an upload's batch.

        Raises:
            NotFoundError: if the version is gone, and no plan knows it.
        """
        try:
            source = source_of(self.inbox.bucket, self.inbox.info(key, version_id))
        except NotFoundError:
            batch = layout.batch_id(self.inbox.bucket, key, version_id)
            if (plan := Partitions(self.store).plan(layout.model_or_unnamed(key), batch, 1)) is None:
                raise
            source = plan[0].source
        return drafted(source, attempt=self.new_attempt(), now=self.now())

    def standing(self, draft: Manifest) -> Manifest | None:
        """The manifest that ended the batch, if it has ended."""
        found = Manifests(self.store).find(draft.model, draft.batch_id, draft.source)
        return None if found is None or found.resumable else found

    def fail(self, draft: Manifest, rejected: BatchRejectedError) -> Manifest:
        """Commit that the batch failed; the manifest that stands."""
        return Manifests(self.store).commit(draft.model_copy(update={"error": batch_error(rejected), "created_at": self.now()}))


def plan_batch(key: str, version_id: str, site: Site) -> int | None:
    """Cut an upload into partitions, all of which will be scored by the release that serves now.

    Returns:
        The turn whose plan is to be scored, or None if the batch has ended already or cannot be scored as a whole.

    Raises:
        NotFoundError: if the version is gone.
    """
    draft = site.draft(key, version_id)
    partitions = Partitions(site.store)
    if site.standing(draft):
        return None
    if partitions.plan(draft.model, draft.batch_id, 1):
        return 1
    try:
        release = pinned_release(site.store, draft)
        data = site.inbox.open(key, version_id)
        wanted = layout.wanted_partition_bytes(key) or site.partition_bytes
        portions = cut_file(data, key=key, portion_bytes=wanted, whole_bytes=site.whole_bytes)
    except BatchRejectedError as rejected:
        site.fail(draft, rejected)
        return None
    partitions.keep_plan(_plan(draft, portions, release.seq), 1)
    return 1


def commit_batch(key: str, version_id: str, turn: int, site: Site) -> int | None:
    """Commit a batch all of whose partitions were scored, if they were cut between rows.

    Returns:
        None if the batch has ended, or the turn whose plan is to be scored after this one: the cuts were wrong.

    Raises:
        ConservationError: if rows were lost or made up; nothing is committed.
        NotFoundError: if there is no such plan, or one of its partitions was not scored.
    """
    draft = site.draft(key, version_id)
    if site.standing(draft):
        return None
    partitions = Partitions(site.store)
    plan = partitions.plan(draft.model, draft.batch_id, turn)
    if plan is None:
        message = f"batch {draft.batch_id} has no plan of turn {turn}"
        raise NotFoundError(message)
    results = partitions.results(plan)
    try:
        if judge_cuts(results, turn=turn) is Verdict.PROVED:
            commit_whole(draft, plan, results, store=site.store, now=site.now)
            return None
    except BatchRejectedError as rejected:
        site.fail(draft, rejected)
        return None
    data = site.inbox.open(key, version_id)
    portions = cut_again(data, [partition.portion for partition in plan], [result.odd_quotes for result in results])
    partitions.keep_plan(_plan(draft, portions, plan[0].release_seq), turn + 1)
    return turn + 1


def give_up(key: str, version_id: str, failure: Failure, *, execution: str, redrives: int, asked_at: str, site: Site) -> None:
    """Commit that a batch failed half-way; or, when a person has redriven its execution, let it be taken up again.

    A redriven execution comes back to the state in which it failed, which is the one that asks for this.

    Args:
        failure: what failed, and why.
        execution: name of the execution for AWS.
        redrives: how often it was redriven.
        asked_at: when the execution came to ask, by which a try that is made again is known.

    Raises:
        PartitionsFailedError: after committing that it failed, so that the execution fails too, and can be redriven.
    """
    draft = site.draft(key, version_id)
    if site.standing(draft):
        return
    if redrives and Partitions(site.store).resume(draft.model, draft.batch_id, redrives, asked_at=asked_at):
        return
    why = explained(failure, layout.partitions_prefix(draft.model, draft.batch_id), site.store)
    remedy = (
        f"mend what failed, then `aws stepfunctions redrive-execution --execution-arn {execution}`: it scores only what is missing. "
        "What ran out of time needs more ScoringMemoryMb, or the rows in smaller files. "
        "A file that kills its function is damaged: write it again"
    )
    site.fail(draft, BatchRejectedError(PARTITIONS_FAILED, f"scoring in partitions failed: {why}", remedy))
    message = f"batch {draft.batch_id}: {why}"
    raise PartitionsFailedError(message)


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
