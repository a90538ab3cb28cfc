"""Event days and the watermark: how far a model's event time has come."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from functions.shared.arrow import numbers_of
from functions.shared.domain.manifest import Manifest

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)
"""The days on which something may have happened. Beyond them lie marks of no time and of no end, such as 0001-01-01 and 9999-12-31."""

_TAIL_SHARE = 0.05
_DAY_US = 24 * 60 * 60 * 1_000_000
_EPOCH = date(1970, 1, 1)


def is_plausible(day: date) -> bool:
    """Whether something may have happened on a day; earlier versions stored others as well."""
    return FIRST_DAY <= day <= LAST_DAY


def days_before(day: date, days: float) -> date:
    """So many days earlier, of a part of a day all; the calendar's first day where that would lie before it.

    >>> days_before(date(2013, 4, 20), 6.5), days_before(date(1, 1, 2), 1e300)
    (datetime.date(2013, 4, 13), datetime.date(1, 1, 1))
    """
    first = date.min.toordinal()
    ordinal = day.toordinal()
    return date.fromordinal(ordinal - math.ceil(days) if days < ordinal - first else first)


def count_days(times: pa.Array) -> dict[date, int]:
    """Rows by UTC day of a column of timestamps in microseconds without nulls."""
    days = numbers_of(times, np.int64) // _DAY_US
    if not len(days):
        return {}
    first = days.min()
    counts = np.bincount(days - first)
    present = np.flatnonzero(counts)
    return {_EPOCH + timedelta(days=day): rows for day, rows in zip((present + first).tolist(), counts[present].tolist(), strict=True)}


def batch_watermark(event_days: Mapping[date, int]) -> date | None:
    """The latest day that a batch has really reached: 5 % of its rows lie on it or after it.

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


def event_watermark(manifests: Iterable[Manifest]) -> date | None:
    """The latest day that any of these batches has reached; None without scored rows."""
    reached = [day for manifest in manifests if (day := batch_watermark(manifest.event_days))]
    return max(reached, default=None)


def last_mature_day(manifests: Iterable[Manifest], delay_days: float) -> date | None:
    """The last event day whose labels count as complete, by how far these batches have come; None without scored rows.

    Of a part of a day all is waited for.
    """
    watermark = event_watermark(manifests)
    return days_before(watermark, delay_days) if watermark else None
