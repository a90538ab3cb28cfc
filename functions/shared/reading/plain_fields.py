"""Columns of text whose fields are written plainly, by the kernel where one was built; what it leaves is text as it was."""

from collections.abc import Sequence

import pyarrow as pa

from functions.shared.arrow import fixed_width, texts
from functions.shared.kernels.fields import Fields
from functions.shared.reading.rules import ColumnKind, Rules

_LOCAL_TIME = pa.timestamp("us")


def plain_columns(fields: Fields, names: Sequence[str], rules: Rules) -> pa.RecordBatch:
    """The records of a text: numbers, categories and local times typed if all of a column are plain, all else as texts."""
    columns = [_typed(fields, place, rules.of(name).kind) or _texts(fields, place) for place, name in enumerate(names)]
    return pa.RecordBatch.from_arrays(columns, names=list(names))


def _typed(fields: Fields, column: int, kind: ColumnKind) -> pa.Array | None:
    if kind is ColumnKind.NUMBER and (numbers := fields.numbers(column)) is not None:
        values, valid = numbers
        return pa.Array.from_buffers(pa.float64(), len(values), [None if valid is None else pa.py_buffer(valid), pa.py_buffer(values)])
    if kind is ColumnKind.TIME and (times := fields.times(column)) is not None:
        return fixed_width(times, _LOCAL_TIME)
    if kind is ColumnKind.CATEGORY and (categories := fields.categories(column)) is not None:
        codes, names = categories
        return pa.DictionaryArray.from_arrays(fixed_width(codes, pa.int32()), texts(names))
    return None


def _texts(fields: Fields, column: int) -> pa.Array:
    offsets, together = fields.texts(column)
    return pa.Array.from_buffers(pa.string(), fields.records, [None, pa.py_buffer(offsets), pa.py_buffer(together)])
