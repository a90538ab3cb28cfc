"""Event days and the watermark: how far a model's event time has come."""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from functions.shared.domain.manifest import Manifest
from functions.shared.foundation.arrow import fixed_width, numbers_of

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""The days on which something may have happened. Beyond them lie marks of no time and of no end, such as 0001-01-01 and 9999-12-31."""

_TAIL_SHARE = 0.05
_DAY_US = 24 * 60 * 60 * 1_000_000
_EPOCH, _START = date(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)


def is_plausible(day: date) -> bool:
    """Return whether a day is plausible; earlier versions stored others as well."""
    return FIRST_DAY <= day <= LAST_DAY


def days_before(day: date, days: float) -> date:
    """Return the day this many days earlier, a part of a day counted as a whole one.

    It is at least the calendar's first day.

    >>> days_before(date(2013, 4, 20), 6.5), days_before(date(1, 1, 2), 1e300)
    (datetime.date(2013, 4, 13), datetime.date(1, 1, 1))
    """
    first = date.min.toordinal()
    ordinal = day.toordinal()
    return date.fromordinal(ordinal - math.ceil(days) if days < ordinal - first else first)


def day_of(moment: datetime, zone: str) -> date:
    """Return the day on which a moment lies in a time zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def days_of(times: pa.ChunkedArray, zone: str) -> pa.ChunkedArray:
    """Return each timestamp's day in a time zone; microseconds, without nulls."""
    days = [fixed_width(_day_numbers(chunk, zone).astype(np.int32), pa.date32()) for chunk in times.chunks]
    return pa.chunked_array(days, pa.date32())


def count_days(times: pa.Array, zone: str) -> dict[date, int]:
    """Count rows by day in a time zone; timestamps in microseconds, without nulls."""
    days = _day_numbers(times, zone)
    if not len(days):
        return {}
    first = days.min()
    counts = np.bincount(days - first)
    present = np.flatnonzero(counts)
    return {_EPOCH + timedelta(days=day): rows for day, rows in zip((present + first).tolist(), counts[present].tolist(), strict=True)}


def _day_numbers(times: pa.Array, zone: str) -> NDArray[np.int64]:
    """Return days since 1970 of timestamps.

    Those beyond the calendar are its first or its last.

    A UTC day that begins and ends with the same offset has no other in between, so only the times of the few days on which
    clocks are changed are looked up one by one.
    """
    values = numbers_of(times, np.int64)
    if zone == "UTC":
        return values // _DAY_US
    days, places = np.unique(values // _DAY_US, return_inverse=True)
    first, last = (_offsets_us(times, ZoneInfo(zone)) for times in (days * _DAY_US, (days + 1) * _DAY_US - 1))
    offsets = first[places]
    changing = (first != last)[places]
    if changing.any():
        offsets[changing] = _offsets_us(values[changing], ZoneInfo(zone))
    local: NDArray[np.int64] = np.clip((values + offsets) // _DAY_US, _number(date.min), _number(date.max))
    return local


def _number(day: date) -> int:
    return (day - _EPOCH).days


def _offsets_us(values: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.int64]:
    """Return by how much local time is ahead of UTC at each instant.

    An implausible instant counts as the last plausible one.
    """
    near = np.clip(values, _number(FIRST_DAY) * _DAY_US, _number(LAST_DAY) * _DAY_US)
    local = ((_START + timedelta(microseconds=value)).astimezone(zone) for value in near.tolist())
    return np.fromiter(((moment.utcoffset() or timedelta()) // timedelta(microseconds=1) for moment in local), np.int64, len(near))


def batch_watermark(event_days: Mapping[date, int]) -> date | None:
    """Return the latest day on or after which 5 % of a batch's rows lie.

    A few future-dated rows therefore cannot move it. Days that are not plausible say nothing.

    >>> batch_watermark({date(2013, 4, 1): 60, date(2013, 4, 2): 39, date(2031, 4, 1): 1})
    datetime.date(2013, 4, 2)
    """
    reached = {day: rows for day, rows in event_days.items() if is_plausible(day)}
    total, beyond = sum(reached.values()), 0
    for day in sorted(reached, reverse=True):
        beyond += reached[day]
        if beyond >= _TAIL_SHARE * total:
            return day
    return None


def last_mature_day(manifests: Iterable[Manifest], delay_days: float) -> date | None:
    """Return the last event day with complete labels, judged by the batches.

    It is None without scored rows.

    Of a part of a day all is waited for.
    """
    return mature_day((batch_watermark(manifest.event_days) for manifest in manifests), delay_days)


def mature_day(reached: Iterable[date | None], delay_days: float) -> date | None:
    """Return the last event day with complete labels, by the latest days of batches."""
    latest = max((day for day in reached if day), default=None)
    return days_before(latest, delay_days) if latest else None
