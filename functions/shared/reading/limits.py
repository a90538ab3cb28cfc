"""Limits on a file's parts. A refusal's message names the limit."""

MAX_COLUMNS = 16_384
"""Columns in a file: as many as a spreadsheet can hold."""

MAX_RECORD_BYTES = 16 * 2**20
"""Bytes of a text record without its line end, or of the texts in a Parquet row."""

BOMB_BYTES = 2**30
"""Decompressed bytes (in Parquet, of all values) up to which any compression ratio is accepted."""

BOMB_RATIO = 200
"""Highest ratio of decompressed to stored bytes above `BOMB_BYTES`. Real tables have 5 to 30."""

MAX_VALUES_A_BYTE = 1_000
"""Highest number of values per stored byte of Parquet, where runs of equal values take almost nothing.

Tables of mostly zeros have up to 100.
"""

MAX_ROW_GROUP_BYTES = 4 * 2**30
"""Bytes of a Parquet row group before compression, and of its texts with repeats counted."""

JSONL_HEAD_BYTES = 2**20
"""Bytes at the start of a JSONL file whose objects define its columns."""

MAX_BLOCK_LINES = 2**17
"""Lines of text parsed at a time. Each may be rejected, and then takes far more memory than its text."""

DEFAULT_BLOCK_BYTES = 4 * 2**20
"""Bytes of text parsed at a time."""

_WIDE, _LARGEST_FACTOR = 1_000, 8


def block_factor(columns: int) -> int:
    """Return how many times larger the blocks of a wide table are.

    Each block costs something per column. In a wide table with few rows to a block, that would outweigh the values.

    >>> block_factor(12), block_factor(2_000), block_factor(16_384)
    (1, 3, 8)
    """
    return min(_LARGEST_FACTOR, 1 + columns // _WIDE)
