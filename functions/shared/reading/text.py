"""The text of a file as chunks of UTF-8 bytes: ranged reads, decompressed, transcribed."""

import codecs
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing

from functions.shared.ahead import map_ahead
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.reading.limits import BOMB_BYTES, BOMB_RATIO
from functions.shared.reading.source import Source

GZIP_MAGIC = b"\x1f\x8b"
_UTF16_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_GZIP_WINDOW = 31
_FETCHES = 4
"""One connection to S3 brings fewer bytes a second than are parsed in it."""


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 text."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def stored_chunks(source: Source, chunk_bytes: int, *, start: int = 0, stop: int | None = None) -> Generator[bytes]:
    """The bytes of a file, or those from `start` to before `stop`, as they are stored, several ranges fetched at a time."""
    end = source.size if stop is None else stop
    offsets = iter(range(start, end, chunk_bytes))
    return map_ahead(lambda offset: source.read_at(offset, min(chunk_bytes, end - offset)), offsets, threads=_FETCHES)


def decompressed_chunks(source: Source, chunk_bytes: int) -> Generator[bytes]:
    """The bytes of a file, decompressed if it is gzip (of one member or several), in chunks of bounded size.

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
                raise BatchRejectedError("corrupt_gzip", message, "compress the file anew and upload it again") from error
            waiting = member.unused_data if member.eof else member.unconsumed_tail
            produced += len(text)
            if produced > BOMB_BYTES and produced > BOMB_RATIO * size:
                message = f"{size} compressed bytes give over {produced}: more than {BOMB_RATIO} for one"
                raise BatchRejectedError("decompression_bomb", message, "upload the file uncompressed, if it is a real one")
            if text:
                yield text
    if not member.eof:
        message = f"the gzip data ends in the middle, after byte {produced} of its text"
        raise BatchRejectedError("truncated_gzip", message, "upload the whole file again")


def utf8_chunks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The text of UTF-8 or, by its byte order mark, UTF-16 bytes, as UTF-8. A UTF-8 mark stays.

    Raises:
        BatchRejectedError: `invalid_encoding`, for UTF-32 and for UTF-16 that breaks its rules.
    """
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= len(codecs.BOM_UTF32_LE):
            break
    if first.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BatchRejectedError("invalid_encoding", "the file is UTF-32 text", "save it as UTF-8 and upload it again")
    encoding = _UTF16_MARKS.get(first[:2])
    if encoding is None:
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    at = len(codecs.BOM_UTF16)
    try:
        yield decoder.decode(first[at:]).encode()
        at = len(first)
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
            at += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        message = f"the file begins as UTF-16 text, but is none after byte {at}: {error}"
        raise BatchRejectedError("invalid_encoding", message, "save it as UTF-8 and upload it again") from error
