"""Unfold texts that Parquet stores once for many rows, up to a limit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.rejections import FileCode
from functions.shared.foundation.arrow import numbers_of, valid_mask
from functions.shared.reading.limits import BOMB_BYTES, BOMB_RATIO, MAX_RECORD_BYTES, MAX_ROW_GROUP_BYTES

_OFFSETS = {pa.string(): np.int32, pa.binary(): np.int32, pa.large_string(): np.int64, pa.large_binary(): np.int64}
_VIEWS = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
_REMEDY = "leave out the column of long texts"


def block_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column in a block.

    It is the file's own type, with two exceptions. Views become plain types, since Arrow can do little with them. Dictionaries get
    indices of one width: Arrow chooses the narrowest that fit, which may be too narrow once dictionaries are merged.
    """
    return pa.dictionary(pa.int32(), kind.value_type) if pa.types.is_dictionary(kind) else _VIEWS.get(kind, kind)


@dataclass(slots=True)
class Unfolding:
    """Bytes of texts unfolded so far, in the file and in the current row group."""

    stored: int
    total: int = 0
    group: int = 0
    where: str = ""

    def begin(self, where: str) -> None:
        """Start counting another row group."""
        self.group, self.where = 0, where

    def count(self, row_bytes: NDArray[np.int64]) -> None:
        """Add the bytes of rows' texts, before they are unfolded.

        Raises:
            BatchRejectedError: `line_too_long`, `row_group_too_large` or `decompression_bomb`.
        """
        unfolded = int(row_bytes.sum())
        self.group += unfolded
        self.total += unfolded
        if (longest := int(row_bytes.max(initial=0))) > MAX_RECORD_BYTES:
            message = f"the texts of a row in {self.where} take {longest} bytes, the limit is {MAX_RECORD_BYTES}"
            raise BatchRejectedError(FileCode.LINE_TOO_LONG, message, _REMEDY)
        if self.group > MAX_ROW_GROUP_BYTES:
            message = (
                f"the texts of {self.where} take over {self.group} bytes, those that repeat included; the limit is {MAX_ROW_GROUP_BYTES}"
            )
            raise BatchRejectedError(FileCode.ROW_GROUP_TOO_LARGE, message, f"write smaller row groups, or {_REMEDY}")
        if self.total > BOMB_BYTES and self.total > BOMB_RATIO * self.stored:
            message = f"the texts of {self.stored} compressed bytes take over {self.total}: more than {BOMB_RATIO} per byte"
            raise BatchRejectedError(FileCode.DECOMPRESSION_BOMB, message, _REMEDY)


def unfolded(batch: pa.RecordBatch, schema: pa.Schema, portion_bytes: int, unfolding: Unfolding) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a batch with the types of `schema`, in portions.

    The texts of a portion take about `portion_bytes`.

    Raises:
        BatchRejectedError: if the texts exceed a limit.
    """
    row_bytes = _sum(batch.columns, batch.num_rows)
    unfolding.count(row_bytes)
    portions = np.cumsum(row_bytes) // portion_bytes
    starts = [0, *(np.flatnonzero(np.diff(portions)) + 1).tolist(), batch.num_rows]
    for start, end in pairwise(starts):
        columns = [_as(column, field.type) for column, field in zip(batch.slice(start, end - start).columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if not pa.types.is_dictionary(column.type):
        return column.cast(kind)
    if pa.types.is_dictionary(kind) and kind.value_type == column.type.value_type:
        return pa.DictionaryArray.from_arrays(column.indices.cast(kind.index_type), column.dictionary)
    plain = column.dictionary_decode()
    return plain if plain.type == kind else plain.cast(kind)


def _sum(columns: Iterable[pa.Array], rows: int) -> NDArray[np.int64]:
    """Return the bytes of the texts in each row of some columns."""
    total = np.zeros(rows, np.int64)
    for column in columns:
        total += _text_bytes(column)
    return total


def _text_bytes(column: pa.Array) -> NDArray[np.int64]:
    """Return the bytes of the texts in each value, also within lists and structures."""
    kind, types = column.type, pa.types
    if kind in _OFFSETS:
        return _lengths(column)
    if types.is_dictionary(kind) and kind.value_type in _OFFSETS:
        return _lengths_of_entries(column)
    if types.is_struct(kind):
        return _sum((column.field(place) for place in range(kind.num_fields)), len(column))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(_text_bytes(column.values))])
        lengths: NDArray[np.int64] = np.diff(ends[numbers_of(column.offsets, np.int64 if types.is_large_list(kind) else np.int32)])
        return lengths
    if types.is_fixed_size_list(kind):
        start, end = (kind.list_size * place for place in (column.offset, column.offset + len(column)))
        inside: NDArray[np.int64] = _text_bytes(column.values)[start:end].reshape(len(column), kind.list_size).sum(axis=1)
        return inside
    return np.zeros(len(column), np.int64)


def _lengths_of_entries(column: pa.DictionaryArray) -> NDArray[np.int64]:
    """Return the bytes of each value, 0 for null.

    Raises:
        pa.ArrowInvalid: if a value refers to an entry that the dictionary lacks; Arrow does not check it.
    """
    valid, codes = valid_mask(column), numbers_of(column.indices.cast(pa.int32()), np.int32)
    if (valid & ((codes < 0) | (codes >= len(column.dictionary)))).any():
        message = "a value names an entry that its dictionary does not have"
        raise pa.ArrowInvalid(message)
    return np.append(_lengths(column.dictionary), 0)[np.where(valid, codes, -1)]


def _lengths(texts: pa.Array) -> NDArray[np.int64]:
    if not len(texts):  # an empty array may have no offsets
        return np.zeros(0, np.int64)
    width = _OFFSETS[texts.type]
    offsets = np.frombuffer(texts.buffers()[1], width, len(texts) + 1, texts.offset * np.dtype(width).itemsize)
    return np.diff(offsets).astype(np.int64)
