"""Partitions: portions of an object that is too large for one function.

Several functions score them at once.
"""

from datetime import datetime
from typing import Literal

from functions.shared.domain.counts import Counts
from functions.shared.domain.document import Document, Value
from functions.shared.domain.manifest import BatchError, PinnedRelease, Source, StoredFile


class Portion(Value):
    """A part of a file, and how it is read.

    Of a text (`csv`, `jsonl`) the bytes from `start` to before `stop`, of `parquet` the row groups of these numbers. A `whole`
    file cannot be cut; then these are its bytes.
    """

    kind: Literal["csv", "jsonl", "parquet", "whole"]
    start: int
    stop: int


class Partition(Document):
    """One item of a plan, and all that the function needs that scores it.

    `number` counts from 0 in the order of rows; `release_seq` is the release that all partitions of the batch are scored by.
    """

    number: int
    model: str
    batch_id: str
    source: Source
    portion: Portion
    release_seq: int
    planned_at: datetime


class PartitionResult(Document):
    """What became of a partition. The first one written stands.

    Rows and lines in `quarantine` are numbered within the partition, since nobody knows yet how many come before. `lines` of
    text end in it. `odd_quotes`: it holds an odd number of quote characters; `closed`: read from its start on as outside of
    quotes, it ends outside of them. Both say whether it was cut where a row begins. `encoding` is as in a
    manifest. `error`: as read, it refuses the whole batch.
    """

    portion: Portion
    attempt: str
    counts: Counts = Counts()
    release: PinnedRelease | None = None
    outputs: tuple[StoredFile, ...] = ()
    quarantine: tuple[StoredFile, ...] = ()
    lines: int = 0
    odd_quotes: bool = False
    closed: bool = True
    encoding: str | None = None
    error: BatchError | None = None
