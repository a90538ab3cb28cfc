import hashlib
import json
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import DigestMismatchError, NotFoundError
from functions.shared.repositories.snapshots import Snapshots
from tests.fakes.memory_store import MemoryStore

ROWS = st.lists(
    st.tuples(st.dates(date(2012, 11, 1), date(2013, 2, 28)), st.none() | st.floats(allow_nan=False), st.none() | st.text(max_size=3)),
    min_size=1,
    max_size=20,
)


def table_of(rows: list[tuple[date, Any, Any]]) -> tuple[pa.Table, pa.Array]:
    days = pa.array([day for day, _, _ in rows], pa.date32())
    table = pa.table({"x": pa.array([x for _, x, _ in rows], pa.float64()), "y": pa.array([y for _, _, y in rows], pa.string())})
    return table, days


def objects(store: MemoryStore) -> dict[str, bytes]:
    return {info.key: store.read(info.key) for info in store.list("")}


@given(rows=ROWS)
def test_what_is_read_is_what_was_written_month_by_month(rows: list[tuple[date, Any, Any]]) -> None:
    store = MemoryStore()
    table, days = table_of(rows)
    snapshot = Snapshots(store).write(table, days)
    in_months = sorted(rows, key=lambda row: (row[0].year, row[0].month))
    assert Snapshots(store).read(snapshot.md5).to_pylist() == [{"x": x, "y": y} for _, x, y in in_months]
    assert Snapshots(store).read(snapshot.md5).schema == table.schema
    written_days = [day for day, _, _ in rows]
    assert (snapshot.rows, snapshot.first_day, snapshot.last_day) == (len(rows), min(written_days), max(written_days))
    assert snapshot.files == len({(day.year, day.month) for day in written_days})


@given(rows=ROWS)
def test_the_same_rows_give_the_same_bytes_wherever_their_chunks_begin(rows: list[tuple[date, Any, Any]]) -> None:
    first, second = MemoryStore(), MemoryStore()
    table, days = table_of(rows)
    split = pa.concat_tables([table.slice(0, len(rows) // 2), table.slice(len(rows) // 2)])
    assert Snapshots(first).write(table, days) == Snapshots(second).write(split, days)
    assert objects(first) == objects(second)


def test_files_lie_where_dvc_looks_for_them_by_their_content() -> None:
    store = MemoryStore()
    snapshot = Snapshots(store).write(*table_of([(date(2013, 1, 31), 1.0, "a"), (date(2013, 2, 1), 2.0, "b")]))
    for key, body in objects(store).items():
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        assert key in {f"snapshots/files/md5/{md5[:2]}/{md5[2:]}", f"snapshots/files/md5/{md5[:2]}/{md5[2:]}.dir"}
    listing = json.loads(store.read(f"snapshots/files/md5/{snapshot.md5[:2]}/{snapshot.md5[2:]}"))
    assert [entry["relpath"] for entry in listing] == ["2013-01.parquet", "2013-02.parquet"]
    assert snapshot.bytes == sum(len(body) for key, body in objects(store).items() if not key.endswith(".dir"))


def test_a_month_that_did_not_change_is_stored_once() -> None:
    store = MemoryStore()
    january = [(date(2013, 1, day), float(day), "a") for day in range(1, 20)]
    Snapshots(store).write(*table_of(january))
    before = store.keys()
    Snapshots(store).write(*table_of([*january, (date(2013, 2, 1), 1.0, "b")]))
    # The new month, and the new listing.
    assert len(store.keys() - before) == 2
    assert [store.writes(key) for key in before] == [1, 1]


@given(data=st.data())
def test_a_changed_byte_anywhere_is_noticed(data: st.DataObject) -> None:
    store = MemoryStore()
    snapshot = Snapshots(store).write(*table_of([(date(2013, 1, 31), 1.0, "a"), (date(2013, 2, 1), 2.0, "b")]))
    key = data.draw(st.sampled_from(sorted(store.keys())))
    body = bytearray(store.read(key))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    store.write(key, bytes(body))
    with pytest.raises(DigestMismatchError, match="were changed"):
        Snapshots(store).read(snapshot.md5)


def test_a_file_that_is_gone_is_not_found() -> None:
    store = MemoryStore()
    snapshot = Snapshots(store).write(*table_of([(date(2013, 1, 31), 1.0, "a")]))
    store.delete([key for key in store.keys() if not key.endswith(".dir")])  # noqa: SIM118 - a method of the store
    with pytest.raises(NotFoundError):
        Snapshots(store).read(snapshot.md5)


def test_a_snapshot_is_restored_from_its_files() -> None:
    made, store = MemoryStore(), MemoryStore()
    snapshot = Snapshots(made).write(*table_of([(date(2013, 1, 31), 1.0, "a"), (date(2013, 2, 1), 2.0, "b")]))
    Snapshots(store).restore(snapshot.md5, lambda: Snapshots(made).files(snapshot.md5))
    assert objects(store) == objects(made)


def test_files_of_another_snapshot_are_refused_and_none_of_them_is_stored() -> None:
    made, store = MemoryStore(), MemoryStore()
    snapshot = Snapshots(made).write(*table_of([(date(2013, 1, 31), 1.0, "a"), (date(2013, 2, 1), 2.0, "b")]))
    swapped = Snapshots(made).write(*table_of([(date(2013, 1, 31), 1.0, "a"), (date(2013, 2, 1), 3.0, "b")]))
    with pytest.raises(DigestMismatchError, match=f"those of snapshot {swapped.md5}, not of {snapshot.md5}"):
        Snapshots(store).restore(snapshot.md5, lambda: Snapshots(made).files(swapped.md5))
    assert store.keys() == set()
