"""Every time that a format can carry comes out as it is, or its row is set aside; it is never another time."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.calendar import FIRST_DAY, LAST_DAY
from functions.shared.reading.files import read_table
from functions.shared.reading.rules import ColumnKind
from tests.unit.shared.reading.files import MemoryFile, read

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_US = int((date(1900, 1, 1) - date(1970, 1, 1)).total_seconds()) * 10**6
END_US = int((date(2200, 1, 1) - date(1970, 1, 1)).total_seconds()) * 10**6
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
DAY_S = 24 * 60 * 60


def expected(microseconds: Sequence[int]) -> tuple[list[datetime], list[int]]:
    """The times that come out, and the numbers of the rows that do not."""
    plausible = [FIRST_US <= value < END_US for value in microseconds]
    kept = [EPOCH + timedelta(microseconds=value) for value, keep in zip(microseconds, plausible, strict=True) if keep]
    return kept, [number for number, keep in enumerate(plausible, start=1) if not keep]


def rows_at(times: list[Any]) -> dict[str, Any]:
    rows = len(times)
    return {
        "id": [f"r{row}" for row in range(rows)],
        "size": [1.0] * rows,
        "colour": ["red"] * rows,
        "wet": [True] * rows,
        "age": [1.0] * rows,
    }


def as_parquet(times: pa.Array, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({**rows_at(times), "at": times}), sink, **options)
    return sink.getvalue()


def as_csv(times: list[str]) -> bytes:
    text = io.StringIO()
    columns = rows_at(times) | {"at": times}
    csv.writer(text).writerows([columns, *zip(*columns.values(), strict=True)])
    return text.getvalue().encode()


def as_jsonl(times: list[str]) -> bytes:
    columns = rows_at(times) | {"at": times}
    return b"".join(json.dumps(dict(zip(columns, row, strict=True))).encode() + b"\n" for row in zip(*columns.values(), strict=True))


def check(data: bytes, name: str, microseconds: Sequence[int]) -> None:
    rows, rejected = read(data, name)
    assert ([row["at"] for row in rows], [bad.row for bad in rejected]) == expected(microseconds)
    assert {bad.code for bad in rejected} <= {"implausible_time"}


def near(edge: int, unit: int) -> st.SearchStrategy[int]:
    return st.integers(edge * unit - 2, edge * unit + 2)


@pytest.mark.parametrize("unit", PER_SECOND)
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Shanghai"])
@given(data=st.data())
def test_a_timestamp_of_any_unit_is_read_to_the_microsecond_or_set_aside(unit: str, zone: str | None, data: st.DataObject) -> None:
    per_second = PER_SECOND[unit]
    largest = (2**63 - 1) // (1000 if unit == "s" else 1)  # Parquet keeps seconds as milliseconds
    edges = [edge for edge in (FIRST_US // 10**6, END_US // 10**6, 0) if abs(edge * per_second) < largest - 2]
    any_time = st.one_of(st.integers(-largest, largest), *(near(edge, per_second) for edge in edges))
    values = data.draw(st.lists(any_time, min_size=1, max_size=6))
    times = pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))
    check(as_parquet(times), "rows.parquet", [value * 10**6 // per_second for value in values])


@given(
    days=st.lists(
        st.one_of(st.integers(-(2**31), 2**31 - 1), near(FIRST_US // 10**6 // DAY_S, 1), near(END_US // 10**6 // DAY_S, 1)), min_size=1
    )
)
def test_a_date_of_any_year_is_read_to_the_day_or_set_aside(days: list[int]) -> None:
    check(as_parquet(pa.array(days, pa.int32()).cast(pa.date32())), "rows.parquet", [day * DAY_S * 10**6 for day in days])


@given(times=st.lists(st.datetimes(), min_size=1, max_size=6))
@example([datetime(1000, 1, 1), datetime(9999, 12, 31), datetime(2013, 4, 1)])
def test_an_int96_of_any_year_is_read_to_the_microsecond_or_set_aside(times: list[datetime]) -> None:
    column = pa.array(times, pa.timestamp("us"))
    data = as_parquet(column, use_deprecated_int96_timestamps=True)
    assert "int96" in str(pq.ParquetFile(io.BytesIO(data)).schema)
    check(data, "rows.parquet", column.cast(pa.int64()).to_pylist())


@given(times=st.lists(st.datetimes(), min_size=1, max_size=6))
def test_an_int96_that_is_carried_keeps_its_year(times: list[datetime]) -> None:
    columns = rows_at(times) | {"at": [datetime(2013, 4, 1)] * len(times), "until": pa.array(times, pa.timestamp("us"))}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, use_deprecated_int96_timestamps=True)
    rows, _ = read(sink.getvalue(), "rows.parquet")
    assert [row["until"] for row in rows] == times


@pytest.mark.parametrize(("name", "written"), [("rows.csv", as_csv), ("rows.jsonl", as_jsonl)])
@given(times=st.lists(st.datetimes(), min_size=1, max_size=6))
def test_a_text_of_any_year_is_read_to_the_microsecond_or_set_aside(
    name: str, written: Callable[[list[str]], bytes], times: list[datetime]
) -> None:
    microseconds = [(time.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for time in times]
    check(written([time.isoformat() for time in times]), name, microseconds)


@pytest.mark.parametrize("text", ["0001-01-01", "1899-12-30", "1899-12-31T23:59:59.999999", "2200-01-01", "9999-12-31"])
def test_a_row_of_no_time_or_of_no_end_says_why_it_is_set_aside(text: str) -> None:
    rows, [bad] = read(as_csv([text, "1900-01-01", "2199-12-31T23:59:59.999999"]))
    moment = f"{text[:10]} {text[11:] or '00:00:00.000000'}Z"
    assert (bad.row, bad.code, bad.message) == (1, "implausible_time", f"column 'at': {moment!r} lies outside {FIRST_DAY} to {LAST_DAY}")
    assert [str(FIRST_DAY), str(LAST_DAY)] == ["1900-01-01", "2199-12-31"] == [str(row["at"])[:10] for row in rows]


def test_labels_and_training_rows_are_held_to_the_same_days() -> None:
    columns = {"id": ColumnKind.ID, "at": ColumnKind.TIME, "y": ColumnKind.CARRIED}
    found = read_table(MemoryFile(b"id,at,y\na,0001-01-01,1\nb,2013-04-01,1\n"), key="labels.csv", columns=columns)
    assert found.table["id"].to_pylist() == ["b"]
    assert [bad.code for bad in found.rejected] == ["implausible_time"]


def test_other_columns_may_hold_any_time() -> None:
    born = pa.array([date(1066, 10, 14), date(9999, 12, 31)])
    columns = rows_at([1, 2]) | {"at": [datetime(2013, 4, 1)] * 2, "born": born, "colour": born}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    rows, rejected = read(sink.getvalue(), "rows.parquet")
    assert not rejected
    assert [(row["born"], row["colour"]) for row in rows] == [(day, str(day)) for day in born.to_pylist()]
