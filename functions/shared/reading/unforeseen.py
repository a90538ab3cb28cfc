"""Refuse a file whose reader fails unexpectedly.

Without a refusal, every retry would fail the same way, and nobody would see why.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from functions.shared.domain.errors import BatchRejectedError, ConservationError, EverscoreError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.readable import Readable

_SHOWN_CHARACTERS = 300


class _Watched:
    """A source that remembers its own failure, for which the file is not to blame."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.size = source.size
        self.failure: Exception | None = None

    def read_at(self, offset: int, length: int) -> bytes:
        try:
            return self._source.read_at(offset, length)
        except Exception as failure:
            self.failure = failure
            raise


@contextmanager
def unforeseen_refused(source: Readable, key: str) -> Iterator[Readable]:
    """Turn unexpected errors within the `with` block into a refusal of the file.

    Read from the yielded source. Known errors pass through, and so do failures of memory or of the source: a retry may help.

    Raises:
        BatchRejectedError: `unreadable`, for any other error; it is logged with its traceback.
    """
    watched = _Watched(source)
    try:
        yield watched
    except MemoryError:
        raise
    except Exception as error:  # any error: otherwise a caller would wait in vain for a manifest
        if watched.failure is not None and watched.failure is not error:
            raise watched.failure from error
        foreseen = isinstance(error, EverscoreError) and not isinstance(error, ConservationError)
        if foreseen or watched.failure is error:
            raise
        logging.getLogger(__name__).exception("%s cannot be read, for an unexpected reason", key)
        message = f"the file cannot be read, for an unexpected reason: {type(error).__name__}: {str(error)[:_SHOWN_CHARACTERS]}"
        raise BatchRejectedError(FileCode.UNREADABLE, message) from error
