"""How far event time has come, and which labels are complete by it."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.calendar import batch_watermark, count_days, day_of, days_before, days_of, last_mature_day
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


ZONES = ["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Antarctica/Casey", "Pacific/Apia"]
MOMENTS = st.one_of(
    st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)),
    # Around changes of clocks, one of them by a whole day.
    *(st.datetimes(start, start + timedelta(days=2), timezones=st.just(UTC)) for start in map(datetime.fromisoformat, ("2010-11-07", "2011-12-29", "2022-10-01"))),
)  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
@given(moments=st.lists(MOMENTS, max_size=8))
def test_a_day_is_that_of_pythons_calendar_in_the_zone(zone: str, moments: list[datetime]) -> None:
    times = pa.array(moments, pa.timestamp("us", "UTC"))
    expected = [moment.astimezone(ZoneInfo(zone)).date() for moment in moments]
    assert days_of(pa.chunked_array([times, times.slice(1)]), zone).to_pylist() == expected + expected[1:]
    assert count_days(times, zone) == Counter(expected)
    assert [day_of(moment, zone) for moment in moments] == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)])
def test_a_time_that_an_earlier_version_stored_has_a_day_too(zone: str, moment: datetime) -> None:
    [day] = count_days(pa.array([moment], pa.timestamp("us", "UTC")), zone)
    assert abs((day - moment.date()).days) <= 1
