"""JSON Lines under the same contract as delimited text."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.reading import jsonlines, records
from tests.unit.shared.reading.files import read, refusal

KEY = "batches/trees/rows.jsonl"
GOOD = {"id": "a", "size": 1.5, "colour": "red", "wet": True, "at": "2013-01-01T05:15:00", "age": 5, "note": "n"}


def lines(*records: object) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.mark.parametrize("block_bytes", [1, 10, 10_000])
def test_values_may_be_jsons_own_or_texts(block_bytes: int) -> None:
    texts = {"id": 7, "size": "1.5", "colour": 3.0, "wet": "yes", "at": "2013-01-01 05:15Z", "age": "5", "note": {"a": [1]}}
    rows, rejected = read(lines(GOOD, texts), KEY, block_bytes=block_bytes)
    assert rejected == []
    at = datetime(2013, 1, 1, 5, 15, tzinfo=UTC)
    assert rows == [
        GOOD | {"at": at, "age": 5.0},
        {"id": "7", "size": 1.5, "colour": "3", "wet": True, "at": at, "age": 5.0, "note": '{"a":[1]}'},
    ]


def test_columns_are_the_keys_in_order_of_appearance_and_an_absent_one_is_missing() -> None:
    rows, _ = read(lines({"id": "a"} | GOOD, {"more": 1} | GOOD), KEY)
    assert list(rows[0]) == [*GOOD, "more"]
    assert [row["more"] for row in rows] == [None, "1"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "malformed_json"),
        (b"{} {}", "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"   ", "malformed_json"),
        (b'{"id": "\\ud800"}', "malformed_json"),
        (json.dumps(GOOD).replace("1.5", "9" * 5000).encode(), "infinite"),
        (b"[1]", "not_an_object"),
        (b'{"id": "\xff"}', "invalid_utf8"),
        (json.dumps(GOOD | {"size": "oops"}).encode(), "unparseable_number"),
        (json.dumps(GOOD | {"size": [1]}).encode(), "unparseable_number"),
        (json.dumps(GOOD | {"size": 10**400}).encode(), "infinite"),
        (json.dumps(GOOD | {"size": float("inf")}).encode(), "infinite"),
        (json.dumps(GOOD | {"wet": 2}).encode(), "unparseable_boolean"),
        (json.dumps(GOOD | {"at": 1357016400}).encode(), "unparseable_time"),
        (json.dumps(GOOD | {"age": None}).encode(), "missing_value"),
        (json.dumps(GOOD | {"age": 201}).encode(), "out_of_range"),
        (json.dumps(GOOD | {"id": None}).encode(), "missing_id"),
    ],
)
def test_a_line_that_is_no_good_row_is_rejected_and_the_others_go_on(line: bytes, code: str) -> None:
    data = lines(GOOD) + b"\n" + line + b"\r\n" + lines(GOOD)
    rows, [bad] = read(data, KEY)
    assert len(rows) == 2
    assert (bad.row, bad.line, bad.code) == (2, 3, code)
    assert bad.byte_offset == data.index(line, len(lines(GOOD)))
    assert bad.raw.encode("latin-1" if code == "invalid_utf8" else "utf-8") == line


def test_a_field_that_comes_up_after_the_head_rejects_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonlines, "JSONL_HEAD_BYTES", 10)
    for block_bytes in (1, 1000):
        _, [bad] = read(lines(GOOD, GOOD | {"later": 1}), KEY, block_bytes=block_bytes)
        assert (bad.code, bad.row) == ("unexpected_field", 2)


def test_carriage_returns_end_lines_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 500)
    rows, rejected = read(lines(*[GOOD] * 20).replace(b"\n", b"\r"), KEY, block_bytes=100)
    assert (len(rows), rejected) == (20, [])


@pytest.mark.parametrize(("data", "code"), [(b'{"id": 1', "unknown_format"), (b"\n\n", "empty_file"), (b"{}\n", "unknown_format"),
                                            (lines({"id": 1}), "missing_column"), (b"[{}]", "unknown_format")])  # fmt: skip
def test_a_file_without_rows_of_the_model_is_refused(data: bytes, code: str) -> None:
    assert refusal(data, KEY).code == code


@given(st.binary(max_size=60), st.integers(1, 30))
def test_no_line_is_lost_whatever_it_holds(junk: bytes, block_bytes: int) -> None:
    data = lines(GOOD) + junk
    rows, rejected = read(data, KEY, block_bytes=block_bytes)
    expected = [line for line in data.replace(b"\r", b"\n").split(b"\n") if line]
    assert len(rows) + len(rejected) == len(expected)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(["", "a", "1.5", "NA", "é", "2013-01-01", "2013-01-01T05:15Z", "true"]),
)
RECORDS = st.lists(
    st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, VALUES)).map(lambda changed: GOOD | changed), min_size=1, max_size=4
)


@given(RECORDS, st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_a_block_parsed_at_once_gives_what_its_lines_give_one_by_one(records: list[dict[str, object]], end: str) -> None:
    data = "".join(json.dumps(record) + end for record in records).encode()
    rows, rejected = read(data, KEY)
    slow_rows, slow_rejected = read(data + b"[]", KEY)
    assert rows == slow_rows
    assert rejected == slow_rejected[:-1]
