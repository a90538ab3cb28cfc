"""Event days and the watermark: how far a model's event time has come."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from functions.shared.arrow import numbers_of
from functions.shared.domain.manifest import Manifest

_TAIL_SHARE = 0.05
_DAY_US = 24 * 60 * 60 * 1_000_000
_EPOCH = date(1970, 1, 1)


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

    A few future-dated rows therefore cannot move it.

    >>> batch_watermark({date(2013, 4, 1): 60, date(2013, 4, 2): 39, date(2031, 4, 1): 1})
    datetime.date(2013, 4, 2)
    """
    total, beyond = sum(event_days.values()), 0
    for day in sorted(event_days, reverse=True):
        beyond += event_days[day]
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
    return watermark - timedelta(days=math.ceil(delay_days)) if watermark else None
