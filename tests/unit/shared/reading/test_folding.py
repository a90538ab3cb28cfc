"""Which columns of Parquet are read as texts at once."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.shared.reading import parquet
from functions.shared.reading.files import read_blocks
from functions.shared.reading.folding import is_unfoldable, mostly_unique, short_texts
from tests.unit.shared.reading.files import CONTRACT, SPEC, MemoryFile

ROWS = 2000
UNIQUE = [f"R{number:09d}" for number in range(ROWS)]


def written(columns: dict[str, list[str | None]], **options: object) -> bytes:
    """A file whose dictionaries end after a few hundred texts, as those of long columns do."""
    sink = io.BytesIO()
    pq.write_table(
        pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()}),
        sink,
        **{"dictionary_pagesize_limit": 2000, **options},
    )
    return sink.getvalue()


def short(data: bytes, names: list[str], most_bytes: int) -> set[str]:
    return short_texts(lambda folded: pq.ParquetFile(io.BytesIO(data), read_dictionary=folded), 0, names, most_bytes)


def test_a_column_of_unique_texts_takes_more_than_their_lengths_and_one_of_repeated_texts_does_not() -> None:
    data = written({"unique": UNIQUE, "repeated": ["red", "blue"] * (ROWS // 2)})
    group = pq.read_metadata(io.BytesIO(data)).row_group(0)
    assert mostly_unique(group, {"unique", "repeated"}) == ["unique"]
    assert mostly_unique(group, {"repeated"}) == []


def test_the_longest_repeated_texts_of_all_columns_share_the_limit() -> None:
    data = written({"a": UNIQUE, "b": UNIQUE, "c": UNIQUE})
    assert short(data, ["a", "b", "c"], 29) == {"a", "b"}
    assert short(data, ["a", "b", "c"], 30) == {"a", "b", "c"}
    assert short(data, [], 30) == set()


def test_a_long_text_that_only_later_rows_repeat_is_seen_in_the_first_row() -> None:
    late = [*UNIQUE[:100], *["x" * 1000] * 100, *UNIQUE[100:]]
    data = written({"id": [*UNIQUE, *UNIQUE[:100]], "late": late}, dictionary_pagesize_limit=4000)
    assert short(data, ["id", "late"], 999) == {"id"}


@pytest.mark.parametrize("texts", [UNIQUE, [None] * ROWS], ids=["in place", "missing"])
def test_a_column_that_comes_without_its_dictionary_stays_folded(texts: list[str | None]) -> None:
    assert short(written({"id": texts}, use_dictionary=False), ["id"], 1000) == set()


def test_texts_within_others_and_columns_that_have_their_path_stay_folded() -> None:
    kinds = {
        "a": pa.string(),
        "b": pa.large_string(),
        "c": pa.string_view(),
        "d": pa.binary(),
        "e.f": pa.string(),
        "g": pa.list_(pa.string()),
    }
    assert [name for name, kind in kinds.items() if is_unfoldable(pa.field(name, kind))] == ["a", "b"]


@settings(max_examples=10)
@given(st.lists(st.none() | st.text(max_size=12), min_size=1, max_size=40), st.integers(4_000, 20_000), st.sampled_from(["first", "last"]))
def test_every_text_reads_as_pyarrow_reads_it(texts: list[str | None], block_bytes: int, place: str) -> None:
    notes = [*UNIQUE[:700], *texts * 5] if place == "last" else [*texts * 5, *UNIQUE[:700]]
    ids = [f"{number}" for number in range(len(notes))]
    table = pa.table(
        {
            "id": ids,
            "size": [1.0] * len(ids),
            "colour": ["red"] * len(ids),
            "wet": [True] * len(ids),
            "at": ["2013-01-01"] * len(ids),
            "age": [5.0] * len(ids),
            "note": notes,
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, dictionary_pagesize_limit=1000, row_group_size=600)
    blocks = list(
        read_blocks(MemoryFile(sink.getvalue()), key="batches/trees/rows.parquet", spec=SPEC, contract=CONTRACT, block_bytes=block_bytes)
    )
    read = pa.Table.from_batches([block.rows for block in blocks])
    assert read["note"].to_pylist() == notes
    assert read["id"].to_pylist() == ids


def test_unique_ids_are_read_as_texts_and_categories_as_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: dict[str, set[str]] = {}
    unfolded = parquet.unfolded

    def watched(batch: pa.RecordBatch, *rest: object) -> object:
        for field in batch.schema:
            kinds.setdefault(field.name, set()).add(str(field.type))
        return unfolded(batch, *rest)

    monkeypatch.setattr(parquet, "unfolded", watched)
    columns = {
        "id": UNIQUE,
        "colour": UNIQUE,
        "size": ["1"] * ROWS,
        "wet": ["true"] * ROWS,
        "at": ["2013-01-01"] * ROWS,
        "age": ["5"] * ROWS,
    }
    blocks = list(
        read_blocks(MemoryFile(written(columns)), key="batches/trees/rows.parquet", spec=SPEC, contract=CONTRACT, block_bytes=20_000)
    )
    assert len(blocks) > 1
    assert kinds["id"] == {"string"}
    assert kinds["colour"] == kinds["size"] == {"dictionary<values=string, indices=int32, ordered=0>"}
