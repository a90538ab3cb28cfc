"""Read response bodies of S3 to their end; botocore retries only until headers."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from botocore.response import StreamingBody

BROKEN = (ConnectionClosedError, HTTPError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""Errors of a body that breaks off: by the network, the server, or a timeout."""

_TRIES = 5
_CHUNK_BYTES = 1024 * 1024
_PAUSE_S = 0.1


def read_whole(opened: Callable[[int], "StreamingBody"]) -> bytes:
    """Read a body; where it breaks off, continue with a new one from there.

    The error of the fifth failure in a row is raised.

    Args:
        opened: returns the body from an offset on.
    """
    chunks: list[bytes] = []
    length = broken = 0
    while True:
        try:
            for chunk in opened(length).iter_chunks(_CHUNK_BYTES):
                chunks.append(chunk)
                length, broken = length + len(chunk), 0
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except BROKEN:
            broken += 1
            if broken == _TRIES:
                raise
            time.sleep(random.uniform(0, _PAUSE_S * 2**broken))  # noqa: S311 - guards no secret
