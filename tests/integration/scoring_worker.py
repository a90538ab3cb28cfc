"""Scoring in forks that may be killed at any call to S3: `forked` describes orders and answers."""

from functools import partial

from functions.scoring import attempt, handler, scored_file
from functions.shared.adapters import s3
from functions.shared.reading.files import read_blocks
from tests.integration.forked import Calls, serve_orders

PART_BYTES = 2048
BLOCK_BYTES = 2048


def main() -> None:
    """Work off orders until there are no more."""
    # Parts are sent, rows written and blocks read in turns, as in a batch of many megabytes.
    s3.PART_BYTES = PART_BYTES
    scored_file.ROW_GROUP_BYTES = BLOCK_BYTES
    vars(attempt)["read_blocks"] = partial(read_blocks, block_bytes=BLOCK_BYTES)
    calls = Calls()
    calls.watch("s3")
    # Each fork inherits a client that has not connected yet.
    handler.ports()
    serve_orders(handler.handler, calls)


if __name__ == "__main__":
    main()
