"""Labels meet their predictions: a join by identity, file by file."""

import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.shared.domain.calendar import day_of, days_of
from functions.shared.domain.ids import id_texts
from functions.shared.domain.labelled_columns import ARRIVED, BATCH, CHALLENGER, CHAMPION, ID, LABEL, TIME, stored_identity
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.release import Role
from functions.shared.domain.scored_columns import stored_name
from functions.shared.domain.spec import ModelSpec
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import file_of

POSITION, ROW, _PLACE = "position", "row", "place"
"""Columns of the join: where a row lies among the labels and in its file."""


@dataclass(frozen=True, slots=True)
class Labels:
    """One file of labels with the columns `id` and `label`.

    It has `time` too if the model has event times and the file states them.

    `refused` counts those that were given and say nothing, or in rows that cannot be read, which are not in the table.
    """

    table: pa.Table
    has_time: bool
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """Scored rows with their labels by event day.

    It also has their batches, and labels without a row.
    """

    by_day: Mapping[date, pa.Table]
    batches: Sequence[Manifest]
    unmatched: Labels


def join_labels(labels: Labels, manifests: Iterable[Manifest], spec: ModelSpec, *, store: ObjectStore, arrived: str) -> Joined:
    """Find the scored rows that labels belong to.

    A label belongs to the prediction of the same id and time; without times, to the latest prediction of its id in the files
    that were uploaded before it, since it cannot be about what came later. Of several labels for one row in a file the last wins.

    Args:
        manifests: the batches that may hold the rows, newest first; no more of them are read than labels wait for.
        arrived: when the labels were uploaded, in ISO 8601.
    """
    identity = [ID, TIME] if labels.has_time else [ID]
    waiting = _last(labels.table, identity)
    days = label_days(labels, spec)
    found: dict[date, list[pa.Table]] = defaultdict(list)
    met: list[Manifest] = []
    for manifest in manifests:
        if not waiting.num_rows:
            break
        if not manifest.outputs or not _may_hold(manifest, days, arrived):
            continue
        known = waiting.num_rows
        for rows, positions in _matches(manifest, waiting, identity, spec, store, arrived):
            waiting = waiting.filter(pc.invert(pc.is_in(waiting[POSITION], value_set=positions)))
            for day, part in _by_day(rows, manifest, spec):
                found[day].append(part)
        if waiting.num_rows < known:
            met.append(manifest)
    unmatched = Labels(waiting.drop_columns([POSITION]), labels.has_time)
    return Joined({day: _stacked(found[day]) for day in sorted(found)}, met, unmatched)


def label_days(labels: Labels, spec: ModelSpec) -> set[date] | None:
    """Return the event days that labels are about; None if they state no times."""
    return set(pc.unique(days_of(labels.table[TIME], spec.day_zone)).to_pylist()) if labels.has_time else None


def _may_hold(manifest: Manifest, days: set[date] | None, arrived: str) -> bool:
    """Return whether a batch may have rows of these days, or came before the labels."""
    if days is not None:
        return bool(days & manifest.event_days.keys())
    return manifest.source.last_modified <= datetime.fromisoformat(arrived)


def scored_ids(manifest: Manifest, spec: ModelSpec, *, store: ObjectStore) -> pa.ChunkedArray:
    """Return the ids of a batch's scored rows as texts, without expired files."""
    chunks = []
    for output in manifest.outputs:
        body = file_of(manifest, output.key, store)
        if body is None:
            continue
        file = pq.ParquetFile(pa.BufferReader(body))
        column = stored_name(spec.id_column, file.schema_arrow.names, spec)
        chunks.extend(id_texts(file.read([column])[column]).chunks)
    return pa.chunked_array(chunks, pa.string())


def relabelled(
    manifest: Manifest, day: date, keys: Iterable[str], spec: ModelSpec, *, store: ObjectStore
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the labelled files that a later batch scored again, with rows to keep."""
    for key in keys:
        rows = pq.read_table(pa.BufferReader(store.read(key)))
        identities = _identities(rows, spec)
        identity = [name for name in (ID, TIME) if name in identities.column_names]
        labels = Labels(identities.append_column("label", rows[LABEL].take(identities[ROW])).select([*identity, "label"]), TIME in identity)
        again = join_labels(labels, [manifest], spec, store=store, arrived=rows[ARRIVED][0].as_py()).by_day.get(day)
        if again is not None:
            kept = identities.join(_identities(again, spec).select(identity), identity, join_type="left anti", use_threads=False)
            yield key, _stacked([rows.take(kept[ROW].sort()), again])


def _identities(rows: pa.Table, spec: ModelSpec) -> pa.Table:
    """`ID`, as text, and `TIME` of scored rows, and the `ROW` where each lies."""
    columns = {name: rows[stored] for name, stored in stored_identity(rows.column_names, spec).items()}
    columns[ID] = id_texts(columns[ID])
    return pa.table(columns).append_column(ROW, pa.array(np.arange(rows.num_rows)))


def _last(table: pa.Table, identity: Sequence[str]) -> pa.Table:
    """Return the last row of each identity, with its `POSITION` in the table."""
    numbered = table.append_column(POSITION, pa.array(np.arange(table.num_rows)))
    last = numbered.group_by(identity, use_threads=False).aggregate([(POSITION, "max")])
    return numbered.take(last[f"{POSITION}_max"])


def _matches(
    manifest: Manifest, waiting: pa.Table, identity: Sequence[str], spec: ModelSpec, store: ObjectStore, arrived: str
) -> Iterator[tuple[pa.Table, pa.ChunkedArray]]:
    """Yield for each file of a batch its labelled rows and the labels' positions.

    The result is the same as if the batch were one file.
    """
    pairs, labelled = [], []
    for output in manifest.outputs:
        body = file_of(manifest, output.key, store)
        if body is None:
            continue
        rows = pq.read_table(pa.BufferReader(body))
        paired = _paired(_identities(rows, spec), waiting, identity).sort_by(ROW)
        pairs.append(paired)
        labelled.append(_labelled(rows, paired, manifest, spec, arrived))
    if not pairs:
        return
    every = pa.concat_tables(pairs)
    latest = _latest(every)
    start = 0
    for rows in labelled:
        part = latest.slice(start, rows.num_rows)
        yield rows.filter(part), every[POSITION].slice(start, rows.num_rows).filter(part)
        start += rows.num_rows


def _latest(pairs: pa.Table) -> pa.Array:
    """Return which of several rows for one label is the last in time.

    The rows are of several files, in their order.
    """
    numbered = pairs.append_column(_PLACE, pa.array(np.arange(pairs.num_rows)))
    if TIME in pairs.column_names:
        numbered = numbered.sort_by([(TIME, "ascending"), (_PLACE, "ascending")])
    last = numbered.group_by(POSITION, use_threads=False).aggregate([(_PLACE, "last")])[f"{_PLACE}_last"]
    return pc.is_in(pa.array(np.arange(pairs.num_rows)), value_set=last)


def _paired(scored: pa.Table, waiting: pa.Table, identity: Sequence[str]) -> pa.Table:
    """Return each label with the `ROW` of the last scoring of its identity.

    The result holds the label and its `POSITION` too.
    """
    known = scored.filter(pc.is_in(scored[ID], value_set=waiting[ID]))
    if TIME in known.column_names:
        known = known.sort_by([(TIME, "ascending"), (ROW, "ascending")])
    latest = _last(known, identity).select([name for name in (ID, TIME, ROW) if name in known.column_names])
    return latest.join(waiting.select([*identity, "label", POSITION]), identity, join_type="inner", use_threads=False)


def _labelled(rows: pa.Table, pairs: pa.Table, manifest: Manifest, spec: ModelSpec, arrived: str) -> pa.Table:
    """Return the paired rows as scored, with the columns that labelled rows add.

    The file itself shows whether a challenger scored them: in a batch of partitions, some may have been scored without it.
    """
    release = manifest.release
    assert release is not None, "a batch with outputs has a release"
    has_challenger = f"{Role.CHALLENGER}_{spec.score_columns[0]}" in rows.column_names
    challenger = release.challenger.version if release.challenger and has_challenger else None
    labelled = rows.take(pairs[ROW]).append_column(LABEL, pairs["label"])
    added = {ARRIVED: arrived, CHAMPION: release.champion, CHALLENGER: challenger, BATCH: manifest.batch_id}
    for name, value in added.items():
        labelled = labelled.append_column(name, pa.array([value] * labelled.num_rows, pa.string()))
    return labelled


def _by_day(rows: pa.Table, manifest: Manifest, spec: ModelSpec) -> Iterator[tuple[date, pa.Table]]:
    """Yield rows of each event day, in their order."""
    days = event_days(rows, manifest, spec)
    order = pc.sort_indices(pa.table({"day": days, ROW: pa.array(np.arange(rows.num_rows))}), [("day", "ascending"), (ROW, "ascending")])
    ordered = rows.take(order).combine_chunks()
    start = 0
    for found in pc.value_counts(days.take(order)).to_pylist():
        yield found["values"], ordered.slice(start, found["counts"])
        start += found["counts"]


def event_days(rows: pa.Table, manifest: Manifest, spec: ModelSpec) -> pa.ChunkedArray:
    """Return the event day of each scored row.

    It is the day of arrival if the model has no time column.
    """
    if spec.time_column is None:
        arrived = day_of(manifest.source.last_modified, spec.day_zone)
        return pa.chunked_array([pa.repeat(pa.scalar(arrived), rows.num_rows)])
    return days_of(rows[stored_identity(rows.column_names, spec)[TIME]], spec.day_zone)


def _stacked(tables: Sequence[pa.Table]) -> pa.Table:
    """Return rows of several files as one table.

    A column that files hold in different types, which only a carried one may, is text.
    """
    types = defaultdict(set)
    for table in tables:
        for field in table.schema:
            types[field.name].add(field.type)
    mixed = {name for name, kinds in types.items() if len(kinds) > 1}
    return pa.concat_tables((_as_text(table, mixed) for table in tables), promote_options="default")


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for position, field in enumerate(table.schema):
        if field.name in names:
            table = table.set_column(position, field.name, _written(table.column(position)))
    return table


def _written(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return values as texts; those that have none, lists and bytes, as JSON."""
    if isinstance(column.type, pa.BaseExtensionType):
        return id_texts(column)
    with suppress(pa.ArrowException):
        return pc.cast(column, pa.string())
    return pa.chunked_array([[None if value is None else json.dumps(value, default=str) for value in column.to_pylist()]], pa.string())


def write_labelled(store: ObjectStore, key: str, table: pa.Table) -> None:
    """Store labelled rows; the same label file delivered again writes the same key."""
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd")
    store.write(key, body.getvalue())
