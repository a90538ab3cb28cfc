"""Quarantined rows as a file to mend, in the form in which they came.

What looks like a spreadsheet's formula is not escaped: the rows come back as they are, and must not hold more than they did.
"""

import json

from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectStore
from functions.shared.quarantined import raw_bytes
from functions.shared.reading.delimited import first_record
from functions.shared.reading.formats import Format, detect_format
from functions.shared.reading.source import Source
from functions.shared.reading.text import decompressed_chunks, utf8_chunks

_HEADER_BYTES = 1 << 16


def quarantined_file(manifest: Manifest, *, inbox: ObjectStore, store: ObjectStore) -> tuple[str, bytes]:
    """The rows that a batch set aside, as they stood in its file: delimited text with the header, or JSON lines.

    Returns:
        The file's ending, and its bytes.

    Raises:
        InputError: if the batch set no row aside.
        NotFoundError: if the batch's file is gone.
    """
    if not manifest.quarantine:
        message = f"batch {manifest.batch_id} has no quarantined row"
        raise InputError(message)
    texts = [raw_bytes(json.loads(line)) for file in manifest.quarantine for line in store.read(file.key).splitlines()]
    source = inbox.open(manifest.source.key, manifest.source.version_id)
    if detect_format(source, manifest.source.key) is Format.CSV:
        return ".csv", b"".join((_header(source), *(text + b"\n" for text in texts)))
    return ".jsonl", b"".join(text + b"\n" for text in texts)


def _header(source: Source) -> bytes:
    """The record of a delimited file that names its columns."""
    text, start, end = first_record(utf8_chunks(decompressed_chunks(source, _HEADER_BYTES)))
    return text[start:end] + b"\n"
