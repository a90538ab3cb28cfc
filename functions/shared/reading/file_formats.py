"""The table of file formats: names, first bytes, and readers.

To add a format, start with a line here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum

from functions.shared.reading.readable import Readable
from functions.shared.reading.rows import Block
from functions.shared.reading.rules import Rules
from functions.shared.reading.text import Notes, decompressed_chunks, utf8_chunks

type Reader = Callable[[Readable, Rules, int, Notes | None], Iterator[Block]]


class Format(StrEnum):
    """How the rows of a file are written, decompressed."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What is known of a format.

    Attributes:
        endings: of the names of its files, without `.gz`; they decide where the first bytes leave the format open.
        magics: how its files begin, where they all do.
        read: what reads it, in blocks of about that many bytes; None where the command converts it before the upload.
    """

    endings: tuple[str, ...]
    magics: tuple[bytes, ...] = ()
    read: Reader | None = None

    def begins(self, head: bytes) -> bool:
        """Return whether these first bytes are of this format for sure."""
        return head.startswith(self.magics)


def _delimited(source: Readable, rules: Rules, block_bytes: int, notes: Notes | None) -> Iterator[Block]:
    from functions.shared.reading.delimited import delimited_blocks

    # An error that somebody keeps would keep its frames, and with them the threads that fetch, if these were not ended here.
    with closing(decompressed_chunks(source, block_bytes)) as chunks:
        yield from delimited_blocks(utf8_chunks(chunks, rules.formats.encoding, notes=notes), rules)


def _jsonl(source: Readable, rules: Rules, block_bytes: int, notes: Notes | None) -> Iterator[Block]:
    from functions.shared.reading.jsonlines import jsonl_blocks

    with closing(decompressed_chunks(source, block_bytes)) as chunks:
        yield from jsonl_blocks(utf8_chunks(chunks, rules.formats.encoding, notes=notes, detect=False), rules)


def _parquet(source: Readable, rules: Rules, block_bytes: int, _: Notes | None) -> Iterator[Block]:
    from functions.shared.reading.parquet import parquet_blocks

    return parquet_blocks(source, rules, block_bytes)


CSV = FileFormat(("csv", "tsv"), read=_delimited)
JSON = FileFormat(("json", "jsonl", "ndjson"), read=_jsonl)
PARQUET = FileFormat(("parquet",), (b"PAR1",), _parquet)
WORKBOOK = FileFormat(("xlsx", "xlsm", "xlsb", "xls", "ods"), (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))
"""Of Excel and OpenDocument: zip archives, and Excel's files up to 2003. The command sends a sheet as JSON Lines."""

READ: Mapping[Format, FileFormat] = {Format.CSV: CSV, Format.JSONL: JSON, Format.PARQUET: PARQUET}
"""What functions read."""
TAKEN = (*READ.values(), WORKBOOK)
"""What commands take."""


def reader_of(form: Format) -> Reader:
    """Return what reads files of a format."""
    read = READ[form].read
    assert read is not None
    return read
