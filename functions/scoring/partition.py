"""Score one partition of a batch exactly once, with the code for whole batches."""

from collections.abc import Iterator

from functions.scoring.attempt import score_rows
from functions.scoring.output import AttemptOutputs
from functions.scoring.ports import Ports
from functions.shared.batches.lifecycle import batch_error
from functions.shared.domain import layout
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.partition import Partition, PartitionResult
from functions.shared.domain.spec import ModelSpec
from functions.shared.reading.portions import Ledger, has_odd_quotes, read_portion
from functions.shared.reading.rows import Block
from functions.shared.repositories.partitions import Partitions
from functions.shared.repositories.releases import Releases


def score_partition(partition: Partition, ports: Ports) -> PartitionResult:
    """Score a partition with the release that its plan pinned, and store the result.

    Returns:
        The stored result: this attempt's, or that of an earlier one.

    Raises:
        NotFoundError: if the object's version, the release or a bundle is gone.
    """
    partitions = Partitions(ports.store)
    if standing := partitions.result(partition):
        return standing
    result = _attempted(partition, ports.new_attempt(), ports)
    standing = partitions.commit(partition, result)
    if standing.attempt != result.attempt:
        ports.store.delete(file.key for file in result.outputs)
    return standing


def _attempted(partition: Partition, attempt: str, ports: Ports) -> PartitionResult:
    release = Releases(ports.store).at(partition.model, partition.release_seq)
    source, portion = partition.source, partition.portion
    data = ports.inbox.open(source.key, source.version_id)
    ledger = Ledger()

    def read(spec: ModelSpec) -> Iterator[Block]:
        contract = release.policy.row_contract
        return read_portion(data, key=source.key, portion=portion, spec=spec, contract=contract, ledger=ledger)

    named = partition.model, partition.batch_id, attempt, partition.number
    outputs = AttemptOutputs(ports.store, scored=layout.scored_key(*named), quarantine=layout.partition_quarantine_key(*named))
    try:
        scored = score_rows(read, release, outputs, bundles=ports.bundles, arrived=source.last_modified)
    except BatchRejectedError as rejected:
        # The refusal may be due to a cut inside quotes; the count of all quotes will show that.
        odd_quotes = portion.kind == "csv" and has_odd_quotes(data, portion)
        return PartitionResult(portion=portion, attempt=attempt, odd_quotes=odd_quotes, error=batch_error(rejected))
    return PartitionResult(
        portion=portion,
        attempt=attempt,
        counts=scored.counts,
        release=scored.release,
        outputs=scored.outputs,
        quarantine=scored.quarantine,
        lines=ledger.lines,
        odd_quotes=ledger.odd_quotes,
        closed=ledger.closed,
        encoding=ledger.notes.encoding,
    )
