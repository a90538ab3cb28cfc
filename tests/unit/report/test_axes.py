from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.manifest import Status
from infra.report.axes import columns_of, round_days
from infra.report.charts import by_event_day
from infra.report.gather import Batch
from tests.unit.report.story import FIRST_DAY, batch


@given(st.integers(0, 60), st.integers(1, 20))
def test_columns_hold_every_batch_once_in_order_and_are_no_more_than_asked(count: int, at_most: int) -> None:
    batches = [Batch(batch(number), None) for number in range(count)]
    columns = columns_of(batches, at_most)
    assert len(columns) <= at_most
    assert [found for column in columns for found in column.batches] == batches
    assert len({len(column.batches) for column in columns[:-1]}) <= 1
    assert all(len(column.batches) == 1 for column in columns) or count > at_most


def failed(number: int) -> Batch:
    """A file of which nothing could be scored: it has an arrival, and no event day."""
    return Batch(batch(number, status=Status.FAILED, event_days={}, served={}, rows_scored=0), None)


def test_a_column_has_the_last_event_day_of_its_batches() -> None:
    batches = [*(Batch(batch(number), None) for number in range(4)), failed(300), failed(301)]
    assert [column.day and column.day.day for column in columns_of(batches, 3)] == [2, 4, None]
    assert [column.day and column.day.day for column in columns_of(batches, 2)] == [3, 4]


@given(st.lists(st.one_of(st.integers(0, 20), st.none()), max_size=12))
def test_batches_stand_by_event_day_and_one_without_behind_its_neighbour(numbers: list[int | None]) -> None:
    batches = [failed(300) if number is None else Batch(batch(number), None) for number in numbers]
    placed = by_event_day(batches)
    days = [found.day for found in placed if found.day]
    assert days == sorted(days)
    assert sorted(map(id, placed)) == sorted(map(id, batches))
    place = {id(found): number for number, found in enumerate(placed)}
    for before, found in pairwise(batches):
        if before.day and not found.day:
            assert place[id(before)] < place[id(found)]
            assert {between.day for between in placed[place[id(before)] : place[id(found)]]} <= {before.day, None}


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 5000), st.integers(1, 12))
def test_labelled_days_lie_within_the_axis_and_are_no_more_than_asked(first: date, length: int, at_most: int) -> None:
    last = first + timedelta(days=length)
    shown = round_days(first, last, at_most)
    assert 1 <= len(shown) <= at_most
    assert all(first <= day <= last for day in shown)
    assert sorted(set(shown)) == shown


def test_labelled_days_are_weeks_apart_or_months_begin() -> None:
    assert round_days(FIRST_DAY, date(2013, 4, 5), 5) == [date(2013, 4, number) for number in range(1, 6)]
    assert round_days(FIRST_DAY, date(2013, 5, 20), 8) == [date(2013, 4, 1) + timedelta(days=7 * number) for number in range(8)]
    assert round_days(FIRST_DAY, date(2014, 3, 9), 4) == [date(2013, 4, 1), date(2013, 7, 1), date(2013, 10, 1), date(2014, 1, 1)]
