"""The ports of partitioning."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class Ports:
    """Stores, clock and source of names for partitioning, and sizes in bytes.

    `partition_bytes` is the default size of a partition. An upload of up to `whole_bytes` that cannot be cut becomes one partition.
    `concurrency` partitions are scored at once.
    """

    inbox: ObjectStore
    store: ObjectStore
    new_attempt: Callable[[], str]
    now: Callable[[], datetime]
    partition_bytes: int
    whole_bytes: int
    concurrency: int
