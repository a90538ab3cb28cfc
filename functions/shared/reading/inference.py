"""Infer the kinds of columns that nobody has described."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import pyarrow as pa

from functions.shared.domain.formats import Formats
from functions.shared.reading.conversion import converted
from functions.shared.reading.rules import ColumnKind, Rule, Rules

_TRIED = (ColumnKind.NUMBER, ColumnKind.BOOLEAN, ColumnKind.TIME)

_FIRST_LOOK = 100
"""Rows that are tried first: they rule out most kinds; to refuse a whole block is slow."""


def kinds_of_texts(batches: Iterable[pa.RecordBatch], formats: Formats) -> dict[str, ColumnKind]:
    """Infer the kinds of text columns: number, boolean, time, else category.

    The first kind that fits every present value is chosen. A column without a value is a number.
    """
    rules = Rules({}, ZoneInfo("UTC"), formats)
    possible: dict[str, list[ColumnKind]] = {}
    for batch in batches:
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            candidates = possible.setdefault(name, list(_TRIED))
            for part in (column.slice(0, _FIRST_LOOK), column.slice(_FIRST_LOOK)):
                candidates[:] = [kind for kind in candidates if not converted(part, Rule(kind), rules).refused.any()]
    return {name: next(iter(candidates), ColumnKind.CATEGORY) for name, candidates in possible.items()}


def kind_of_type(kind: pa.DataType) -> ColumnKind:
    """Return the kind of a typed column; texts are categories, whatever they hold.

    Nested values and bytes can only be `carried`.
    """
    types = pa.types
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_null(kind):
        return ColumnKind.NUMBER
    if types.is_boolean(kind):
        return ColumnKind.BOOLEAN
    if types.is_timestamp(kind) or types.is_date(kind):
        return ColumnKind.TIME
    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return ColumnKind.CATEGORY
    return ColumnKind.CARRIED
