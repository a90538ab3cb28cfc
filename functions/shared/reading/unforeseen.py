"""Refuse a file whose reader fails in a way that nobody foresaw: it would fail so each time, and nobody would learn of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from functions.shared.domain.errors import BatchRejectedError, ConservationError, EverscoreError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.readable import Readable

_SHOWN_CHARACTERS = 300


class _Watched:
    """A source that remembers its own failure: then the file is not to blame."""

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
    """Read `source` within the block, by what it gives. Foreseen errors pass; memory and the source itself may do better next time.

    Raises:
        BatchRejectedError: `unreadable`, for any other error; it is logged with its traceback.
    """
    watched = _Watched(source)
    try:
        yield watched
    except MemoryError:
        raise
    except Exception as error:  # whatever it is: a file without a manifest is waited for in vain
        if watched.failure is not None and watched.failure is not error:
            raise watched.failure from error
        foreseen = isinstance(error, EverscoreError) and not isinstance(error, ConservationError)
        if foreseen or watched.failure is error:
            raise
        logging.getLogger(__name__).exception("%s cannot be read, for a reason that nobody foresaw", key)
        message = f"the file cannot be read, for a reason that nobody foresaw: {type(error).__name__}: {str(error)[:_SHOWN_CHARACTERS]}"
        raise BatchRejectedError(FileCode.UNREADABLE, message) from error
