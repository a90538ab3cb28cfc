"""Whatever types a Parquet file has, it is read or refused, and columns that the model does not read come out as they are."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.errors import BatchRejectedError
from functions.shared.domain.manifest import Status
from functions.shared.domain.policy import RowContract
from functions.shared.reading.files import read_blocks
from tests.component.scoring.world import World
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.unit.shared.reading.files import MemoryFile

NUMBERS = [1, 0, None, 3]
COLUMNS = {
    "id": pa.array(list("abcd")),
    "at": pa.array([datetime(2013, 4, 1, tzinfo=UTC)] * 4),
    "price": pa.array([1.0, 2.0, None, 4.0]),
    "shop": pa.array(["north", None, "moon", "east"]),
    "member": pa.array([True, False, None, True]),
}


def dictionary(width: pa.DataType, values: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], width), values)


def odd_columns() -> dict[str, pa.Array]:
    """A column of each type that Parquet can carry."""
    widths = [kind() for size in (8, 16, 32, 64) for kind in (getattr(pa, f"int{size}"), getattr(pa, f"uint{size}"))]
    columns = [pa.array(NUMBERS, kind) for kind in (*widths, pa.float16(), pa.float32(), pa.float64())]
    columns.append(pa.array([True, False, None, True]))
    columns += [pa.array(["x", "", None, "é"], kind) for kind in (pa.string(), pa.large_string(), pa.string_view())]
    columns += [pa.array([b"x", b"\xff", None, b""], kind) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())]
    decimals = (pa.decimal32(5, 2), pa.decimal64(9), pa.decimal128(38), pa.decimal128(38, 10), pa.decimal256(70, 3))
    columns += [pa.array([Decimal(1), Decimal(0), None, Decimal(3)], kind) for kind in decimals]
    columns += [pa.array([date(1, 1, 1), date(9999, 12, 31), None, date(1970, 1, 1)], kind) for kind in (pa.date32(), pa.date64())]
    columns += [pa.array([0, 1, None, 5], pa.int32()).cast(pa.time32(unit)) for unit in ("s", "ms")]
    columns += [pa.array([0, 1, None, 5]).cast(pa.time64(unit)) for unit in ("us", "ns")]
    for unit in ("s", "ms", "us", "ns"):
        far = pa.array([0, -(2**51) if unit == "s" else -(2**62), None, -1])
        columns += [far.cast(pa.timestamp(unit)), far.cast(pa.timestamp(unit, "Asia/Shanghai")), far.cast(pa.duration(unit))]
    columns += [dictionary(width, pa.array(["a", "b"])) for width in widths if width != pa.uint64()]
    columns += [dictionary(pa.int8(), values) for values in (pa.array([1.5, 2.5]), pa.array([b"a", b"\xff"]), pa.array([7, 8]))]
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0], pa.int8()), pa.array(["a", "b"]))
    lists = pa.array([[1], [], None, [2, 3]])
    ids = pa.array([UUID(int=number).bytes for number in range(4)], pa.binary(16))
    columns += [
        pa.nulls(4),
        pa.array([b"ab", b"\xff\0", None, b"cd"], pa.binary(2)),
        lists,
        lists.cast(pa.large_list(pa.int64())),
        pa.array(lists.to_pylist(), pa.list_view(pa.int64())),
        pa.array([[1, 2], [3, 4], [5, 6], [7, 8]], pa.list_(pa.int64(), 2)),
        pa.array([[{"a": ["x"]}], [], None, [{"a": None}]]),
        pa.array([{"a": 1}, {"a": None}, None, {"a": 2}]),
        pa.array([[("k", 1)], [], None, [("l", 2)]], pa.map_(pa.string(), pa.int64())),
        pa.ListArray.from_arrays(pa.array([0, 1, 2, 2, 3]), words),
        pa.ExtensionArray.from_storage(pa.uuid(), ids),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(["1", "{}", None, "[2]"])),
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array(NUMBERS, pa.int8())),
        pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "odd", "nobody"), pa.array(NUMBERS)),
    ]
    return {f"{place} {column.type}": column for place, column in enumerate(columns)}


def parquet(columns: dict[str, pa.Array], *, store_schema: bool) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body, store_schema=store_schema)
    return body.getvalue()


def texts(column: pa.ChunkedArray) -> str:
    """The values of a column for a comparison, whatever their type: Python knows no far times."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    plain = column.cast(kind) if pa.types.is_dictionary(column.type) else column
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        plain = plain.cast(pa.int64())
    return str(plain.to_pylist())


@pytest.fixture
def world() -> World:
    made = World()
    serve(made.store, make_version())
    return made


@pytest.mark.parametrize("store_schema", [True, False])
def test_a_column_of_any_type_is_carried_with_its_values(world: World, store_schema: bool) -> None:  # noqa: FBT001
    body = parquet(COLUMNS | odd_columns(), store_schema=store_schema)
    manifest = world.score(world.upload(body, f"batches/{MODEL}/odd.parquet"))
    assert (manifest.status, manifest.rows_scored) == (Status.SCORED, 4)
    scored, given = world.table(manifest), pq.read_table(io.BytesIO(body))
    for name in odd_columns():
        assert texts(scored[name]) == texts(given[name]), name


def outcome(body: bytes) -> str:
    """How many rows of a file are read, or why it is refused."""
    try:
        blocks = list(read_blocks(MemoryFile(body), key="odd.parquet", spec=make_version().spec, contract=RowContract()))
    except BatchRejectedError as refused:
        return refused.code
    return f"{sum(block.rows_in for block in blocks)} rows"


@pytest.mark.parametrize("name", ["id", "at", "price", "shop", "member"])
def test_a_column_of_any_type_in_a_part_of_its_own_is_read_or_refused_for_its_type(name: str) -> None:
    outcomes = {kind: outcome(parquet(COLUMNS | {name: column}, store_schema=True)) for kind, column in odd_columns().items()}
    assert {kind: found for kind, found in outcomes.items() if found not in {"4 rows", "wrong_type"}} == {}
    assert set(outcomes.values()) == {"4 rows", "wrong_type"}
