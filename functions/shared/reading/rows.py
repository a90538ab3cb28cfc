"""The results of reading: blocks of typed rows, and the rejected rows."""

from dataclasses import dataclass, replace

import pyarrow as pa

from functions.shared.domain.rejections import RowCode


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that breaks the contract.

    Attributes:
        row: 1-based number of the data row in the file; counts rejected rows, but not the header and blank lines.
        line: 1-based physical line where the record starts (the header's first line is 1); None for Parquet.
        byte_offset: where the record starts in the file, decompressed; in a UTF-16 file, in its UTF-8 transcription;
            None for Parquet.
        code: stable machine-readable reason.
        message: the column and the reason, for a person.
        raw: the record's text without its line end; for Parquet the row as JSON. Only rows of the code `invalid_utf8` are
            decoded as Latin-1, so that `raw.encode("latin-1")` returns their bytes.
    """

    row: int
    line: int | None
    byte_offset: int | None
    code: RowCode
    message: str
    raw: str


@dataclass(frozen=True, slots=True)
class RawRows:
    """Records of a text as columns that are not checked against their rules yet.

    Attributes:
        columns: typed or text columns of the records that have one field per column.
        odd: for each other record its place among all records, and its number of fields.
    """

    columns: pa.RecordBatch
    odd: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of a file: typed good rows and rejected rows, each in order."""

    rows: pa.RecordBatch
    rejected: tuple[RejectedRow, ...]

    @property
    def rows_in(self) -> int:
        """Return the number of rows, good or rejected, in this block."""
        return int(self.rows.num_rows) + len(self.rejected)

    def numbered_from(self, rows: int) -> "Block":
        """Number rejected rows within the file, in which `rows` come before the block."""
        if not rows:
            return self
        return Block(self.rows, tuple(replace(rejected, row=rejected.row + rows) for rejected in self.rejected))
