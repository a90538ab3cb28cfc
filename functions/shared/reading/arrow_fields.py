"""Parse delimited text with Arrow, which handles nested quotes and any line end."""

from contextlib import suppress

import pyarrow as pa
import pyarrow.csv as arrow_csv

from functions.shared.reading.rows import RawRows
from functions.shared.reading.rules import ColumnKind, Rules
from functions.shared.reading.values import CATEGORY, MISSING

_TYPED = {ColumnKind.NUMBER: pa.float64(), ColumnKind.CATEGORY: CATEGORY}


class ArrowFields:
    """Reads texts that have the same columns; safe to call from several threads."""

    def __init__(self, names: tuple[str, ...], separator: str, rules: Rules) -> None:
        self._names, self._separator = names, separator
        typed = {name: _TYPED.get(rules.plainly(name), pa.string()) for name in names}
        marks = [*MISSING, *rules.formats.missing]
        self._as_types = _conversion(typed, marks)
        self._as_texts = _conversion({name: kind if kind == CATEGORY else pa.string() for name, kind in typed.items()}, marks)

    def read(self, text: bytes, *, expect_bad_values: bool) -> RawRows:
        """Parse the records of a text into columns.

        Categories are typed, and so is a column of numbers if every value is one. All other columns stay texts.

        Args:
            expect_bad_values: leave numbers as texts.
        """
        if not expect_bad_values:
            with suppress(pa.ArrowInvalid):
                return self._read(text, self._as_types)
        return self._read(text, self._as_texts)

    def _read(self, text: bytes, conversion: arrow_csv.ConvertOptions) -> RawRows:
        odd: list[tuple[int, int]] = []

        def set_aside(row: arrow_csv.InvalidRow) -> str:
            odd.append((row.number - 1, row.actual_columns))
            return "skip"

        reading = arrow_csv.ReadOptions(use_threads=False, column_names=list(self._names), block_size=max(len(text) + 1, 64))
        parsing = arrow_csv.ParseOptions(
            delimiter=self._separator,
            quote_char='"' if b'"' in text else False,
            newlines_in_values=b'"' in text,
            invalid_row_handler=set_aside,
        )
        table = arrow_csv.read_csv(pa.BufferReader(text), read_options=reading, parse_options=parsing, convert_options=conversion)
        batches = table.combine_chunks().to_batches()
        return RawRows(batches[0] if batches else no_rows(self._names), tuple(odd))


def no_rows(names: tuple[str, ...]) -> pa.RecordBatch:
    """Return text columns without any record."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, pa.string()) for _ in names], names=list(names))


def _conversion(types: dict[str, pa.DataType], marks: list[str]) -> arrow_csv.ConvertOptions:
    return arrow_csv.ConvertOptions(column_types=types, check_utf8=False, null_values=marks, strings_can_be_null=False)
