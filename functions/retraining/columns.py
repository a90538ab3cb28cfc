"""Describe the columns of a training file for a person to check."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.event import ColumnSeen
from functions.shared.domain.spec import ModelSpec
from functions.shared.reading.values import WrongTypeError, missing_as_null, plain_texts, to_texts

LEFT_OUT = "left out"
_LONGEST_EXAMPLE = 60
_WHOLE = 1e18
"""Larger whole numbers are written with an exponent."""


def columns_seen(columns: Mapping[str, ColumnSeen | None], spec: ModelSpec, table: pa.Table) -> tuple[ColumnSeen, ...]:
    """Describe each column of a file, in order.

    Args:
        columns: all columns in the file, with facts about those that are left out.
        spec: the spec that was made from it.
        table: its usable rows, typed.
    """
    parts = {spec.id_column: "id", spec.time_column: "time", spec.target: "target"}
    parts |= {feature.name: feature.kind.value for feature in spec.features}
    return tuple(seen or _seen(name, parts[name], table[name], spec.day_zone) for name, seen in columns.items())


def column_left_out(name: str, values: pa.ChunkedArray) -> ColumnSeen:
    """Describe a column as its file has it.

    Lists, records and bytes are only counted.
    """
    try:
        plain = pa.chunked_array([missing_as_null(to_texts(plain_texts(chunk))) for chunk in values.chunks], pa.string())
    except WrongTypeError:
        return ColumnSeen(name=name, kind=LEFT_OUT, missing=values.null_count)
    return _seen(name, LEFT_OUT, plain, "UTC")


def _seen(name: str, kind: str, values: pa.ChunkedArray, zone: str) -> ColumnSeen:
    first = next(iter(values.drop_null().slice(0, 1)), None)
    return ColumnSeen(
        name=name,
        kind=kind,
        missing=values.null_count,
        distinct=pc.count_distinct(values).as_py(),
        example=None if first is None else _text(first.as_py(), zone),
    )


def _text(value: object, zone: str) -> str:
    match value:
        case bool():
            text = str(value).lower()
        case float():
            text = f"{value:.0f}" if value.is_integer() and abs(value) < _WHOLE else f"{value:.15g}"
        case datetime():
            text = f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST_EXAMPLE else f"{text[: _LONGEST_EXAMPLE - 1]}…"
