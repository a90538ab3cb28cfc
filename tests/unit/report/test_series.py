import math
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.performance.days import DayPerformance, GroupPerformance, Interval
from functions.shared.domain.performance.metrics import METRICS
from functions.shared.domain.release import Role
from infra.report.series import BOUNDS, Point, points_of, smoothed, visible_range
from tests.fakes.versions import MODEL
from tests.unit.report.story import FIRST_DAY

CHAMPION, CHALLENGER = Role.CHAMPION, Role.CHALLENGER


def group(role: Role, version: str, value: float | None = 0.5, *, rows: int = 10, interval: Interval | None = None) -> GroupPerformance:
    intervals = {"auc": interval} if interval else {}
    return GroupPerformance(
        role=role, version=version, rows=rows, metrics={"auc": value}, intervals=intervals, loss_sum=0, loss_sum_squares=0
    )


def day(number: int, *groups: GroupPerformance) -> DayPerformance:
    return DayPerformance(model=MODEL, day=FIRST_DAY + timedelta(days=number), rows_predicted=10, rows_labelled=10, groups=groups)


def runs(days: list[DayPerformance], role: Role) -> list[tuple[str, int, int]]:
    return [(point.version, point.run, (point.day - FIRST_DAY).days) for point in points_of(days, role, "auc")]


def point(number: int, value: float, *, rows: int = 10, run: int = 1, low: float | None = None, high: float | None = None) -> Point:
    return Point(
        FIRST_DAY + timedelta(days=number), CHAMPION, "1", run, rows, value, value if low is None else low, value if high is None else high
    )


def test_a_version_that_pauses_and_returns_in_a_role_has_two_runs() -> None:
    both = (group(CHAMPION, "1"), group(CHALLENGER, "2"))
    days = [day(0, *both), day(1, group(CHAMPION, "1")), day(2), day(3, *both), day(4, *both)]
    assert runs(days, CHAMPION) == [("1", 1, 0), ("1", 1, 1), ("1", 1, 3), ("1", 1, 4)]
    assert runs(days, CHALLENGER) == [("2", 1, 0), ("2", 2, 3), ("2", 2, 4)]


def test_versions_that_share_days_in_one_role_keep_a_run_each() -> None:
    days = [day(number, group(CHAMPION, "1"), group(CHAMPION, "2")) for number in range(2)]
    assert runs(days, CHAMPION) == [("1", 1, 0), ("1", 1, 1), ("2", 2, 0), ("2", 2, 1)]


def test_a_metric_that_is_undefined_on_a_day_has_no_point_there() -> None:
    days = [day(0, group(CHAMPION, "1", None)), day(1, group(CHAMPION, "1", float("inf"))), day(2, group(CHAMPION, "1"))]
    assert runs(days, CHAMPION) == [("1", 1, 2)]


def test_an_interval_without_end_is_as_good_as_none() -> None:
    endless = day(0, group(CHAMPION, "1", 0.5, interval=Interval(low=0.1, high=float("inf"))))
    known = day(1, group(CHAMPION, "1", 0.5, interval=Interval(low=0.4, high=0.7)))
    assert [(point.low, point.high) for point in points_of([endless, known], CHAMPION, "auc")] == [(0.5, 0.5), (0.4, 0.7)]


@given(st.lists(st.tuples(st.integers(1, 12), st.floats(-10, 10), st.integers(1, 1000)), min_size=1, max_size=30))
def test_the_line_is_the_mean_of_seven_days_weighted_by_rows(steps: list[tuple[int, float, int]]) -> None:
    places = np.cumsum([step for step, _, _ in steps]).tolist()
    points = [point(place, value, rows=rows) for place, (_, value, rows) in zip(places, steps, strict=True)]
    frame = pd.DataFrame(
        {"sum": [value * rows for _, value, rows in steps], "rows": [float(rows) for _, _, rows in steps]},
        index=pd.DatetimeIndex([point.day for point in points]),
    )
    rolling = frame.rolling("7D").sum()
    assert list(smoothed(points)) == pytest.approx((rolling["sum"] / rolling["rows"]).tolist(), abs=1e-6)


def test_a_mean_never_reaches_into_another_run() -> None:
    assert list(smoothed([point(0, 1.0), point(1, 3.0), point(2, 10.0, run=2)])) == [1.0, 2.0, 10.0]


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=1, max_size=30), st.lists(st.floats(-20, 20), max_size=3))
def test_an_axis_without_bounds_holds_every_value_and_level_with_room_around_it(
    values: list[tuple[float, float]], levels: list[float]
) -> None:
    points = [point(place, value, low=value - half, high=value + half) for place, (value, half) in enumerate(values)]
    low, high = visible_range(points, levels, (-math.inf, math.inf))
    assert all(low < shown < high for shown in (*(value for value, _ in values), *levels))


def test_one_day_of_few_labels_does_not_widen_the_axis() -> None:
    days = [point(number, 0.5, low=0.45, high=0.55) for number in range(9)]
    assert visible_range([*days, point(9, 0.5, low=-100.0, high=100.0)], [], BOUNDS["auc"]) == pytest.approx((0.44, 0.56))


def test_no_axis_goes_beyond_what_its_metric_can_be() -> None:
    few_labels = [point(number, value, low=value - 0.3, high=value + 0.3) for number, value in enumerate((0.9, 0.1))]
    assert visible_range(few_labels, [], BOUNDS["auc"]) == (0, 1)
    assert visible_range(few_labels, [], BOUNDS["log_loss"]) == pytest.approx((0, 0.9 + 1.2 * 0.3))
    assert visible_range(few_labels, [], BOUNDS["r2"]) == pytest.approx((0.1 - 1.2 * 0.3, 1))


def test_every_metric_has_bounds() -> None:
    assert set(BOUNDS) == {metric for metrics in METRICS.values() for metric in metrics} | {"cost"}


def test_days_are_event_days() -> None:
    assert [found.day for found in points_of([day(3, group(CHAMPION, "1"))], CHAMPION, "auc")] == [date(2013, 4, 4)]
