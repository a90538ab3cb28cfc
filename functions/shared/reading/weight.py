"""How much work a file is: its bytes as they are before compression, which take time, and not those that it is stored in."""

from functions.shared.reading.file_formats import PARQUET
from functions.shared.reading.readable import Readable
from functions.shared.reading.text import GZIP_MAGIC
from functions.shared.reading.unforeseen import unforeseen_refused

GZIP_EXPANSION = 5
"""Bytes of text that a byte of gzip data is taken for, since only reading it all would tell. Of tables, 5 to 10 are common."""

_HEAD_BYTES = 16

MOST_EXPANSION = 1_000
"""A file that weighs more than so many times its size is not looked for: to read what a footer says takes time, too."""


def weight_of(source: Readable, key: str) -> int:
    """Bytes of the file before compression: of Parquet by its footer, of gzip data a multiple, of text its own.

    Raises:
        BatchRejectedError: `corrupt_parquet` or `unreadable`.
    """
    head = source.read_at(0, _HEAD_BYTES)
    if PARQUET.begins(head):
        from functions.shared.reading.parquet import row_group_weights

        with unforeseen_refused(source, key) as watched:
            return sum(row_group_weights(watched))
    return source.size * (GZIP_EXPANSION if head.startswith(GZIP_MAGIC) else 1)
