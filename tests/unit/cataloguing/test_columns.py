"""Columns of tables."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from functions.cataloguing.columns import Columns

NAMES = st.sampled_from(["id", "ID", "at", "note", "Note 1"])
KINDS = st.sampled_from([pa.int32(), pa.int64(), pa.float64(), pa.string(), pa.large_string(), pa.list_(pa.int8())])
SCHEMAS = st.lists(st.dictionaries(NAMES, KINDS).map(pa.schema), max_size=5)


@given(schemas=SCHEMAS, data=st.data())
def test_columns_do_not_depend_on_the_order_of_files(schemas: list[pa.Schema], data: st.DataObject) -> None:
    other = data.draw(st.permutations(schemas))
    one, another = Columns().with_files(schemas), Columns().with_files(other)
    assert one.standing == another.standing
    assert one.left_out == another.left_out


@given(schemas=SCHEMAS)
def test_each_column_is_shown_or_left_out(schemas: list[pa.Schema]) -> None:
    columns = Columns().with_files(schemas)
    assert columns.standing.keys() | columns.left_out.keys() == {name for schema in schemas for name in schema.names}
    assert not columns.standing.keys() & columns.left_out.keys()


def test_two_columns_never_get_one_name() -> None:
    columns = Columns(own=("batch_id",)).with_files([pa.schema({"a b": pa.string(), "a-b": pa.string(), "batch id": pa.string()})])
    assert [column.name for column in columns.standing.values()] == ["a_b", "a_b_2", "batch_id_2"]


def test_a_column_that_no_table_can_hold_is_left_out_with_its_type() -> None:
    columns = Columns().with_files([pa.schema({"tags": pa.list_(pa.int8()), "n": pa.uint32(), "at": pa.timestamp("ns")})])
    assert columns.left_out == {"tags": ("list<item: int8>",), "n": ("uint32",), "at": ("timestamp[ns]",)}
