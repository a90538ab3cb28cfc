"""Detect a file's format from its first bytes; if ambiguous, from its name."""

import codecs
import re

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode
from functions.shared.reading.encodings import wide_encoding
from functions.shared.reading.file_formats import CSV, JSON, PARQUET, WORKBOOK, Format
from functions.shared.reading.readable import Readable
from functions.shared.reading.text import GZIP_MAGIC, decompressed_chunks

_HEAD_BYTES = 4096
_ZIP, _OLD_WORKBOOK = WORKBOOK.magics
_FIRST_PARTS = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
"""Names of a workbook's first member, after `_ZIP_HEADER_BYTES` of its zip archive."""
_ZIP_HEADER_BYTES = 30
_ARRAY_OF_OBJECTS = re.compile(rb"\[\s*\{")
_FOREIGN = {
    _ZIP: "a zip archive",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ\x00": "xz data",
    b"\x28\xb5\x2f\xfd": "zstandard data",
    b"7z\xbc\xaf": "a 7-zip archive",
    b"%PDF": "a PDF document",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow file",
    b"PARE": "an encrypted Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
}


def detect_format(source: Readable, key: str) -> Format:
    """Return the format of a file.

    Raises:
        BatchRejectedError: `empty_file`, `unknown_format`, `invalid_encoding`, `truncated_parquet`, or a code for damaged gzip data.
    """
    stored = source.read_at(0, _HEAD_BYTES)
    if not stored:
        raise empty_file("the file has no bytes")
    if PARQUET.begins(stored):
        _refuse_truncated_parquet(source)
        return Format.PARQUET
    head = stored
    if stored.startswith(GZIP_MAGIC):
        head = next(decompressed_chunks(source, _HEAD_BYTES), b"")
        if head.startswith((GZIP_MAGIC, *PARQUET.magics)):
            raise _unknown("the file holds gzip or Parquet data inside gzip data")
    return _text_format(head, _extension(key))


def empty_file(message: str) -> BatchRejectedError:
    """Return the error for a file without a row."""
    return BatchRejectedError(FileCode.EMPTY_FILE, message)


def _extension(key: str) -> str:
    """Return the extension of a file's name, without one for compression."""
    parts = key.rsplit("/", 1)[-1].lower().split(".")
    named = parts[1:-1] if parts[-1] in {"gz", "gzip"} else parts[1:]
    return named[-1] if named else ""


def _text_format(head: bytes, extension: str) -> Format:
    if _is_workbook(head, extension):
        raise BatchRejectedError(FileCode.WORKBOOK, "the file is an Excel workbook, whose sheets are not read here")
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise _unknown(f"the file is {what}")
    if extension in PARQUET.endings:
        raise _unknown("the file is named as Parquet, but does not begin as such")
    text = _as_bytes(head).lstrip()
    _refuse_binary(text.splitlines()[0] if text else b"")
    first = text[:1]
    if extension in CSV.endings:
        return Format.CSV
    if first == b"{" or (first == b"[" and (extension in JSON.endings or _ARRAY_OF_OBJECTS.match(text))):
        return Format.JSONL
    if first == b"<":
        raise _unknown("the file is XML or HTML")
    if extension in JSON.endings and first:
        raise _unknown("the file is named as JSON, but does not begin with an object or an array")
    return Format.CSV


def _is_workbook(head: bytes, extension: str) -> bool:
    is_one = extension in WORKBOOK.endings or head.startswith(_FIRST_PARTS, _ZIP_HEADER_BYTES)
    return head.startswith(_OLD_WORKBOOK) or (head.startswith(_ZIP) and is_one)


def _as_bytes(head: bytes) -> bytes:
    """Return a text's start without its mark, ASCII as one byte per character."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BatchRejectedError(FileCode.INVALID_ENCODING, "the file is UTF-32 text")
    wide = wide_encoding(head)
    return head.decode(wide, "ignore").removeprefix("\ufeff").encode() if wide else head.removeprefix(codecs.BOM_UTF8)


def _refuse_binary(first_line: bytes) -> None:
    if b"\0" in first_line:
        message = "the first line holds zero bytes, as binary data does"
        raise BatchRejectedError(FileCode.INVALID_ENCODING, message)
    if any(byte < ord(" ") for byte in first_line.replace(b"\t", b"")):
        raise _unknown("the file is neither text nor Parquet")


def _refuse_truncated_parquet(source: Readable) -> None:
    (magic,) = PARQUET.magics
    if source.size < 3 * len(magic) or source.read_at(source.size - len(magic), len(magic)) != magic:
        message = f"the Parquet file ends at byte {source.size} without its footer"
        raise BatchRejectedError(FileCode.TRUNCATED_PARQUET, message)


def _unknown(message: str) -> BatchRejectedError:
    return BatchRejectedError(FileCode.UNKNOWN_FORMAT, message)
