"""JSON Lines under the same contract as delimited text."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.formats import Formats
from functions.shared.kernels import objects
from functions.shared.kernels.library import kernel_library
from functions.shared.reading import jsonlines, plain_objects, records
from functions.shared.reading.json_records import parse_record
from tests.unit.shared.reading.files import FORMATS, model_of, read, refusal

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
    st.sampled_from([-0.0, 2.0**53, "", "a", "1.5", "NA", "é", "\U0001f332", 'q"\\', "2013-01-01", "2013-01-01T05:15Z", "true", [1], {}]),
)
NAMES = st.sampled_from(["note", "a.b", "x y", "(", "\\d", 'say "so"', "é", "\n"])
RECORDS = st.lists(
    st.tuples(
        st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, VALUES)),
        st.dictionaries(NAMES, VALUES, max_size=2),
        st.booleans(),
    ).map(lambda parts: json.dumps(GOOD | parts[0] | parts[1], ensure_ascii=parts[2]) + "\n"),
    min_size=1,
    max_size=5,
)


@given(RECORDS)
@example([json.dumps(GOOD | {"note": 1.5}) + "\n", json.dumps(GOOD | {"note": 10**10}) + "\n"])
@example([json.dumps(GOOD | {"note": 1.5}) + "\n", json.dumps(GOOD).replace('"n"', "-0") + "\n"])
@example([json.dumps(GOOD) + "\n", json.dumps(GOOD)[:-1] + ', "id": "twice"}\n'])
def test_lines_read_at_once_give_what_they_give_one_by_one(records: list[str]) -> None:
    """A line that begins with a space is of no shape that is read at once."""
    whole = "".join(records).encode()
    spaced = "".join(f" {record}" for record in records).encode()
    rows, rejected = read(spaced + b"[]", KEY)
    for data in (whole + b"[]", whole + spaced[: spaced.index(b"\n") + 1] + b"[]"):
        some_rows, some_rejected = read(data, KEY)
        assert repr(some_rows[: len(rows)]) == repr(rows)
        assert [(bad.row, bad.message) for bad in some_rejected[: len(rejected) - 1]] == [(bad.row, bad.message) for bad in rejected[:-1]]
    assert repr(read(whole, KEY)[0]) == repr(rows)


def one_bad_line_in_a_hundred(bad: bytes) -> bytes:
    return b"".join(bad if number % 100 == 50 else lines(GOOD | {"id": str(number)}) for number in range(1000))


@pytest.mark.parametrize(
    "bad",
    [lines(GOOD | {"size": "oops"}), lines(GOOD | {"age": [1]}), b'{"id": 1\n', b"[1]\n", b'{"id": "\xff"}\n'],
)
def test_only_the_bad_lines_of_a_block_are_read_one_by_one(bad: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def watched(line: bytes) -> object:
        seen.append(line)
        return parse_record(line)

    data = lines(*[GOOD] * 10) + one_bad_line_in_a_hundred(bad)
    monkeypatch.setattr(jsonlines, "JSONL_HEAD_BYTES", len(lines(GOOD)))
    monkeypatch.setattr(jsonlines, "parse_record", watched)
    rows, rejected = read(data, KEY)
    assert (len(rows), len(rejected)) == (1000, 10)
    assert seen == [lines(GOOD)[:-1], *[bad[:-1]] * 10]


def test_numbers_that_are_carried_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = lines(*[GOOD | {"note": number / 8} for number in range(100)])
    monkeypatch.setattr(jsonlines, "JSONL_HEAD_BYTES", 500)
    monkeypatch.setattr(jsonlines._Parser, "_one_by_one", None)
    rows, _ = read(data, KEY)
    assert [row["note"] for row in rows[:10]] == ["0", "0.125", "0.25", "0.375", "0.5", "0.625", "0.75", "0.875", "1", "1.125"]


DRAWN = st.fixed_dictionaries(
    {"id": st.text(max_size=8) | st.integers()},
    optional={
        "size": st.floats() | st.integers() | st.sampled_from(["1.5", "oops", "NA", "", "-999", " -999", "-999.0"]) | st.none(),
        "colour": st.text(max_size=3) | st.integers(0, 3) | st.none(),
        "wet": st.booleans() | st.sampled_from(["yes", 1, None]),
        "at": st.sampled_from(["2013-01-01T05:15:00", "2013-02-01", "1970-01-01", "2013-01-01 05:15Z", "noon", 0, "", None]),
        "age": st.integers(0, 300) | st.floats(0, 300) | st.none() | st.sampled_from(["5", "1e3"]),
        "note": st.text(max_size=8) | st.floats() | st.integers(-(2**70), 2**70) | st.booleans() | st.none() | st.just([1]),
        "late": st.just(1),
    },
)


@given(st.lists(DRAWN, max_size=12), st.sampled_from([1.5, 7, True, "n", -0.0]), st.booleans(), FORMATS)
def test_the_kernel_changes_nothing_but_time(
    records: list[dict[str, object]],
    note: object,
    ascii_only: bool,  # noqa: FBT001
    formats: Formats,
) -> None:
    body = b"".join(
        json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") + b"\n" for record in [GOOD | {"note": note}, *records]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_objects.PlainObjects, "read", lambda *_: None)
        without = read(body, KEY, spec=model_of(formats))
    assert repr(read(body, KEY, spec=model_of(formats))) == repr(without)


def test_for_the_absent_values_of_many_columns_the_kernel_keeps_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    placed, place = list[int](), objects.ObjectKernel.place
    monkeypatch.setattr(objects.ObjectKernel, "place", lambda kernel, *text: placed.append(len(text[1])) or place(kernel, *text))
    wide = {f"k{number}": number for number in range(1000)}
    rows, rejected = read(lines(GOOD | wide, *[GOOD] * 500), KEY)
    assert (len(rows), rejected) == (501, [])
    assert [row["k7"] for row in rows] == ["7", *[None] * 500]
    assert placed == []
    read(lines(GOOD, GOOD), KEY)
    assert placed == ([] if kernel_library() is None else [2])


def test_a_mark_that_is_a_number_or_a_time_is_missing_in_texts_alike() -> None:
    data = lines(GOOD | {"size": "-999"}, GOOD | {"size": "1.5"}, GOOD | {"size": "2", "at": "1970-01-01"})
    rows, [bad] = read(data, KEY, spec=model_of(Formats(missing=("-999", "1970-01-01"))))
    assert [row["size"] for row in rows] == [None, 1.5]
    assert (bad.row, bad.code) == (3, "missing_time")


@pytest.mark.parametrize("size", [-999, -999.0, "-999", "-999.0"])
def test_a_mark_that_is_a_number_is_missing_among_numbers(size: object) -> None:
    rows, _ = read(lines(GOOD | {"size": size}, GOOD | {"size": 2}), KEY, spec=model_of(Formats(missing=("-999",))))
    assert [row["size"] for row in rows] == [None, 2.0]


def test_a_named_time_format_goes_before_iso_in_texts_alike() -> None:
    [row], _ = read(lines(GOOD | {"at": "2013-02-01"}), KEY, spec=model_of(Formats(time_format="%Y-%d-%m")))
    assert row["at"] == datetime(2013, 1, 2, tzinfo=UTC)
