"""How far event time has come, and which labels are complete by it."""

from datetime import date

import pytest

from functions.shared.domain.calendar import last_mature_day
from tests.fakes.documents import make_manifest


@pytest.mark.parametrize(("delay_days", "last"), [(0, 20), (0.1, 19), (1, 19), (6.5, 13), (7, 13)])
def test_of_a_part_of_a_day_all_is_waited_for(delay_days: float, last: int) -> None:
    batch = make_manifest(rows_in=9, rows_scored=9, event_days={date(2013, 4, 20): 9})
    assert last_mature_day([batch], delay_days) == date(2013, 4, last)


def test_without_a_scored_row_no_day_is_mature() -> None:
    assert last_mature_day([], 0) is None
