"""Read Parquet as blocks, row group by row group."""

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as arrow_parquet

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode, RowCode
from functions.shared.foundation.ahead import map_ahead
from functions.shared.foundation.arrow import Mask, picked
from functions.shared.reading.columns import refuse_columns
from functions.shared.reading.conform import Issue, conform
from functions.shared.reading.encodings import is_utf8
from functions.shared.reading.folding import folded_paths, is_unfoldable, mostly_unique, short_texts
from functions.shared.reading.limits import BOMB_BYTES, BOMB_RATIO, MAX_ROW_GROUP_BYTES, MAX_VALUES_A_BYTE, block_factor
from functions.shared.reading.readable import Readable
from functions.shared.reading.rows import Block, RejectedRow
from functions.shared.reading.rules import ColumnKind, Rules
from functions.shared.reading.unfolding import Unfolding, block_type, unfolded
from functions.shared.reading.values import CATEGORY

_VALUE_BYTES = 8
"""Bytes of a value in memory, however few a repeated one takes in the file. Values of fixed length take that length."""

_FROM_ITS_HEAD: Mapping[str, Any] = {"pre_buffer": False, "buffer_size": 2**20}
"""How a file is opened for its columns' first values. Writers tend to limit a dictionary, which stands before them, to as many bytes."""

_PORTION = 8
"""A block is cut if its texts, which the file may store once, take this many times `block_bytes`."""


def parquet_blocks(source: Readable, rules: Rules, block_bytes: int, *, groups: range | None = None) -> Iterator[Block]:
    """Read a Parquet file, or some of its row groups, as blocks.

    `block_bytes` counts bytes before compression.

    Raises:
        BatchRejectedError: if the file as a whole cannot be read.
    """
    return map_ahead(lambda batch: _block(batch, rules), _batches(source, rules, block_bytes, groups))


def row_group_weights(source: Readable) -> list[int]:
    """Return the bytes of each row group of a Parquet file, to estimate its work.

    They are counted before compression, with at least `_VALUE_BYTES` per value, since repeated values take time as well.

    Raises:
        BatchRejectedError: `corrupt_parquet`.
    """
    with _readable("footer"), _opened(source) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        return [max(group.total_byte_size, _VALUE_BYTES * _values(group)) for group in groups]


def _values(group: arrow_parquet.RowGroupMetaData) -> int:
    return sum(group.column(place).num_values for place in range(group.num_columns))


class _SourceFile(io.RawIOBase):
    """A `Readable` as the file object that Arrow reads."""

    def __init__(self, source: Readable) -> None:
        super().__init__()
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = self._source.size - self._position
        data = self._source.read_at(self._position, left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data


def _batches(source: Readable, rules: Rules, block_bytes: int, groups: range | None) -> Iterator[pa.RecordBatch]:
    with _readable("footer"), _opened(source) as described:
        metadata, schema = described.metadata, described.schema_arrow
    refuse_columns(schema.names, rules.columns)
    block_bytes *= block_factor(len(schema.names))
    numbers = range(metadata.num_row_groups) if groups is None else groups
    unfolding = Unfolding(stored=sum(_stored_bytes(metadata.row_group(number)) for number in numbers))
    _refuse_repetition(sum(_values(metadata.row_group(number)) for number in numbers), unfolding.stored)
    folded = folded_paths(metadata, schema)
    unfoldable = {field.name for field in schema if is_unfoldable(field) and rules.of(field.name).kind is not ColumnKind.CATEGORY}
    # Arrow then takes extension types for texts or bytes, and reads them without unfolding.
    opened = partial(_opened, source, metadata=metadata, arrow_extensions_enabled=False)
    with _readable("footer"):
        file = opened(folded)
    with file:
        schema = pa.schema([_block_field(field, rules) for field in schema])
        for number in numbers:
            unfolding.begin(where := f"row group {number + 1} of {file.num_row_groups}")
            with _readable(where):
                rows = _rows_a_block(file, number, block_bytes, where)
                group = metadata.row_group(number)
                unique = mostly_unique(group, unfoldable) if group.num_rows > rows else []  # a small one is read before it is known
                short = short_texts(partial(opened, **_FROM_ITS_HEAD), number, unique, _PORTION * block_bytes // rows)
                with opened([path for path in folded if path not in short]) if short else nullcontext(file) as reader:
                    for batch in reader.iter_batches(rows, row_groups=[number], use_threads=False):
                        yield from unfolded(batch, schema, _PORTION * block_bytes, unfolding)


def _stored_bytes(group: arrow_parquet.RowGroupMetaData) -> int:
    return sum(group.column(place).total_compressed_size for place in range(group.num_columns))


def _opened(source: Readable, folded: Sequence[str] = (), **options: Any) -> arrow_parquet.ParquetFile:
    """Open a Parquet file with INT96 times in microseconds.

    Spark and Hive write INT96. In nanoseconds, only the years 1677 to 2262 would fit.
    """
    file = pa.PythonFile(_SourceFile(source), mode="r")
    return arrow_parquet.ParquetFile(file, read_dictionary=folded, coerce_int96_timestamp_unit="us", **options)


def _block_field(field: pa.Field, rules: Rules) -> pa.Field:
    """Return a column's type in a block: the file's own, or a dictionary."""
    is_category = rules.of(field.name).kind is ColumnKind.CATEGORY and pa.types.is_string(field.type)
    return pa.field(field.name, CATEGORY if is_category else block_type(field.type))


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Report Arrow's errors within the `with` block as damage of the file."""
    try:
        yield
    except MemoryError:  # Arrow's own MemoryError is an ArrowException as well
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise _corrupt(where, error) from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _corrupt(where, error) from error


def _rows_a_block(file: arrow_parquet.ParquetFile, number: int, block_bytes: int, where: str) -> int:
    group = file.metadata.row_group(number)
    columns = range(group.num_columns)
    values = sum(group.column(place).num_values * max(file.schema.column(place).length, _VALUE_BYTES) for place in columns)
    nested = sum(_VALUE_BYTES * group.column(place).num_values for place in columns if file.schema.column(place).max_repetition_level)
    group_bytes = max(group.total_byte_size, nested)
    if group_bytes > MAX_ROW_GROUP_BYTES:
        message = f"{where} has {group_bytes} bytes before compression, the limit is {MAX_ROW_GROUP_BYTES}"
        raise BatchRejectedError(FileCode.ROW_GROUP_TOO_LARGE, message)
    if group_bytes > BOMB_BYTES and group_bytes > BOMB_RATIO * (compressed := _stored_bytes(group)):
        message = f"{where} has {compressed} compressed bytes for {group_bytes}: more than {BOMB_RATIO} per byte"
        raise BatchRejectedError(FileCode.DECOMPRESSION_BOMB, message, "write the file uncompressed, if it is genuine")
    return int(max(1, block_bytes // max(1, max(values, group.total_byte_size) // max(1, group.num_rows))))


def _refuse_repetition(values: int, stored: int) -> None:
    if _VALUE_BYTES * values > BOMB_BYTES and values > MAX_VALUES_A_BYTE * stored:
        message = f"{stored} compressed bytes hold {values} values: more than {MAX_VALUES_A_BYTE} per byte"
        raise BatchRejectedError(FileCode.DECOMPRESSION_BOMB, message, "leave out columns that hold one value, or write smaller files")


def _corrupt(where: str, error: Exception) -> BatchRejectedError:
    message = f"the Parquet file cannot be read at its {where}: {error}"
    return BatchRejectedError(FileCode.CORRUPT_PARQUET, message)


def _block(batch: pa.RecordBatch, rules: Rules) -> Block:
    undecodable = _undecodable(batch)
    issues = [Issue(place, RowCode.INVALID_UTF8, "the row holds text that is not UTF-8") for place in np.flatnonzero(undecodable).tolist()]
    readable = _without_strangers(picked(batch, ~undecodable)) if issues else batch
    conformed = conform(readable, rules)
    places = np.flatnonzero(~undecodable)
    issues += [Issue(int(places[issue.place]), issue.code, issue.message) for issue in conformed.issues]
    return Block(conformed.rows, _rejected(batch, sorted(issues, key=lambda issue: issue.place)))


def _without_strangers(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the same rows without unused dictionary entries that are not UTF-8."""
    odd = [
        pa.types.is_dictionary(column.type) and _is_text(column.dictionary.type) and not _is_valid(column.dictionary) for column in batch
    ]
    columns = [_decoded(column).dictionary_encode() if is_odd else column for column, is_odd in zip(batch.columns, odd, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _undecodable(batch: pa.RecordBatch) -> Mask:
    """Mark rows with a text that is not UTF-8; Parquet readers do not check it."""
    bad = np.zeros(batch.num_rows, np.bool_)
    for column in batch.columns:
        values = column.dictionary if pa.types.is_dictionary(column.type) else column
        if not _is_text(values.type) or _is_valid(values):
            continue
        for place, value in enumerate(pc.cast(_decoded(column), pa.binary()).to_pylist()):
            bad[place] |= value is not None and not is_utf8(value)
    return bad


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_valid(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(column: pa.Array) -> pa.Array:
    return pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _rejected(batch: pa.RecordBatch, issues: list[Issue]) -> tuple[RejectedRow, ...]:
    if not issues:
        return ()
    bad = np.zeros(batch.num_rows, np.bool_)
    bad[[issue.place for issue in issues]] = True
    rows = picked(batch, bad)
    columns = [_json_values(_decoded(column)) for column in rows.columns]
    return tuple(
        RejectedRow(
            row=issue.place + 1,
            line=None,
            byte_offset=None,
            code=issue.code,
            message=issue.message,
            raw=json.dumps(dict(zip(batch.schema.names, values, strict=True)), ensure_ascii=False, default=str),
        )
        for issue, values in zip(issues, zip(*columns, strict=True), strict=True)
    )


def _json_values(column: pa.Array) -> list[object]:
    """Return values that JSON can hold.

    Bytes become Latin-1 text; times, decimals and infinities become text; NaN becomes null.
    """
    if _is_text(column.type):
        return [_text_or_latin1(value) for value in pc.cast(column, pa.binary()).to_pylist()]
    if pa.types.is_temporal(column.type) or pa.types.is_decimal(column.type):
        return list(pc.cast(column, pa.string()).to_pylist())
    return [_json_value(value) for value in column.to_pylist()]


def _text_or_latin1(value: bytes | None) -> str | None:
    if value is None:
        return None
    return value.decode() if is_utf8(value) else value.decode("latin-1")


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
