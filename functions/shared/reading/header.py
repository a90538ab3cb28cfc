"""Read the line of a delimited file that names its columns."""

from functions.shared.reading.delimited import first_record
from functions.shared.reading.file_formats import Format
from functions.shared.reading.formats import detect_format
from functions.shared.reading.readable import Readable
from functions.shared.reading.text import decompressed_chunks, utf8_chunks

_HEAD_BYTES = 1 << 16


def header_of(source: Readable, key: str, encoding: str | None = None) -> str:
    """Return the header of a file without its line end; empty for other formats.

    Args:
        source: the file.
        key: its name.
        encoding: the encoding of its text, if known.

    Raises:
        BatchRejectedError: if the file cannot be read.
    """
    if detect_format(source, key) is not Format.CSV:
        return ""
    found = first_record(utf8_chunks(decompressed_chunks(source, _HEAD_BYTES), encoding))
    return found.head[found.start : found.end].decode()
