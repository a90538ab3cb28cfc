"""What partitioning needs of the outside world."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from functions.shared.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class Ports:
    """Where partitioning reads and writes, how clock and names come in, and sizes in bytes.

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
