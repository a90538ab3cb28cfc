"""Parquet under the same contract as text."""

import io
import json
import uuid
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.formats import Formats
from functions.shared.reading import parquet, unfolding
from functions.shared.reading.files import read_blocks
from functions.shared.reading.rules import table_rules
from tests.unit.shared.reading.files import CONTRACT, SPEC, MemoryFile, model_of, read, refusal

KEY = "batches/trees/rows.parquet"
AT = datetime(2013, 1, 1, 5, 15, tzinfo=UTC)
COLUMNS = {
    "id": pa.array([1, 2, None, 4]),
    "size": pa.array([1, None, 3, 4], pa.int16()),
    "colour": pa.array(["red", "", None, "NA"]).dictionary_encode(),
    "wet": pa.array([True, None, False, True]),
    "at": pa.array([AT.replace(tzinfo=None)] * 4, pa.timestamp("ns")),
    "age": pa.array([5.0, float("inf"), 7.0, 8.0]),
    "tags": pa.array([["a"], [], None, ["b"]]),
}


def written(columns: dict[str, pa.Array], **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


@pytest.mark.parametrize("block_bytes", [1, 1000])
def test_native_types_become_the_contracts_and_extra_columns_keep_theirs(block_bytes: int) -> None:
    rows, rejected = read(written(COLUMNS, row_group_size=3), KEY, block_bytes=block_bytes)
    assert rows == [
        {"id": 1, "size": 1.0, "colour": "red", "wet": True, "at": AT, "age": 5.0, "tags": ["a"]},
        {"id": 4, "size": 4.0, "colour": "NA", "wet": True, "at": AT, "age": 8.0, "tags": ["b"]},
    ]
    assert [(bad.row, bad.line, bad.byte_offset, bad.code) for bad in rejected] == [
        (2, None, None, "infinite"),
        (3, None, None, "missing_id"),
    ]
    assert json.loads(rejected[0].raw) == {
        "id": 2, "size": None, "colour": "", "wet": None, "at": "2013-01-01 05:15:00.000000000", "age": "inf", "tags": [],
    }  # fmt: skip


@pytest.mark.parametrize("width", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()], ids=str)
@pytest.mark.parametrize("texts", [pa.string(), pa.large_string()], ids=str)
def test_a_categorical_reads_as_its_texts_however_wide_its_codes_are(width: pa.DataType, texts: pa.DataType) -> None:
    codes, words = pa.array([0, None, 1, 0], width), pa.array(["red", "blue"], texts)
    coded = pa.DictionaryArray.from_arrays(codes, words)
    columns = COLUMNS | {"id": pa.array(list("abcd")), "age": pa.array([1, 2, 3, 4])}
    rows, rejected = read(written(columns | {"colour": coded, "note": coded}), KEY)
    assert not rejected
    assert [(row["colour"], row["note"]) for row in rows] == [(text, text) for text in ("red", None, "blue", "red")]


def test_what_pandas_writes_by_default_is_read() -> None:
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "size": pd.array([1, None, 3], "Int64"),
            "colour": pd.Categorical(["red", None, "blue"]),
            "wet": pd.array([True, None, False], "boolean"),
            "at": pd.to_datetime(["2013-01-01 05:15"] * 3),
            "age": pd.array([1.5, 2.5, 3.5], "Float32"),
            "note": pd.Categorical(["x", "y", None]),
        },
        index=[7, 8, 9],
    )
    sink = io.BytesIO()
    frame.to_parquet(sink)
    rows, rejected = read(sink.getvalue(), KEY)
    assert not rejected
    assert rows == [
        {"id": "a", "size": 1.0, "colour": "red", "wet": True, "at": AT, "age": 1.5, "note": "x", "__index_level_0__": 7},
        {"id": "b", "size": None, "colour": None, "wet": None, "at": AT, "age": 2.5, "note": "y", "__index_level_0__": 8},
        {"id": "c", "size": 3.0, "colour": "blue", "wet": False, "at": AT, "age": 3.5, "note": None, "__index_level_0__": 9},
    ]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
@pytest.mark.parametrize("version", ["1.0", "2.6"])
def test_any_codec_and_version_reads_alike(codec: str, version: str) -> None:
    columns = {name: column for name, column in COLUMNS.items() if name != "at"} | {"at": COLUMNS["at"].cast(pa.timestamp("us"))}
    assert read(written(columns, compression=codec, version=version), KEY)[0] == read(written(columns), KEY)[0]


def test_ids_keep_the_type_they_have_and_a_float_that_may_be_anothers_is_set_aside() -> None:
    good = {name: column.take(pa.array([0, 0, 0, 0])) for name, column in COLUMNS.items()}
    uuids = [uuid.UUID(int=number) for number in range(4)]
    by_bytes = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([found.bytes for found in uuids], pa.binary(16)))
    for ids in (by_bytes, pa.array([2**64 - 1, 1, 2, 3], pa.uint64()), pa.array([7.0, 19999007021.0, 2.0**53, 0.5])):
        rows, rejected = read(written(good | {"id": ids}), KEY)
        assert not rejected
        assert [row["id"] for row in rows] == ids.to_pylist()
    rows, [bad] = read(written(good | {"id": pa.array([1.0, 2.0**53 + 2, 3.0, 4.0])}), KEY)
    assert (bad.row, bad.code, len(rows)) == (2, "inexact_id", 3)
    assert "'9007199254740994.0' is a float too large" in bad.message


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(2), pa.list_(pa.binary())], ids=str)
def test_ids_without_a_text_refuse_the_file_and_say_what_to_write(kind: pa.DataType) -> None:
    value = [b"ab"] if pa.types.is_list(kind) else b"ab"
    refused = refusal(written(COLUMNS | {"id": pa.array([value] * 4, kind)}), KEY)
    assert (refused.code, refused.remedy) == ("wrong_type", "write column 'id' as integers, UUIDs or as text")


def test_row_groups_without_rows_are_passed_over() -> None:
    sink, table = io.BytesIO(), pa.table(COLUMNS)
    with pq.ParquetWriter(sink, table.schema) as writer:
        for part in (table.slice(0, 0), table, table.slice(0, 0)):
            writer.write_table(part)
    assert read(sink.getvalue(), KEY) == read(written(COLUMNS), KEY)


@pytest.mark.parametrize("view", [pa.string_view(), pa.binary_view()], ids=str)
def test_views_are_read_as_what_they_show(view: pa.DataType) -> None:
    rows, _ = read(written(COLUMNS | {"id": pa.array(list("abcd")), "note": pa.array(["x", None, "y", "x"]).cast(view)}), KEY)
    assert [row["note"] for row in rows] == (["x", "y", "x"] if view == pa.string_view() else [b"x", b"y", b"x"])


def test_text_in_a_number_column_is_parsed_as_in_delimited_text() -> None:
    _, [bad] = read(written(COLUMNS | {"age": pa.array(["1", "2.5", "3", "old"]), "id": pa.array(list("abcd"))}), KEY)
    assert (bad.row, bad.code, bad.message) == (4, "unparseable_number", "column 'age': 'old' is no number")


WIDTHS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
]


@pytest.mark.parametrize("kind", WIDTHS, ids=str)
def test_a_named_mark_is_missing_in_texts_of_any_width(kind: pa.DataType) -> None:
    marked = {
        name: pa.array(texts).cast(kind)
        for name, texts in {"size": ["-999", "1.5"], "colour": ["-999", "red"], "wet": ["-999", "true"]}.items()
    }
    others = {"id": ["a", "b"], "at": ["2013-01-01"] * 2, "age": [5.0, 6.0], "note": ["n", "n"]}
    rows, rejected = read(written(marked | others), KEY, spec=model_of(Formats(missing=("-999",))))
    assert [(row["size"], row["colour"], row["wet"]) for row in rows] == [(None, None, None), (1.5, "red", True)]
    assert rejected == []


NATIVE = [pa.array([-999, 2]).cast(kind) for kind in (pa.int16(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(21, 2))]
CODED = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.int8()), pa.array([2, -999]))


@pytest.mark.parametrize("sizes", [*NATIVE, CODED], ids=lambda sizes: str(sizes.type))
@pytest.mark.parametrize("mark", ["-999", "-999.0"])
def test_a_mark_that_is_a_number_is_missing_among_numbers_of_any_type(sizes: pa.Array, mark: str) -> None:
    columns = {"id": ["a", "b"], "size": sizes, "colour": ["red"] * 2, "wet": [True] * 2, "at": ["2013-01-01"] * 2, "age": [5.0, 6.0]}
    rows, rejected = read(written(columns), KEY, spec=model_of(Formats(missing=(mark,))))
    assert ([row["size"] for row in rows], rejected) == ([None, 2.0], [])


def test_a_mark_with_a_fraction_is_missing_among_floats_of_four_bytes() -> None:
    columns = {"id": ["a", "b"], "size": pa.array([-999.9, 2.5], pa.float32()), "colour": ["red"] * 2, "wet": [True] * 2}
    columns |= {"at": ["2013-01-01"] * 2, "age": [5.0, 6.0]}
    rows, _ = read(written(columns), KEY, spec=model_of(Formats(missing=("-999.9",))))
    assert [row["size"] for row in rows] == [None, 2.5]


def test_a_mark_is_missing_among_numbers_that_are_categories_booleans_or_times() -> None:
    days = pa.array([date(1900, 1, 1), date(2013, 1, 1)])
    columns = {"id": ["a", "b"], "size": [1.0, 2.0], "colour": [9, 3], "wet": [9, 1], "at": ["2013-01-01"] * 2, "age": [5.0, 6.0]}
    marked = model_of(Formats(missing=("9", "1900-01-01")))
    rows, _ = read(written(columns), KEY, spec=marked)
    assert [(row["colour"], row["wet"]) for row in rows] == [(None, None), ("3", True)]
    _, [bad] = read(written(columns | {"at": days}), KEY, spec=marked)
    assert (bad.row, bad.code) == (1, "missing_time")


def test_text_that_is_not_utf8_rejects_its_row() -> None:
    offsets, data = pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0"), pa.py_buffer(b"a\xffcd")
    broken = pa.Array.from_buffers(pa.string(), 4, [None, offsets, data])
    columns = COLUMNS | {"id": pa.array(list("abcd")), "age": pa.array([1, 2, 3, 4])}
    for name in ("colour", "note"):
        rows, [bad] = read(written(columns | {name: broken}), KEY)
        assert (bad.row, bad.code, json.loads(bad.raw)[name]) == (2, "invalid_utf8", "ÿ")
        assert [row[name] for row in rows] == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("name", "column"), [("age", COLUMNS["tags"]), ("at", COLUMNS["size"]), ("wet", COLUMNS["at"]), ("id", COLUMNS["tags"])]
)
def test_a_type_that_cannot_hold_the_kind_refuses_the_file(name: str, column: pa.Array) -> None:
    refused = refusal(written(COLUMNS | {name: column}), KEY)
    assert refused.code == "wrong_type"
    assert repr(name) in str(refused)


def test_missing_and_repeated_columns_and_no_rows_refuse_the_file() -> None:
    assert refusal(written({name: column for name, column in COLUMNS.items() if name != "age"}), KEY).code == "missing_column"
    assert refusal(written({name: column.slice(0, 0) for name, column in COLUMNS.items()}), KEY).code == "empty_file"
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([COLUMNS["id"]] * 2, names=["id", "id"]), sink)
    assert refusal(sink.getvalue(), KEY).code == "duplicate_column"


def test_a_block_of_repeated_values_is_no_larger_in_memory_than_others() -> None:
    alike = {name: pa.array(column.to_pylist()[:1] * 5000, column.type) for name, column in COLUMNS.items()}
    data = MemoryFile(written(alike))
    blocks = list(read_blocks(data, key=KEY, spec=SPEC, contract=CONTRACT, block_bytes=7000))
    assert sum(block.rows.num_rows for block in blocks) == 5000
    assert max(block.rows.num_rows for block in blocks) == 7000 // (len(COLUMNS) * 8)


def test_a_row_group_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_ROW_GROUP_BYTES", 10)
    assert refusal(written(COLUMNS), KEY).code == "row_group_too_large"


def repeating(text: str, rows: int) -> dict[str, pa.Array]:
    """Rows alike with one text in all of them, which the file holds once."""
    alike = {name: pa.array(column.to_pylist()[:1] * rows, column.type) for name, column in COLUMNS.items() if name != "colour"}
    said = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    return alike | {"colour": said, "note": said}


def test_texts_that_the_file_holds_once_are_unfolded_a_portion_at_a_time() -> None:
    data = written(repeating("x" * 1000, 4000), store_schema=False)
    assert len(data) < 10_000
    blocks = list(read_blocks(MemoryFile(data), key=KEY, spec=SPEC, contract=CONTRACT, block_bytes=10_000))
    assert sum(block.rows.num_rows for block in blocks) == 4000
    assert max(block.rows.num_rows for block in blocks) <= 8 * 10_000 // 2000 + 1
    assert {str(block.rows.schema.field("note").type) for block in blocks} == {"string"}
    assert blocks[-1].rows["note"].to_pylist()[-1] == blocks[-1].rows["colour"].to_pylist()[-1] == "x" * 1000


def test_a_row_whose_texts_are_longer_than_a_record_may_be_refuses_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfolding, "MAX_RECORD_BYTES", 1999)
    refused = refusal(written(repeating("x" * 1000, 4), store_schema=False), KEY)
    assert (refused.code, refused.message) == ("line_too_long", "the texts of a row in row group 1 of 1 take 2001 bytes, the limit is 1999")


def test_a_row_group_that_is_compressed_beyond_belief_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BOMB_BYTES", 100_000)
    bomb = COLUMNS | {"note": pa.array(["x" * 1_000_000] * 4)}
    assert refusal(written(bomb, use_dictionary=False, compression="zstd"), KEY).code == "decompression_bomb"


def test_values_that_repeat_are_read_up_to_the_limit_and_not_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    alike = {name: column.take(pa.array([0] * 1000)) for name, column in COLUMNS.items() if name != "tags"}
    data = written(alike, row_group_size=400)
    groups = [pq.read_metadata(io.BytesIO(data)).row_group(number) for number in range(3)]
    stored = sum(group.column(place).total_compressed_size for group in groups for place in range(len(alike)))
    monkeypatch.setattr(parquet, "BOMB_BYTES", 8 * 6000 - 1)
    monkeypatch.setattr(parquet, "MAX_VALUES_A_BYTE", 6000 / stored)
    assert len(read(data, KEY)[0]) == 1000
    monkeypatch.setattr(parquet, "MAX_VALUES_A_BYTE", 5999 / stored)
    assert refusal(data, KEY).code == "decompression_bomb"
    monkeypatch.setattr(parquet, "BOMB_BYTES", 8 * 6000)
    assert len(read(data, KEY)[0]) == 1000


def test_nested_values_count_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_ROW_GROUP_BYTES", 50_000)
    many = COLUMNS | {"tags": pa.array([[0] * 10_000, [], [], []])}
    assert refusal(written(many), KEY).code == "row_group_too_large"


LONG = "x" * 1000


def again(text: str, rows: int, form: str) -> pa.Array:
    """One text in all rows, by itself or within something."""
    said = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))
    each = pa.array(range(rows + 1), pa.int32())
    forms = {
        "text": lambda: said,
        "bytes": lambda: pa.DictionaryArray.from_arrays(said.indices, said.dictionary.cast(pa.binary())),
        "list": lambda: pa.ListArray.from_arrays(each, said),
        "large list": lambda: pa.LargeListArray.from_arrays(each.cast(pa.int64()), said),
        "list of a fixed length": lambda: pa.FixedSizeListArray.from_arrays(said, 1),
        "structure": lambda: pa.StructArray.from_arrays([said, said.indices], ["a", "b"]),
        "map": lambda: pa.MapArray.from_arrays(each, pa.array(["k"] * rows), said),
        "structures in a list": lambda: pa.ListArray.from_arrays(each, pa.StructArray.from_arrays([said], ["a"])),
        "extension": lambda: pa.ExtensionArray.from_storage(pa.json_(), pa.array([text] * rows)),
    }
    return forms[form]()


FORMS = ["text", "bytes", "list", "large list", "list of a fixed length", "structure", "map", "structures in a list", "extension"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("store_schema", [True, False])
def test_texts_that_repeat_are_read_up_to_each_limit_and_not_beyond(form: str, store_schema: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    plain = {name: column.take(pa.array([0] * 40)) for name, column in COLUMNS.items() if name not in {"colour", "tags"}}
    columns = plain | {"colour": pa.nulls(40, pa.string()), "note": again(LONG, 40, form)}
    data = written(columns, row_group_size=20, store_schema=store_schema)
    own = 40 * (len("k") if form == "map" else 0)
    stored = sum(
        pq.read_metadata(io.BytesIO(data)).row_group(group).column(place).total_compressed_size
        for group in (0, 1)
        for place in range(pq.read_metadata(io.BytesIO(data)).num_columns)
    )
    rows, rejected = read(data, KEY, block_bytes=3000)
    assert (len(rows), len(rejected)) == (40, 0)
    assert str(rows[0]["note"]).count(LONG) == str(rows[-1]["note"]).count(LONG) == 1
    for limit, holds in (("MAX_RECORD_BYTES", 1000 + own // 40), ("MAX_ROW_GROUP_BYTES", 20_000 + own // 2), ("BOMB_BYTES", 40_000 + own)):
        with monkeypatch.context() as patch:
            patch.setattr(unfolding, "BOMB_RATIO", 1)
            patch.setattr(unfolding, limit, holds)
            assert read(data, KEY, block_bytes=3000)[0] == rows
            patch.setattr(unfolding, limit, holds - 1)
            assert (
                refusal(data, KEY, block_bytes=3000).code
                == {
                    "MAX_RECORD_BYTES": "line_too_long",
                    "MAX_ROW_GROUP_BYTES": "row_group_too_large",
                    "BOMB_BYTES": "decompression_bomb",
                }[limit]
            )
    with monkeypatch.context() as patch:
        patch.setattr(unfolding, "BOMB_BYTES", 1)
        patch.setattr(unfolding, "BOMB_RATIO", (40_000 + own) / stored)
        assert read(data, KEY)[0] == rows
        patch.setattr(unfolding, "BOMB_RATIO", (40_000 + own - 1) / stored)
        assert refusal(data, KEY).code == "decompression_bomb"


@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    whole = written(COLUMNS)
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    place = data.draw(st.integers(4, footer - 9))  # pyarrow 25 ends the process for some damaged footers
    damaged = whole[:place] + data.draw(st.binary(min_size=1, max_size=8)) + whole[place + 8 :]
    try:
        rows, rejected = read(damaged[:-4] + b"PAR1", KEY)
    except BatchRejectedError as refused:
        event(refused.code)
        assert refused.code != "unreadable"  # noqa: PT017 - most damaged files are refused, and a few are read
    else:
        assert len(rows) + len(rejected) > 0


def test_half_a_file_is_truncated() -> None:
    assert refusal(written(COLUMNS)[:-10], KEY).code == "truncated_parquet"


def test_an_error_of_the_source_itself_is_not_blamed_on_the_file() -> None:
    class Failing(MemoryFile):
        def read_at(self, offset: int, length: int) -> bytes:
            if length > 4096 or offset:
                raise TimeoutError(110, "no answer")
            return super().read_at(offset, length)

    with pytest.raises(TimeoutError):
        list(parquet.parquet_blocks(Failing(written(COLUMNS)), rules=table_rules({}, "UTC"), block_bytes=1))
