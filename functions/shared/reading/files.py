"""Read files of rows in any supported format, under one contract."""

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa

from functions.shared.domain.formats import PLAIN, Formats
from functions.shared.domain.ids import id_texts
from functions.shared.domain.policy import RowContract
from functions.shared.domain.spec import ModelSpec
from functions.shared.reading.file_formats import Format, reader_of
from functions.shared.reading.formats import detect_format, empty_file
from functions.shared.reading.inference import kind_of_type, kinds_of_texts
from functions.shared.reading.limits import DEFAULT_BLOCK_BYTES
from functions.shared.reading.numbers import signs_in
from functions.shared.reading.readable import Readable
from functions.shared.reading.rows import Block, RejectedRow
from functions.shared.reading.rules import ColumnKind, Rule, Rules, scoring_rules, table_rules
from functions.shared.reading.text import Notes
from functions.shared.reading.time_inference import TimeFormat, time_format_of
from functions.shared.reading.unforeseen import unforeseen_refused


def read_blocks(
    source: Readable,
    *,
    key: str,
    spec: ModelSpec,
    contract: RowContract,
    block_bytes: int = DEFAULT_BLOCK_BYTES,
    notes: Notes | None = None,
) -> Iterator[Block]:
    """Read a batch for a model: each row is in exactly one block, typed or rejected.

    Columns keep the file's order. Their types are those of `ColumnKind`, the same in every block.

    Args:
        key: the file's name, which decides the format if its bytes are ambiguous.
        block_bytes: bytes of text parsed at a time, about the size of a block.
        notes: filled with how the file is written.

    Raises:
        BatchRejectedError: if the file as a whole cannot be read. Codes: `empty_file`, `unknown_format`,
            `invalid_encoding`, `no_header`, `missing_column`, `duplicate_column`, `too_many_columns`, `line_too_long`,
            `truncated_gzip`, `corrupt_gzip`, `decompression_bomb`, `truncated_parquet`, `corrupt_parquet`, `wrong_type`,
            `unreadable`. Blocks before the damage are yielded first.
    """
    return _blocks(source, key, scoring_rules(spec, contract), block_bytes, notes)


@dataclass(frozen=True, slots=True)
class TableRead:
    """A whole file in memory: its good rows as one table, and its rejected rows."""

    table: pa.Table
    rejected: tuple[RejectedRow, ...]


def read_table(
    source: Readable,
    *,
    key: str,
    columns: Mapping[str, ColumnKind | Rule],
    timezone: str = "UTC",
    formats: Formats = PLAIN,
    carry: bool = False,
    notes: Notes | None = None,
) -> TableRead:
    """Read a file of labels or training rows into memory, under a batch's contract.

    Ids become texts.

    Args:
        columns: the required columns, and their kinds or rules. Each row must have its ids and times.
        timezone: the zone of times without an offset.
        formats: how the file is written.
        carry: whether to keep the file's other columns.
        notes: filled with how the file is written.

    Raises:
        BatchRejectedError: as `read_blocks`.
    """
    kept: list[pa.RecordBatch] = []
    rejected: list[RejectedRow] = []
    for block in table_blocks(source, key=key, columns=columns, timezone=timezone, formats=formats, notes=notes):
        kept.append(block.rows if carry else block.rows.select(list(columns)))
        rejected.extend(block.rejected)
    return TableRead(_with_text_ids(pa.Table.from_batches(kept), columns), tuple(rejected))


def table_blocks(
    source: Readable,
    *,
    key: str,
    columns: Mapping[str, ColumnKind | Rule],
    timezone: str = "UTC",
    formats: Formats = PLAIN,
    notes: Notes | None = None,
) -> Generator[Block]:
    """Yield the blocks of `read_table`, a few in memory at a time.

    Ids keep the file's type. The errors are the same.
    """
    return _blocks(source, key, table_rules(columns, timezone, formats), DEFAULT_BLOCK_BYTES, notes)


def _with_text_ids(table: pa.Table, columns: Mapping[str, ColumnKind | Rule]) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if columns.get(name) is ColumnKind.ID:
            table = table.set_column(place, name, id_texts(table[name]))
    return table


def infer_columns(
    source: Readable, *, key: str, formats: Formats = PLAIN, notes: Notes | None = None, block_bytes: int = DEFAULT_BLOCK_BYTES
) -> dict[str, ColumnKind]:
    """Infer the kinds of a file's columns from their values, or Parquet types.

    Raises:
        BatchRejectedError: as `read_blocks`.
    """
    blocks = _blocks(source, key, Rules({}, ZoneInfo("UTC"), formats), block_bytes, notes)
    if detect_format(source, key) is Format.PARQUET:
        return {field.name: kind_of_type(field.type) for field in next(blocks).rows.schema}
    return kinds_of_texts((block.rows for block in blocks), formats)


def number_signs(source: Readable, *, key: str, columns: Collection[str], formats: Formats = PLAIN) -> dict[str, set[str]]:
    """Return the currency and percent signs in the texts of some columns.

    Raises:
        BatchRejectedError: as `read_blocks`.
    """
    found: dict[str, set[str]] = {name: set() for name in columns}
    for block in _blocks(source, key, Rules({}, ZoneInfo("UTC"), formats), DEFAULT_BLOCK_BYTES):
        for name in columns:
            found[name] |= signs_in(block.rows[name])
    return found


def find_time_format(source: Readable, *, key: str, column: str, formats: Formats = PLAIN) -> TimeFormat:
    """Return the format of the times in a file's column.

    Raises:
        BatchRejectedError: as `read_blocks`.
    """
    rules = Rules({}, ZoneInfo("UTC"), formats)
    return time_format_of(column, (block.rows[column] for block in _blocks(source, key, rules, DEFAULT_BLOCK_BYTES)))


def _blocks(source: Readable, key: str, rules: Rules, block_bytes: int, notes: Notes | None = None) -> Generator[Block]:
    rows = 0
    with unforeseen_refused(source, key) as watched:
        for block in reader_of(detect_format(watched, key))(watched, rules, block_bytes, notes):
            if block.rows_in:
                yield block.numbered_from(rows)
                rows += block.rows_in
    if not rows:
        raise empty_file("the file has no rows")
