"""Small files of a closed day as a few large ones, which show the same rows.

A large file's name says of which versions of the day's manifests it was made, so that it is right as long as these are. As soon as one
differs, as after a rescoring or an erasure, the day's own files come back. Nothing else is kept.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from functions.cataloguing.batch_rows import Row, rows_in
from functions.cataloguing.columns import kind_of
from functions.cataloguing.footers import footer_of
from functions.cataloguing.ports import NewFile, Ports, Table, TableFile
from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.labelled_columns import ID, TIME, stored_identity
from functions.shared.domain.spec import ModelSpec
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectInfo, ObjectStore
from functions.shared.repositories.manifests import Manifests

_FORMAT = 2
"""Another number has all large files made again."""
_SMALL_ROWS = 25_000
"""A batch with more rows than these keeps its own files."""
_FEWEST = 16
"""A day with fewer small files stays as it is."""
_FULL_BYTES = 128 * 2**20
_SORTED_BYTES = 128 * 2**20
"""How much is sorted at a time, unpacked in memory."""
_AHEAD_BYTES = 64 * 2**20
"""About how much is read ahead, unpacked in memory."""
_VALUE_BYTES = 8
_AT_ONCE = 16

type Etags = Mapping[str, str]
"""ETags of the manifests of a day, by batch."""


@dataclass(frozen=True, slots=True)
class _Large:
    """A large file that was written, and has yet to come into the table."""

    info: ObjectInfo
    new: NewFile


def etags_on(model: str, day: date, store: ObjectStore) -> Etags:
    """Return the versions of all manifests of a day."""
    return {batch: info.etag for batch, info in Manifests(store).on(model, day)}


def in_large_files(rows: Iterable[Row]) -> Mapping[str, int]:
    """Return the batches that a day's large files hold, if it has any.

    They are those that stand and are small, each with the number of its rows.
    """
    return {row["batch_id"]: row["rows_scored"] for row in rows if row["standing"] and 0 < row["rows_scored"] <= _SMALL_ROWS}


def is_made_of(etags: Etags, file: TableFile, table: Table) -> bool:
    """Return whether a large file was made of these versions of its day's manifests."""
    return f"-{_name(table, etags)}-" in file.key


def days_of_small_files(model: str, days: Collection[date], ports: Ports) -> list[date]:
    """Return the days that compacting is worth it, the newest first."""
    files = ports.tables.open(model, "scored").files(days)
    batches = defaultdict[tuple[date, str], list[int]](list)
    for file in files:
        if file.batch:
            batches[file.day, file.batch].append(file.rows)
    small = Counter[date]()
    for (day, _), rows in batches.items():
        small[day] += len(rows) if 0 < sum(rows) <= _SMALL_ROWS else 0
    return sorted((day for day, count in small.items() if count >= _FEWEST), reverse=True)


def compact(model: str, day: date, spec: ModelSpec, ports: Ports) -> int:
    """Put a day's small files together, and return how many went out.

    Nothing happens if the tables do not show all rows of the manifests that there are, or if these or the table change meanwhile.
    """
    scored, batches = ports.tables.open(model, "scored"), ports.tables.open(model, "batches")
    rows = [row for file in batches.files({day}) for row in rows_in(ports.store.read(file.key)) or ()]
    etags, wanted = {row["batch_id"]: row["manifest"] for row in rows}, in_large_files(rows)
    small = sorted((file for file in scored.files({day}) if file.batch in wanted), key=lambda file: file.key)
    shown = Counter[str]()
    for file in small:
        shown[file.batch] += file.rows
    if not small or shown != wanted or etags_on(model, day, ports.store) != etags:
        return 0
    large = list[_Large]()
    try:
        for number, body in enumerate(_bodies(scored, small, spec, ports.store)):
            name = f"{_name(scored, etags)}-{number}-{hashlib.sha256(body).hexdigest()[:16]}"
            file = TableFile(layout.table_file_key(model, "scored", day, name), day)
            footer = footer_of(pq.read_metadata(pa.BufferReader(body)), file, len(body))
            large.append(_Large(ports.store.write(file.key, body), footer.new))
        _unchanged(model, day, etags, ports.store)
    except (ConflictError, NotFoundError):  # for good: they may show people who were erased since, and no erasure saw them
        ports.store.forget(one.info for one in large)
        return 0
    with suppress(ConflictError):  # an erasure that comes from now on sees these files
        scored.commit(scored.columns, added=[one.new for one in large], removed=small)
        return len(small)
    return 0


def _unchanged(model: str, day: date, etags: Etags, store: ObjectStore) -> None:
    if etags_on(model, day, store) != etags:
        message = f"manifests of {model!r} of {day} changed while their files were put together"
        raise ConflictError(message)


def _name(table: Table, etags: Etags) -> str:
    said = json.dumps([_FORMAT, table.identity, sorted(etags.items())])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def _bodies(table: Table, small: Sequence[TableFile], spec: ModelSpec, store: ObjectStore) -> Iterator[bytes]:
    """Yield large files, each of about the bytes that make one full.

    Raises:
        ConflictError: if ids have another name or type than an erasure would look for, so that it would not find all of them.
    """
    schema = table.file_schema
    identity = stored_identity(schema.names, spec)

    def read(file: TableFile) -> pa.Table:
        found = pq.read_table(pa.BufferReader(store.read(file.key)))
        name = stored_identity(found.column_names, spec)[ID]
        shown = table.columns.standing.get(name)
        if name != identity[ID] or shown is None or shown.kind != kind_of(found.schema.field(name).type):
            message = f"the ids of {file.key} have another name or type than those of the table"
            raise ConflictError(message)
        return _alike(found, schema, file.batch)

    time = identity.get(TIME)
    times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    most = max(file.rows for file in small) * len(schema) * _VALUE_BYTES
    pieces = _pieces(map_ahead(read, iter(small), threads=max(1, min(_AT_ONCE, _AHEAD_BYTES // most))))
    for first in pieces:
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=times) as writer:
            for piece in chain([first], pieces):
                writer.write_table(piece.sort_by(time) if time in times else piece)
                if sink.tell() >= _FULL_BYTES:
                    break
        yield bytes(sink.getvalue())


def _pieces(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables together, as many as are sorted at a time."""
    waiting, held = list[pa.Table](), 0
    for table in tables:
        waiting.append(table)
        held += table.nbytes
        if held >= _SORTED_BYTES:
            yield pa.concat_tables(waiting)
            waiting, held = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _alike(found: pa.Table, schema: pa.Schema, batch: str) -> pa.Table:
    """Return a file's rows with all columns of the table, and with their batch."""
    *named, of_batch = schema

    def column(field: pa.Field) -> pa.Array | pa.ChunkedArray:
        missing = field.name not in found.column_names
        return pa.nulls(found.num_rows, field.type) if missing else found[field.name].cast(field.type)

    return pa.table([*map(column, named), pa.repeat(batch, found.num_rows).cast(of_batch.type)], schema=schema)
