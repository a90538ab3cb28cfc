"""Which files are read at all, and the other ways to read them."""

import gzip
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.reading import records
from functions.shared.reading.encodings import HEAD_BYTES
from functions.shared.reading.files import infer_columns, read_table
from functions.shared.reading.readable import LocalFile
from functions.shared.reading.rules import ColumnKind
from functions.shared.reading.text import stored_chunks
from tests.unit.shared.reading.files import NAMES, MemoryFile, read, refusal

HEADER = ",".join(NAMES).encode()
GOOD = b"a,1,red,true,2013-01-01,5,n\n"
CSV = HEADER + b"\n" + GOOD * 3
ZIPPED = gzip.compress(CSV, mtime=0)  # no time: these bytes are in names of tests, which all processes that run some must agree on


@pytest.mark.parametrize("name", ["rows.csv", "ROWS.CSV", "rows", "rows.txt", "rows.2013.data", "a b/ü+%.csv", "rows.csv.gz"])
def test_a_table_is_known_by_its_content_whatever_its_name(name: str) -> None:
    assert len(read(CSV, name)[0]) == 3


@pytest.mark.parametrize("name", ["rows.csv.gz", "ROWS.CSV.GZ", "rows.csv"])
@pytest.mark.parametrize("block_bytes", [1, 7, 1 << 20])
def test_gzip_of_one_or_more_members_is_read_as_what_it_holds(name: str, block_bytes: int) -> None:
    members = gzip.compress(CSV[:50]) + gzip.compress(CSV[50:]) + bytes(9)
    assert len(read(members, name, block_bytes=block_bytes)[0]) == 3


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b"", "a.csv", "empty_file"),
        (b"\n\r\n", "a.csv", "empty_file"),
        (HEADER, "a.csv", "empty_file"),
        (HEADER + b"\n\n\n", "a.csv", "empty_file"),
        (gzip.compress(b"", mtime=0), "a.csv.gz", "empty_file"),
        (ZIPPED[:-9], "a.csv.gz", "truncated_gzip"),
        (ZIPPED[:2], "a.csv.gz", "truncated_gzip"),
        (ZIPPED[:-8] + bytes(8), "a.csv.gz", "corrupt_gzip"),
        (ZIPPED + CSV, "a.csv.gz", "corrupt_gzip"),
        (gzip.compress(ZIPPED, mtime=0), "a.csv.gz.gz", "unknown_format"),
        (CSV, "a.parquet", "unknown_format"),
        (CSV, "a.jsonl", "unknown_format"),
        (b"PAR1", "a.parquet", "truncated_parquet"),
        (b"PK\x03\x04" + CSV, "a.zip", "unknown_format"),
        (b"PK\x03\x04" + CSV, "a.xlsx", "workbook"),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + CSV, "a.csv", "workbook"),
        (b"\xd0\xcf\x11\xe0" + CSV, "a.csv", "workbook"),
        (b"<html>", "a.csv.html", "unknown_format"),
        (b"\x01\x02\x03", "a", "unknown_format"),
        (CSV.decode().encode("utf-32"), "a.csv", "invalid_encoding"),
        (CSV.decode().encode("utf-16") + b"x", "a.csv", "invalid_encoding"),
        (b"\xff\xfe\x00\xd8a\x00", "a.csv", "invalid_encoding"),
        (b"gr\xf6\xdfe," + CSV, "a.csv", "invalid_encoding"),
        (GOOD * 2, "a.csv", "no_header"),
        (CSV.replace(b"age", b"years"), "a.csv", "missing_column"),
        (b"id," + CSV, "a.csv", "duplicate_column"),
        (b",".join(b"c%d" % number for number in range(20_000)) + b"," + CSV, "a.csv", "too_many_columns"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_code_message_and_remedy(data: bytes, name: str, code: str) -> None:
    refused = refusal(data, name)
    assert (refused.code, bool(str(refused))) == (code, True)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_only_zero_bytes_in_the_first_line_make_a_file_binary(end: bytes) -> None:
    rows, rejected = read((CSV + GOOD.replace(b"red", b"r\0d")).replace(b"\n", end))
    assert [row["colour"] for row in rows][-1] == "r\0d"
    assert not rejected


def test_a_refusal_says_what_is_missing_and_what_is_there() -> None:
    message = str(refusal(CSV.replace(b"age", b"years")))
    assert "lacks 'age'" in message
    assert "'years'" in message


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_that_is_one_long_line_is_refused_without_reading_it_all(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 10_000)

    class Endless(MemoryFile):
        def read_at(self, offset: int, length: int) -> bytes:
            assert offset < HEAD_BYTES + 20_000
            return b'{"id":' + b"x" * (length - 6)

    file = Endless(b"")
    file.size = 10**9
    with pytest.raises(BatchRejectedError, match=r"record at byte 0 is longer than the limit of 10000 bytes"):
        infer_columns(file, key=name, block_bytes=1000)


def test_labels_are_read_by_the_columns_that_are_named() -> None:
    file = MemoryFile(b"id,late,why\n007,1,x\n,0,y\n008,,z\n009,maybe,z\n")
    found = read_table(file, key="labels/trees/a.csv", columns={"id": ColumnKind.ID, "late": ColumnKind.NUMBER})
    assert found.table.to_pylist() == [{"id": "007", "late": 1.0}, {"id": "008", "late": None}]
    assert [bad.code for bad in found.rejected] == ["missing_id", "unparseable_number"]
    carried = read_table(file, key="a.csv", columns={"id": ColumnKind.ID}, carry=True)
    assert carried.table.column("why").to_pylist() == ["x", "z", "z"]


def test_a_table_needs_its_columns() -> None:
    with pytest.raises(BatchRejectedError, match="lacks 'late'"):
        read_table(MemoryFile(b"id\n1\n"), key="a.csv", columns={"id": ColumnKind.ID, "late": ColumnKind.CATEGORY})


def test_kinds_are_inferred_from_all_values_of_text() -> None:
    data = b"n,b,t,c,late_c,empty,mixed\n1,yes,2013-01-01,red,1,,1\n,no,,NA,2,,true\n-2e3,,2013-01-02T05:15Z,,x,NA,2013-01-01\n"
    for block_bytes in (1, 1000):
        assert infer_columns(MemoryFile(data), key="a.csv", block_bytes=block_bytes) == {
            "n": "number", "b": "boolean", "t": "time", "c": "category", "late_c": "category", "empty": "number", "mixed": "category",
        }  # fmt: skip


def test_kinds_are_inferred_from_the_types_of_parquet(tmp_path: Path) -> None:
    columns = {
        "n": pa.array([1], pa.int8()), "x": pa.array([1.5]), "b": pa.array([True]), "t": pa.array([0], pa.timestamp("s")),
        "c": pa.array(["1"]), "d": pa.array(["1"]).dictionary_encode(), "l": pa.array([[1]]), "z": pa.nulls(1),
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    kinds = infer_columns(LocalFile(tmp_path / "a.parquet"), key="a.parquet")
    assert kinds == {
        "n": "number", "x": "number", "b": "boolean", "t": "time", "c": "category", "d": "category", "l": "carried", "z": "number",
    }  # fmt: skip


def test_a_local_file_is_read_by_ranges_and_short_only_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    file = LocalFile(tmp_path / "a")
    assert (file.size, file.read_at(2, 3), file.read_at(8, 5), file.read_at(10, 1)) == (10, b"234", b"89", b"")


def test_several_ranges_of_a_file_are_fetched_at_a_time() -> None:
    content = b"".join(b"%d\n" % number for number in range(1000))
    two_at_once = threading.Barrier(2, timeout=10)

    class Distant(MemoryFile):
        def read_at(self, offset: int, length: int) -> bytes:
            two_at_once.wait()
            return super().read_at(offset, length)

    assert b"".join(stored_chunks(Distant(content), len(content) // 4 + 1)) == content
