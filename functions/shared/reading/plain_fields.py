"""Parse plain delimited text, as in most files, with the compiled kernel."""

import pyarrow as pa

from functions.shared.foundation.arrow import fixed_width, texts
from functions.shared.kernels.fields import LONGEST_MARK, FieldKernel, Fields
from functions.shared.kernels.library import kernel_library
from functions.shared.reading.rows import RawRows
from functions.shared.reading.rules import ColumnKind, Rules
from functions.shared.reading.values import MISSING

_LOCAL_TIME = pa.timestamp("us")


class PlainFields:
    """Reads texts that have the same columns; safe to call from several threads."""

    def __init__(self, names: tuple[str, ...], separator: str, rules: Rules) -> None:
        library = kernel_library()
        marks = [mark for mark in (*MISSING, *rules.formats.missing) if len(mark.encode()) <= LONGEST_MARK]
        self._kernel = None if library is None else FieldKernel(library, separator=separator, columns=len(names), marks=marks)
        self._columns = [(name, rules.plainly(name)) for name in names]

    def read(self, text: bytes) -> RawRows | None:
        """Parse the records of a text; None without a kernel or if it is not plain.

        Numbers, categories and local times are typed if all values of a column are plain. All other columns stay texts.
        """
        if self._kernel is None or (fields := self._kernel.split(text)) is None:
            return None
        columns = {name: _column(fields, place, kind) for place, (name, kind) in enumerate(self._columns)}
        return RawRows(pa.RecordBatch.from_pydict(columns), tuple(map(tuple, fields.odd.tolist())))


def _column(fields: Fields, place: int, kind: ColumnKind) -> pa.Array:
    typed = typed_column(fields, place, kind)
    return text_column(fields, place) if typed is None else typed


def typed_column(fields: Fields, column: int, kind: ColumnKind) -> pa.Array | None:
    """Return a column's values in the type of their kind; None if they stay texts."""
    if kind is ColumnKind.NUMBER:
        return number_column(fields, column)
    if kind is ColumnKind.TIME and (times := fields.times(column)) is not None:
        return fixed_width(times, _LOCAL_TIME)
    if kind is ColumnKind.CATEGORY and (categories := fields.categories(column)) is not None:
        codes, names = categories
        return pa.DictionaryArray.from_arrays(fixed_width(codes, pa.int32()), texts(names))
    return None


def number_column(fields: Fields, column: int) -> pa.Array | None:
    """Return a column's numbers; None if one is not plain."""
    if (numbers := fields.numbers(column)) is None:
        return None
    values, valid = numbers
    return pa.Array.from_buffers(pa.float64(), len(values), [None if valid is None else pa.py_buffer(valid), pa.py_buffer(values)])


def text_column(fields: Fields, column: int) -> pa.Array:
    """Return a column's fields as texts."""
    offsets, together = fields.texts(column)
    return pa.Array.from_buffers(pa.string(), fields.records, [None, pa.py_buffer(offsets), pa.py_buffer(together)])
