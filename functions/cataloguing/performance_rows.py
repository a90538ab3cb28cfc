"""The table of performance: what labels said of each version by event day."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from functions.cataloguing.followed import Made, Sources
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore
from functions.shared.repositories.performances import day_of_key, listed_days

_AT_ONCE = 16
_ALWAYS = {
    "event_day": pa.date32(),
    "role": pa.string(),
    "version": pa.string(),
    "rows": pa.int64(),
    "day_rows_predicted": pa.int64(),
    "day_rows_labelled": pa.int64(),
    "prevalence": pa.float64(),
    "loss_sum": pa.float64(),
    "loss_sum_squares": pa.float64(),
}


class PerformanceRows:
    """One row per version, role and event day.

    A metric is a column, and each of its bounds. The days of a month are one file: a day has a handful of rows.
    """

    kind, depends, shows_people = "performance", "", False

    def __init__(self, model: str) -> None:
        self._model = model

    def sources(self, store: ObjectStore) -> Mapping[date, Sources]:
        """Return the documents of event days by the first day of their month."""
        found: dict[date, dict[str, str]] = defaultdict(dict)
        for info in listed_days(self._model, store):
            found[day_of_key(info.key).replace(day=1)][info.key] = info.etag
        return found

    def made(self, sources: Sources, store: ObjectStore) -> Made:
        """Return a month's rows, by day, as each day is now.

        While labels come, days change all the time: else a month might never be read as it was listed.
        """
        read = dict(zip(sorted(sources), map_ahead(partial(_now, store), iter(sorted(sources)), threads=_AT_ONCE), strict=True))
        rows = [row for body, _ in read.values() for row in _rows(DayPerformance.from_json(body))]
        measured = dict.fromkeys((name for row in rows for name in row if name not in _ALWAYS), pa.float64())
        schema = pa.schema({**_ALWAYS, **measured})
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, schema), sink, compression="zstd")
        return Made(bytes(sink.getvalue()), [schema], {key: etag for key, (_, etag) in read.items()})


def _now(store: ObjectStore, key: str) -> tuple[bytes, str]:
    try:
        return store.read_tagged(key)
    except NotFoundError as error:
        message = f"{key} went while a table was made from it"
        raise ConflictError(message) from error


def _rows(day: DayPerformance) -> Iterator[dict[str, Any]]:
    for group in day.groups:
        yield {
            "event_day": day.day,
            "role": group.role.value,
            "version": group.version,
            "rows": group.rows,
            "day_rows_predicted": day.rows_predicted,
            "day_rows_labelled": day.rows_labelled,
            "prevalence": group.prevalence,
            "loss_sum": group.loss_sum,
            "loss_sum_squares": group.loss_sum_squares,
            **group.metrics,
            **{f"{name}_low": interval.low for name, interval in group.intervals.items()},
            **{f"{name}_high": interval.high for name, interval in group.intervals.items()},
        }
