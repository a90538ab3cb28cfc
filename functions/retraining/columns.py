"""Describe the columns of a training file for a person to check."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from functions.retraining.event import ColumnSeen
from functions.shared.domain.spec import ModelSpec

_LONGEST_EXAMPLE = 60
_WHOLE = 1e18
"""Larger whole numbers are written with an exponent."""


def columns_seen(names: Sequence[str], spec: ModelSpec, table: pa.Table) -> tuple[ColumnSeen, ...]:
    """Describe each column of a file, in order.

    Args:
        names: the names of all columns in the file.
        spec: the spec that was made from it.
        table: its usable rows, typed.
    """
    return tuple(_seen(spec, table, names))


def _seen(spec: ModelSpec, table: pa.Table, names: Sequence[str]) -> Iterator[ColumnSeen]:
    parts = {spec.id_column: "id", spec.time_column: "time", spec.target: "target"}
    parts |= {feature.name: feature.kind.value for feature in spec.features}
    for name in names:
        if (kind := parts.get(name)) is None:
            yield ColumnSeen(name=name, kind="left out")
            continue
        values = table[name]
        first = next(iter(values.drop_null().slice(0, 1)), None)
        yield ColumnSeen(
            name=name,
            kind=kind,
            missing=values.null_count,
            distinct=pc.count_distinct(values).as_py(),
            example=None if first is None else _text(first.as_py(), spec.day_zone),
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
