"""Estimate the work of a file: its bytes before compression."""

from functions.shared.reading.file_formats import PARQUET
from functions.shared.reading.readable import Readable
from functions.shared.reading.text import GZIP_MAGIC
from functions.shared.reading.unforeseen import unforeseen_refused

GZIP_EXPANSION = 5
"""Assumed bytes of text per byte of gzip data; the true number needs a full read. Tables have 5 to 10."""

_HEAD_BYTES = 16

MOST_EXPANSION = 1_000
"""Highest weight per stored byte that callers assume, so that small files need no reading of their footer."""


def weight_of(source: Readable, key: str) -> int:
    """Return an estimate of a file's bytes before compression.

    Parquet states them in its footer. For gzip data they are a multiple of its size, for text its own size.

    Raises:
        BatchRejectedError: `corrupt_parquet` or `unreadable`.
    """
    head = source.read_at(0, _HEAD_BYTES)
    if PARQUET.begins(head):
        from functions.shared.reading.parquet import row_group_weights

        with unforeseen_refused(source, key) as watched:
            return sum(row_group_weights(watched))
    return source.size * (GZIP_EXPANSION if head.startswith(GZIP_MAGIC) else 1)
