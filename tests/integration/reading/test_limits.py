"""Files at and beyond the limits: wide ones, bombs, endless lines; and that a refusal leaves nothing behind."""

import gzip
import threading

import pytest

from functions.shared.domain.spec import Feature, FeatureKind
from functions.shared.reading import records, text
from tests.unit.shared.reading.files import SPEC, read, refusal
from tests.unit.shared.reading.test_jsonlines import GOOD as OBJECT
from tests.unit.shared.reading.test_jsonlines import KEY, lines
from tests.unit.shared.reading.test_service import CSV, HEADER


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
    kept = refusal(data, name, block_bytes=64)
    assert kept.__traceback__
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BOMB_BYTES", 100_000)
    bomb = gzip.compress(HEADER + b"\n" + b"\n" * 10_000_000)
    assert refusal(bomb, "a.csv.gz", block_bytes=10_000).code == "decompression_bomb"


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
