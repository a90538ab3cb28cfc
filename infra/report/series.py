"""Turn one metric of all versions into points by event day for a chart."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from functions.shared.domain.calendar import days_before
from functions.shared.domain.performance.days import DayPerformance, Interval
from functions.shared.domain.performance.error_curve import COST
from functions.shared.domain.release import Role

SMOOTHED_DAYS = 7

BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("accuracy", "precision", "recall", "f1", "auc", "ece"), (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "brier", "mae", "rmse", "mape", COST), (0.0, math.inf)),
    "r2": (-math.inf, 1.0),
}
"""Bounds of each metric, beyond which no axis goes."""


@dataclass(frozen=True, slots=True)
class Point:
    """A metric of one version in one role on one event day, with its interval.

    Without a known interval, it is the value itself. `run` is the number of a run of measured days on which a version kept its role.
    """

    day: date
    role: Role
    version: str
    run: int
    rows: int
    value: float
    low: float
    high: float


def points_of(days: Sequence[DayPerformance], role: Role, metric: str) -> list[Point]:
    """Return the metric of all versions in one role, by run and day.

    Days without labels do not end a run.
    """
    points: list[Point] = []
    started, running = 0, dict[str, int]()
    for performed in (performed for performed in days if performed.groups):
        groups = {group.version: group for group in performed.groups if group.role is role}
        running = {version: run for version, run in running.items() if version in groups}
        for version, group in groups.items():
            if version not in running:
                started += 1
                running[version] = started
            value = group.metrics.get(metric)
            if value is not None and math.isfinite(value):
                low, high = _bounds(group.intervals.get(metric), value)
                points.append(Point(performed.day, role, version, running[version], group.rows, value, low, high))
    return sorted(points, key=lambda point: (point.run, point.day))


def _bounds(interval: Interval | None, value: float) -> tuple[float, float]:
    if interval is None or not math.isfinite(interval.high - interval.low):
        return value, value
    return interval.low, interval.high


def smoothed(points: Sequence[Point]) -> Iterator[float]:
    """Yield for each point its run's mean over the last seven days, weighted by rows."""
    for place, point in enumerate(points):
        first = days_before(point.day, SMOOTHED_DAYS - 1)
        before = points[max(0, place - SMOOTHED_DAYS + 1) : place + 1]
        near = [other for other in before if (other.role, other.run) == (point.role, point.run) and other.day >= first]
        yield math.fsum(other.value * other.rows for other in near) / sum(other.rows for other in near)


def visible_range(points: Sequence[Point], levels: Sequence[float], bounds: tuple[float, float]) -> tuple[float, float]:
    """Return an axis range for all values, all levels, and intervals of a usual size.

    Larger intervals, of days with few labels, would flatten all others. The range stays within the metric's `bounds`.
    """
    shown = [*(point.value for point in points), *levels]
    low, high = min(shown), max(shown)
    margin = max((high - low) / 10, 1.2 * median((point.high - point.low) / 2 for point in points), 1e-9)
    return max(low - margin, bounds[0]), min(high + margin, bounds[1])
