"""How large the parts of a file may be. Beyond a limit the file is refused, with the limit's value in the message."""

MAX_COLUMNS = 16_384
"""Columns in a file; what spreadsheets hold."""

MAX_RECORD_BYTES = 16 * 2**20
"""Bytes of one record of text, its line end not counted; of a row of Parquet those of its texts."""

BOMB_BYTES = 2**30
"""Bytes of text or, in Parquet, of anything, up to which any ratio to the bytes that are stored is plausible."""

BOMB_RATIO = 200
"""Bytes per stored one beyond which a file of over `BOMB_BYTES` is refused. Real tables reach 5 to 30."""

MAX_VALUES_A_BYTE = 1_000
"""The same for the values of a Parquet file, of which a run of equal ones takes next to nothing; tables of mostly zeros reach 100."""

MAX_ROW_GROUP_BYTES = 4 * 2**30
"""Bytes of one Parquet row group before compression, and of its texts with all that repeat."""

JSONL_HEAD_BYTES = 2**20
"""The start of a JSONL file whose objects say which columns the file has."""

MAX_BLOCK_LINES = 2**17
"""Lines of text that are parsed at a time: each may be a row to reject, which takes far more memory than its text."""

DEFAULT_BLOCK_BYTES = 4 * 2**20
"""Bytes of text that are parsed at a time."""
