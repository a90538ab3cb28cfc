"""The table of labelled rows: what was predicted and what came true."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from functions.cataloguing.columns import Columns
from functions.cataloguing.followed import Made, Sources, tagged
from functions.shared.domain import layout
from functions.shared.domain.ids import id_texts
from functions.shared.domain.labelled_columns import ARRIVED, ID, LABEL, TIME, stored_identity
from functions.shared.domain.spec import ModelSpec, Task
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore

_FILE, _ROW, _PLACE = "file", "row", "place"
_AT_ONCE = 16


class LabelledRows:
    """Rows of an event day, each once, with the last label that the model knows.

    So its metrics count them. Files of labelled rows are not in the table as they lie: a row is in several if its label was corrected.
    """

    kind, shows_people = "labelled", True

    def __init__(self, model: str, spec: ModelSpec) -> None:
        self._model, self._spec = model, spec

    @property
    def depends(self) -> str:
        """Return what the rows depend on apart from files."""
        return json.dumps([self._spec.id_column, self._spec.time_column, self._spec.task.value, *self._spec.classes])

    def sources(self, store: ObjectStore) -> Mapping[date, Sources]:
        """Return the files of labelled rows by event day."""
        found: dict[date, dict[str, str]] = defaultdict(dict)
        for info in store.list(layout.labelled_prefix(self._model)):
            found[layout.labelled_day(info.key)][info.key] = info.etag
        return found

    def made(self, sources: Sources, store: ObjectStore) -> Made:
        """Return a day's rows, in the order of their files."""
        bodies = list(map_ahead(partial(tagged, store=store, sources=sources), iter(sorted(sources)), threads=_AT_ONCE))
        files = [pq.ParquetFile(pa.BufferReader(body)) for body in bodies]
        ids = [stored_identity(file.schema_arrow.names, self._spec)[ID] for file in files]
        identity = max(ids, key=len)  # one name for all, under which an erasure finds it among the others
        schemas = [_plain(file.schema_arrow, {stored: identity}) for file, stored in zip(files, ids, strict=True)]
        schema = _common(schemas, identity)
        stand = self._standing(files)
        sink = pa.BufferOutputStream()
        times = [field.name for field in schema if pa.types.is_timestamp(field.type)]
        with pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=times) as writer:
            for number, (file, stored) in enumerate(zip(files, ids, strict=True)):
                rows = stand.filter(pc.equal(stand[_FILE], number))[_ROW]
                if len(rows):
                    names = [name for name in file.schema_arrow.names if name == stored or name in schema.names]
                    found = file.read(names).take(rows)
                    named = found.set_column(names.index(stored), identity, id_texts(found[stored]))
                    writer.write_table(_shaped(named, schema))
        return Made(bytes(sink.getvalue()), schemas, sources)

    def _standing(self, files: Iterable[pq.ParquetFile]) -> pa.Table:
        """Return where each identity's row with the last label lies, in order.

        That is the number of its file, and its place in it.
        """
        tables = [self._identities(number, file) for number, file in enumerate(files)]
        every = pa.concat_tables(tables, promote_options="permissive").sort_by(_ascending(ARRIVED, _FILE, _ROW))
        if self._spec.task is not Task.REGRESSION:
            every = every.filter(pc.is_in(every[LABEL], value_set=pa.array(self._spec.classes, pa.string())))
        identity = [name for name in (ID, TIME) if name in every.column_names]
        numbered = every.append_column(_PLACE, pa.array(np.arange(every.num_rows)))
        last = numbered.group_by(identity, use_threads=False).aggregate([(_PLACE, "max")])[f"{_PLACE}_max"]
        return every.take(last).select([_FILE, _ROW]).sort_by(_ascending(_FILE, _ROW))

    def _identities(self, number: int, file: pq.ParquetFile) -> pa.Table:
        identity = stored_identity(file.schema_arrow.names, self._spec)
        rows = file.read([*identity.values(), LABEL, ARRIVED])
        columns = {name: rows[stored] for name, stored in identity.items()} | {LABEL: rows[LABEL], ARRIVED: rows[ARRIVED]}
        columns[ID] = id_texts(columns[ID])
        columns[_FILE] = pa.array(np.full(rows.num_rows, number))
        columns[_ROW] = pa.array(np.arange(rows.num_rows))
        return pa.table(columns)


def _plain(schema: pa.Schema, ids: Mapping[str, str]) -> pa.Schema:
    """Return a schema without what files of one day differ in.

    These are dictionaries, and the type and name of ids, which become text.
    """
    schema = pa.schema([pa.field(ids[field.name], pa.string()) if field.name in ids else field for field in schema])
    fields = (field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field for field in schema)
    return pa.schema([field.with_nullable(nullable=True) for field in fields])


def _common(schemas: Collection[pa.Schema], identity: str) -> pa.Schema:
    """Return the columns whose types agree in all files, and always the ids.

    Erasure finds people by them, whether or not the table shows them.
    """
    shown = {*Columns().with_files(schemas).standing, identity}
    alike = [pa.schema([field for field in schema if field.name in shown]) for schema in schemas]
    return pa.unify_schemas(alike, promote_options="permissive")


def _shaped(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with these columns, empty where their file has none."""
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def _ascending(*names: str) -> list[tuple[str, str]]:
    return [(name, "ascending") for name in names]
