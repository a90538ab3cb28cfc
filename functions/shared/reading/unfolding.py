"""Texts that a Parquet file holds once for thousands of rows, unfolded a bounded portion at a time."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.arrow import numbers_of, valid_mask
from functions.shared.domain.errors import BatchRejectedError
from functions.shared.reading.limits import MAX_RECORD_BYTES

_OFFSETS = {pa.string(): np.int32, pa.binary(): np.int32, pa.large_string(): np.int64, pa.large_binary(): np.int64}
_VIEWS = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values are texts or bytes of any length, so that a file may keep one for many rows."""
    return kind in _OFFSETS or kind in _VIEWS


def block_type(kind: pa.DataType) -> pa.DataType:
    """The type of a column in a block: the file's own, but no views, which Arrow can do little with, and dictionaries of one width.

    Arrow writes a dictionary with the narrowest indices that do, which would be too narrow for several of them together.
    """
    return pa.dictionary(pa.int32(), kind.value_type) if pa.types.is_dictionary(kind) else _VIEWS.get(kind, kind)


def unfolded(batch: pa.RecordBatch, schema: pa.Schema, portion_bytes: int, where: str) -> Iterator[pa.RecordBatch]:
    """The rows of a batch with the types of `schema`, in portions whose texts take about `portion_bytes`.

    Raises:
        BatchRejectedError: `line_too_long`, if the texts of a row take more than a record may.
    """
    row_bytes = _row_bytes(batch)
    if len(row_bytes) and (longest := int(row_bytes.max())) > MAX_RECORD_BYTES:
        message = f"the texts of a row in {where} take {longest} bytes, the limit is {MAX_RECORD_BYTES}"
        raise BatchRejectedError("line_too_long", message, "leave out the column of long texts")
    portions = np.cumsum(row_bytes) // portion_bytes
    starts = [0, *(np.flatnonzero(np.diff(portions)) + 1).tolist(), batch.num_rows]
    for start, end in pairwise(starts):
        columns = [_as(column, field.type) for column, field in zip(batch.slice(start, end - start).columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if pa.types.is_dictionary(kind) and kind.value_type == column.type.value_type:
        return pa.DictionaryArray.from_arrays(column.indices.cast(kind.index_type), column.dictionary)
    plain = column.dictionary_decode()
    return plain if plain.type == kind else plain.cast(kind)


def _row_bytes(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Bytes of each row's texts."""
    total = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        if is_bytes(column.type):
            total += _lengths(column)
        elif pa.types.is_dictionary(column.type) and is_bytes(column.type.value_type) and len(column.dictionary):
            codes = np.where(valid_mask(column), numbers_of(column.indices.cast(pa.int32()), np.int32), 0)
            total += _lengths(column.dictionary)[codes]
    return total


def _lengths(texts: pa.Array) -> NDArray[np.int64]:
    width = _OFFSETS[texts.type]
    offsets = np.frombuffer(texts.buffers()[1], width, len(texts) + 1, texts.offset * np.dtype(width).itemsize)
    return np.diff(offsets).astype(np.int64)
