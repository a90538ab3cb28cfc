"""Rows and labels as their senders write them, in each format; what is said of each row here is what must come of it."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ("csv", "jsonl", "parquet", "csv.gz", "jsonl.gz")
MODEL, TARGET, REGIONS = "loans", "left", ("north", "south", "east", "west")
BAD_SHARE, EMPTY_SHARE = 0.04, 0.05


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Without an id it has to be set aside; an amount may be missing."""

    id: str | None
    day: str
    amount: float | None
    debt: float
    region: str
    label: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it was uploaded: its key, the MD5 of its bytes, and its rows."""

    key: str
    md5: str
    rows: tuple[Row, ...]


def draw_rows(drawn: Random, names: Sequence[str], *, month: str, spoiled: bool = True) -> tuple[Row, ...]:
    """Rows with these ids, some of which are lost if they are `spoiled`."""
    rows = []
    for name in names:
        amount, debt = drawn.random(), drawn.random()
        label = "yes" if amount - debt + drawn.gauss(0, 0.3) > 0 else "no"
        lost, empty = spoiled and drawn.random() < BAD_SHARE, drawn.random() < EMPTY_SHARE
        day = f"{month}-{drawn.randint(1, 28):02}"
        rows.append(Row(None if lost else name, day, None if empty else amount, debt, drawn.choice(REGIONS), label))
    return tuple(rows)


def as_file(rows: Sequence[Row], form: str) -> bytes:
    """Rows to score."""
    return _written([{"id": row.id, "day": row.day, "amount": row.amount, "debt": row.debt, "region": row.region} for row in rows], form)


def as_training(rows: Sequence[Row]) -> bytes:
    """Rows to learn from."""
    columns = ("id", "day", "amount", "debt", "region")
    return _written([{name: getattr(row, name) for name in columns} | {TARGET: row.label} for row in rows], "csv")


def as_labels(rows: Sequence[Row], form: str) -> bytes:
    """What became of rows."""
    return _written([{"id": row.id, "day": row.day, TARGET: row.label} for row in rows], form)


def _written(records: list[dict[str, object]], form: str) -> bytes:
    kind, _, packed = form.partition(".")
    match kind:
        case "csv":
            text = io.StringIO()
            writer = csv.DictWriter(text, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
            body = text.getvalue().encode()
        case "jsonl":
            body = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        case _:
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(records), sink)
            body = sink.getvalue()
    return gzip.compress(body) if packed else body
