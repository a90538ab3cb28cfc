"""The labelled rows of an event day, from all files of labels, in one document.

So a file of labels asks for no more after many files than after a few. The document follows from the files alone, and names each with its
ETag: a file that is new or was changed since is read again, and rows of one that is gone are left out. So whatever is written twice,
late, in another order, or half, the rows are the same; and the document may be deleted at any time.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.shared.domain import layout
from functions.shared.domain.errors import ConflictError, NotFoundError
from functions.shared.domain.ids import id_texts
from functions.shared.domain.labelled_columns import ARRIVED, BATCH, CHALLENGER, CHAMPION, ID, LABEL, stored_identity
from functions.shared.domain.scored_columns import said_names
from functions.shared.domain.spec import ModelSpec
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore

FEW = 4
"""A day of no more files is read whole each time, and nothing is kept of it."""
_AT_ONCE = 16
"""Files of labelled rows that are read at a time."""
_FILE, _PLACE = "file", "place"
_FILES, _COLUMNS = b"files", b"columns"


@dataclass(frozen=True, slots=True)
class _Kept:
    """Rows of files, each with the name of its file, and the files' ETags by name."""

    table: pa.Table
    files: Mapping[str, str]


def labelled_rows(day: date, spec: ModelSpec, store: ObjectStore) -> pa.Table:
    """Return what performance needs of a day's labelled rows, by `ID` and `TIME`.

    Labels that came first stand first.
    """
    return _in_order(_gathered(day, spec, store))


def files_with(ids: pa.Array | pa.ChunkedArray, day: date, spec: ModelSpec, store: ObjectStore) -> list[str]:
    """Return the keys of a day's files of labelled rows that have some ids."""
    rows = _gathered(day, spec, store).table
    prefix = layout.labelled_prefix(spec.name, day)
    named = pc.unique(rows.filter(pc.is_in(rows[ID], value_set=ids))[_FILE]).to_pylist() if rows.num_rows else []
    return [f"{prefix}{name}" for name in sorted(named)]


def _gathered(day: date, spec: ModelSpec, store: ObjectStore) -> _Kept:
    """Return the rows of all files of a day, and keep them for the next time."""
    prefix = layout.labelled_prefix(spec.name, day)
    listed = {found.key.removeprefix(prefix): found.etag for found in store.list(prefix)}
    if len(listed) <= FEW:
        return _read(prefix, listed, spec, store)
    key = layout.labelled_rows_key(spec.name, day)
    kept, etag = _kept(key, spec, store)
    standing = {name for name in listed if kept and kept.files.get(name) == listed[name]}
    came = _read(prefix, [name for name in listed if name not in standing], spec, store)
    now = came if kept is None else _plus(kept, standing, came)
    if kept is None or now.files != kept.files:
        _keep(key, now, etag, spec, store)
    return now


def _read(prefix: str, names: Iterable[str], spec: ModelSpec, store: ObjectStore) -> _Kept:
    """Read files of labelled rows."""
    read = list(map_ahead(partial(_file, prefix, spec=spec, store=store), iter(names), threads=_AT_ONCE))
    return _Kept(_together(rows for _, _, rows in read), {name: etag for name, etag, _ in read})


def _file(prefix: str, name: str, *, spec: ModelSpec, store: ObjectStore) -> tuple[str, str, pa.Table]:
    body, etag = store.read_tagged(f"{prefix}{name}")
    with pq.ParquetFile(pa.BufferReader(body)) as file:
        identity = stored_identity(file.schema_arrow.names, spec)
        rows = file.read([*identity.values(), *_columns(spec)])
    plain = _with_texts_decoded(rows.rename_columns({stored: called for called, stored in identity.items()}))
    named = plain.set_column(plain.column_names.index(ID), ID, id_texts(plain[ID]))
    return name, etag, named.append_column(_FILE, pa.repeat(name, named.num_rows)).replace_schema_metadata(None)


def _columns(spec: ModelSpec) -> list[str]:
    said = [f"{prefix}{name}" for prefix in ("", "champion_", "challenger_") for name in said_names(spec)]
    return [LABEL, ARRIVED, CHAMPION, CHALLENGER, BATCH, *said]


def _with_texts_decoded(rows: pa.Table) -> pa.Table:
    """Return rows with plain texts, since files of versions differ in dictionaries."""
    fields = (field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in rows.schema)
    return rows.cast(pa.schema(fields))


def _together(tables: Iterable[pa.Table]) -> pa.Table:
    every = [*tables]
    return pa.concat_tables(every, promote_options="default") if every else pa.table({})


def _plus(kept: _Kept, standing: set[str], came: _Kept) -> _Kept:
    """Return the kept rows of files that still stand, and the rows of new files."""
    rows = kept.table.filter(pc.is_in(kept.table[_FILE], value_set=pa.array(sorted(standing), pa.string())))
    return _Kept(_together([rows, *([came.table] if came.files else [])]), {name: kept.files[name] for name in standing} | {**came.files})


def _in_order(kept: _Kept) -> pa.Table:
    """Return rows by the arrival of their labels, and those of one moment by file."""
    places = pc.index_in(kept.table[_FILE], value_set=pa.array(sorted(kept.files), pa.string()))
    by_file = kept.table.append_column(_PLACE, places).sort_by(_PLACE)
    return by_file.sort_by(ARRIVED).drop_columns([_FILE, _PLACE])


def _kept(key: str, spec: ModelSpec, store: ObjectStore) -> tuple[_Kept | None, str | None]:
    """Return the document, if it has the columns of this version, and its ETag."""
    try:
        body, etag = store.read_tagged(key)
    except NotFoundError:
        return None, None
    table = pq.read_table(pa.BufferReader(body))
    noted = table.schema.metadata
    if noted[_COLUMNS] != _signature(spec):
        return None, etag
    return _Kept(table.replace_schema_metadata(None), json.loads(noted[_FILES])), etag


def _keep(key: str, kept: _Kept, etag: str | None, spec: ModelSpec, store: ObjectStore) -> None:
    """Keep the rows, unless another writer did first; the next labels add the rest."""
    sink = pa.BufferOutputStream()
    noted = {_FILES: json.dumps(dict(sorted(kept.files.items()))).encode(), _COLUMNS: _signature(spec)}
    pq.write_table(kept.table.replace_schema_metadata(noted), sink, compression="zstd")
    body = bytes(sink.getvalue())
    if etag is None:
        store.create(key, body)
        return
    with suppress(ConflictError):
        store.replace(key, body, etag=etag)


def _signature(spec: ModelSpec) -> bytes:
    """Return what the rows of a document depend on apart from files."""
    return json.dumps([spec.id_column, spec.time_column, *_columns(spec)]).encode()
