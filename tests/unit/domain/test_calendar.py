"""How far event time has come, and which labels are complete by it."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.calendar import batch_watermark, days_before, last_mature_day
from tests.fakes.documents import make_manifest


@pytest.mark.parametrize(("delay_days", "last"), [(0, 20), (0.1, 19), (1, 19), (6.5, 13), (7, 13)])
def test_of_a_part_of_a_day_all_is_waited_for(delay_days: float, last: int) -> None:
    batch = make_manifest(rows_in=9, rows_scored=9, event_days={date(2013, 4, 20): 9})
    assert last_mature_day([batch], delay_days) == date(2013, 4, last)


def test_without_a_scored_row_no_day_is_mature() -> None:
    assert last_mature_day([], 0) is None


@given(day=st.dates(), days=st.one_of(st.integers(0, 10**12), st.floats(min_value=0)))
@example(date.min, 1)
@example(date.max, 1e300)
def test_a_day_before_all_days_is_the_calendars_first(day: date, days: float) -> None:
    found = days_before(day, days)
    if days <= (day - date.min).days:
        assert days <= (day - found).days <= days + 1
    else:
        assert found == date.min


@given(days=st.dictionaries(st.dates(), st.integers(1, 1000), max_size=8), delay=st.floats(min_value=0))
def test_event_time_has_come_to_a_plausible_day_or_to_none(days: dict[date, int], delay: float) -> None:
    plausible = {day: rows for day, rows in days.items() if 1900 <= day.year < 2200}
    batch = make_manifest(rows_in=sum(days.values()), rows_scored=sum(days.values()), event_days=days)
    assert batch_watermark(days) == batch_watermark(plausible)
    assert (last_mature_day([batch], delay) is None) == (not plausible)
    if reached := batch_watermark(days):
        assert sum(rows for day, rows in plausible.items() if day >= reached) >= 0.05 * sum(plausible.values())
