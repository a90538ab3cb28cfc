"""The rows of days, each with its batch.

Labels find their batches by them: by event days or, without times, by days of arrival.

Of a day with many batches they are kept in a document, so that labels read only the batches that came since the last ones, and those
that they meet. It follows from the scored rows alone, so it may be deleted at any time.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.metric_emission.join import event_days
from functions.metric_emission.ports import Model
from functions.shared.domain import layout
from functions.shared.domain.arrival import Arrival, Listed
from functions.shared.domain.errors import NotFoundError
from functions.shared.domain.ids import id_texts
from functions.shared.domain.labelled_columns import ID, TIME, stored_identity
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.spec import ModelSpec
from functions.shared.foundation.ahead import map_ahead
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.manifests import file_of
from functions.shared.repositories.swap import swap

FEW = 16
"""An event day of no more batches is read whole each time, and nothing is kept of it."""
MOST_KEPT = 5_000_000
"""The most rows kept of a day: reading more would take longer than reading batches."""
AT_ONCE = 16
"""Batches that are read at a time."""
KEPT_UP_EVERY = 64
"""One in this many measured batches has the rows of its days gathered."""
_FEW_DAYS = 7
_BATCH, _DAY, _BATCHES = "batch", "day", b"batches"


@dataclass(frozen=True, slots=True)
class DayRows:
    """Identities of a day's rows: `ID`, `TIME` if the model has times, and the batch.

    `batches` are those that were looked through, whether or not they have rows of the day.
    """

    table: pa.Table
    batches: frozenset[str]

    @classmethod
    def from_bytes(cls, body: bytes) -> "DayRows":
        """Read what `to_bytes` wrote."""
        table = pq.read_table(pa.BufferReader(body))
        return cls(table, frozenset(json.loads(table.schema.metadata[_BATCHES])))

    def to_bytes(self) -> bytes:
        """Return the rows as Parquet, with the names of the batches in its metadata."""
        sink = pa.BufferOutputStream()
        table = self.table.replace_schema_metadata({_BATCHES: json.dumps(sorted(self.batches)).encode()})
        pq.write_table(table, sink, compression="zstd")
        return bytes(sink.getvalue())

    @property
    def distinct(self) -> int:
        """How many rows there are, each identity once, however many batches scored it."""
        identity = [name for name in (ID, TIME) if name in self.table.column_names]
        distinct: int = self.table.select(identity).group_by(identity, use_threads=False).aggregate([]).num_rows
        return distinct

    def batches_of(self, ids: pa.ChunkedArray) -> set[str]:
        """Return the batches that have rows with some of these ids."""
        return set(self.table.filter(pc.is_in(self.table[ID], value_set=ids))[_BATCH].to_pylist())

    def only(self, batches: Collection[str]) -> "DayRows":
        """Return what is of these batches."""
        if self.batches <= set(batches):
            return self
        kept = self.batches.intersection(batches)
        return DayRows(self.table.filter(pc.is_in(self.table[_BATCH], value_set=pa.array(sorted(kept), pa.string()))), kept)

    def plus(self, other: "DayRows") -> "DayRows":
        """With the batches of another that are not in here yet."""
        fresh = other.only(other.batches - self.batches)
        return DayRows(pa.concat_tables([self.table, fresh.table]), self.batches | fresh.batches)


@dataclass(frozen=True, slots=True)
class _By:
    """By which days rows are gathered.

    `key` is where a day's rows are kept, `day` says which day each row of a batch is of, and of a day of no more than `few` batches
    nothing is kept.
    """

    key: Callable[[str, date], str]
    day: Callable[[pa.Table, Manifest, ModelSpec], pa.ChunkedArray]
    few: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """The rows of some days, and the manifests read for them, by batch."""

    days: Mapping[date, DayRows]
    arrivals: Mapping[str, Arrival]
    manifests: Mapping[str, Manifest]

    def manifest(self, arrival: Arrival, model: Model) -> Manifest:
        """Return the manifest of a batch, which may have been read already."""
        return self.manifests.get(arrival.batch) or model.manifests.at(model.name, arrival)

    def predicted(self, day: date) -> int:
        """Return how many rows of a day were scored."""
        return self.days[day].distinct if day in self.days else 0

    def ids_by_batch(self, ids: pa.Array) -> dict[str, pa.Array]:
        """Return the batches with rows of some ids, and which of these each has."""
        found: dict[str, pa.Array] = {}
        for rows in self.days.values():
            met = rows.table.select([ID, _BATCH]).filter(pc.is_in(rows.table[ID], value_set=ids))
            plain = met.set_column(1, _BATCH, met[_BATCH].cast(pa.string()))
            by_batch = plain.group_by(_BATCH, use_threads=False).aggregate([(ID, "list")])
            found |= {batch: its.values for batch, its in zip(by_batch[_BATCH].to_pylist(), by_batch[f"{ID}_list"], strict=True)}
        return found

    def holding(self, ids: pa.ChunkedArray) -> list[Arrival]:
        """Return the batches with rows of some of these ids, the newest first."""
        met = {batch for rows in self.days.values() for batch in rows.batches_of(ids)}
        return sorted((self.arrivals[batch] for batch in met), key=lambda arrival: arrival.name)


def gather(days: Collection[date], model: Model) -> Gathered:
    """Gather the rows of some event days from all batches that stand.

    Rows of days with many batches are kept for the next time.
    """
    return _gather(BatchIndex(model.store).by_day(model.name, days), _By(layout.identities_key, event_days, FEW), model)


def gather_arrived(arrivals: Iterable[Arrival], model: Model) -> Gathered:
    """Gather the rows of some batches by UTC day of arrival, and keep them.

    Of each day all batches are to be among them, the newest first.
    """
    found: dict[date, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        found[arrival.day].append(arrival)
    return _gather(
        {day: Listed.of(came).with_rows() for day, came in found.items()}, _By(layout.arrived_rows_key, _day_of_arrival, 0), model
    )


def _day_of_arrival(rows: pa.Table, manifest: Manifest, _: ModelSpec) -> pa.ChunkedArray:
    return pa.chunked_array([pa.repeat(pa.scalar(Arrival.of(manifest).day), rows.num_rows)])


def _gather(found: Mapping[date, Listed], by: _By, model: Model) -> Gathered:
    many = [day for day, listed in found.items() if len(listed.standing) > by.few]
    kept = dict(zip(many, map_ahead(partial(_kept, by=by, model=model), iter(many), threads=AT_ONCE), strict=True))
    fresh = {arrival.batch: arrival for day, listed in found.items() for arrival in listed.standing if not _knows(kept.get(day), arrival)}
    read = list(map_ahead(partial(_read, by=by, model=model), iter(fresh.values()), threads=AT_ONCE))
    by_day = _by_day([rows for _, rows in read if rows is not None], found)
    rows = {}
    for day, listed in found.items():
        came = DayRows(by_day[day], frozenset(fresh).intersection(arrival.batch for arrival in listed.standing)) if day in by_day else None
        known = _with_new(day, listed, kept.get(day), came, by, model) if day in kept else came
        if known is not None:
            rows[day] = known
    arrivals_by_batch = {arrival.batch: arrival for listed in found.values() for arrival in listed.standing}
    return Gathered(rows, arrivals_by_batch, {manifest.batch_id: manifest for manifest, _ in read})


def keep_up(manifest: Manifest, model: Model) -> None:
    """Gather the rows of a batch's days, for one batch in many.

    So the first labels of a day with very many batches do not have to read them all.
    """
    days = manifest.event_days
    if model.labelled_days and len(days) <= _FEW_DAYS and int(manifest.batch_id[:8], 16) % KEPT_UP_EVERY == 0:
        gather(days, model)


def _kept(day: date, *, by: _By, model: Model) -> DayRows | None:
    try:
        return DayRows.from_bytes(model.store.read(by.key(model.name, day)))
    except NotFoundError:
        return None


def _knows(kept: DayRows | None, arrival: Arrival) -> bool:
    return kept is not None and arrival.batch in kept.batches


def _read(arrival: Arrival, *, by: _By, model: Model) -> tuple[Manifest, pa.Table | None]:
    """Return the identities of a batch's rows, with day and batch.

    Return None without rows, or if they have expired.
    """
    manifest = model.manifests.at(model.name, arrival)
    bodies = (file_of(manifest, output.key, model.store) for output in manifest.outputs)
    tables = [_identities(body, manifest, by, model) for body in bodies if body is not None]
    return manifest, pa.concat_tables(tables) if tables else None


def _identities(body: bytes, manifest: Manifest, by: _By, model: Model) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(body))
    identity = stored_identity(file.schema_arrow.names, model.spec)
    rows = file.read([*identity.values()]).select([*identity.values()])
    named = rows.rename_columns([*identity]).append_column(_DAY, by.day(rows, manifest, model.spec))
    batch = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows.num_rows), pa.array([manifest.batch_id]))
    return named.set_column(0, ID, id_texts(named[ID])).append_column(_BATCH, pa.chunked_array([batch]))


def _by_day(tables: Iterable[pa.Table], days: Collection[date]) -> dict[date, pa.Table]:
    """Return rows by those of their days that are wanted."""
    every = [*tables]
    if not every:
        return {}
    rows = pa.concat_tables(every).unify_dictionaries().sort_by(_DAY)
    return dict(_slices(rows, days))


def _slices(rows: pa.Table, days: Collection[date]) -> Iterator[tuple[date, pa.Table]]:
    start = 0
    for found in pc.value_counts(rows[_DAY]).to_pylist():
        if found["values"] in days:
            yield found["values"], rows.slice(start, found["counts"]).drop_columns([_DAY])
        start += found["counts"]


def _with_new(day: date, listed: Listed, kept: DayRows | None, came: DayRows | None, by: _By, model: Model) -> DayRows | None:
    """Add rows that came to those of a day, and keep them for the next time.

    Another writer's older list may lack batches of this one, and the other way round. So only batches that are known to be superseded
    are removed, and the answer has all that stand, whoever knows them. Rows that were read from the document earlier are not
    written again: an erasure may have removed them since.
    """
    batches = {arrival.batch for arrival in listed.standing}
    if kept is not None and came is None and kept.batches.isdisjoint(listed.superseded):
        return kept.only(batches)

    def brought_up(body: bytes | None) -> tuple[bytes | None, DayRows | None]:
        stored = DayRows.from_bytes(body) if body is not None else None
        before = stored.only(stored.batches - listed.superseded) if stored else None
        now = _together(before, came)
        known = _together(now, kept)
        answer = known.only(batches) if known else None
        return (now.to_bytes() if now and now.table.num_rows <= MOST_KEPT else None), answer

    return swap(model.store, by.key(model.name, day), brought_up)


def _together(rows: DayRows | None, others: DayRows | None) -> DayRows | None:
    return rows.plus(others) if rows and others else rows or others
