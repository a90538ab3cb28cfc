"""How large the parts of a file may be. Beyond a limit the file is refused, with the limit's value in the message."""

MAX_COLUMNS = 16_384
"""Columns in a file; what spreadsheets hold."""

MAX_RECORD_BYTES = 16 * 2**20
"""Bytes of one record of text. A longer one is refused as soon as a block shows it."""

BOMB_BYTES = 2**30
"""Decompressed bytes from which a compressed file has to have a plausible ratio."""

BOMB_RATIO = 200
"""Decompressed bytes per compressed one beyond which a file of over `BOMB_BYTES` is refused. Real tables reach 5 to 30."""

MAX_ROW_GROUP_BYTES = 4 * 2**30
"""Uncompressed bytes of one Parquet row group."""

JSONL_HEAD_BYTES = 2**20
"""The start of a JSONL file whose objects say which columns the file has."""

MAX_BLOCK_LINES = 2**17
"""Lines of text that are parsed at a time: each may be a row to reject, which takes far more memory than its text."""

DEFAULT_BLOCK_BYTES = 4 * 2**20
"""Bytes of text that are parsed at a time."""
