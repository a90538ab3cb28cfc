"""Files at and beyond the limits: wide ones, bombs, endless lines; and that a refusal leaves nothing behind."""

import gzip
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.spec import Feature, FeatureKind
from functions.shared.reading import records, text
from tests.unit.shared.reading.files import SPEC, read, refusal
from tests.unit.shared.reading.test_files import CSV, HEADER
from tests.unit.shared.reading.test_jsonlines import GOOD as OBJECT
from tests.unit.shared.reading.test_jsonlines import KEY, lines


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (HEADER + b"\n" + b"x" * 9000, "long.csv"),
        (b'{"id":1}\n' * 999, "lacking.jsonl"),
        (gzip.compress(CSV * 99, 0)[:-9], "truncated.csv.gz"),
        ((CSV * 99).decode().encode("utf-16") + b"x", "odd.csv"),
    ],
)
def test_a_refusal_that_somebody_keeps_keeps_no_thread(monkeypatch: pytest.MonkeyPatch, data: bytes, name: str) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 5000)
    before = set(threading.enumerate())
    kept = refusal(data, name, block_bytes=64)
    assert kept.__traceback__
    assert set(threading.enumerate()) <= before


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BOMB_BYTES", 100_000)
    bomb = gzip.compress(HEADER + b"\n" + b"\n" * 10_000_000)
    assert refusal(bomb, "a.csv.gz", block_bytes=10_000).code == "decompression_bomb"


@pytest.mark.parametrize("block_bytes", [100, 10_000])
@pytest.mark.parametrize("members", [1, 3])
def test_gzip_data_is_read_up_to_the_limit_and_not_a_byte_beyond(monkeypatch: pytest.MonkeyPatch, members: int, block_bytes: int) -> None:
    parts = [CSV, *[b"\n" * 9000] * (members - 1), b"\n" * 90_000]
    data, size = b"".join(map(gzip.compress, parts)), sum(map(len, parts))
    monkeypatch.setattr(text, "BOMB_BYTES", 1)
    monkeypatch.setattr(text, "BOMB_RATIO", size / len(data))
    assert len(read(data, "a.csv.gz", block_bytes=block_bytes)[0]) == 3
    monkeypatch.setattr(text, "BOMB_RATIO", (size - 1) / len(data))
    assert refusal(data, "a.csv.gz", block_bytes=block_bytes).code == "decompression_bomb"
    monkeypatch.setattr(text, "BOMB_BYTES", size)
    assert len(read(data, "a.csv.gz", block_bytes=block_bytes)[0]) == 3
    monkeypatch.setattr(text, "BOMB_BYTES", size - 1)
    assert refusal(data, "a.csv.gz", block_bytes=block_bytes).code == "decompression_bomb"


def test_a_million_columns_are_refused_by_the_limit() -> None:
    assert "1000000 columns, the limit is 16384" in str(refusal(b"a" + b",a" * 999_999 + b"\n"))


def test_ten_thousand_columns_are_read() -> None:
    names = [f"x{number}" for number in range(10_000)]
    wide = SPEC.model_copy(update={"features": tuple(Feature(name=name, kind=FeatureKind.NUMBER) for name in names)})
    header = ",".join(["id", "at", *names])
    row = ",".join(["a", "2013-01-01", *["1.5"] * len(names)])
    rows, rejected = read(f"{header}\n{row}\n{row.replace('1.5', 'x', 1)}\n".encode(), spec=wide)
    assert (rows[0]["x9999"], rejected[0].message) == (1.5, "column 'x0': 'x' is no number")


def test_a_file_of_very_many_keys_is_read_too() -> None:
    wide = OBJECT | {f"column {number}": number for number in range(5000)}
    rows, [bad] = read(lines(wide, OBJECT | {"size": "oops"}, wide), KEY)
    assert (len(rows), rows[1]["column 4999"], bad.row) == (2, "4999", 2)


# The peak is this address space's: `ru_maxrss` would begin with what the process weighed that started this one.
READ_WITHIN = """
import sys
from pathlib import Path
from functions.shared.reading.files import read_blocks
from functions.shared.reading.readable import LocalFile
from tests.unit.shared.reading.files import CONTRACT, SPEC
blocks = read_blocks(LocalFile(Path(sys.argv[1])), key="rows.parquet", spec=SPEC, contract=CONTRACT)
rows = sum(block.rows.num_rows for block in blocks)
status = Path("/proc/self/status").read_text()
print(rows, int(status.split("VmHWM:")[1].split()[0]) // 1024)
"""


def write_repeating(file: Path, column: str, text: str, rows: int) -> None:
    """A Parquet file with the same text in all rows of a column, which it holds once."""
    zeros = pa.array(np.zeros(rows, np.int32))
    names = {name: pa.DictionaryArray.from_arrays(zeros, pa.array(["a"])) for name in ("id", "colour", "note")}
    numbers = {name: pa.array(np.ones(rows)) for name in ("size", "age")}
    columns = names | numbers | {"wet": pa.array(np.ones(rows, np.bool_)), "at": pa.array(np.zeros(rows, "datetime64[us]"))}
    long_text = pa.DictionaryArray.from_arrays(zeros, pa.array([text]))
    pq.write_table(pa.table(columns | {column: long_text}), file, store_schema=False, compression="zstd")


@pytest.mark.parametrize("column", ["id", "colour"])
def test_a_small_parquet_file_with_1_gb_of_text_is_read_in_little_memory(column: str, tmp_path: Path) -> None:
    rows = 17_000
    write_repeating(tmp_path / "rows.parquet", column, "x" * 60_000, rows)
    assert (tmp_path / "rows.parquet").stat().st_size < 200_000
    command = [sys.executable, "-c", READ_WITHIN, str(tmp_path / "rows.parquet")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3], timeout=120)
    read_rows, peak_mb = map(int, run.stdout.split())
    assert read_rows == rows
    assert peak_mb < 500


@pytest.mark.parametrize("column", ["id", "colour", "note"])
def test_a_small_parquet_file_that_would_take_hours_to_unfold_is_refused_before_it_is(column: str, tmp_path: Path) -> None:
    write_repeating(tmp_path / "rows.parquet", column, "x" * 15_000_000, 100_000)
    assert (tmp_path / "rows.parquet").stat().st_size < 300_000
    began = time.perf_counter()
    refused = refusal((tmp_path / "rows.parquet").read_bytes(), "rows.parquet")
    assert refused.code == "row_group_too_large"
    assert time.perf_counter() - began < 30


@pytest.mark.parametrize(("bytes_over", "code"), [(0, None), (1, "line_too_long"), (4 * 2**20, "line_too_long")])
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_record_of_16_mib_is_read_and_a_longer_one_is_not(name: str, bytes_over: int, code: str | None) -> None:
    row = CSV.splitlines()[1] if name.endswith(".csv") else lines(OBJECT).rstrip()
    empty = row.replace(b"red", b"")
    text = b"x" * (16 * 2**20 + bytes_over - len(empty))
    body = row.replace(b"red", text) + b"\n" + row + b"\n"
    data = HEADER + b"\n" + body if name.endswith(".csv") else lines(OBJECT) + body
    if code:
        assert refusal(data, name, block_bytes=4 * 2**20).code == code
    else:
        rows, _ = read(data, name, block_bytes=4 * 2**20)
        assert max(len(str(row["colour"])) for row in rows) == len(text)
