"""Bodies of S3's answers, read to their end: botocore repeats a request until its headers are there, and no further."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ConnectionClosedError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from botocore.response import StreamingBody

BROKEN = (ConnectionClosedError, HTTPError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError)
"""What a body raises when it breaks off: by the network, the server, or a pause that is too long."""

_TRIES = 5
_CHUNK_BYTES = 1024 * 1024
_PAUSE_S = 0.1


def read_whole(opened: Callable[[int], "StreamingBody"]) -> bytes:
    """Read a body, and where it breaks off go on with one that begins there; raise what broke it the fifth time in a row.

    Args:
        opened: the body from an offset on.
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
