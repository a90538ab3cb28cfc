from hypothesis import given
from hypothesis import strategies as st

from infra.report.columns import columns_of
from infra.report.gather import Batch
from tests.unit.report.story import batch


@given(st.integers(0, 60), st.integers(1, 20))
def test_columns_hold_every_batch_once_in_order_and_are_no_more_than_asked(count: int, at_most: int) -> None:
    batches = [Batch(batch(number), None) for number in range(count)]
    columns = columns_of(batches, at_most)
    assert len(columns) <= at_most
    assert [found for column in columns for found in column.batches] == batches
    assert len({len(column.batches) for column in columns[:-1]}) <= 1
    assert all(len(column.batches) == 1 for column in columns) or count > at_most


def test_a_column_is_labelled_by_its_last_event_day() -> None:
    batches = [Batch(batch(number), None) for number in range(4)]
    assert [column.label for column in columns_of(batches, 2)] == ["2 Apr", "4 Apr"]
