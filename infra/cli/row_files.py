"""Files of rows for people: Parquet, CSV or Excel, in bounded memory.

Cells are written as they are. What looks like a formula stays the text that it is in Parquet and in Excel's own format; a
spreadsheet that opens CSV may run it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.errors import InputError
from functions.shared.reading.values import plain_texts
from infra.cli.outputs import CELL_CHARACTERS, SHEET_COLUMNS, ending_of, refuse_long, unfit

_EXACT_DIGITS = 10**15
"""Excel keeps fifteen digits of a number; larger whole numbers are written as text."""
_FIRST_YEAR = 1900
_EXPONENT_FROM = 1e10
"""Arrow writes floats from here on with an exponent."""
_SHOWN_BELOW = 10**11
"""Excel shows whole numbers from here on with an exponent, if it is not asked for all digits."""


class RowFile(Protocol):
    """A file that takes rows and is whole when it is closed."""

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows of the file's schema."""

    def close(self) -> None:
        """Write what is left."""


class _ParquetFile:
    def __init__(self, path: Path, schema: pa.Schema, _named: Path) -> None:
        import pyarrow.parquet as pq

        self._writer = pq.ParquetWriter(path, schema)

    def write(self, rows: pa.RecordBatch) -> None:
        self._writer.write_batch(rows)

    def close(self) -> None:
        self._writer.close()


class _CsvFile:
    """UTF-8 with a header, by RFC 4180 but for its line ends, which are line feeds.

    Texts stand in quotes, so that "" is no missing one. Whole numbers are written with all their digits, not as `1.9999007021e+10`.
    """

    def __init__(self, path: Path, schema: pa.Schema, _named: Path) -> None:
        from pyarrow import csv

        self._file = path.open("wb")
        csv.write_csv(schema.empty_table(), self._file)

    def write(self, rows: pa.RecordBatch) -> None:
        from pyarrow import csv

        columns = [_with_all_digits(column) for column in rows.columns]
        without_header = csv.WriteOptions(include_header=False)
        csv.write_csv(pa.RecordBatch.from_arrays(columns, names=rows.schema.names), self._file, without_header)

    def close(self) -> None:
        self._file.close()


def _with_all_digits(column: pa.Array) -> pa.Array:
    """Return floats with large whole numbers as integers, or else as texts.

    Texts are for columns that hold other numbers too.
    """
    if not pa.types.is_floating(column.type):
        return column
    values = pc.cast(column, pa.float64())
    size = pc.abs(values)
    large = pc.and_(pc.equal(values, pc.floor(values)), pc.and_(pc.greater_equal(size, _EXPONENT_FROM), pc.less_equal(size, 2.0**53)))
    if not pc.any(large).as_py():
        return column
    whole = pc.cast(pc.if_else(large, values, None), pa.int64())
    if whole.null_count == column.null_count:
        return whole
    return pc.coalesce(pc.cast(whole, pa.string()), pc.cast(column, pa.string()))


class _SheetFile:
    """One sheet with a header, written row by row.

    The library keeps one row in memory; the sheet itself is a temporary file.
    """

    def __init__(self, path: Path, schema: pa.Schema, named: Path) -> None:
        import xlsxwriter

        if len(schema) > SHEET_COLUMNS:
            message = f"{len(schema):,} columns do not fit into {named.name}: a sheet of Excel holds {SHEET_COLUMNS:,}"
            raise unfit(message, named)
        plain = {"strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = xlsxwriter.Workbook(path, {"constant_memory": True, "tmpdir": str(path.parent), **plain})
        self._times = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._days = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._digits = self._book.add_format({"num_format": "0"})
        self._sheet = self._book.add_worksheet("rows")
        self._sheet.freeze_panes(1, 0)
        self._named, self._names, self._rows = named, schema.names, 0
        for place, name in enumerate(schema.names):
            self._write_text(0, place, name)

    def write(self, rows: pa.RecordBatch) -> None:
        refuse_long(self._rows + rows.num_rows, self._named)
        columns = [column.to_pylist() for column in rows.columns]
        for values in zip(*columns, strict=True):
            self._rows += 1
            for place, value in enumerate(values):
                self._write_cell(self._rows, place, value)

    def close(self) -> None:
        self._book.close()

    def _write_cell(self, row: int, place: int, value: Any) -> None:
        match value:
            case None:
                pass
            case bool():
                self._sheet.write_boolean(row, place, value)
            case Decimal():
                self._write_cell(row, place, int(value) if value == int(value) else float(value))
            case int() | float() if _SHOWN_BELOW <= abs(value) < _EXACT_DIGITS and value == int(value):
                self._sheet.write_number(row, place, value, self._digits)
            case int() if abs(value) < _EXACT_DIGITS:
                self._sheet.write_number(row, place, value)
            case float() if _EXACT_DIGITS <= abs(value) <= 2.0**53 and value.is_integer():
                self._write_text(row, place, f"{value:.0f}")
            case float() if math.isfinite(value):
                self._sheet.write_number(row, place, value)
            case datetime() if value.year >= _FIRST_YEAR and not value.microsecond % 1000:
                self._sheet.write_datetime(row, place, value.replace(tzinfo=None), self._times)
            case date() if not isinstance(value, datetime) and value.year >= _FIRST_YEAR:
                self._sheet.write_datetime(row, place, value, self._days)
            case _:
                self._write_text(row, place, str(value))

    def _write_text(self, row: int, place: int, text: str) -> None:
        if len(text) > CELL_CHARACTERS:
            where = f"row {row}, column {self._names[place]!r}"
            message = f"{where}: a text of {len(text):,} characters; a cell of Excel holds {CELL_CHARACTERS:,}"
            raise unfit(message, self._named)
        self._sheet.write_string(row, place, text)


def begun(path: Path, schema: pa.Schema, *, named: Path) -> RowFile:
    """Begin a file that is called `named` when it is whole.

    Raises:
        InputError: if its format cannot hold these columns.
    """
    ending = ending_of(named)
    _refuse_unwritten(schema, named)
    if ending != ".parquet":
        schema = pa.schema([pa.field(field.name, _plain(field.type)) for field in schema])
        nested = [field for field in schema if pa.types.is_nested(field.type) or pa.types.is_binary(field.type)]
        if nested:
            message = f"column {nested[0].name!r} holds lists, records or bytes ({nested[0].type}), which {ending} cannot hold"
            raise unfit(message, named, csv_fits=False)
    return _Fitting(_FILES[ending](path, schema, named), schema)


def _refuse_unwritten(schema: pa.Schema, named: Path) -> None:
    """Refuse columns that no file holds: two of one name, or spans of time."""
    for field in schema:
        if pa.types.is_interval(field.type):
            message = f"column {field.name!r} holds spans of time ({field.type}), which {named.suffix} cannot hold"
            raise InputError(message, remedy=f'ask for it as text: CAST("{field.name}" AS VARCHAR)', code="unfit_file")
        if len(schema.get_all_field_indices(field.name)) > 1:
            message = f"several columns are called {field.name!r}"
            raise InputError(message, remedy=f'name them apart: SELECT one."{field.name}" AS one, …', code="unfit_file")


def united(files: Iterable[Path]) -> pa.Schema:
    """Return the columns of several Parquet files, in order of first appearance.

    A column with different types becomes text.

    Raises:
        InputError: if such a column is of a type that is no text.
    """
    import pyarrow.parquet as pq

    kinds: dict[str, dict[pa.DataType, None]] = {}
    for file in files:
        for field in pq.read_schema(file):
            kinds.setdefault(field.name, {})[field.type] = None
    return pa.schema([pa.field(name, _one_of(name, [*found])) for name, found in kinds.items()])


def _one_of(name: str, kinds: list[pa.DataType]) -> pa.DataType:
    different = [*dict.fromkeys(_plain(kind) for kind in kinds if not pa.types.is_null(kind))]
    if len(different) <= 1:
        return kinds[0] if len(kinds) == 1 else (different or [pa.null()])[0]
    if any(pa.types.is_nested(kind) or pa.types.is_binary(kind) for kind in different):
        message = f"batches hold the column {name!r} as {' and as '.join(map(str, different))}"
        raise InputError(message, remedy="fetch these batches into files of their own")
    if all(pa.types.is_signed_integer(kind) for kind in different):
        return pa.int64()
    return pa.float64() if all(pa.types.is_floating(kind) for kind in different) else pa.string()


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type without how its values are packed. UUIDs are texts."""
    if isinstance(kind, pa.BaseExtensionType):
        return pa.string() if kind == pa.uuid() else _plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if pa.types.is_large_string(kind) else kind


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    return pc.cast(plain_texts(column) if isinstance(column.type, pa.BaseExtensionType) else column, kind)


class _Fitting:
    """A file that takes rows of other files and casts their columns to its own.

    Columns that they lack are missing there.
    """

    def __init__(self, file: RowFile, schema: pa.Schema) -> None:
        self._file, self._schema = file, schema

    def write(self, rows: pa.RecordBatch) -> None:
        columns = [
            _cast(rows.column(field.name), field.type) if field.name in rows.schema.names else pa.nulls(rows.num_rows, field.type)
            for field in self._schema
        ]
        self._file.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._file.close()


_FILES: Mapping[str, Callable[[Path, pa.Schema, Path], RowFile]] = {".parquet": _ParquetFile, ".csv": _CsvFile, ".xlsx": _SheetFile}
"""How to begin a file, by its ending."""
