import io
from datetime import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.scoring import scored_file
from functions.scoring.scored_file import ScoredFile
from tests.fakes.memory_store import MemoryStore

COLUMNS = {
    "id": [f"r{number}" for number in range(100)],
    "score": [number / 100 for number in range(100)],
    "colour": ["red", "green"] * 50,
    "size": [1.0, None] * 50,
    "at": [datetime(2013, 1, 1 + number % 2) for number in range(100)],
}


def written(*blocks: pa.RecordBatch) -> bytes:
    store = MemoryStore("store")
    with store.upload("k") as upload, ScoredFile(upload, blocks[0]) as file:
        for block in blocks:
            file.add(block)
        stored = file.finish()
    assert stored.rows == sum(block.num_rows for block in blocks)
    return store.read("k")


def test_only_columns_whose_values_repeat_get_a_dictionary_and_only_times_get_statistics() -> None:
    group = pq.ParquetFile(io.BytesIO(written(pa.record_batch(COLUMNS)))).metadata.row_group(0)
    columns = {group.column(place).path_in_schema: group.column(place) for place in range(group.num_columns)}
    assert {name for name, column in columns.items() if column.has_dictionary_page} == {"colour", "size", "at"}
    assert {name for name, column in columns.items() if column.is_stats_set} == {"at"}


def codecs(rows: pa.RecordBatch) -> dict[str, str]:
    group = pq.ParquetFile(io.BytesIO(written(rows))).metadata.row_group(0)
    return {group.column(place).path_in_schema: group.column(place).compression for place in range(group.num_columns)}


def test_columns_without_a_dictionary_are_compressed_by_zstd_and_the_others_by_snappy() -> None:
    assert codecs(pa.record_batch(COLUMNS)) == {"id": "ZSTD", "score": "ZSTD", "colour": "SNAPPY", "size": "SNAPPY", "at": "SNAPPY"}


def test_no_part_of_a_nested_column_is_left_uncompressed() -> None:
    assert codecs(pa.record_batch({"list": pa.array([[1, 2], None]), "dotted.name": pa.array(["a", "a"])})) == {
        "list.list.element": "ZSTD",
        "dotted.name": "ZSTD",
    }


def test_no_part_of_an_extension_that_stores_lists_is_left_uncompressed() -> None:
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(8.0).reshape(2, 2, 2))
    assert set(codecs(pa.record_batch({"tensor": tensors, "note": pa.array(["a", "a"])})).values()) == {"ZSTD"}


@given(st.lists(st.lists(st.sampled_from(["red", "green", "blue", None]), min_size=1), min_size=1))
def test_blocks_with_dictionaries_of_their_own_come_back_as_they_were(blocks: list[list[str | None]]) -> None:
    encoded = [pa.record_batch({"colour": pa.array(block, pa.string()).dictionary_encode()}) for block in blocks]
    read = pq.read_table(io.BytesIO(written(*encoded)))
    assert read["colour"].to_pylist() == [value for block in blocks for value in block]


def test_blocks_are_gathered_into_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    block = pa.record_batch(COLUMNS)
    monkeypatch.setattr(scored_file, "ROW_GROUP_BYTES", 3 * block.nbytes)
    metadata = pq.ParquetFile(io.BytesIO(written(*[block] * 8))).metadata
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == [300, 300, 200]


def test_carried_columns_of_any_type_are_written() -> None:
    columns = {
        "list": pa.array([[1, 2], None]),
        "decimal": pa.array([Decimal("1.5"), None]),
        "bytes": pa.array([b"\xff", b""]),
        "view": pa.array(["a", "b"], pa.string_view()),
        "half": pa.array([1.5, 2.5], pa.float16()),
        "dotted.name": pa.array(["a", "a"]),
        "nothing": pa.nulls(2),
    }
    assert pq.read_table(io.BytesIO(written(pa.record_batch(columns)))).to_pydict() == pa.table(columns).to_pydict()
