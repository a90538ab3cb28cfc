"""Read a file's text as chunks of UTF-8: ranged reads, decompressed, transcribed."""

import codecs
import itertools
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode
from functions.shared.foundation.ahead import map_ahead
from functions.shared.reading.encodings import HEAD_BYTES, UTF8, encoding_of, keeps_ascii, shows_nothing
from functions.shared.reading.limits import BOMB_BYTES, BOMB_RATIO
from functions.shared.reading.readable import Readable

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
_FETCHES = 4
"""Fetches at a time: a single S3 connection delivers fewer bytes per second than can be parsed."""
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")


@dataclass(slots=True)
class Notes:
    """Facts about how a text is written: its encoding, if that is not UTF-8."""

    encoding: str | None = None

    @property
    def needs_naming(self) -> bool:
        """Return whether other texts may not reveal this encoding; UTF-16 always does."""
        return self.encoding is not None and not self.encoding.startswith("utf-16")


def stored_chunks(source: Readable, chunk_bytes: int, *, start: int = 0, stop: int | None = None) -> Generator[bytes]:
    """Yield a file's stored bytes from `start` to before `stop`, fetched in parallel."""
    end = source.size if stop is None else stop
    if start < end <= start + chunk_bytes:  # nothing to fetch ahead: small files need no threads
        yield source.read_at(start, end - start)
        return
    offsets = iter(range(start, end, chunk_bytes))
    yield from map_ahead(lambda offset: source.read_at(offset, min(chunk_bytes, end - offset)), offsets, threads=_FETCHES)


def decompressed_chunks(source: Readable, chunk_bytes: int) -> Generator[bytes]:
    """Yield a file's bytes in chunks of bounded size, decompressed if it is gzip.

    Raises:
        BatchRejectedError: `truncated_gzip`, `corrupt_gzip` or `decompression_bomb`.
    """
    with closing(stored_chunks(source, chunk_bytes)) as stored:
        if source.read_at(0, len(GZIP_MAGIC)) != GZIP_MAGIC:
            yield from stored
            return
        yield from _gunzipped(stored, chunk_bytes, source.size)


def _gunzipped(stored: Iterator[bytes], chunk_bytes: int, size: int) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP_WINDOW)
    produced = 0
    for chunk in stored:
        waiting = chunk
        while waiting:
            if member.eof:
                waiting = waiting.lstrip(b"\0")
                if not waiting:
                    break
                member = zlib.decompressobj(_GZIP_WINDOW)
            try:
                text = member.decompress(waiting, chunk_bytes)
            except zlib.error as error:
                message = f"the gzip data is damaged after byte {produced} of its text ({error})"
                raise BatchRejectedError(FileCode.CORRUPT_GZIP, message) from error
            waiting = member.unused_data if member.eof else member.unconsumed_tail
            produced += len(text)
            if produced > BOMB_BYTES and produced > BOMB_RATIO * size:
                message = f"{size} compressed bytes give over {produced}: more than {BOMB_RATIO} per byte"
                raise BatchRejectedError(FileCode.DECOMPRESSION_BOMB, message)
            if text:
                yield text
    if not member.eof:
        message = f"the gzip data ends in the middle, after byte {produced} of its text"
        raise BatchRejectedError(FileCode.TRUNCATED_GZIP, message)


def utf8_chunks(chunks: Iterator[bytes], named: str | None = None, *, notes: Notes | None = None, detect: bool = True) -> Iterator[bytes]:
    """Yield a text as UTF-8, whatever its encoding.

    A UTF-8 mark stays. Bytes that are invalid in the encoding stay too, and are not valid UTF-8.

    Args:
        chunks: the bytes of the text.
        named: as in `encoding_of`. After a long start in ASCII, the first other text shows whether it has this encoding.
        notes: filled with the encoding, at the latest when all is read.
        detect: as in `encoding_of`.

    Raises:
        BatchRejectedError: `invalid_encoding`, for UTF-32, for invalid UTF-16, and if the encoding is in doubt.
    """
    looked_at: list[bytes] = []
    size, complete = 0, True
    for chunk in chunks:
        looked_at.append(chunk)
        size += len(chunk)
        if size >= HEAD_BYTES:
            complete = False
            break
    head = b"".join(looked_at)
    encoding = encoding_of(head[:HEAD_BYTES], named, complete=complete, detect=detect)
    if notes is not None:
        notes.encoding = None if encoding == UTF8 else encoding
    if encoding == UTF8:
        return itertools.chain(looked_at, chunks)
    # At once: for a small file a broken encoding is reported before header errors, whatever the block size.
    text = itertools.chain([head], chunks)
    if not complete and keeps_ascii(encoding) and shows_nothing(head[:HEAD_BYTES]) and _ascii_bytes(head) > 1:
        return _ascii_first(text, encoding, notes=notes, detect=detect)
    return _transcribed(text, encoding)


def _ascii_first(chunks: Iterator[bytes], named: str, *, notes: Notes | None, detect: bool) -> Iterator[bytes]:
    """Yield ASCII as it is; where it ends, judge the rest of the text."""
    for chunk in chunks:
        if not chunk.isascii():
            start = max(_ascii_bytes(chunk) - 1, 0)  # so that what follows is not taken for a mark
            yield chunk[:start]
            yield from utf8_chunks(itertools.chain([chunk[start:]], chunks), named, notes=notes, detect=detect)
            return
        yield chunk


def _ascii_bytes(text: bytes) -> int:
    """Return how many bytes of ASCII a text begins with."""
    found = _BEYOND_ASCII.search(text)
    return found.start() if found else len(text)


def _transcribed(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    wide = encoding.startswith("utf-16")
    decoder = codecs.getincrementaldecoder(encoding)("strict" if wide else "surrogateescape")
    mark, at = "\ufeff", 0
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            yield text.removeprefix(mark).encode(UTF8, "surrogateescape")
            mark = "" if text else mark
            at += len(chunk)
        yield decoder.decode(b"", final=True).encode(UTF8, "surrogateescape")
    except UnicodeError as error:
        message = f"the file begins as UTF-16 text, but is none after byte {at}: {error}"
        raise BatchRejectedError(FileCode.INVALID_ENCODING, message) from error
