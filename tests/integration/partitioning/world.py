"""The steps of the state machine, taken in this process, on buckets in memory."""

import csv
import io
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from functions.partitioning.ports import Ports
from functions.partitioning.service import commit_batch, plan_batch
from functions.scoring.partition import score_partition
from functions.scoring.ports import Ports as ScoringPorts
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.partition import Partition, PartitionResult
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.manifests import Manifests, source_of
from functions.shared.repositories.partitions import Partitions
from tests.component.scoring.world import World
from tests.fakes.documents import NOW
from tests.fakes.versions import MODEL

LIMIT = 10_000_000


@dataclass
class PartitionedWorld(World):
    """A world whose uploads are scored in partitions."""

    names: Iterable[int] = field(default_factory=count)

    def ports(self, partition_bytes: int, *, whole_bytes: int = LIMIT, store: ObjectStore | None = None) -> Ports:
        return Ports(
            inbox=self.inbox,
            store=store or self.store,
            new_attempt=self.new_attempt,
            now=lambda: NOW,
            partition_bytes=partition_bytes,
            whole_bytes=whole_bytes,
            concurrency=4,
        )

    def new_attempt(self) -> str:
        return f"a{next(iter(self.names)):04d}"

    def work(self, partition: Partition, *, store: ObjectStore | None = None) -> PartitionResult:
        """One worker."""
        store = store or self.store
        return score_partition(partition, ScoringPorts(self.inbox, store, self.bundles, self.new_attempt, lambda: NOW))

    @cached_property
    def bundles(self) -> Bundles:
        """Versions, loaded once as in a warm function."""
        return Bundles(self.store)

    def plan_of(self, created: StoredObject, turn: int = 1) -> tuple[Partition, ...]:
        """The plan of a turn."""
        plan = Partitions(self.store).plan(MODEL, layout.batch_id("inbox", created.key, created.version_id), turn)
        assert plan is not None
        return plan

    def run(self, created: StoredObject, ports: Ports, *, order: random.Random | None = None) -> list[int]:
        """Plan, score and commit until the batch has ended; how many partitions each turn had."""
        turns = []
        turn = plan_batch(created.key, created.version_id, ports)
        while turn is not None:
            plan = list(self.plan_of(created, turn))
            turns.append(len(plan))
            if order:
                order.shuffle(plan)
            for partition in plan:
                self.work(partition)
            turn = commit_batch(created.key, created.version_id, turn, ports)
        return turns

    def standing(self, created: StoredObject) -> Manifest:
        """The manifest that stands for an upload."""
        source = source_of("inbox", self.inbox.info(created.key, created.version_id))
        found = Manifests(self.store).find(MODEL, layout.batch_id("inbox", created.key, created.version_id), source)
        assert found is not None
        return found


def nasty_csv(rows: Sequence[Sequence[str]], *, line_end: str = "\n") -> bytes:
    """Rows as Python's own writer writes them, quoted where they must be."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows(rows)
    return text.getvalue().encode()


def as_comparable(manifest: Manifest) -> dict[str, Any]:
    """What of a manifest does not depend on how, when and by whom the batch was scored."""
    own = {"attempt", "created_at", "timings", "outputs", "quarantine", "partitions", "batch_id", "source"}
    shown = manifest.model_dump(mode="json", exclude=own)
    for profile in shown["profiles"].values():
        profile["score_sums"] = {name: round(value, 9) for name, value in profile["score_sums"].items()}
    if shown["agreement"]:
        shown["agreement"] |= {name: round(shown["agreement"][name], 9) for name in ("difference_sum", "difference_squares")}
    return shown
