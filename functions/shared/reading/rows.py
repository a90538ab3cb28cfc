"""What reading gives: blocks of typed rows, and the rows that were rejected."""

from dataclasses import dataclass, replace

import pyarrow as pa

from functions.shared.domain.rejections import RowCode


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that breaks the contract.

    Attributes:
        row: 1-based number of the data row in the file; rejected rows count, the header and blank lines do not.
        line: 1-based physical line where the record starts (the header's first line is 1); None for Parquet.
        byte_offset: where the record starts in the file, decompressed; in a UTF-16 file, in its UTF-8 transcription;
            None for Parquet.
        code: stable machine-readable reason.
        message: which column and why, for a person.
        raw: the record's text without its line end; for Parquet the row as JSON. Bytes that are no UTF-8 have the code
            `invalid_utf8`, and only those rows have their text decoded as Latin-1, so that `raw.encode("latin-1")` gives
            the bytes back.
    """

    row: int
    line: int | None
    byte_offset: int | None
    code: RowCode
    message: str
    raw: str


@dataclass(frozen=True, slots=True)
class RawRows:
    """Records of a text as columns that are not yet held against their rules.

    Attributes:
        columns: of the records that have a field for each column; typed, or as texts.
        odd: of each other record its place among all of the text, and how many fields it has.
    """

    columns: pa.RecordBatch
    odd: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive rows of a file: the good ones typed, in their order, and the rejected ones, in theirs."""

    rows: pa.RecordBatch
    rejected: tuple[RejectedRow, ...]

    @property
    def rows_in(self) -> int:
        """Rows of the file that this block accounts for."""
        return int(self.rows.num_rows) + len(self.rejected)

    def numbered_from(self, rows: int) -> "Block":
        """The block with its rejected rows numbered in the file, if they are numbered in the block and `rows` come before."""
        return Block(self.rows, tuple(replace(rejected, row=rejected.row + rows) for rejected in self.rejected))
