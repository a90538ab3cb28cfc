"""Answers to SQL, what is refused, and the files that answers are written to."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import python_calamine

from infra.cli import operator, sql
from infra.cli.tables import _midnight
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended

ROWS = pa.table({"rows_in": [100, 23], "price": pa.array([1.25, 2.5], pa.float64()).cast(pa.decimal128(10, 2))})


@pytest.fixture(autouse=True)
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack with one table, a file of Parquet, and one whose metadata is gone."""
    made, file = Stack(), tmp_path / "churn.parquet"
    pq.write_table(ROWS, file)
    monkeypatch.setattr(operator, "connect", lambda _: made)

    def open_store(connection: Any, _: object) -> None:
        connection.execute("CREATE MACRO iceberg_scan(place) AS TABLE SELECT * FROM read_parquet(place)")
        connection.execute("SET TimeZone = 'UTC'")

    monkeypatch.setattr(sql, "_open_store", open_store)
    locations = {"churn_batches": str(file), "gone_batches": str(tmp_path / "gone.parquet")}
    monkeypatch.setattr(sql, "_locations", lambda _: locations)
    monkeypatch.setattr(sql, "_refuse_lost", lambda *_: None)  # which lie in no store
    return made


def answered(query: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    assert ended(f'query "{query}" --json', monkeypatch) == 0
    return json.loads(capsys.readouterr().out)["rows"]


def test_sums_of_whole_numbers_and_decimals_are_numbers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert answered("SELECT sum(rows_in), sum(price), max(price) FROM churn_batches", monkeypatch, capsys) == [[123, 3.75, 2.5]]
    large = "SELECT 12345678901234567890123::HUGEINT"
    assert answered(large, monkeypatch, capsys) == [[12345678901234567890123]]


def test_sums_are_numbers_in_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "sums.xlsx"
    assert ended(f'query "SELECT sum(rows_in) AS rows, sum(price) AS price FROM churn_batches" -o {out}', monkeypatch) == 0
    [_, cells] = python_calamine.CalamineWorkbook.from_path(out).get_sheet_by_index(0).to_python()
    assert cells == [123, 3.75]


@pytest.mark.parametrize(
    ("query", "said", "remedy"),
    [
        ("SELECT 'a'::int", "Could not convert string 'a' to INT32", "mend the query"),
        ("SELECT 2147483647::int + 1::int", "Overflow in addition", "mend the query"),
        ("SELECT * FROM read_csv('/no/such.csv')", "No files found", "check the files that the query names"),
        ("SELECT * FROM gone_batches", "gone.parquet", "`everscore table update MODEL`"),
        ("", "the query is empty", "write a query"),
        ("/* nothing */", "the query is empty", "write a query"),
        ("SELEC 1", "syntax error", "mend the query"),
        ("SELECT * FROM nothing", "Table with name nothing does not exist", "tables here: churn_batches, gone_batches"),
    ],
)
def test_a_mistake_in_a_query_is_refused_with_what_to_do(
    query: str, said: str, remedy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(f'query "{query}"', monkeypatch) == 2
    shown = " ".join(capsys.readouterr().err.split())
    assert said in shown
    assert remedy in shown


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT INTERVAL 3 DAY AS since", "column 'since' holds spans of time"),
        ("SELECT 1 AS a, 2 AS a", "several columns are called 'a'"),
    ],
)
def test_columns_that_no_file_holds_are_refused(
    query: str, said: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"answer.{ending}"
    assert ended(f'query "{query}" -o {out}', monkeypatch) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.parametrize(
    ("day", "zone", "later", "expected"),
    [
        (datetime(2013, 3, 31), "Europe/Berlin", 1, datetime(2013, 3, 31, 22, tzinfo=UTC)),
        (datetime(9999, 12, 31), "UTC", 1, datetime.max.replace(tzinfo=UTC)),
        (datetime(9999, 12, 31), "America/New_York", 0, datetime(9999, 12, 31, 5, tzinfo=UTC)),
        (datetime(1, 1, 1), "Asia/Shanghai", 0, datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_days_at_the_ends_of_the_calendar_bound_rows_too(day: datetime, zone: str, later: int, expected: datetime) -> None:
    assert _midnight(day, ZoneInfo(zone), days_later=later) == expected
