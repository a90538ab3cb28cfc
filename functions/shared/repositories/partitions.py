"""Partitions of a batch at work: plans by turn, and each partition's outcome."""

import json
from collections.abc import Sequence

from pydantic import TypeAdapter

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.partition import Partition, PartitionResult
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore
from functions.shared.repositories.documents import read_document

_READS_AT_ONCE = 16
_PLAN = TypeAdapter(tuple[Partition, ...])


class Partitions:
    """Plans and results in the store bucket. Whatever is written first stands."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def plan(self, model: str, batch: str, turn: int) -> tuple[Partition, ...] | None:
        """Return the plan of a turn, if there is one."""
        try:
            return _PLAN.validate_json(self._store.read(layout.plan_key(model, batch, turn)))
        except NotFoundError:
            return None

    def keep_plan(self, plan: Sequence[Partition], turn: int) -> None:
        """Write a plan as one JSON array, unless its turn has one."""
        key = layout.plan_key(plan[0].model, plan[0].batch_id, turn)
        self._store.create(key, _PLAN.dump_json(tuple(plan), indent=1) + b"\n")

    def result(self, partition: Partition) -> PartitionResult | None:
        """Return what became of a partition, if it was scored."""
        return read_document(self._store, PartitionResult, _result_key(partition))

    def results(self, plan: Sequence[Partition]) -> list[PartitionResult]:
        """Return what became of all partitions of a plan, in order.

        Raises:
            NotFoundError: if one was not scored.
        """
        return list(map_ahead(self._standing, iter(plan), threads=_READS_AT_ONCE))

    def commit(self, partition: Partition, result: PartitionResult) -> PartitionResult:
        """Write a result if its partition has none yet; the one that stands."""
        if self._store.create(_result_key(partition), result.to_json()):
            return result
        standing = self.result(partition)
        if standing is None:
            message = f"the result of partition {partition.number} of batch {partition.batch_id} was refused as present, then not found"
            raise ConflictError(message)
        return standing

    def resume(self, model: str, batch: str, redrives: int, *, asked_at: str) -> bool:
        """Return whether this request is the first after that many redrives.

        The same request, by its time, may come once more.
        """
        key, claim = layout.resumption_key(model, batch, redrives), json.dumps({"asked_at": asked_at}).encode() + b"\n"
        return self._store.create(key, claim) or self._store.read(key) == claim

    def _standing(self, partition: Partition) -> PartitionResult:
        standing = self.result(partition)
        if standing is None:
            message = f"partition {partition.number} of batch {partition.batch_id} was not scored"
            raise NotFoundError(message)
        return standing


def _result_key(partition: Partition) -> str:
    portion = partition.portion
    return layout.partition_result_key(partition.model, partition.batch_id, portion.start, portion.stop)
